"""From the bytes of a file that a stranger made to arrays that the rest of the pipeline can trust.

Every limit is checked on the header, before a pixel is decoded, and every refusal is a sentence that
says what is wrong and what to do. Pillow's process-wide switches (``MAX_IMAGE_PIXELS``,
``LOAD_TRUNCATED_IMAGES``) belong to whoever else uses Pillow in the process: they are neither changed nor
trusted.
"""

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from vivid_assets.imaging.containers import (
    UnreadablePicture,
    count_frames,
    identify,
    open_lazily,
    webp_size,
)
from vivid_assets.imaging.profiles import lab_profile, to_srgb
from vivid_assets.imaging.resizing import fitted_size, resize_to_fit

# The largest cameras' pictures (102 megapixels) pass; decoding one takes about a gigabyte.
MAX_PIXELS = 120_000_000
MAX_FRAMES = 1_000
# Cameras and editors write about ten scans into a progressive JPEG; each costs a pass over all pixels. A picture at
# the limit of pixels may have 20 of them, a smaller one more.
MAX_SCANS = (20, 100)

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture, upright and in sRGB.

    Attributes:
        rgb: uint8, height × width × 3, gamma-encoded sRGB, 0–255. Where ``alpha`` is 0 the colours are
            whatever the file holds there.
        alpha: float32, height × width, 0 (clear) to 1 (solid), not premultiplied; None if all is solid.
        rgb16: uint16, height × width × 3, gamma-encoded sRGB, 0–65535, if the file has 16 bits a channel
            in sRGB and was decoded at full size; else None.
        notes: what was done to the picture that its owner may want to know, each a phrase.
        format: "JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP" or "AVIF".
        size: (width, height) in pixels of the upright original, whatever size ``rgb`` was decoded at.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32] | None
    rgb16: NDArray[np.uint16] | None
    notes: tuple[str, ...]
    format: str
    size: tuple[int, int]


