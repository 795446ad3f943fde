"""Bring a coarse mask to the picture's own edges: confidence-weighted smoothing that stops at colour edges.

A network at 320 pixels draws a contour that is several pixels off at 1024. The fast global smoother solves a
weighted-least-squares smoothing row by row and column by column; dividing the smoothed (confidence × mask) by the
smoothed confidence lets the sure pixels speak for the unsure ones on their side of an edge. Where subject and
background are of nearly one colour there is no edge to follow, and the network's own contour stays: smoothing would
run over it.
Source: Min et al. 2014, "Fast global image smoothing based on weighted least squares", with the normalisation by
confidence of its section on sparse data.
"""

import cv2
import numba
import numpy as np

from vivid_assets.imaging.core.areas import dilated
from vivid_assets.imaging.core.arrays import RGB8, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.guided_filter import guided_upsample
from vivid_assets.imaging.core.noise import capture_noise
from vivid_assets.imaging.core.resize import shrink

_ROUNDS = 3
"""Of smoothing across and down."""
_SIGMA = 6.0
"""Colour step, in 0..255 units, over which smoothing falls to 1/e."""
_STRENGTH = 200.0
"""Of the smoothing (λ of the paper)."""
_RADIUS = 0.01
"""Of the guided filter that softens the result, as a share of the longer side."""
ALIKE, UNLIKE = 15.0, 45.0
"""Distance of the subject's colour from its background's (of 441), on either side of an edge, up to which the edge is
none to the smoothing, which crosses steps of a few ``_SIGMA``; and from which it is one."""
_BESIDE = 12
"""How far from an edge the colours on either side of it are measured, in pixels of ``WORKING_SIDE``."""
_SURE = 0.9
"""Probability from which a pixel shows the subject's colour; its opposite shows the background's."""
WORKING_SIDE = 512
"""Long side, in pixels, at which the smoothing is solved; the guided filter works at the picture's own size."""


