"""How far a mask is from the truth: the measures that the field reports for segmentation and matting."""

from __future__ import annotations

import cv2
import numpy as np


def mean_absolute_error(alpha: np.ndarray, truth: np.ndarray) -> float:
    """Mean of |alpha − truth|; both float H×W, 0..1."""
    return float(np.abs(alpha.astype(np.float64) - truth).mean())


def f_measures(alpha: np.ndarray, truth: np.ndarray, beta_squared: float = 0.3) -> np.ndarray:
    """F-measure at the 256 thresholds 0/255 … 255/255, as a float64 vector.

    Achanta et al. 2009 set β² = 0.3. The maximum of the mean over pictures is the field's "max F".
    """
    levels = np.clip(np.round(alpha * 255), 0, 255).astype(np.int64)
    positive = truth > 0.5
    # Counts of pixels at or above each level.
    hits = np.bincount(levels[positive], minlength=256)[::-1].cumsum()[::-1].astype(np.float64)
    found = np.bincount(levels.ravel(), minlength=256)[::-1].cumsum()[::-1].astype(np.float64)
    precision = hits / np.maximum(found, 1)
    recall = hits / max(int(positive.sum()), 1)
    return (1 + beta_squared) * precision * recall / np.maximum(beta_squared * precision + recall, 1e-12)


def s_measure(alpha: np.ndarray, truth: np.ndarray) -> float:
    """Structure measure with weight 0.5 (Fan et al. 2017): object-aware and region-aware similarity, 0..1."""
    p, positive = alpha.astype(np.float64), truth > 0.5
    share = float(positive.mean())
    if share == 0.0:
        return 1.0 - float(p.mean())
    if share == 1.0:
        return float(p.mean())
    seen = share * _object_score(p[positive]) + (1 - share) * _object_score(1 - p[~positive])
    return max(0.0, 0.5 * seen + 0.5 * _region_score(p, positive.astype(np.float64)))


def boundary_iou(alpha: np.ndarray, truth: np.ndarray, width: float = 0.02) -> float:
    """Intersection over union within the inner rims of both masks (Cheng et al. 2021).

    ``width`` is the rim's depth as a share of the picture's diagonal; both masks are cut at 0.5.
    """
    depth = max(1, round(width * float(np.hypot(*alpha.shape))))
    one, other = _rim(alpha > 0.5, depth), _rim(truth > 0.5, depth)
    union = int((one | other).sum())
    return float((one & other).sum()) / union if union else 1.0


def sum_of_absolute_differences(alpha: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    """SAD in thousands of pixels, as alphamatting.com reports it; within ``where`` (bool H×W) if given."""
    difference = np.abs(alpha.astype(np.float64) - truth)
    return float((difference if where is None else difference[where]).sum()) / 1000.0


def gradient_error(alpha: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    """Squared difference of the gradients' sizes, in thousands (Rhemann et al. 2009, Gaussian of 1.4 px)."""
    squared = (_gradient(alpha) - _gradient(truth)) ** 2
    return float((squared if where is None else squared[where]).sum()) / 1000.0


def _object_score(values: np.ndarray) -> float:
    mean = float(values.mean())
    return 2.0 * mean / (mean * mean + 1.0 + float(values.std()) + 1e-12)


def _region_score(p: np.ndarray, truth: np.ndarray) -> float:
    """Similarity of the four quarters around the truth's centre of mass, weighted by their area."""
    rows, columns = np.nonzero(truth)
    y, x = round(float(rows.mean())) + 1, round(float(columns.mean())) + 1
    score = 0.0
    for part in ((slice(None, y), slice(None, x)), (slice(None, y), slice(x, None)),
                 (slice(y, None), slice(None, x)), (slice(y, None), slice(x, None))):  # fmt: skip
        if truth[part].size:
            score += truth[part].size / truth.size * _similarity(p[part], truth[part])
    return score


def _similarity(p: np.ndarray, truth: np.ndarray) -> float:
    """SSIM of two blocks without constants, as the S-measure's authors compute it."""
    mean_p, mean_t = float(p.mean()), float(truth.mean())
    count = max(p.size - 1, 1)
    var_p, var_t = float(((p - mean_p) ** 2).sum()) / count, float(((truth - mean_t) ** 2).sum()) / count
    covariance = float(((p - mean_p) * (truth - mean_t)).sum()) / count
    above = 4.0 * mean_p * mean_t * covariance
    below = (mean_p**2 + mean_t**2) * (var_p + var_t)
    if above != 0.0:
        return above / (below + 1e-12)
    return 1.0 if below == 0.0 else 0.0


def _rim(mask: np.ndarray, depth: int) -> np.ndarray:
    # Padding with background makes the frame count as an edge, as in the authors' code.
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=depth)[1:-1, 1:-1]
    return mask & (inner == 0)


def _gradient(alpha: np.ndarray, sigma: float = 1.4) -> np.ndarray:
    half = int(np.ceil(sigma * np.sqrt(-2.0 * np.log(np.sqrt(2.0 * np.pi) * sigma * 0.01))))
    t = np.arange(-half, half + 1, dtype=np.float64)
    gauss = np.exp(-(t**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    slope = -t * gauss / sigma**2
    gauss, slope = gauss / np.linalg.norm(gauss), slope / np.linalg.norm(slope)
    source = np.ascontiguousarray(alpha, dtype=np.float64)
    across = cv2.sepFilter2D(source, cv2.CV_64F, slope, gauss, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(source, cv2.CV_64F, gauss, slope, borderType=cv2.BORDER_REPLICATE)
    return np.hypot(across, down)
