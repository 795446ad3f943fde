"""Between two values and between four cells: smoothstep and bilinear samples, for arrays and inside compiled loops."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


def smoothstep(x: NDArray[np.floating[Any]] | float, low: float = 0.0, high: float = 1.0) -> NDArray[np.floating[Any]]:
    """Rise from 0 at ``low`` to 1 at ``high`` with slopes of zero at both ends (3t² − 2t³).

    Args:
        x: float, of any shape.
        low: up to which it is 0.
        high: from which it is 1; not ``low``.

    >>> smoothstep(np.array([0.0, 0.25, 0.5, 2.0])).tolist()
    [0.0, 0.15625, 0.5, 1.0]
    """
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def smoothstep_of(value, low, high):  # type: ignore[no-untyped-def]
    """``smoothstep`` of one float32, for compiled loops."""
    t = min(max((value - low) / (high - low), np.float32(0.0)), np.float32(1.0))
    return t * t * (3 - 2 * t)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def cells_about(position, scale, size):  # type: ignore[no-untyped-def]
    """Find where a pixel's centre lies among ``size`` coarse cells: the left one, the right one, the right's weight.

    The cells are unsigned, so that no compiled loop looks at an index for its sign.
    """
    at = (position + np.float32(0.5)) * scale - np.float32(0.5)
    low = int(np.floor(at))
    share = np.float32(at - low)
    return np.uintp(min(max(low, 0), size - 1)), np.uintp(min(max(low + 1, 0), size - 1)), share


@numba.njit(cache=True, nogil=True, error_model="numpy")
def bilinear(field, y1, y2, ty, x1, x2, tx, c):  # type: ignore[no-untyped-def]
    """Interpolate channel ``c`` of a coarse field between the four cells that ``cells_about`` gives."""
    top = field[y1, x1, c] * (1 - tx) + field[y1, x2, c] * tx
    return top * (1 - ty) + (field[y2, x1, c] * (1 - tx) + field[y2, x2, c] * tx) * ty


@numba.njit(cache=True, nogil=True, error_model="numpy")
def mirrored(position, size):  # type: ignore[no-untyped-def]
    """Find the place of one of ``size`` pixels, or of the one whose mirror image beyond the frame is meant."""
    while position < 0 or position >= size:
        position = -position - 1 if position < 0 else 2 * size - position - 1
    return position


@numba.njit(cache=True, nogil=True, error_model="numpy")
def enlarge(small, view, out, first, end):  # type: ignore[no-untyped-def]
    """Interpolate a small plane over a cut of a large one, for ``parallel_rows``; ``view`` says where the cut lies."""
    top, left, tall, wide = view
    rows, columns = small.shape
    sy, sx = rows / tall, columns / wide  # in float64: a float32 would put the far side 3e-5 of a cell aside
    cells, shares = np.empty((out.shape[1], 2), np.uintp), np.empty(out.shape[1], np.float32)
    for x in range(out.shape[1]):
        cells[x, 0], cells[x, 1], shares[x] = cells_about(x + left, sx, columns)
    for y in range(first, end):
        y1, y2, ty = cells_about(y + top, sy, rows)
        for x in range(out.shape[1]):
            x1, x2, tx = cells[x, 0], cells[x, 1], shares[x]
            above = small[y1, x1] * (1 - tx) + small[y1, x2] * tx
            out[y, x] = above * (1 - ty) + (small[y2, x1] * (1 - tx) + small[y2, x2] * tx) * ty
