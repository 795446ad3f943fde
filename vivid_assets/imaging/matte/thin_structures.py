"""From a network's probability to an alpha: firm inside, clear outside, thin structures kept.

The original program stretched each picture between its own minimum and maximum, so that an empty picture
became noise at full contrast. Here the curve runs over **absolute** probabilities: 0.02 everywhere stays 0.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import joined
from vivid_assets.imaging.core.arrays import Matte
from vivid_assets.imaging.core.interpolate import smoothstep

HESITANT, CONFIDENT = 0.2, 0.75
"""Probabilities that a ridge must reach to count at all, and that the body has which it leaves."""
REACH = 0.02
"""Width of the widest structure that is thin, as a share of the longer side."""


def alpha_of_probability(probability: Matte, low: float, high: float) -> Matte:
    """Make an alpha: a smoothstep between two absolute probabilities, 0 up to ``low`` and 1 from ``high``.

    Args:
        probability: float, H×W, 0..1.
        low: what becomes 0.
        high: what becomes 1; 0 ≤ low < high ≤ 1.

    Returns:
        float32 H×W, 0..1, monotonic in ``probability``.

    Raises:
        ValueError: the limits are not in order.

    >>> alpha_of_probability(np.array([[0.02, 0.5, 0.97]], np.float32), 0.1, 0.9).tolist()
    [[0.0, 0.5, 1.0]]
    """
    if not 0.0 <= low < high <= 1.0:
        raise ValueError(f"need 0 ≤ low < high ≤ 1, got {low} and {high}")
    return smoothstep(np.nan_to_num(probability).astype(np.float32), low, high)


def keep_thin_structures(probability: Matte) -> Matte:
    """Raise thin, hesitant ridges that leave a confident body: fingers, toes, straps, stems.

    A white top-hat finds what is narrower than ``REACH``; of that, only what is joined to the confident body
    is raised, so specks elsewhere stay as doubtful as they were.

    Args:
        probability: float, H×W, 0..1.

    Returns:
        float32 H×W, 0..1, nowhere below ``probability``.

    """
    p = np.nan_to_num(probability).astype(np.float32)
    size = max(3, round(REACH * max(p.shape)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    ridge = cv2.morphologyEx(p, cv2.MORPH_TOPHAT, kernel)
    body = joined(p > HESITANT, p > CONFIDENT, connectivity=8)
    return np.where(body & (ridge > 0.5 * p), np.maximum(p, np.clip(p + ridge, 0.0, 1.0)), p).astype(np.float32)
