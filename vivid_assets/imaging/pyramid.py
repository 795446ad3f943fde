"""Spread known colours into unknown places: a weighted pyramid, pulled up and pushed down ("push-pull").

Works at half the picture's size, since what it gives is a prior that varies slowly; the detail is put back from the
picture itself. Cells are areas, not samples, so an odd size is cut evenly and a mirrored picture gives a mirrored
answer (Gortler et al. 1996, "The lumigraph", section 3.4; Kraus 2009, "The pull-push algorithm revisited").
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.strips import run_strips

Array = NDArray[Any]

_TAPS = 3
# Below the finest level a cell stands for several pixels, so a quarter of it known is as good as all.
_COARSE_TRUST = 4.0
_SMOOTHING = 0.02  # share of the coarser level in a fully known coarse cell


def halves(size: int) -> tuple[Array, Array]:
    """Cut ``size`` pixels into ``(size + 1) // 2`` equal cells: each one's first pixel and its three weights."""
    cells = (size + 1) // 2
    edges = np.arange(cells + 1) * (size / cells)
    first = np.minimum(np.floor(edges[:-1] + 1e-9).astype(np.int64), size - 1)
    pixel = first[:, None] + np.arange(_TAPS)
    overlap = np.minimum(pixel + 1, edges[1:, None]) - np.maximum(pixel, edges[:-1, None])
    weights = np.where(pixel < size, np.maximum(overlap, 0), 0)
    return first, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _down(fine, coarse, y0, wy, x0, wx, first, end):  # type: ignore[no-untyped-def]
    for y in range(first, end):
        for x in range(coarse.shape[1]):
            for c in range(8):
                coarse[y, x, c] = 0.0
            for i in range(_TAPS):
                if wy[y, i] == 0.0:
                    continue
                for j in range(_TAPS):
                    w = wy[y, i] * wx[x, j]
                    if w > 0.0:
                        for c in range(8):
                            coarse[y, x, c] += w * fine[y0[y] + i, x0[x] + j, c]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def tent(position, scale, size):  # type: ignore[no-untyped-def]
    """Find where a pixel's centre lies among ``size`` coarse cells: the left one, the right one, the right's share."""
    at = (position + np.float32(0.5)) * scale - np.float32(0.5)
    low = int(np.floor(at))
    share = np.float32(at - low)
    return min(max(low, 0), size - 1), min(max(low + 1, 0), size - 1), share


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill(known, coarse, out, wanted, trust, floor, first, end):  # type: ignore[no-untyped-def]
    """Mix each cell's known colour with the coarser level's, by how much of the cell is known."""
    height, width = known.shape[0], known.shape[1]
    rows, columns = coarse.shape[0], coarse.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    for y in range(first, end):
        y1, y2, ty = tent(y, sy, rows)
        for x in range(width):
            if not wanted[y, x]:
                continue
            x1, x2, tx = tent(x, sx, columns)
            for g in range(2):
                w = known[y, x, 4 * g + 3] * trust
                rest = max(np.float32(1.0) - w, floor)
                scale = np.float32(1.0) / (w + rest)
                for c in range(3):
                    top = coarse[y1, x1, 3 * g + c] * (1 - tx) + coarse[y1, x2, 3 * g + c] * tx
                    low = coarse[y2, x1, 3 * g + c] * (1 - tx) + coarse[y2, x2, 3 * g + c] * tx
                    above = top * (1 - ty) + low * ty
                    out[y, x, 3 * g + c] = (known[y, x, 4 * g + c] * trust + rest * above) * scale


def spread(known: Array, wanted: Array, threads: int | None = None) -> tuple[Array, list[Array]]:
    """Fill two colour fields where ``wanted``.

    ``known`` is float32 hxwx8: red, green and blue times weight, and the weight (0..1), for a first and a second
    field. Returns the fields (hxwx6; undefined where not wanted) and the pyramid of ``known``.
    """
    levels = [known]
    while max(levels[-1].shape[:2]) > 1:
        fine = levels[-1]
        y0, wy = halves(fine.shape[0])
        x0, wx = halves(fine.shape[1])
        coarse = np.empty((len(y0), len(x0), fine.shape[2]), np.float32)
        run_strips(_down, len(y0), fine, coarse, y0, wy, x0, wx, threads=threads)
        levels.append(coarse)
    top = levels[-1][0, 0]
    filled = np.concatenate([top[4 * g : 4 * g + 3] / max(float(top[4 * g + 3]), 1e-12) for g in range(2)])
    filled = filled.reshape(1, 1, 6).astype(np.float32)
    for level in range(len(levels) - 2, -1, -1):
        here = levels[level]
        out = np.empty((*here.shape[:2], 6), np.float32)
        every = wanted if level == 0 else np.ones(here.shape[:2], np.bool_)
        trust, floor = (1.0, 0.0) if level == 0 else (_COARSE_TRUST, _SMOOTHING)
        run_strips(_fill, len(here), here, filled, out, every, np.float32(trust), np.float32(floor), threads=threads)
        filled = out
    return filled, levels
