"""A user's wishes about the subject: a box around it, or a mask of their own."""

from __future__ import annotations

import cv2
import numpy as np

Box = tuple[float, float, float, float]


def box_pixels(box: Box, height: int, width: int, margin: float = 0.0) -> tuple[int, int, int, int]:
    """Turn a box of shares into pixel bounds ``top, bottom, left, right``.

    Args:
        box: left, top, right, bottom, 0..1 of the picture.
        height: of the picture, pixels.
        width: of the picture, pixels.
        margin: added on every side, as a share of the box's own size.

    Raises:
        ValueError: the box is not in order or lies outside the picture.

    """
    left, top, right, bottom = box
    if not (0.0 <= left < right <= 1.0 and 0.0 <= top < bottom <= 1.0):
        raise ValueError(f"a subject box is left < right and top < bottom within 0..1, not {box}")
    across, down = margin * (right - left), margin * (bottom - top)
    x0 = int(np.clip(np.floor((left - across) * width), 0, width - 1))
    y0 = int(np.clip(np.floor((top - down) * height), 0, height - 1))
    x1 = int(np.clip(np.ceil((right + across) * width), x0 + 1, width))
    y1 = int(np.clip(np.ceil((bottom + down) * height), y0 + 1, height))
    return y0, y1, x0, x1


def read_override(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Read a user's mask as alpha. Only the range is converted; the values are the user's.

    Args:
        mask: H×W, or H×W×4 whose alpha channel is meant, or H×W×3 grey; bool, uint8, uint16 or float 0..1.
        height: of the picture. A mask of the same aspect but another size is resized.
        width: of the picture.

    Returns:
        float32 H×W, 0..1.

    Raises:
        ValueError: another shape, type, range or aspect; the message says which and what is needed.

    """
    array = np.asarray(mask)
    if array.ndim == 3 and array.shape[2] in (2, 4):
        array = array[..., -1]
    elif array.ndim == 3 and array.shape[2] in (1, 3):
        array = array[..., 0]
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"an override mask is H×W, grey or with an alpha channel, not {np.asarray(mask).shape}")
    alpha: np.ndarray
    if array.dtype == np.bool_:
        alpha = array.astype(np.float32)
    elif np.issubdtype(array.dtype, np.integer):
        if array.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"an override mask is bool, uint8, uint16 or float, not {array.dtype}")
        alpha = array.astype(np.float32) / np.iinfo(array.dtype).max
    else:
        alpha = array.astype(np.float32)
        if not np.isfinite(alpha).all() or alpha.min() < 0 or alpha.max() > 1:
            raise ValueError("an override mask of floats lies within 0..1 and is finite")
    if alpha.shape != (height, width):
        if abs(alpha.shape[1] / alpha.shape[0] - width / height) > 0.02 * width / height:
            raise ValueError(
                f"the override mask is {alpha.shape[1]}×{alpha.shape[0]}, the picture {width}×{height}: another aspect"
            )
        shrinking = alpha.shape[0] > height
        alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    return alpha
