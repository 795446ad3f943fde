"""Values that are known in places: filled in between, and blurred by how surely they are known.

So a shadow goes on beneath its subject, and F to where only soft pixels show it.
"""

import cv2
import numba
import numpy as np

from vivid_assets.imaging.core.arrays import Plane, Planes


def spread(values: Planes, weight: Plane) -> Planes:
    """Fill what is not known (``weight`` 0) of ``values`` (float32 h×w or h×w×c) from what is, the near before the far.

    Pull and push (Gortler et al. 1996, "The lumigraph", section 3.4).
    """
    planes = values[..., None] if values.ndim == 2 else values
    levels: list[tuple[Planes, Plane]] = [(_weighed(planes, weight)[..., :-1], weight)]
    while min(levels[-1][1].shape) > 2:
        sums, known = levels[-1]
        size = (-(-known.shape[1] // 2), -(-known.shape[0] // 2))
        smaller = _resized(np.dstack([sums, known]), size, cv2.INTER_AREA)
        levels.append((smaller[..., :-1], smaller[..., -1]))
    sums, known = levels[-1]
    total = max(float(known.sum()), 1e-6)
    out = np.broadcast_to(sums.sum(axis=(0, 1)) / total, sums.shape).astype(np.float32)
    for turn, (sums, known) in enumerate(reversed(levels)):
        last = turn == len(levels) - 1
        out = _resized(out, known.shape[::-1], cv2.INTER_LINEAR)
        trust, least = (1.0, 0.0) if last else (4.0, 0.02)
        _push(sums, known, np.float32(trust), np.float32(least), out)
    return np.asarray(out.reshape(values.shape), np.float32)


def blur_widely(values: Planes, weight: Plane) -> Planes:
    """Blur ``values`` (float32 h×w or h×w×c) widely by their ``weight`` (float32 h×w), and fill what is not known.

    At a third of the size, where 1.7 pixels are five.
    """
    height, width = weight.shape
    size = (-(-width // 3), -(-height // 3))
    planes = values[..., None] if values.ndim == 2 else values
    small = _resized(_weighed(planes, weight), size, cv2.INTER_AREA)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), 1.7, borderType=cv2.BORDER_REFLECT), np.float32)
    known = small[..., -1]
    mean = small[..., :-1] / np.maximum(known, 1e-4)[..., None]
    out = _resized(spread(mean, (known > 0.01).astype(np.float32)), (width, height), cv2.INTER_LINEAR)
    return np.asarray(out.reshape(values.shape), np.float32)


def _resized(planes: Planes, size: tuple[int, ...], method: int) -> Planes:
    """Resize h×w×c planes; OpenCV takes four at a time."""
    if planes.shape[2] <= 4:
        resized = np.asarray(cv2.resize(planes, size, interpolation=method), planes.dtype)
        return resized.reshape(size[1], size[0], planes.shape[2])
    parts = [planes[..., i : i + 4] for i in range(0, planes.shape[2], 4)]
    return np.dstack([cv2.resize(np.ascontiguousarray(part), size, interpolation=method) for part in parts])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _weighed(planes, weight):  # type: ignore[no-untyped-def]
    """Return the planes (float32 h×w×c) times ``weight`` (float32 h×w), and it behind them."""
    height, width, count = planes.shape
    out = np.empty((height, width, count + 1), np.float32)
    for y in range(height):
        for x in range(width):
            for c in range(count):
                out[y, x, c] = planes[y, x, c] * weight[y, x]
            out[y, x, count] = weight[y, x]
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _push(sums, known, trust, least, out):  # type: ignore[no-untyped-def]
    """Lay what a level knows over ``out``, which comes from the coarser one; in place."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            rest = max(np.float32(1.0) - trust * known[y, x], least)
            whole = max(trust * known[y, x] + rest, np.float32(1e-6))
            for c in range(out.shape[2]):
                out[y, x, c] = (trust * sums[y, x, c] + rest * out[y, x, c]) / whole
