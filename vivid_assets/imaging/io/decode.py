"""From the bytes of a file that a stranger made to arrays that the rest of the pipeline can trust.

Every limit is checked on the header, before a pixel is decoded, and every refusal is a sentence that
says what is wrong and what to do. Pillow's process-wide switches (``MAX_IMAGE_PIXELS``,
``LOAD_TRUNCATED_IMAGES``) belong to whoever else uses Pillow in the process: they are neither changed nor
trusted.
"""

import struct
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from vivid_assets.imaging.core.resize import fitted_size, resize_to_fit
from vivid_assets.imaging.io import jpeg, png, tiff
from vivid_assets.imaging.io.carried import Carried, read_carried
from vivid_assets.imaging.io.formats import count_frames, identify, jxl_header, open_lazily, trim, webp_size
from vivid_assets.imaging.io.pixel_budget import budget_of_memory
from vivid_assets.imaging.io.pixel_modes import to_srgb_planes
from vivid_assets.imaging.io.unreadable import UnreadablePicture

MAX_PIXELS = 120_000_000
"""The largest cameras' pictures (102 megapixels) pass; decoding one takes about a gigabyte, an animated WebP two."""
MAX_FRAMES = 1_000
MAX_SCANS = (20, 100)
"""Cameras and editors write about ten scans into a progressive JPEG; each costs a pass over all pixels. A picture at
the limit of pixels may have 20 of them, a smaller one more."""
BYTES_PER_PIXEL = 40
"""The worst of all take 36 bytes for each of their pixels: 16 bits a channel with alpha; a lossless WebP, 31."""
_DECODING = budget_of_memory(BYTES_PER_PIXEL)

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture, upright and in sRGB.

    Attributes:
        rgb: uint8, H×W×3, gamma-encoded sRGB, 0–255. Where ``alpha`` is 0 the colours are
            whatever the file holds there.
        alpha: float32, H×W, 0 (clear) to 1 (solid), not premultiplied; None if all is solid.
        rgb16: uint16, H×W×3, gamma-encoded sRGB, 0–65535, if the file has more than 8 bits
            a channel, in colours that are reached at full depth, and was decoded at full size; else None.
        notes: what was done to the picture that its owner may want to know, each a phrase.
        format: "JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF" or "JXL".
        size: (width, height) in pixels of the upright original, whatever size ``rgb`` was decoded at.
        carried: what the file says of its maker, its rights and its resolution.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32] | None
    rgb16: NDArray[np.uint16] | None
    notes: tuple[str, ...]
    format: str
    size: tuple[int, int]
    carried: Carried = field(default_factory=Carried)


def decode(
    data: bytes,
    *,
    longest: int | None = None,
    max_pixels: int = MAX_PIXELS,
    max_frames: int = MAX_FRAMES,
) -> Picture:
    """Decode a picture's bytes.

    EXIF orientation is applied (HEIF's and JPEG XL's own in its place). An ICC profile, and colours declared by
    numbers, gamma or EXIF, are converted to sRGB; CMYK and Lab become RGB; palettes are resolved. Of several frames
    the first is taken, of a TIFF's pages the first that is no thumbnail. What the threads of a process decode at once
    takes a quarter of the memory at most: an enormous picture waits for the others.

    Args:
        data: the whole file.
        longest: if given, the picture is reduced, antialiased, so that its longer side is at most this
            many pixels (a JPEG is then decoded at a reduced size, which is faster). Never enlarges.
        max_pixels: width × height above which a picture is refused, by its header.
        max_frames: frames or pages above which a file is refused.

    Raises:
        UnreadablePicture: no picture, a format that is not read, damaged, cut off, or over a limit.
        MemoryError: the machine's fault, not the picture's.
    """
    notes: list[str] = []
    if (bare := trim(data)) is not data:
        data, notes = bare, ["line breaks before the picture ignored"]
    kind = identify(data)
    if kind == "JPEG":
        return _decode_jpeg(data, notes, longest, max_pixels, max_frames)
    if kind == "PNG":
        data, damage = png.without_damage(data)
        notes += damage
    return _decode(data, kind, notes, longest, max_pixels, max_frames)