def refine_matte(image: RGB8, probability: Matte) -> Matte:
    """Follow the picture's edges.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, or shrunk to ``WORKING_SIDE``.

    Returns:
        float32 H×W, 0..1. Pictures under 8 pixels either way come back as they are.

    """
    small, coarse = shrink(image, WORKING_SIDE), shrink(probability.astype(np.float32), WORKING_SIDE)
    if min(small.shape[:2]) < 8:
        return np.asarray(cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    sure = np.abs(2.0 * coarse - 1.0) + np.float32(1e-3)
    weighted, weight = smooth_globally(small, np.stack([sure * coarse, sure]))
    followed = np.clip(weighted / np.maximum(weight, 1e-6), 0.0, 1.0)
    sharp = _sharpen_rim(image, small, followed, max(1, round(_RADIUS * max(followed.shape))))
    size = image.shape[1::-1]
    own = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.float32)
    edges = cv2.resize(_shows_edges(small, coarse), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(own + edges * (sharp - own), np.float32)


def _shows_edges(image: RGB8, probability: Matte) -> Plane:
    """How far the picture shows the edges of a mask: 0 between two things of one colour, 1 between unlike ones."""
    window = (2 * _BESIDE + 1, 2 * _BESIDE + 1)
    colors, seen = [], np.ones(probability.shape, bool)
    for side in (probability > _SURE, probability < 1 - _SURE):
        share = cv2.blur(side.astype(np.float32), window)
        colors.append(
            cv2.blur(np.where(side[..., None], image, 0).astype(np.float32), window) / (share[..., None] + 1e-6)
        )
        seen &= share > 1e-3
    apart = np.where(seen, np.linalg.norm(colors[0] - colors[1], axis=2), UNLIKE)
    shown = ((apart - ALIKE) / (UNLIKE - ALIKE)).clip(0, 1)
    # What ran over an edge goes further than its colours are measured.
    return np.asarray(cv2.blur(np.where(seen, shown, cv2.erode(shown, np.ones(window))), (5, 5)), np.float32)


def _sharpen_rim(image: RGB8, small: RGB8, alpha: Matte, radius: int) -> Matte:
    """Bring alpha to the picture's size, and to its edges by the guided filter wherever an undecided pixel is near."""
    near = dilated((alpha > 0.02) & (alpha < 0.98), 2 * radius).astype(np.uint8)
    height, width = image.shape[:2]
    where = cv2.resize(near, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0
    result = np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    unit = np.float32(1 / 255)
    # Grain would come out in alpha: a window flatter than its grain is no edge.
    eps = max(1e-4, (2 * capture_noise(image, result) / 255) ** 2)
    sharp = guided_upsample(image * unit, alpha, small * unit, radius, eps, where)
    return np.where(where, np.clip(sharp, 0.0, 1.0), result)


def smooth_globally(image: RGB8, planes: Planes) -> Planes:
    """Smooth along the picture, not across its edges.

    Args:
        image: uint8 H×W×3 sRGB.
        planes: float32 C×H×W.

    Returns:
        float32 C×H×W.

    """
    # The largest squared step of three channels, so that the weights need no root and no exponential per pixel.
    table = np.exp(-np.sqrt(np.arange(3 * 255**2 + 1, dtype=np.float32)) / np.float32(_SIGMA)).astype(np.float32)
    turned = np.ascontiguousarray(image.transpose(1, 0, 2))
    down, across = _weights_down(np.ascontiguousarray(image), table), _weights_down(turned, table)
    result = np.ascontiguousarray(planes, dtype=np.float32)
    for turn in range(_ROUNDS):
        # The paper's schedule: each round a quarter of the one before, so that streaks vanish.
        amount = np.float32(1.5 * _STRENGTH * 4.0 ** (_ROUNDS - turn - 1) / (4.0**_ROUNDS - 1.0))
        sideways = _smooth_down(np.ascontiguousarray(result.transpose(0, 2, 1)), across, amount)
        result = _smooth_down(np.ascontiguousarray(sideways.transpose(0, 2, 1)), down, amount)
    return result


@numba.njit(cache=True, nogil=True)
def _weights_down(image: RGB8, table: Vector) -> Plane:
    """How much each pixel of uint8 H×W×3 has to do with the one below it; float32 H×W, 0 in the last row."""
    height, width = image.shape[:2]
    weight = np.zeros((height, width), dtype=np.float32)
    for y in range(height - 1):
        for x in range(width):
            squared = 0
            for c in range(3):
                step = int(image[y + 1, x, c]) - int(image[y, x, c])
                squared += step * step
            weight[y, x] = table[squared]
    return weight


@numba.njit(cache=True, nogil=True)
def _smooth_down(planes: Planes, weight: Plane, amount: np.float32) -> Planes:
    """Solve (1 + amount·A) u = planes down each column by the Thomas algorithm, a row of columns at a time."""
    channels, height, width = planes.shape
    solved = planes.copy()
    upper = np.zeros((height, width), dtype=np.float32)
    one = np.float32(1.0)
    pivots = np.empty(width, dtype=np.float32)
    before = np.zeros(width, dtype=np.float32)
    for y in range(height):
        for x in range(width):
            after = amount * weight[y, x]
            above = upper[y - 1, x] if y > 0 else np.float32(0.0)
            pivot = one / (one + before[x] + after + before[x] * above)
            upper[y, x] = -after * pivot
            pivots[x] = pivot
        for c in range(channels):
            if y == 0:
                for x in range(width):
                    solved[c, 0, x] *= pivots[x]
            else:
                for x in range(width):
                    solved[c, y, x] = (solved[c, y, x] + before[x] * solved[c, y - 1, x]) * pivots[x]
        for x in range(width):
            before[x] = amount * weight[y, x]
    for c in range(channels):
        for y in range(height - 2, -1, -1):
            for x in range(width):
                solved[c, y, x] -= upper[y, x] * solved[c, y + 1, x]
    return solved
