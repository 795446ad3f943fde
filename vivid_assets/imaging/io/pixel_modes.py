"""From a decoded picture in whatever mode its file has to sRGB colour and alpha."""

from io import BytesIO
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from vivid_assets.imaging.io import png
from vivid_assets.imaging.io.color.declared_colors import declared_colors, linear_colors, refuse_hdr
from vivid_assets.imaging.io.color.icc import lab_profile, to_srgb
from vivid_assets.imaging.io.color.linear_colors import LinearColors
from vivid_assets.imaging.io.color.matrix_profiles import matrix_colors
from vivid_assets.imaging.io.formats import jxl_header
from vivid_assets.imaging.io.isobmff import item_property
from vivid_assets.imaging.io.tiff import PHOTOMETRIC, WHITE_IS_0
from vivid_assets.imaging.io.unreadable import UnreadablePicture

_ROWS = 256
"""What is looked at or changed at once, so that a picture is in memory but few times."""


class Converted(NamedTuple):
    """A picture's planes in sRGB, not turned and not reduced."""

    rgb: NDArray[np.uint8]
    """H×W×3, 0–255."""
    alpha: NDArray[np.float32] | None
    """H×W, 0–1; None if all is solid."""
    rgb16: NDArray[np.uint16] | None
    """H×W×3, 0–65535; None where the file has 8 bits, or only 8 of its bits can be used."""
    notes: list[str]
    """What was done."""


class _Stored(NamedTuple):
    """Colour and alpha as the file has them: no profile is applied yet."""

    base: Image.Image
    """Of mode L, RGB, CMYK or LAB."""
    alpha: NDArray[np.float32] | None
    rgb16: NDArray[np.uint16] | None


def to_srgb_planes(image: ImageFile.ImageFile, data: bytes, kind: str, want_16: bool) -> Converted:
    """Take colour and alpha out of decoded pixels in any mode.

    Args:
        image: loaded by Pillow.
        data: the file that it was loaded from.
        kind: its format.
        want_16: whether ``rgb16`` is of use where the file has 16 bits a channel.

    Raises:
        UnreadablePicture: samples that nothing gives a meaning. A damaged file may raise anything else.

    """
    bits = _depth(image, data, kind)
    base, alpha, rgb16 = _stored(image, data, kind, want_16, bits > 8)
    profile = lab_profile() if base.mode == "LAB" else image.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) else b""
    declared, notes = declared_colors(image, data, kind, bool(profile))
    if profile and declared is None:
        refuse_hdr(profile)
        converted, note = to_srgb(base, profile)
        notes += [note] if note else []
        if converted is not None:
            colors = matrix_colors(profile) if base.mode in ("L", "RGB") else None
            if colors is not None:
                notes += _outside(colors, np.asarray(base.convert("RGB")) if rgb16 is None else rgb16)
            # LittleCMS is reached at 8 bits only, and 16 bits of another colour space would be wrong colours.
            rgb16 = colors.convert(rgb16) if colors is not None and rgb16 is not None else None
            base = converted
    elif base.mode == "CMYK":
        notes.append("CMYK without a profile converted to RGB")
        declared = None
    values: NDArray[Any] = np.array(base if base.mode == "RGB" else base.convert("RGB")) if rgb16 is None else rgb16
    if declared is not None:
        colors = linear_colors(declared)
        notes += [f"colours converted from {declared.name} to sRGB", *_outside(colors, values)]
        values = colors.convert(values)
    rgb, rgb16 = (values, None) if values.dtype == np.uint8 else (to_8(values), values)
    if bits > 8:
        notes.append(f"{bits} bits a channel" + ("" if rgb16 is not None or not want_16 else " taken as 8"))
    if alpha is not None and alpha.min() == 1:
        alpha = None
    return Converted(rgb, alpha, rgb16, notes)


def _stored(image: ImageFile.ImageFile, data: bytes, kind: str, want_16: bool, sixteen: bool) -> _Stored:
    """Colour and alpha of decoded pixels; ``sixteen`` says whether the file has more than 8 bits a channel."""
    if kind == "TIFF" and image.mode.startswith("I;16"):
        _refuse_unscaled(image)
    color_key = png.body_of(data, b"tRNS") if kind == "PNG" and image.mode in ("L", "RGB") else None
    if color_key and data[24] in (2, 4) and "transparency" in image.info:
        # Pillow scales the samples to 8 bits and leaves the key as it is.
        image.info["transparency"] *= 255 // ((1 << data[24]) - 1)
    base, alpha = _split(image, sixteen)
    if not (sixteen and (want_16 or color_key)):
        return _Stored(base, alpha, None)
    rgb16, alpha = _sixteen_bits(image, base, alpha, data, kind)
    if rgb16 is not None and color_key and len(color_key) == 6:
        # By its high bytes alone a neighbouring colour would be clear too.
        alpha = (rgb16 != np.frombuffer(color_key, ">u2")).any(axis=-1).astype(np.float32)
    return _Stored(base, alpha, rgb16 if want_16 else None)