def reduced(picture: Picture, longest: int) -> Picture:
    """The picture as ``decode`` returns it with ``longest``, without decoding its file a second time.

    A JPEG from four times ``longest`` on, which ``decode`` reduces while it decodes, may differ by rounding.
    """
    rgb, alpha = _reduce(picture.rgb, picture.alpha, longest)
    return replace(picture, rgb=rgb, alpha=alpha, rgb16=None)


def _decode_jpeg(data: bytes, notes: list[str], longest: int | None, max_pixels: int, max_frames: int) -> Picture:
    try:
        return _decode(data, "JPEG", notes, longest, max_pixels, max_frames)
    except UnreadablePicture as error:
        if coding := jpeg.unread_coding(data):
            raise UnreadablePicture(f"The file is {coding}, which is not read; save it as an ordinary JPEG.") from error
        if not isinstance(error.__cause__, EOFError) or not _guarded(lambda: jpeg.only_end_is_missing(data)):
            raise
    whole = jpeg.without_half_mark(data) + jpeg.END
    notes = [*notes, "the file's end mark is missing; every pixel is there"]
    return _decode(whole, "JPEG", notes, longest, max_pixels, max_frames)


def _decode(data: bytes, kind: str, notes: list[str], longest: int | None, max_pixels: int, max_frames: int) -> Picture:
    announced = _announced_size(data, kind)
    if announced:
        _check_pixels(announced, max_pixels)
    if kind == "TIFF":
        _check_frames(count_frames(None, data, kind, max_frames), max_frames)
        page, chosen = _guarded(lambda: tiff.choose_page(data, max_frames))
        _check_pixels(page.size, max_pixels)
        tiff.refuse_unread(page)
        notes = [*notes, chosen] if chosen else notes
        with _DECODING.take(page.size[0] * page.size[1]) if page.lies_apart else nullcontext():
            plain = _guarded(lambda: tiff.plain_file(data, page))
        return _decode_opened(plain, data, kind, notes, longest, max_pixels, max_frames)
    if kind == "JXL" and announced:
        # Its decoder has no lazy way: all pixels are there once it is opened.
        with _DECODING.take(announced[0] * announced[1]):
            image = _guarded(lambda: open_lazily(data, kind))
            return _to_picture(image, data, kind, notes, 1, longest)
    return _decode_opened(data, data, kind, notes, longest, max_pixels, max_frames)


def _decode_opened(
    data: bytes, whole: bytes, kind: str, notes: list[str], longest: int | None, max_pixels: int, max_frames: int
) -> Picture:
    """``data`` is what is decoded; ``whole``, the file with all its pages."""
    image = _guarded(lambda: open_lazily(data, kind))
    _check_pixels(image.size, max_pixels)
    _check_scans(image, data, kind, max_pixels)
    frames = _guarded(lambda: count_frames(image, whole, kind, max_frames))
    _check_frames(frames, max_frames)
    if longest and kind == "JPEG":
        # The DCT yields 1/2, 1/4 or 1/8 at a fraction of the cost. It is asked for at least twice what is
        # wanted, so that the resampling filter decides what is kept.
        width, height = image.size
        image.draft(image.mode, fitted_size(width, height, 2 * longest))
        with _DECODING.take(image.width * image.height):
            return _to_picture(image, data, kind, notes, frames, longest, (width, height))
    with _DECODING.take(image.width * image.height):
        return _to_picture(image, data, kind, notes, frames, longest)


