"""Whether probabilities mean what they say, and what to make of them where they do not."""

import numpy as np
from numpy.typing import NDArray

BINS = 10
_TOWARDS, _PENALTY = np.array([1.0, 0.0]), np.array([5.0, 1.0])
"""Few observations hardly move a calibration from slope 1 and offset 0."""

Floats = NDArray[np.float64]


def calibrated(scores: Floats, hits: Floats) -> tuple[float, float]:
    """Slope and offset that make log odds fit what was observed (Platt 1999), drawn a little towards 1 and 0.

    Args:
        scores: log odds, float64 N.
        hits: 0 or 1 each.

    """
    slope, offset = newton(np.column_stack([scores, np.ones(len(scores))]), hits, _PENALTY, _TOWARDS)
    return float(slope), float(offset)


def newton(design: Floats, hits: Floats, penalty: Floats, towards: Floats | float = 0.0) -> Floats:
    """Weights of a logistic regression, by Newton's method.

    Args:
        design: float64 N×M.
        hits: float64 N, 0 or 1.
        penalty: float64 M: how much the squared distance of each weight from ``towards``, halved, adds to the log loss.
        towards: where the penalty draws the weights.

    """
    weights = np.zeros(design.shape[1]) + towards
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (p - hits) + penalty * (weights - towards)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + np.diag(penalty + 1e-9)
        weights = weights - np.linalg.solve(curvature, slope)
    return weights


def log_odds(p: Floats) -> Floats:
    """Log odds of probabilities, which are cut a little within 0 and 1."""
    inner = np.clip(p, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(inner / (1 - inner)))


def calibration_error(p: Floats, hits: Floats) -> float:
    """Expected calibration error over ten bins of equal width (Guo et al. 2017); 0 for none."""
    return float(sum(abs(mean - share) * count for mean, share, count in reliability(p, hits)) / max(len(p), 1))


def reliability(p: Floats, hits: Floats) -> list[tuple[float, float, int]]:
    """By bin that holds any: mean probability, share of hits, and how many."""
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    return [
        (float(p[bins == k].mean()), float(hits[bins == k].mean()), int((bins == k).sum()))
        for k in range(BINS)
        if (bins == k).any()
    ]
