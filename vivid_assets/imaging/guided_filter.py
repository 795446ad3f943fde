"""The guided filter with a colour guide: edges of the picture go over into a mask (He, Sun and Tang 2010).

In every window the mask is fitted as a linear function of the picture's colour, and each pixel takes the mean
of the fits that cover it. Box means make it O(N) whatever the radius. OpenCV has one in its contrib build only.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def guided_filter(guide: Array, src: Array, radius: int, eps: float, subsample: int = 1) -> Array:
    """Filter ``src`` (HxW) with the edges of ``guide`` (HxW or HxWx3; uint8, uint16 or float 0..1).

    ``radius`` is half the window in pixels (the window is 2·radius + 1 wide); ``eps`` is the variance of the
    guide, in units of its 0..1 range squared, below which a window is flattened. ``subsample`` fits at a fraction
    of the size (1 over it), which is as much faster; the edges still come from the full guide. Returns float32 HxW in
    the range of ``src`` and a little beyond. Raises ValueError when sizes differ, radius < 1 or eps <= 0.

    He, Sun and Tang 2010, "Guided image filtering", equations 14 to 16 (colour) and 5 to 8 (grey); He and Sun 2015,
    "Fast guided filter", for ``subsample``.
    """
    if guide.shape[:2] != src.shape or guide.ndim not in (2, 3) or guide.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(f"The guide is {guide.shape} and the mask {src.shape}: one HxW or HxWx3, the other HxW.")
    if radius < 1 or eps <= 0:
        raise ValueError(f"The radius ({radius}) is at least 1 and eps ({eps}) above 0.")
    height, width = src.shape
    unit, target = _unit(guide), np.ascontiguousarray(src, np.float32)
    small: Array = unit
    small_target: Array = target
    if subsample > 1:
        size = (max(1, round(width / subsample)), max(1, round(height / subsample)))
        small = cv2.resize(unit, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
        small_target = cv2.resize(target, size, interpolation=cv2.INTER_AREA)
    slopes, offset = _fit(small, small_target, max(1, round(radius / subsample)), eps)
    if subsample > 1:
        slopes = [cv2.resize(s, (width, height), interpolation=cv2.INTER_LINEAR) for s in slopes]
        offset = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    for c, slope in enumerate(slopes):
        offset = offset + slope * unit[..., c]
    return offset


def _fit(unit: Array, target: Array, radius: int, eps: float) -> tuple[list[Array], Array]:
    """Fit ``target`` = slopes · guide + offset in every window; returns the means over the windows at each pixel."""

    def mean(plane: Array) -> Array:
        return cv2.boxFilter(plane, cv2.CV_32F, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT)

    # Centring keeps float32 accurate: variances are differences of nearly equal means otherwise.
    centre = unit.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    channels = [np.ascontiguousarray(unit[..., c] - centre[c]) for c in range(unit.shape[2])]
    means = [mean(channel) for channel in channels]
    mean_target = mean(target)
    cov = [mean(c * target) - m * mean_target for c, m in zip(channels, means, strict=True)]
    if len(channels) == 1:
        slopes = [cov[0] / (mean(channels[0] ** 2) - means[0] ** 2 + np.float32(eps))]
    else:
        pairs = [(i, j) for i in range(3) for j in range(i, 3)]
        var = {(i, j): mean(channels[i] * channels[j]) - means[i] * means[j] for i, j in pairs}
        slopes = _solve(var, cov, np.float32(eps))
    offset = mean_target - sum((s * m for s, m in zip(slopes, means, strict=True)), np.float32(0))
    slopes = [mean(s) for s in slopes]
    return slopes, mean(offset) - sum((s * c for s, c in zip(slopes, centre, strict=True)), np.float32(0))


def _unit(guide: Array) -> Array:
    """Return the guide as float32 0..1, HxWxC."""
    scale = np.iinfo(guide.dtype).max if np.issubdtype(guide.dtype, np.integer) else 1
    unit = guide.astype(np.float32) / np.float32(scale)
    return unit if unit.ndim == 3 else unit[..., None]


def _solve(var: dict[tuple[int, int], Array], cov: list[Array], eps: np.float32) -> list[Array]:
    """Solve (Σ + eps·1) a = cov at every pixel by LDLᵀ.

    Cofactors would cancel in float32; here every pivot is at least eps in theory and is held there in practice.
    """
    d1 = np.maximum(var[0, 0], 0) + eps
    l21, l31 = var[0, 1] / d1, var[0, 2] / d1
    d2 = np.maximum(var[1, 1] + eps - l21 * var[0, 1], eps)
    below = var[1, 2] - l31 * var[0, 1]
    l32 = below / d2
    d3 = np.maximum(var[2, 2] + eps - l31 * var[0, 2] - l32 * below, eps)
    z2 = cov[1] - l21 * cov[0]
    a3 = (cov[2] - l31 * cov[0] - l32 * z2) / d3
    a2 = z2 / d2 - l32 * a3
    return [cov[0] / d1 - l21 * a2 - l31 * a3, a2, a3]
