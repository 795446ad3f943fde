"""The guided filter with a colour guide: edges of the picture go over into a mask (He, Sun and Tang 2010).

In every window the mask is fitted as a linear function of the picture's colour, and each pixel takes the mean
of the fits that cover it. Running sums make it O(N) whatever the radius, and tiles in which nothing is asked for cost
nothing. OpenCV has a guided filter in its contrib build only.
"""

import cv2
import numba
import numpy as np

from vivid_assets.imaging.core.arrays import RGB, Area, LinearRGB, Plane, Planes
from vivid_assets.imaging.core.interpolate import mirrored
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, whole

_TILE = 32
_MOMENTS = 13
"""Of a window: mask, three colours, their products with the mask, and with each other."""


def guided_filter(
    guide: RGB | Planes, src: Plane, radius: int, eps: float, where: Area | None = None, threads: int | None = None
) -> Plane:
    """Filter a plane with the edges of a guide.

    He, Sun and Tang 2010, "Guided image filtering", equations 14 to 16 (colour) and 5 to 8 (grey).

    Args:
        guide: H×W or H×W×3, uint8, uint16 or float 0..1.
        src: H×W.
        radius: half the window, in pixels: it is 2·radius + 1 wide; at least 1.
        eps: variance of the guide, in units of its 0..1 range squared, below which a window is flattened; above 0.
        where: bool H×W: the pixels to filter; all of them where it is not given.
        threads: the most to use.

    Returns:
        float32 H×W, in the range of ``src`` and a little beyond; ``src`` itself elsewhere than ``where``.

    Raises:
        ValueError: sizes that differ, or a radius or eps out of range.

    >>> guided_filter(np.zeros((5, 5), np.uint8), np.full((5, 5), 0.5, np.float32), 1, 1e-3)[2, 2].item()
    0.5
    """
    unit = _unit(guide)
    fits = fit_windows(unit, src, radius, eps, where, threads)
    out = src.astype(np.float32)
    chosen = np.ones(src.shape, np.bool_) if where is None else where
    parallel_rows(_apply, len(out), unit, fits, whole(*out.shape), chosen, out, threads=threads)
    return out


def guided_upsample(
    guide: LinearRGB,
    src: Plane,
    small_guide: LinearRGB,
    radius: int,
    eps: float,
    where: Area,
    threads: int | None = None,
    view: View | None = None,
) -> Plane:
    """Bring a small plane to the size of a guide, following the guide's edges.

    The windows are fitted at the small size; the fits are interpolated and then meet the full guide. He and Sun 2015,
    "Fast guided filter", section 3.

    Args:
        guide: float32 H×W×3; it may be a cut.
        src: float h×w.
        small_guide: float32 h×w×3: all of the guide at the size of ``src``.
        radius: as for ``guided_filter``, in pixels of ``src``.
        eps: as for ``guided_filter``.
        where: bool H×W: the pixels to compute.
        threads: the most to use.
        view: where the cut lies; ``guide`` is no cut where it is not given.

    Returns:
        float32 H×W, 0 elsewhere than ``where``.
    """
    view = view or whole(*where.shape)
    near = np.zeros(src.shape, np.uint8)
    y, x = np.nonzero(where)
    rows = np.floor((y + (view.top + 0.5)) * (src.shape[0] / view.tall)).astype(np.int64)
    cells = np.floor((x + (view.left + 0.5)) * (src.shape[1] / view.wide)).astype(np.int64)
    near[rows.clip(0, src.shape[0] - 1), cells.clip(0, src.shape[1] - 1)] = 1
    # A cell lends its fit to pixels up to one cell away.
    near = np.asarray(cv2.dilate(near, np.ones((5, 5), np.uint8)))
    fits = fit_windows(small_guide, src, radius, eps, near > 0, threads)
    out = np.zeros(where.shape, np.float32)
    parallel_rows(_apply, len(out), guide, fits, view, where, out, threads=threads)
    return out


