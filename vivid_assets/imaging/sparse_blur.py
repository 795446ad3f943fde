"""A Gaussian blur of one plane that is computed only where it is asked for."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.strips import run_strips

Array = NDArray[Any]


def window(sigma: float) -> Array:
    """Return the weights of a Gaussian of ``sigma`` pixels out to 3.5 sigma, float32, of odd length."""
    radius = int(np.ceil(3.5 * sigma))
    steps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (steps / max(sigma, 1e-6)) ** 2)
    return (weights / weights.sum()).astype(np.float32)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _across(plane, wanted, weights, out, first, end):  # type: ignore[no-untyped-def]
    """Blur along the rows, wherever a wanted pixel of any row near enough will look."""
    height, width = plane.shape
    reach = len(weights) // 2
    asked = np.zeros(width, np.int32)
    for y in range(max(first - reach, 0), min(first + reach, height)):
        for x in range(width):
            asked[x] += wanted[y, x]
    for y in range(first, end):
        if y + reach < height:
            for x in range(width):
                asked[x] += wanted[y + reach, x]
        if y - reach - 1 >= max(first - reach, 0):
            for x in range(width):
                asked[x] -= wanted[y - reach - 1, x]
        for x in range(width):
            if asked[x] == 0:
                continue
            total = np.float32(0.0)
            if x >= reach and x + reach < width:
                for k in range(2 * reach + 1):
                    total += weights[k] * plane[y, x + k - reach]
            else:
                for k in range(2 * reach + 1):
                    total += weights[k] * plane[y, min(max(x + k - reach, 0), width - 1)]
            out[y, x] = total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _down(plane, wanted, weights, out, first, end):  # type: ignore[no-untyped-def]
    height, width = plane.shape
    reach = len(weights) // 2
    for y in range(first, end):
        for x in range(width):
            if wanted[y, x]:
                total = np.float32(0.0)
                for k in range(2 * reach + 1):
                    total += weights[k] * plane[min(max(y + k - reach, 0), height - 1), x]
                out[y, x] = total


def sparse_blur(plane: Array, sigma: float, wanted: Array, threads: int | None = None) -> Array:
    """Blur ``plane`` (float32 HxW) by ``sigma`` pixels where ``wanted`` (bool HxW) says so; undefined elsewhere.

    The border is repeated. A ``sigma`` of 0 returns a copy.
    """
    if sigma <= 0:
        return plane.copy()
    weights, middle, out = window(sigma), np.empty_like(plane), np.empty_like(plane)
    run_strips(_across, len(plane), plane, wanted, weights, middle, threads=threads)
    run_strips(_down, len(plane), middle, wanted, weights, out, threads=threads)
    return out
