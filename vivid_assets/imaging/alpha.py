"""Alpha: bring it up to the photograph's size, and correct it where the photograph contradicts it."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.guided_filter import guided_filter

Array = NDArray[Any]


def upsample_alpha(alpha_small: Array, photo_full: Array) -> Array:
    """Bring an alpha solved at a model's size up to the photograph's, following the photograph's edges.

    ``alpha_small`` is float hxw, 0..1; ``photo_full`` is uint8 HxWx3 sRGB. Returns float32 HxW, 0..1.
    """
    height, width = photo_full.shape[:2]
    if alpha_small.shape == (height, width):
        return np.clip(alpha_small.astype(np.float32), 0, 1)
    factor = max(height / alpha_small.shape[0], width / alpha_small.shape[1])
    smooth = cv2.resize(alpha_small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    radius = max(2, round(2 * factor))
    sharp = np.clip(guided_filter(photo_full, smooth, radius, 1e-4), 0, 1)
    # A window of one alpha says nothing new: keep the solid and the empty exactly so.
    return np.where((smooth > 0.002) & (smooth < 0.998), sharp, np.round(smooth)).astype(np.float32)