def _to_picture(
    image: Any,
    data: bytes,
    kind: str,
    notes: list[str],
    frames: int,
    longest: int | None,
    size: tuple[int, int] | None = None,
) -> Picture:
    width, height = size or image.size
    _guarded(lambda: _load(image, kind))
    # A PNG may say its orientation after its pixels, so this comes last.
    orientation = _orientation(image, kind)
    # Pillow turns a TIFF by itself while it loads.
    if image.size == (height, width) if kind == "TIFF" else orientation >= 5:
        width, height = height, width
    rgb, alpha, rgb16, converted = _guarded(lambda: to_srgb_planes(image, data, kind, want_16=longest is None))
    if frames > 1:
        notes = [*notes, f"{'main one' if kind == 'HEIF' else 'first'} of {frames} frames"]
    if longest:
        rgb, alpha = _reduce(rgb, alpha, longest)
    return Picture(
        rgb=_upright(rgb, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        rgb16=None if rgb16 is None else _upright(rgb16, orientation),
        notes=(*notes, *converted),
        format=kind,
        size=(width, height),
        carried=read_carried(image),
    )


def _announced_size(data: bytes, kind: str) -> tuple[int, int] | None:
    """Of formats whose decoders take memory when they are opened."""
    if kind == "WEBP":
        return webp_size(data)
    if kind != "JXL":
        return None
    header = _guarded(lambda: jxl_header(data))
    if header is None:
        raise UnreadablePicture("The file is cut off: it ends before the picture does; copy it again from its source.")
    if header.is_animated or header.has_preview:
        what = "is animated" if header.is_animated else "holds a preview"
        raise UnreadablePicture(
            f"The JPEG XL picture {what}, which is not read; export the wanted frame as JPEG or PNG."
        )
    return header.width, header.height


def _check_frames(frames: int, max_frames: int) -> None:
    if frames > max_frames:
        raise UnreadablePicture(
            f"The file holds more than {max_frames:,} frames or pages; save the wanted one as a picture of its own."
        )


@dataclass(frozen=True, eq=False)
class Samples:
    """A file's numbers as they are stored, upright: no profile is applied and no palette resolved.

    Attributes:
        values: H×W, or H×W×2 (grey and alpha), 3 or 4; RGB order, of the file's own type.
        palette: uint8, colours × 3, where ``values`` are indices into it; else None.
        alpha: float32, H×W, 0–1, where the file has transparency beside ``values``; else None.
    """

    values: NDArray[Any]
    palette: NDArray[np.uint8] | None
    alpha: NDArray[np.float32] | None


def read_samples(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Samples:
    """Read what a file holds as numbers, for what is no picture, such as a mask. Limits and errors as in ``decode``."""
    data = trim(data)
    kind = identify(data)
    if kind == "PNG":
        data, _ = png.without_damage(data)
    announced = _announced_size(data, kind)
    if announced:
        _check_pixels(announced, max_pixels)
    if kind == "TIFF":
        page, _ = _guarded(lambda: tiff.choose_page(data, MAX_FRAMES))
        _check_pixels(page.size, max_pixels)
        tiff.refuse_unread(page)
        whole = data
        data = _guarded(lambda: tiff.plain_file(whole, page))
    with _DECODING.take(announced[0] * announced[1]) if announced else nullcontext():
        image: Any = _guarded(lambda: open_lazily(data, kind))
    _check_pixels(image.size, max_pixels)
    _check_scans(image, data, kind, max_pixels)
    with _DECODING.take(image.width * image.height):
        _guarded(lambda: _load(image, kind))
        orientation = _orientation(image, kind)
        values, palette, alpha = _guarded(lambda: _samples(image, data))
    upright = _upright(values, orientation)
    return Samples(upright, palette, None if alpha is None else _upright(alpha, orientation))


def _samples(image: Any, data: bytes) -> tuple[NDArray[Any], NDArray[np.uint8] | None, NDArray[np.float32] | None]:
    alpha = None
    if image.has_transparency_data and image.mode in ("1", "L", "P", "PA", "RGB"):
        alpha = np.divide(np.asarray(image.convert("RGBA").getchannel("A")), 255, dtype=np.float32)
    if image.mode in ("P", "PA"):
        palette = np.asarray(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return np.asarray(image.getchannel(0)), palette, alpha
    values: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is not None and values.dtype != np.uint8 and values.shape[:2] == (image.height, image.width):
        # Pillow keeps half of 16-bit colours.
        return values if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]], None, alpha
    if image.mode == "1":
        return np.asarray(image.convert("L")), None, alpha
    known = ("L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I;16L")
    return np.asarray(image if image.mode in known else image.convert("RGB")), None, alpha


def _guarded(step: Callable[[], T]) -> T:
    """Run a step on a stranger's bytes: decoders raise whatever comes to hand, a caller wants one error."""
    try:
        return step()
    except (UnreadablePicture, MemoryError):
        raise
    except EOFError as error:
        raise UnreadablePicture(
            "The file is cut off: it ends before the picture does; copy it again from its source."
        ) from error
    except Image.DecompressionBombError as error:
        raise UnreadablePicture(
            "The file announces a picture of more pixels than can be decoded safely; save a smaller copy."
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        if (
            isinstance(error, NotImplementedError)
            or "unsupported" in reason.lower()
            or "not supported" in reason.lower()
        ):
            raise UnreadablePicture(
                f"The file is of a variant that is not read ({reason}); save it anew as PNG, JPEG or TIFF."
            ) from error
        raise UnreadablePicture(
            f"The file is damaged or cut off and cannot be decoded ({reason}); copy it again from its source."
        ) from error


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise UnreadablePicture(f"The picture is {width} × {height} pixels: there is nothing in it.")
    if width * height > max_pixels:
        raise UnreadablePicture(
            f"The picture is {width:,} × {height:,} pixels ({width * height / 1e6:,.0f} megapixels), over the limit "
            f"of {max_pixels / 1e6:,.0f} megapixels; save a smaller copy, or raise the limit if it is genuine."
        )


def _check_scans(image: ImageFile.ImageFile, data: bytes, kind: str, max_pixels: int) -> None:
    if kind != "JPEG" or "progressive" not in image.info:
        return
    fewest, most = MAX_SCANS
    allowed = min(most, fewest * max_pixels // (image.width * image.height))
    # Within the coded data 0xFF is always followed by 0x00, so the marker cannot occur there by chance.
    if data.count(b"\xff\xda") > allowed:
        raise UnreadablePicture(
            f"The JPEG is coded in more than {allowed} passes, more than any camera or editor makes; save it anew."
        )


def _orientation(image: Any, kind: str) -> int:
    """EXIF 2.32 tag 0x0112, 1–8. A broken EXIF block is no reason to refuse a picture that can be seen.

    HEIF and JPEG XL turn by their own word, which their decoders have obeyed, and EXIF's is to be ignored there; but a
    JPEG that was packed into a JPEG XL comes back as it was.
    """
    if kind in ("TIFF", "HEIF") or (kind == "JXL" and not image.jpeg):
        return 1
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return value if value in range(1, 9) else 1


def _load(image: Any, kind: str) -> None:
    """Decode the pixels; a file that ends too early raises even where LOAD_TRUNCATED_IMAGES is set."""
    read: Callable[[int], bytes] = image.load_read if kind == "PNG" else lambda size: image.fp.read(size)

    def read_or_fail(size: int) -> bytes:
        with suppress(IndexError, struct.error):
            if block := read(size):
                return block
        raise EOFError

    if kind == "HEIF":
        # The plugin's own way forgives what is missing where the process does; this one does not.
        image._heif_file[image.tell()].load()
    image.load_read = read_or_fail
    image.load()


def _reduce(
    rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None, longest: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """Reduce colour and alpha together: what hides under clear pixels must not bleed into the edge."""
    small = resize_to_fit(rgb, longest)
    if alpha is None or small is rgb:
        return small, alpha
    small_alpha = resize_to_fit(alpha, longest).clip(0, 1)
    covered = small_alpha > 1 / 512
    unmixed = np.stack([resize_to_fit(rgb[..., c] * alpha, longest) for c in range(3)], axis=-1)
    unmixed /= np.maximum(small_alpha, 1 / 512)[..., None]
    return np.where(covered[..., None], unmixed.clip(0, 255).round().astype(np.uint8), small), small_alpha


def _upright(plane: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn what EXIF says is stored turned: 2–4 mirrored or upside down, 5–8 on its side."""
    if orientation in (5, 7):
        plane = cv2.transpose(plane)
    elif orientation in (6, 8):
        plane = cv2.rotate(plane, cv2.ROTATE_90_CLOCKWISE if orientation == 6 else cv2.ROTATE_90_COUNTERCLOCKWISE)
    if orientation in (3, 7):
        plane = cv2.rotate(plane, cv2.ROTATE_180)
    elif orientation in (2, 4):
        plane = cv2.flip(plane, 1 if orientation == 2 else 0)
    return np.ascontiguousarray(plane)
