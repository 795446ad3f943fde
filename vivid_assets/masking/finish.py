"""From the raw probability that won to the alpha that is written."""

from __future__ import annotations

import numpy as np

from vivid_assets.imaging.guided_filter import guided_filter
from vivid_assets.imaging.matte_stretch import keep_extremities, stretch


def finish_matte(image: np.ndarray, probability: np.ndarray, *, refine: bool, low: float, high: float) -> np.ndarray:
    """Keep thin parts, follow the picture's own edges, stretch.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, raw.
        refine: whether the image-guided filter sharpens the contour.
        low: absolute probability that becomes 0.
        high: absolute probability that becomes 1.

    Returns:
        float32 H×W, 0..1.

    """
    p = keep_extremities(probability)
    if refine and min(p.shape) > 8:
        p = np.clip(guided_filter(image, p, max(2, round(0.006 * max(p.shape))), 1e-4), 0.0, 1.0)
    return stretch(p, low, high)