def fit_windows(
    guide: RGB | Planes, src: Plane, radius: int, eps: float, where: Area | None = None, threads: int | None = None
) -> Planes:
    """Fit a plane as a linear function of the guide in every window, and average the fits about each pixel.

    Args:
        guide: as for ``guided_filter``.
        src: as for ``guided_filter``.
        radius: as for ``guided_filter``.
        eps: as for ``guided_filter``.
        where: as for ``guided_filter``.
        threads: the most to use.

    Returns:
        float32 H×W×4: three slopes and the offset; 0 in tiles without a pixel of ``where``.

    Raises:
        ValueError: sizes that differ, or a radius or eps out of range.
    """
    if guide.shape[:2] != src.shape or guide.ndim not in (2, 3) or guide.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(f"The guide is {guide.shape} and the mask {src.shape}: one H×W or H×W×3, the other H×W.")
    if radius < 1 or eps <= 0:
        raise ValueError(f"The radius ({radius}) is at least 1 and eps ({eps}) above 0.")
    unit = _unit(guide)
    out = np.zeros((*src.shape, 4), np.float32)
    chosen = np.ones(src.shape, np.bool_) if where is None else where
    inputs = (unit, np.ascontiguousarray(src, np.float32), chosen, radius, np.float32(eps), out)
    parallel_rows(_fit_tiles, -(-len(src) // _TILE), *inputs, threads=threads, smallest=1)
    return out


def _unit(guide: RGB | Planes) -> Planes:
    """Return the guide as float32 0..1, H×W×3; the missing channels of a grey one are 0, which takes no part."""
    if not np.issubdtype(guide.dtype, np.floating):
        most = 255 if guide.dtype == np.uint8 else 65535
        guide = guide.astype(np.float32) * np.float32(1 / most)
    if guide.ndim == 3 and guide.shape[2] == 3:
        return np.ascontiguousarray(guide, np.float32)
    unit = np.zeros((*guide.shape[:2], 3), np.float32)
    unit[..., 0] = guide.reshape(guide.shape[:2])
    return unit


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fit_tiles(guide, src, where, radius, eps, out, first, end):  # type: ignore[no-untyped-def]
    """Fit rows of tiles. Sums run within a tile, so that what a pixel gets does not depend on the threads."""
    height, width = src.shape
    span, halo = 2 * radius, 4 * radius
    share = np.float32(1.0 / ((span + 1) * (span + 1)))
    moments = np.empty((_TILE + halo, _TILE + halo, _MOMENTS), np.float32)
    fits = np.empty((_TILE + span, _TILE + span, 4), np.float32)
    columns = np.empty((_TILE + halo, _MOMENTS), np.float32)
    total, sums = np.empty(_MOMENTS, np.float32), np.empty(4, np.float32)
    centre = np.empty(3, np.float32)
    for top in range(first * _TILE, end * _TILE, _TILE):
        for left in range(0, width, _TILE):
            rows, cells = min(_TILE, height - top), min(_TILE, width - left)
            if not where[top : top + rows, left : left + cells].any():
                continue
            # Centring keeps float32 accurate: variances are differences of nearly equal means otherwise.
            for c in range(3):
                centre[c] = guide[top : top + rows, left : left + cells, c].mean()
            for i in range(rows + halo):
                y = mirrored(top - span + i, height)
                for j in range(cells + halo):
                    x = mirrored(left - span + j, width)
                    m = src[y, x]
                    r, g, b = guide[y, x, 0] - centre[0], guide[y, x, 1] - centre[1], guide[y, x, 2] - centre[2]
                    moments[i, j, 0], moments[i, j, 1], moments[i, j, 2], moments[i, j, 3] = m, r, g, b
                    moments[i, j, 4], moments[i, j, 5], moments[i, j, 6] = m * r, m * g, m * b
                    moments[i, j, 7], moments[i, j, 8], moments[i, j, 9] = r * r, r * g, r * b
                    moments[i, j, 10], moments[i, j, 11], moments[i, j, 12] = g * g, g * b, b * b
            columns[:] = 0
            for i in range(rows + halo):
                _slide(moments, i, span + 1, cells + halo, columns)
                if i < span:
                    continue
                total[:] = 0
                for j in range(cells + halo):
                    _slide_across(columns, j, span + 1, total)
                    if j >= span:
                        _solve(total, share, eps, centre, fits[i - span, j - span])
            columns[:] = 0
            for i in range(rows + span):
                _slide(fits, i, span + 1, cells + span, columns)
                if i < span:
                    continue
                sums[:] = 0
                for j in range(cells + span):
                    _slide_across(columns, j, span + 1, sums)
                    if j >= span:
                        for c in range(4):
                            out[top + i - span, left + j - span, c] = sums[c] * share


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _slide(values, row, size, width, columns):  # type: ignore[no-untyped-def]
    """Move the columns' sums over ``size`` rows on to end at ``row``."""
    for j in range(width):
        for c in range(values.shape[2]):
            columns[j, c] += values[row, j, c]
    if row >= size:
        for j in range(width):
            for c in range(values.shape[2]):
                columns[j, c] -= values[row - size, j, c]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _slide_across(columns, cell, size, total):  # type: ignore[no-untyped-def]
    """Move the sum over ``size`` columns on to end at ``cell``."""
    for c in range(len(total)):
        total[c] += columns[cell, c]
    if cell >= size:
        for c in range(len(total)):
            total[c] -= columns[cell - size, c]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _solve(total, share, eps, centre, fit):  # type: ignore[no-untyped-def]
    """Solve (Σ + eps·1) a = cov by LDLᵀ: three slopes and the offset.

    Cofactors would cancel in float32; here every pivot is at least eps in theory and is held there in practice.
    """
    m, r, g, b = total[0] * share, total[1] * share, total[2] * share, total[3] * share
    cov_r, cov_g, cov_b = total[4] * share - m * r, total[5] * share - m * g, total[6] * share - m * b
    d1 = max(total[7] * share - r * r, np.float32(0.0)) + eps
    rg, rb = total[8] * share - r * g, total[9] * share - r * b
    l21, l31 = rg / d1, rb / d1
    d2 = max(total[10] * share - g * g + eps - l21 * rg, eps)
    below = total[11] * share - g * b - l31 * rg
    l32 = below / d2
    d3 = max(total[12] * share - b * b + eps - l31 * rb - l32 * below, eps)
    z2 = cov_g - l21 * cov_r
    slope_b = (cov_b - l31 * cov_r - l32 * z2) / d3
    slope_g = z2 / d2 - l32 * slope_b
    slope_r = cov_r / d1 - l21 * slope_g - l31 * slope_b
    fit[0], fit[1], fit[2] = slope_r, slope_g, slope_b
    fit[3] = m - slope_r * (r + centre[0]) - slope_g * (g + centre[1]) - slope_b * (b + centre[2])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _apply(guide, fits, view, where, out, first, end):  # type: ignore[no-untyped-def]
    """Interpolate the small fits between cells' centres and apply them to the full guide."""
    top, left, tall, wide = view
    width = where.shape[1]
    rows, cells = fits.shape[0], fits.shape[1]
    for y in range(first, end):
        at_y = (y + top + 0.5) * rows / tall - 0.5
        low_y = int(np.floor(at_y))
        ty = np.float32(at_y - low_y)
        y1, y2 = min(max(low_y, 0), rows - 1), min(max(low_y + 1, 0), rows - 1)
        for x in range(width):
            if not where[y, x]:
                continue
            at_x = (x + left + 0.5) * cells / wide - 0.5
            low_x = int(np.floor(at_x))
            tx = np.float32(at_x - low_x)
            x1, x2 = min(max(low_x, 0), cells - 1), min(max(low_x + 1, 0), cells - 1)
            value = np.float32(0.0)
            for c in range(4):
                above = fits[y1, x1, c] + (fits[y1, x2, c] - fits[y1, x1, c]) * tx
                below = fits[y2, x1, c] + (fits[y2, x2, c] - fits[y2, x1, c]) * tx
                mean = above + (below - above) * ty
                value += mean * guide[y, x, c] if c < 3 else mean
            out[y, x] = value
