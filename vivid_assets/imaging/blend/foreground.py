"""Foreground and original background at every soft pixel, in linear light.

A soft pixel is I = αF + (1 − α)B. Three steps take it apart:

1. *Priors.* F spreads out of the solid and B out of the empty pixels; what a soft pixel shows of either joins in
   by its alpha, twice over (``core.spread_colors``).
2. *The plate.* Where the original background is plain, its own extrapolation is nearly exact and replaces B's
   estimate; its local variance decides how far.
3. *The foreground.* F moves from its prior towards (I − (1 − α)B)/α as far as the data can be trusted: a Wiener step
   with the prior's variance measured in the neighbourhood, B's variance and the capture's noise
   (``estimate_foreground``).
"""

from typing import NamedTuple

import numba
import numpy as np

from vivid_assets.imaging.core.areas import dilated
from vivid_assets.imaging.core.arrays import LinearRGB, Matte, Planes, Vector
from vivid_assets.imaging.core.interpolate import bilinear, cells_about, mirrored, smoothstep_of
from vivid_assets.imaging.core.noise import NOISE, noise_variance, noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, half_cells, halved_area, whole
from vivid_assets.imaging.core.spread_colors import Cells, Colors, Seen

_TINY = np.float32(1e-6)
PLAIN = np.float32(1e-4)
"""The plate's variance (linear light squared) at which extrapolation and estimate weigh the same."""
_BURNT = np.float32(0.05)
"""Light by which a pixel must miss what alpha and B allow, for its colour to stay its own."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pixel_of(cells, cy, cx, number):  # type: ignore[no-untyped-def]
    """Give the weight and the place of one of a cell's nine pixels; the place is unsigned, as in ``cells_about``."""
    (y0, wy), (x0, wx), _ = cells
    i, j = number // 3, number % 3
    return wy[cy, i] * wx[cx, j], np.uintp(y0[cy] + i), np.uintp(x0[cx] + j)


