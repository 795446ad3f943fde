"""Images as callers have them, NumPy arrays or Pillow's, to decoded pictures and back."""

from io import BytesIO
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from vivid_assets.imaging.io.codec import Picture, UnreadablePicture, decode
from vivid_assets.imaging.io.pixel_modes import to_8

Array: TypeAlias = NDArray[Any]
Image: TypeAlias = Array | Pillow.Image

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""Pillow's modes that a PNG stores unchanged."""


def picture_of(image: Image, *, max_pixels: int) -> Picture:
    """An image as it would come from a lossless file of it.

    Args:
        image: uint8 or uint16, gamma-encoded sRGB: H×W grey, H×W×3, or H×W×4 with straight alpha; or a Pillow image,
            whose ICC profile and EXIF orientation are applied.
        max_pixels: the most that are taken.

    Raises:
        TypeError: no array and no Pillow image.
        ValueError: a shape, dtype or mode that is not taken, or too many pixels.
    """
    if isinstance(image, Pillow.Image):
        return _from_pillow(image, max_pixels)
    if not isinstance(image, np.ndarray):
        raise TypeError(f"An image is a NumPy array or a Pillow image, not {type(image).__name__}.")
    return _from_array(image, max_pixels)


def pillow_of(values: Array) -> Pillow.Image:
    """A Pillow image of uint8 H×W×3 or H×W×4, or of a mask: float H×W, 0..1, in 256 steps."""
    if values.ndim == 2:
        values = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
    return Pillow.fromarray(values)


def mask_of(mask: Image) -> Array:
    """A mask as float32 H×W, 0..1: white is subject.

    Args:
        mask: bool, uint8, uint16, or float in 0..1, H×W; or a Pillow image, of which the grey counts.

    Raises:
        TypeError: no array and no Pillow image.
        ValueError: another shape or dtype, or values outside 0..1.
    """
    if isinstance(mask, Pillow.Image):
        mask = np.asarray(mask if mask.mode in ("L", "I;16") else mask.convert("L"))
    if not isinstance(mask, np.ndarray):
        raise TypeError(f"A mask is a NumPy array or a Pillow image, not {type(mask).__name__}.")
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"A mask is H×W, not {mask.shape}.")
    if mask.dtype in (np.uint8, np.uint16):
        return mask.astype(np.float32) / np.float32(np.iinfo(mask.dtype).max)
    if mask.dtype != np.bool_ and not np.issubdtype(mask.dtype, np.floating):
        raise ValueError(f"A mask is bool, uint8, uint16 or float, not {mask.dtype}.")
    values = mask.astype(np.float32)
    if not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(f"A mask of floats has values in 0..1, not in {values.min():g}..{values.max():g}.")
    return values


def _from_array(image: Array, max_pixels: int) -> Picture:
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,), (4,)) or image.size == 0:
        raise ValueError(f"An image is H×W, H×W×3 or H×W×4, not {image.shape}.")
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"An image is uint8 or uint16, not {image.dtype}: scale it to 0..255 and convert it.")
    height, width = image.shape[:2]
    if height * width > max_pixels:
        raise UnreadablePicture(
            f"The image is {width:,} × {height:,} pixels, over the limit of {max_pixels / 1e6:,.0f} megapixels; "
            "reduce it, or raise prepared_images.max_megapixels."
        )
    colors = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image[..., :3]
    colors = np.ascontiguousarray(colors)
    alpha = None
    if image.shape[2:] == (4,) and image[..., 3].min() < np.iinfo(image.dtype).max:
        alpha = image[..., 3].astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    deep = colors if image.dtype == np.uint16 else None
    rgb = colors if deep is None else to_8(deep)
    return Picture(rgb, alpha, deep, (), "PNG", (width, height))


def _from_pillow(image: Pillow.Image, max_pixels: int) -> Picture:
    if image.mode not in _MODES:
        raise ValueError(f"A Pillow image is of a mode of {', '.join(_MODES)}, not {image.mode}: convert it to RGB.")
    file = BytesIO()
    try:
        image.save(file, "PNG", compress_level=1, exif=image.getexif())
    except OSError as error:
        raise UnreadablePicture(f"Pillow cannot read the image ({error}): open its file again.") from error
    return decode(file.getvalue(), max_pixels=max_pixels)
