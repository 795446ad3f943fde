"""Multilevel foreground estimation, the field's standard, to compare with and to fall back on.

Germer, Uelwer, Conrad and Harmeling 2020, "Fast multi-level foreground estimation". From one pixel up to full size,
each level starts from the one below and relaxes, pixel by pixel, the least-squares system of I = αF + (1 − α)B with F
and B smooth where alpha is. It differs from pymatting's in leaving alone what it need not touch: where a level's alpha
is solid or empty, and its neighbours' too, F or B is the picture itself.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_REGULARIZATION = np.float32(1e-5)
_SMALL = 32  # levels up to this size take more rounds: they are cheap and carry colours far
_SMALL_ROUNDS = 10
_BIG_ROUNDS = 2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _relax(image, alpha, fields, active, rounds):  # type: ignore[no-untyped-def]
    """Solve the 2x2 system of each active pixel in turn, Gauss–Seidel; fields are HxWx6, F then B."""
    height, width = alpha.shape
    one, zero = np.float32(1.0), np.float32(0.0)
    for _ in range(rounds):
        for y in range(height):
            for x in range(width):
                if not active[y, x]:
                    continue
                a = alpha[y, x]
                b = one - a
                up, down = max(y - 1, 0), min(y + 1, height - 1)
                left, right = max(x - 1, 0), min(x + 1, width - 1)
                w0 = _REGULARIZATION + abs(a - alpha[up, x])
                w1 = _REGULARIZATION + abs(a - alpha[down, x])
                w2 = _REGULARIZATION + abs(a - alpha[y, left])
                w3 = _REGULARIZATION + abs(a - alpha[y, right])
                total = w0 + w1 + w2 + w3
                # [a² + w, ab; ab, b² + w] (F, B) = (aI + wF̄, bI + wB̄)
                ff, fb, bb = a * a + total, a * b, b * b + total
                scale = one / (ff * bb - fb * fb)
                for c in range(3):
                    light = image[y, x, c]
                    front = a * light + w0 * fields[up, x, c] + w1 * fields[down, x, c]
                    front += w2 * fields[y, left, c] + w3 * fields[y, right, c]
                    back = b * light + w0 * fields[up, x, 3 + c] + w1 * fields[down, x, 3 + c]
                    back += w2 * fields[y, left, 3 + c] + w3 * fields[y, right, 3 + c]
                    fields[y, x, c] = min(max(scale * (bb * front - fb * back), zero), one)
                    fields[y, x, 3 + c] = min(max(scale * (ff * back - fb * front), zero), one)


def estimate_multilevel(image: Array, alpha: Array, *, everywhere: bool = False) -> tuple[Array, Array]:
    """Estimate F and B (float32 HxWx3, linear light) of ``image`` (HxWx3, linear light) under ``alpha`` (HxW, 0..1).

    ``everywhere`` solves solid and empty pixels as well, as the paper does.
    """
    image, alpha = np.ascontiguousarray(image, np.float32), np.ascontiguousarray(alpha, np.float32)
    height, width = alpha.shape
    levels = int(np.ceil(np.log2(max(width, height, 2))))
    solid, empty = alpha > 0.9, alpha < 0.1
    means = [image[m].mean(axis=0) if m.any() else np.zeros(3, np.float32) for m in (solid, empty)]
    fields = np.concatenate(means).reshape(1, 1, 6).astype(np.float32)
    for level in range(levels + 1):
        h, w = round(height ** (level / levels)), round(width ** (level / levels))
        rows, columns = np.arange(h) * height // h, np.arange(w) * width // w
        last = (h, w) == (height, width)
        small, small_alpha = (image, alpha) if last else (image[np.ix_(rows, columns)], alpha[np.ix_(rows, columns)])
        fields = _enlarged(fields, h, w)
        active = np.ones((h, w), np.bool_)
        if not everywhere:
            active = _unsettled(small_alpha)
            _settle(small, small_alpha, active, fields)
        rounds = _SMALL_ROUNDS if max(h, w) <= _SMALL else _BIG_ROUNDS
        _relax(small, small_alpha, fields, active, rounds)
    return np.ascontiguousarray(fields[..., :3]), np.ascontiguousarray(fields[..., 3:])


@numba.njit(cache=True, nogil=True)
def _settle(image, alpha, active, fields):  # type: ignore[no-untyped-def]
    """Copy the picture where it is F or B itself."""
    for y in range(alpha.shape[0]):
        for x in range(alpha.shape[1]):
            if not active[y, x]:
                side = 0 if alpha[y, x] >= 1 else 3
                for c in range(3):
                    fields[y, x, side + c] = image[y, x, c]


@numba.njit(cache=True, nogil=True)
def _enlarged(fields, height, width):  # type: ignore[no-untyped-def]
    """Repeat the nearest cell of a coarser level."""
    out = np.empty((height, width, 6), np.float32)
    for y in range(height):
        for x in range(width):
            for c in range(6):
                out[y, x, c] = fields[y * fields.shape[0] // height, x * fields.shape[1] // width, c]
    return out


def _unsettled(alpha: Array) -> Array:
    """Mark the soft pixels and the four neighbours of each, and both sides of a hard edge."""
    soft = (alpha > 0) & (alpha < 1)
    tall, wide = alpha[1:] != alpha[:-1], alpha[:, 1:] != alpha[:, :-1]
    soft[1:] |= tall
    soft[:-1] |= tall
    soft[:, 1:] |= wide
    soft[:, :-1] |= wide
    return soft