class _Model(NamedTuple):
    """What F and B are taken to be, and how the picture lies over it."""

    fields: Planes
    plate: LinearRGB
    variance: Planes
    """h×w×1: of the plate."""
    view: View
    table: Vector
    """The noise's variances."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _variance_at(variance, view, y, x):  # type: ignore[no-untyped-def]
    """Give the plate's local variance at a pixel."""
    top, left, tall, wide = view
    rows, columns = variance.shape[0], variance.shape[1]
    y1, y2, ty = cells_about(y + top, np.float32(rows / tall), rows)
    x1, x2, tx = cells_about(x + left, np.float32(columns / wide), columns)
    return bilinear(variance, y1, y2, ty, x1, x2, tx, 0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _priors(seen, model, cells, front, back, residual, first, end):  # type: ignore[no-untyped-def]
    """Write F's prior and B at soft pixels, and sum per half-size cell what they leave unexplained beyond noise."""
    image, alpha = seen
    fields, plate, variance, view, table = model
    _, _, soft = cells
    top, left, tall, wide = view
    rows, columns = fields.shape[0], fields.shape[1]
    sy, sx = np.float32(rows / tall), np.float32(columns / wide)
    one = np.float32(1.0)
    for cy in range(first, end):
        for cx in range(residual.shape[1]):
            if not soft[cy, cx]:
                continue
            for pixel in range(9):
                k, y, x = _pixel_of(cells, cy, cx, pixel)
                if k <= 0.0:
                    continue
                a = alpha[y, x]
                if a <= 0.0 or a >= one:
                    continue
                y1, y2, ty = cells_about(y + top, sy, rows)
                x1, x2, tx = cells_about(x + left, sx, columns)
                uneven = _variance_at(variance, view, y, x)
                plain = PLAIN / (PLAIN + uneven)
                counts = a > 0.02
                for c in range(3):
                    f = bilinear(fields, y1, y2, ty, x1, x2, tx, c)
                    b = bilinear(plate, y1, y2, ty, x1, x2, tx, c)
                    if plain < one:
                        b = (one - plain) * bilinear(fields, y1, y2, ty, x1, x2, tx, 3 + c) + plain * b
                    front[y, x, c], back[y, x, c] = f, b
                    if counts:
                        rest = image[y, x, c] - a * f - (one - a) * b
                        noise = noise_variance(table, image[y, x, c])
                        expected = (one - a) * (one - a) * uneven * np.float32(0.5) + noise
                        residual[cy, cx, c] += k * a * a * (rest * rest - expected)
                if counts:
                    residual[cy, cx, 3] += k * a * a * a * a


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _about(residual, needed, out, first, end):  # type: ignore[no-untyped-def]
    """Average what is unexplained over five by five cells about each that is needed; mirrored at the frame."""
    rows, columns = residual.shape[0], residual.shape[1]
    sums = np.empty(4, np.float64)
    for cy in range(first, end):
        for cx in range(columns):
            if not needed[cy, cx]:
                continue
            sums[:] = 0.0
            for i in range(cy - 2, cy + 3):
                y = mirrored(i, rows)
                for j in range(cx - 2, cx + 3):
                    x = mirrored(j, columns)
                    for c in range(4):
                        sums[c] += residual[y, x, c]
            for c in range(4):
                out[cy, cx, c] = sums[c] * (1 / 25)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _wiener(seen, model, residual, front, back, first, end):  # type: ignore[no-untyped-def]
    """Move F from its prior towards what the pixel shows."""
    image, alpha = seen
    _, _, variance, view, table = model
    height, width = alpha.shape
    rows, columns = residual.shape[0], residual.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    one, zero = np.float32(1.0), np.float32(0.0)
    for y in range(first, end):
        y1, y2, ty = cells_about(y, sy, rows)
        for x in range(width):
            a = alpha[y, x]
            if a <= zero or a >= one:
                continue
            x1, x2, tx = cells_about(x, sx, columns)
            base = one / max(bilinear(residual, y1, y2, ty, x1, x2, tx, 3), _TINY)
            plate = (one - a) * (one - a) * _variance_at(variance, view, y, x) * np.float32(0.5)
            # With so little alpha F would be darker than black or brighter than white: there is more of it, and what
            # is seen is nearer to F than what is worked out would be.
            beyond = zero
            for c in range(3):
                rest = image[y, x, c] - (one - a) * back[y, x, c]
                beyond = max(beyond, max(-rest, rest - a) - 3 * np.sqrt(noise_variance(table, image[y, x, c])))
            burnt = smoothstep_of(beyond, zero, _BURNT) * smoothstep_of(a, np.float32(0.4), np.float32(0.7))
            for c in range(3):
                f = front[y, x, c]
                rest = image[y, x, c] - a * f - (one - a) * back[y, x, c]
                own = max(bilinear(residual, y1, y2, ty, x1, x2, tx, c), zero) * base
                gain = own * a / (a * a * own + plate + noise_variance(table, image[y, x, c]) + np.float32(1e-12))
                # A nearly solid pixel shows F itself, whatever its surroundings promise: its detail is kept.
                gain += smoothstep_of(a, np.float32(0.9), np.float32(0.98)) * (one / a - gain)
                f = min(max(f + gain * rest, zero), one)
                front[y, x, c] = f + burnt * (image[y, x, c] - f)


def estimate_foreground(
    image: LinearRGB,
    alpha: Matte,
    colors: Colors,
    *,
    view: View | None = None,
    noise: float = NOISE,
    threads: int | None = None,
) -> tuple[LinearRGB, LinearRGB]:
    """Estimate foreground and original background at each soft pixel.

    F = F₀ + σF²α/(α²σF² + (1 − α)²σB² + σ²)·(I − αF₀ − (1 − α)B): Bayesian matting's colour step (Chuang et al. 2001,
    equation 9) for a known alpha, with σF² found by empirical Bayes: what F₀ leaves unexplained in a window of about 9
    pixels beyond the plate's variance σB² and the capture's noise σ².

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        colors: F and B at half size, of this picture or of a smaller one.
        view: where ``image`` lies in that one; it is the same picture where it is not given.
        noise: the capture's, in levels of 8 bits.
        threads: the most to use.

    Returns:
        F and B, float32 H×W×3, linear light; elsewhere ``image`` and 0.
    """
    rows, columns = half_cells(alpha.shape[0]), half_cells(alpha.shape[1])
    residual = np.zeros((len(rows.first), len(columns.first), 4), np.float32)
    # What is not soft is not written to, so that the memory of most of it is never taken.
    # (``zeros_like`` writes its zeros, ``zeros`` gets pages that are.)
    front, back, around = image.copy(), np.zeros(image.shape, np.float32), np.zeros(residual.shape, np.float32)
    seen = Seen(image, alpha)
    variance, table = colors.plate_variance[..., None], noise_variances(noise)
    model = _Model(colors.fields, colors.plate, variance, view or whole(*alpha.shape), table)
    soft = halved_area((alpha > 0) & (alpha < 1), threads)
    cells = Cells(rows, columns, soft)
    parallel_rows(_priors, len(residual), seen, model, cells, front, back, residual, threads=threads)
    parallel_rows(_about, len(residual), residual, dilated(soft, 1), around, threads=threads)
    parallel_rows(_wiener, len(alpha), seen, model, around, front, back, threads=threads)
    return front, back
