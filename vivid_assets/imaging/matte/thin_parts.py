"""From a network's probability to an alpha: firm inside, clear outside, thin structures kept.

The original program stretched each picture between its own minimum and maximum, so that an empty picture
became noise at full contrast. Here the curve runs over **absolute** probabilities: 0.02 everywhere stays 0.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import Matte
from vivid_assets.imaging.core.interpolate import smoothstep


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

    """
    if not 0.0 <= low < high <= 1.0:
        raise ValueError(f"need 0 ≤ low < high ≤ 1, got {low} and {high}")
    return smoothstep(np.nan_to_num(probability).astype(np.float32), low, high)


def keep_thin_structures(probability: Matte, low: float = 0.2, reach: float = 0.02) -> Matte:
    """Raise thin, hesitant ridges that leave a confident body: fingers, toes, straps, stems.

    A white top-hat finds what is narrower than ``reach``; of that, only what is joined to the confident body
    is raised, so specks elsewhere stay as doubtful as they were.

    Args:
        probability: float, H×W, 0..1.
        low: what a ridge must reach to count at all, 0..1.
        reach: width of the widest extremity, as a share of the longer side.

    Returns:
        float32 H×W, 0..1, nowhere below ``probability``.

    """
    p = np.nan_to_num(probability).astype(np.float32)
    size = max(3, round(reach * max(p.shape)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    ridge = cv2.morphologyEx(p, cv2.MORPH_TOPHAT, kernel)
    _, labels = cv2.connectedComponents((p > low).astype(np.uint8), connectivity=8)
    joined = np.isin(labels, np.unique(labels[p > 0.75])) & (labels > 0)
    return np.where(joined & (ridge > 0.5 * p), np.maximum(p, np.clip(p + ridge, 0.0, 1.0)), p).astype(np.float32)