def _outside(colors: LinearColors, values: NDArray[Any]) -> list[str]:
    """What the way to sRGB takes away, where that is a hundredth of the picture."""
    share = colors.share_outside(values)
    return [f"{share:.0%} of the pixels have colours that sRGB lacks, clipped to it"] if share >= 0.01 else []


def _depth(image: Any, data: bytes, kind: str) -> int:
    """Bits a channel in the file."""
    if kind == "PNG":
        return data[24]
    if kind == "TIFF":
        return int(max(image.tag_v2.get(258, (1,))))
    if kind == "HEIF":
        return int(image.info.get("bit_depth", 8))
    if kind == "AVIF" and (box := item_property(data, b"pixi")) and len(box) > 5:
        return max(box[5:])
    if kind == "JXL" and (header := jxl_header(data)):
        return header.bits
    return 8


def to_8(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """0–65535 to 0–255, rounded to the nearest."""
    narrow = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _ROWS):
        narrow[top : top + _ROWS] = (values[top : top + _ROWS].astype(np.uint32) + 128) // 257
    return narrow


def _most_apart(deep: NDArray[np.uint16], narrow: NDArray[np.uint8]) -> int:
    """The largest difference between the high bytes and a picture of 8 bits."""
    strips = (slice(top, top + _ROWS) for top in range(0, len(narrow), _ROWS))
    return max(int(np.abs((deep[rows] >> 8).astype(np.int16) - narrow[rows]).max()) for rows in strips)


def _refuse_unscaled(image: Any) -> None:
    """Twelve bits of a camera in samples of sixteen come out black, and nothing in a TIFF says so."""
    brightest = image.getextrema()[1]
    if 256 <= brightest < 4096:
        raise UnreadablePicture(
            f"The TIFF's brightest sample is {brightest:,} of 65,535, as if 12 bits were stored in 16: "
            "it would come out nearly black; save it with its values scaled to 16 bits."
        )


def _grey_16(image: Any) -> NDArray[np.uint16]:
    grey = np.asarray(image).astype(np.uint16)
    # Pillow turns white-is-zero round at 8 bits only.
    return ~grey if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_0 else grey


def _all_bits(data: bytes, kind: str) -> NDArray[Any] | None:
    """All bits of the same picture, blue first, or None."""
    if kind == "HEIF":
        from pillow_heif import open_heif

        file = open_heif(BytesIO(data), convert_hdr_to_8bit=False, bgr_mode=True)
        # It fills 16 bits from the left and leaves the rest zero: white would not be 65,535.
        values, bits = np.asarray(file[file.primary_index]), int(file.info.get("bit_depth", 8))
        if values.dtype != np.uint16 or not 8 < bits <= 16:
            return None
        return ((values >> 16 - bits).astype(np.uint32) * 65_535 // ((1 << bits) - 1)).astype(np.uint16)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if kind in ("PNG", "TIFF") else None


def _split(image: ImageFile.ImageFile, sixteen: bool) -> tuple[Image.Image, NDArray[np.float32] | None]:
    """Colour (mode L, RGB, CMYK or LAB) and alpha (0–1), or None."""
    if image.mode.startswith("I;16"):
        grey = _grey_16(image)
        key = image.info.get("transparency")
        alpha = None if key is None else (grey != key).astype(np.float32)
        return Image.fromarray(to_8(grey)), alpha
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
    image: ImageFile.ImageFile, base: Image.Image, alpha: NDArray[np.float32] | None, data: bytes, kind: str
) -> tuple[NDArray[np.uint16] | None, NDArray[np.float32] | None]:
    """(rgb16, alpha) with all 16 bits, of which Pillow drops half where there is more than one channel.

    Another decoder is asked only after Pillow has decoded the file whole, and believed only where both agree; else
    rgb16 is None and alpha stays what it was.
    """
    if image.mode.startswith("I;16"):
        return np.repeat(_grey_16(image)[..., None], 3, axis=-1), alpha
    values = _all_bits(data, kind)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return None, alpha
    rgb16 = np.ascontiguousarray(values[..., 2::-1])
    narrow = np.asarray(base.convert("RGB"))
    # The way from Y'CbCr rounds at each depth by itself.
    same = 4 if kind == "HEIF" else 1
    if rgb16.shape != narrow.shape or _most_apart(rgb16, narrow) > same:
        return None, alpha
    if values.shape[2] == 4 and "A" in image.getbands():
        alpha = np.divide(values[..., 3], 65535, dtype=np.float32)
    return rgb16, alpha
