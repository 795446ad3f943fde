"""A Gaussian blur of one plane that is computed only where its result is used.

The weights are summed along runs of such pixels, a whole run for one weight at a time, which the compiler turns into
vector instructions; pixel by pixel it could not.
"""

import numba
import numpy as np

from vivid_assets.imaging.core.arrays import Area, Plane, Vector
from vivid_assets.imaging.core.parallel_rows import parallel_rows


def window(sigma: float) -> Vector:
    """Return the weights of a Gaussian of ``sigma`` pixels out to 3.5 sigma, float32, of odd length."""
    radius = int(np.ceil(3.5 * sigma))
    steps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (steps / max(sigma, 1e-6)) ** 2)
    return np.asarray(weights / weights.sum(), np.float32)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _count(row, sign, near):  # type: ignore[no-untyped-def]
    for x in range(len(near)):
        near[x] += sign * row[x]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _run(near, start):  # type: ignore[no-untyped-def]
    """Find the next run of chosen pixels from ``start``: its first and the one after its last."""
    width = len(near)
    while start < width and not near[start]:
        start += 1
    end = start
    while end < width and near[end]:
        end += 1
    return start, end


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _across(plane, where, weights, out, first, end):  # type: ignore[no-untyped-def]
    """Blur along the rows, wherever the blur down the columns will need it."""
    height, width = plane.shape
    reach = len(weights) // 2
    near = np.zeros(width, np.int16)
    padded = np.empty(width + 2 * reach, np.float32)
    for y in range(max(first - reach, 0), min(first + reach, height)):
        _count(where[y], 1, near)
    for y in range(first, end):
        if y + reach < height:
            _count(where[y + reach], 1, near)
        if y - reach - 1 >= max(first - reach, 0):
            _count(where[y - reach - 1], -1, near)
        left, right = _run(near, 0)
        if left == width:
            continue
        padded[reach : reach + width] = plane[y]
        padded[:reach] = plane[y, 0]
        padded[reach + width :] = plane[y, width - 1]
        while left < width:
            for x in range(np.uintp(left), np.uintp(right)):
                out[y, x] = weights[0] * padded[x]
            for k in range(1, len(weights)):
                for x in range(np.uintp(left), np.uintp(right)):
                    out[y, x] += weights[k] * padded[x + np.uintp(k)]
            left, right = _run(near, right)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _down(plane, where, weights, out, first, end):  # type: ignore[no-untyped-def]
    height, width = plane.shape
    reach = len(weights) // 2
    for y in range(first, end):
        left, right = _run(where[y], 0)
        while left < width:
            for x in range(np.uintp(left), np.uintp(right)):
                out[y, x] = np.float32(0.0)
            for k in range(len(weights)):
                row = np.uintp(min(max(y + k - reach, 0), height - 1))
                for x in range(np.uintp(left), np.uintp(right)):
                    out[y, x] += weights[k] * plane[row, x]
            left, right = _run(where[y], right)


def sparse_blur(plane: Plane, sigma: float, where: Area, threads: int | None = None) -> Plane:
    """Blur a plane in part.

    Args:
        plane: float32 H×W; its border is repeated.
        sigma: pixels; 0 returns a copy.
        where: bool H×W: the pixels to compute; the others are undefined.
        threads: the most to use.

    """
    if sigma <= 0:
        return plane.copy()
    weights, middle, out = window(sigma), np.empty_like(plane), np.empty_like(plane)
    parallel_rows(_across, len(plane), plane, where, weights, middle, threads=threads)
    parallel_rows(_down, len(plane), middle, where, weights, out, threads=threads)
    return out