def decode(
    data: bytes,
    *,
    longest: int | None = None,
    max_pixels: int = MAX_PIXELS,
    max_frames: int = MAX_FRAMES,
) -> Picture:
    """Decode a picture's bytes.

    EXIF orientation is applied; an ICC profile is converted to sRGB; CMYK and Lab become RGB; palettes are
    resolved; of several frames the first is taken.

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
    kind = identify(data)
    if kind == "WEBP" and (announced := webp_size(data)):
        _check_pixels(announced, max_pixels)
    image = _guarded(lambda: open_lazily(data, kind))
    _check_pixels(image.size, max_pixels)
    _check_scans(image, data, kind, max_pixels)
    frames = _guarded(lambda: count_frames(image, data, kind, max_frames))
    if frames > max_frames:
        raise UnreadablePicture(
            f"The file holds more than {max_frames:,} frames or pages; save the wanted one as a picture of its own."
        )
    width, height = image.size
    if longest and kind == "JPEG":
        # The DCT yields 1/2, 1/4 or 1/8 at a fraction of the cost. It is asked for at least twice what is
        # wanted, so that the resampling filter decides what is kept.
        image.draft(image.mode, fitted_size(width, height, 2 * longest))
    _guarded(lambda: _load(image, kind))
    # Pillow turns a TIFF by itself while it loads. A PNG may say it after its pixels, so this comes last.
    orientation = 1 if kind == "TIFF" else _orientation(image)
    if image.size == (height, width) if kind == "TIFF" else orientation >= 5:
        width, height = height, width
    rgb, alpha, rgb16, notes = _guarded(lambda: _convert(image, data, kind, want_16=longest is None))
    if frames > 1:
        notes = [f"first of {frames} frames", *notes]
    if longest:
        rgb, alpha = _reduce(rgb, alpha, longest)
    return Picture(
        rgb=_upright(rgb, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        rgb16=None if rgb16 is None else _upright(rgb16, orientation),
        notes=tuple(notes),
        format=kind,
        size=(width, height),
    )


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


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF 2.32 tag 0x0112, 1–8. A broken EXIF block is no reason to refuse a picture that can be seen."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return value if value in range(1, 9) else 1


def _load(image: Any, kind: str) -> None:
    """Decode the pixels; a file that ends too early raises even where LOAD_TRUNCATED_IMAGES is set."""
    read = image.load_read if kind == "PNG" else lambda size: image.fp.read(size)

    def read_or_fail(size: int) -> bytes:
        with suppress(IndexError, struct.error):
            if block := read(size):
                return block
        raise EOFError

    image.load_read = read_or_fail
    image.load()


Planes = tuple[NDArray[np.uint8], NDArray[np.float32] | None, NDArray[np.uint16] | None, list[str]]


def _convert(image: ImageFile.ImageFile, data: bytes, kind: str, want_16: bool) -> Planes:
    """From decoded pixels in any mode to (rgb, alpha, rgb16, notes), as the file stores them, not yet turned."""
    notes = []
    sixteen = _has_16_bits(image, data, kind)
    base, alpha = _split(image, sixteen)
    rgb16 = None
    if sixteen and want_16:
        rgb16, alpha = _sixteen_bits(image, base, alpha, data)
    profile = image.info.get("icc_profile")
    if base.mode == "LAB":
        profile = lab_profile()
    if isinstance(profile, bytes) and profile:
        converted, note = to_srgb(base, profile)
        if converted is not None:
            # LittleCMS is reached at 8 bits only, and 16 bits of another colour space would be wrong colours.
            base, rgb16 = converted, None
        notes += [note] if note else []
    elif base.mode == "CMYK":
        notes.append("CMYK without a profile converted to RGB")
    rgb = _to_8(rgb16) if rgb16 is not None else np.array(base if base.mode == "RGB" else base.convert("RGB"))
    if sixteen:
        notes.append("16 bits a channel" if rgb16 is not None or not want_16 else "16 bits a channel taken as 8")
    if alpha is not None and alpha.min() == 1:
        alpha = None
    return rgb, alpha, rgb16, notes


def _has_16_bits(image: Any, data: bytes, kind: str) -> bool:
    if kind == "PNG":
        return data[24] == 16
    return kind == "TIFF" and max(image.tag_v2.get(258, (1,))) == 16


def _to_8(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """0–65535 to 0–255, rounded to the nearest."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _split(image: ImageFile.ImageFile, sixteen: bool) -> tuple[Image.Image, NDArray[np.float32] | None]:
    """Colour (mode L, RGB, CMYK or LAB) and alpha (0–1), or None."""
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint16)
        key = image.info.get("transparency")
        alpha = None if key is None else (grey != key).astype(np.float32)
        return Image.fromarray(_to_8(grey)), alpha
    if image.mode in ("I", "F"):
        raise UnreadablePicture(
            "The picture's samples are 32-bit numbers, of which nothing says which is white; save it with 8 or 16 bits."
        )
    if sixteen and "transparency" in image.info:
        # Pillow keeps the high byte of 16-bit colours, but all of the colour key.
        key = np.atleast_1d(image.info.pop("transparency")) >> 8
        return image.convert("RGB"), (np.asarray(image.convert("RGB")) != key).any(axis=-1).astype(np.float32)
    if image.has_transparency_data:
        with_alpha = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
        alpha8 = np.asarray(with_alpha.getchannel("A"))
        return with_alpha.convert(with_alpha.mode[:-1]), np.divide(alpha8, 255, dtype=np.float32)
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _sixteen_bits(
    image: ImageFile.ImageFile, base: Image.Image, alpha: NDArray[np.float32] | None, data: bytes
) -> tuple[NDArray[np.uint16] | None, NDArray[np.float32] | None]:
    """(rgb16, alpha) with all 16 bits, of which Pillow drops half where there is more than one channel.

    OpenCV is asked only after Pillow has decoded the file whole, and believed only where both agree; else rgb16 is
    None and alpha stays what it was.
    """
    if image.mode.startswith("I;16"):
        return np.repeat(np.asarray(image).astype(np.uint16)[..., None], 3, axis=-1), alpha
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return None, alpha
    rgb16 = np.ascontiguousarray(values[..., 2::-1]).astype(np.uint16)
    narrow = np.asarray(base.convert("RGB"))
    if rgb16.shape != narrow.shape or np.abs((rgb16 >> 8).astype(np.int16) - narrow).max() > 1:
        return None, alpha
    if values.shape[2] == 4 and "A" in image.getbands():
        alpha = np.divide(values[..., 3], 65535, dtype=np.float32)
    return rgb16, alpha


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
