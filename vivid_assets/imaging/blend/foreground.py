"""Foreground and original background at every soft pixel, in linear light.

A soft pixel is I = αF + (1 − α)B. Three steps take it apart:

1. *Priors.* F spreads out of the solid and B out of the empty pixels; what a soft pixel shows of either joins in
   by its alpha, twice over (``estimate_colors``).
2. *The plate.* Where the original background is plain, its own extrapolation is nearly exact and replaces B's
   estimate; its local variance decides how far.
3. *The foreground.* F moves from its prior towards (I − (1 − α)B)/α as far as the data can be trusted: a Wiener step
   with the prior's variance measured in the neighbourhood, B's variance and the capture's noise
   (``estimate_foreground``).
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numba
import numpy as np

from vivid_assets.imaging.core.areas import dilated
from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.interpolate import bilinear, cells_about, mirrored, smoothstep_of
from vivid_assets.imaging.core.noise import NOISE, noise_variance, noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import HalfCells, Pyramid, View, half_cells, halved_area, whole

_TINY = np.float32(1e-6)
PLAIN = np.float32(1e-4)
"""The plate's variance (linear light squared) at which extrapolation and estimate weigh the same."""
_BURNT = np.float32(0.05)
"""Light by which a pixel must miss what alpha and B allow, for its colour to stay its own."""
_PLATE_LEVEL = 2
"""Cells of 8 pixels, taken 3 by 3: the window in which the background's variance is measured."""


@dataclass(frozen=True)
class Colors:
    """Foreground and background at half size, which ``estimate_foreground`` and the alpha solver interpolate."""

    fields: Planes
    """float32 h×w×6: F and B, linear light; defined in and around the soft band."""
    plate: LinearRGB
    """float32 h×w×3: the background extrapolated from empty pixels alone."""
    plate_variance: Plane
    """float32, small: local variance of the background, linear light squared."""
    soft: Area
    """bool h×w: cells that hold a soft pixel."""
    pyramid: Pyramid
    """What the fields are spread from."""
    is_known: bool = False
    """Whether B is known, and F alone was spread."""


class _Seen(NamedTuple):
    """A picture and its alpha."""

    image: LinearRGB
    alpha: Matte


class _Cells(NamedTuple):
    """The half-size cells that are worked on."""

    rows: HalfCells
    columns: HalfCells
    chosen: Area


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pixel_of(cells, cy, cx, number):  # type: ignore[no-untyped-def]
    """Give the weight and the place of one of a cell's nine pixels; the place is unsigned, as in ``cells_about``."""
    (y0, wy), (x0, wx), _ = cells
    i, j = number // 3, number % 3
    return wy[cy, i] * wx[cx, j], np.uintp(y0[cy] + i), np.uintp(x0[cx] + j)


class _Turn(NamedTuple):
    """What is known of F and B when their evidence is summed."""

    fields: Planes
    """F and B of the last turn."""
    nearly: np.float32
    """Weight of a nearly empty pixel's colour for B."""
    again: bool
    """Whether there was a turn, so that soft pixels can be taken apart."""
    sides: tuple[int, ...]
    """Two, or one where F alone is summed: its length is a constant to the compiler."""


@numba.njit(inline="always")
def _weights(k, a, nearly, again):  # type: ignore[no-untyped-def]
    """What a soft pixel of alpha ``a`` and weight ``k`` counts for F and for B, as it is or, ``again``, taken apart."""
    b = np.float32(1.0) - a
    if again:
        wf = a * a * smoothstep_of(a, np.float32(0.0), np.float32(0.9)) + _TINY * a
        wb = b * b * smoothstep_of(b, np.float32(0.0), np.float32(0.9)) + _TINY * b
    else:
        wf = smoothstep_of(a, np.float32(0.9), np.float32(0.98)) + _TINY * a
        wb = nearly * smoothstep_of(b, np.float32(0.9), np.float32(0.98)) + _TINY * b
    return k * wf, k * wb


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gather(seen, cells, turn, known, square, first, end):  # type: ignore[no-untyped-def]
    """Sum a half-size cell's evidence of F and B (four channels: of F); the second time take soft pixels apart."""
    image, alpha = seen
    (y0, wy), (x0, wx), chosen = cells
    fields, nearly, again, sides = turn
    rows, columns = known.shape[0], known.shape[1]
    sy, sx = np.float32(rows / alpha.shape[0]), np.float32(columns / alpha.shape[1])
    one, low = np.float32(1.0), np.float32(0.05)
    both = len(sides) == 2
    sums = np.empty(8, np.float32)
    for cy in range(first, end):
        for cx in range(columns):
            if not chosen[cy, cx]:
                continue
            sums[:] = 0.0
            squares = np.float32(0.0)
            for i in range(3):
                for j in range(3):
                    k = wy[cy, i] * wx[cx, j]
                    if k <= 0.0:
                        continue
                    # Unsigned, as in ``cells_about``.
                    y, x = np.uintp(y0[cy] + i), np.uintp(x0[cx] + j)
                    a = alpha[y, x]
                    if a >= one:
                        for c in range(3):
                            sums[c] += k * image[y, x, c]
                        sums[3] += k
                        continue
                    if a <= 0.0:
                        if both:
                            for c in range(3):
                                sums[4 + c] += k * image[y, x, c]
                                squares += k * image[y, x, c] * image[y, x, c]
                            sums[7] += k
                        continue
                    b = one - a
                    over_a, over_b = one / max(a, low), one / max(b, low)
                    wf, wb = _weights(k, a, nearly, again)
                    y1, y2, ty = cells_about(y, sy, rows)
                    x1, x2, tx = cells_about(x, sx, columns)
                    for c in range(3):
                        front = back = image[y, x, c]
                        if again:
                            g = bilinear(fields, y1, y2, ty, x1, x2, tx, 3 + c)
                            front = min(max((image[y, x, c] - b * g) * over_a, np.float32(0.0)), one)
                            if both:
                                f = bilinear(fields, y1, y2, ty, x1, x2, tx, c)
                                back = min(max((image[y, x, c] - a * f) * over_b, np.float32(0.0)), one)
                        sums[c] += wf * front
                        if both:
                            sums[4 + c] += wb * back
                            squares += wb * back * back
                    sums[3] += wf
                    sums[7] += wb
            for c in range(4 * len(sides)):
                known[cy, cx, c] = sums[c]
            if both and not again:
                square[cy, cx] = squares * np.float32(1 / 3)


def estimate_colors(
    image: LinearRGB,
    alpha: Matte,
    *,
    rounds: int = 2,
    soft: Area | None = None,
    back: LinearRGB | None = None,
    noise: float = NOISE,
    threads: int | None = None,
) -> Colors:
    """Estimate F and B around the soft pixels of a picture.

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        rounds: of ``update_colors``.
        soft: bool H×W: the pixels that may become soft in later updates, where that is more than are now.
        back: float32 h×w×3, half the size: B, where it is known and F alone is to be estimated.
        noise: the capture's, in levels of 8 bits.
        threads: the most to use.
    """
    known, square = _first_evidence(image, alpha, back is None, threads)
    cells = halved_area((alpha > 0) & (alpha < 1) if soft is None else soft, threads)
    pyramid = Pyramid(known, dilated(cells, 3), cells, threads)
    fields = pyramid.fields(back)
    if back is None:
        plate, variance = fields[..., 3:].copy(), _plate_variance(square, pyramid.levels, noise, threads)
    else:
        plate, variance = back, np.zeros((1, 1), np.float32)
    colors = Colors(fields, plate, variance, cells, pyramid, back is not None)
    for _ in range(rounds):
        colors = update_colors(image, alpha, colors, threads=threads)
    return colors


def spread_front(image: LinearRGB, alpha: Matte, soft: Area, threads: int | None = None) -> LinearRGB:
    """Spread F (float32 h×w×3, half the size) out of what is solid, about the pixels that are ``soft`` (bool H×W)."""
    known, _ = _first_evidence(image, alpha, False, threads)
    cells = halved_area(soft, threads)
    return Pyramid(known, dilated(cells, 3), cells, threads).fields()


def _first_evidence(image: LinearRGB, alpha: Matte, both: bool, threads: int | None) -> tuple[Planes, Plane]:
    """Sum what the half-size cells show of F, or of F and B, and B's mean square."""
    rows, columns = half_cells(alpha.shape[0]), half_cells(alpha.shape[1])
    shape = (len(rows.first), len(columns.first))
    sides = (0, 0) if both else (0,)
    known = np.empty((*shape, 4 * len(sides)), np.float32)
    square = np.empty(shape if both else (1, 1), np.float32)
    everywhere = _Cells(rows, columns, np.ones(shape, np.bool_))
    # A background seen through one percent of subject is not the background's colour when the background is dark: where
    # a picture has truly empty pixels, nearly empty ones only help out.
    nearly = np.float32(1e-3 if both and np.count_nonzero(alpha <= 0) > 0.01 * alpha.size else 1.0)
    turn = _Turn(np.zeros((1, 1, 6), np.float32), nearly, False, sides)
    parallel_rows(_gather, shape[0], _Seen(image, alpha), everywhere, turn, known, square, threads=threads)
    return known, square


def update_colors(image: LinearRGB, alpha: Matte, colors: Colors, *, threads: int | None = None) -> Colors:
    """Estimate F and B once more, with what the soft pixels show of them.

    The pyramid is written to; the older ``colors`` must not be updated again.

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        colors: the last estimate.
        threads: the most to use.
    """
    # Solid and empty cells stay as they are.
    known, square = colors.pyramid.levels[0], np.empty((1, 1), np.float32)
    cells = _Cells(half_cells(alpha.shape[0]), half_cells(alpha.shape[1]), colors.soft)
    turn = _Turn(colors.fields, np.float32(1), True, (0,) if colors.is_known else (0, 0))
    parallel_rows(_gather, len(known), _Seen(image, alpha), cells, turn, known, square, threads=threads)
    colors.pyramid.update()
    return replace(colors, fields=colors.pyramid.fields(colors.plate if colors.is_known else None))


def _halved(plane: Plane, axis: int) -> Plane:
    """Average a plane into half as many cells along one axis."""
    first, weights = half_cells(plane.shape[axis])
    pixels = (plane.take(np.minimum(first + i, plane.shape[axis] - 1), axis) for i in range(3))
    by = weights[:, None] if axis == 0 else weights[None]
    terms = [pixel * by[..., i] for i, pixel in enumerate(pixels)]
    return np.asarray(terms[0] + terms[1] + terms[2])


def _plate_variance(square: Plane, levels: list[Planes], noise: float, threads: int | None) -> Plane:
    """Measure the plate's variance over about 24 pixels, its noise taken off, spread to where no plate is seen."""
    for _ in range(min(_PLATE_LEVEL, len(levels) - 1)):
        square = _halved(_halved(square, 0), 1)
    cells = levels[min(_PLATE_LEVEL, len(levels) - 1)][..., 4:]
    sums = cv2.blur(np.dstack([cells, square]).astype(np.float32), (3, 3), borderType=cv2.BORDER_REFLECT)
    weight = np.maximum(sums[..., 3], 1e-9)
    mean = sums[..., :3] / weight[..., None]
    table = noise_variances(noise)
    grain = table[np.clip(mean * (len(table) - 1), 0, len(table) - 1).astype(np.int64)]
    spread_out = np.maximum(sums[..., 4] / weight - (mean**2).mean(axis=2) - grain.mean(axis=2), 0)
    seen = (sums[..., 3] > 0.02).astype(np.float32)
    filled = np.zeros((*seen.shape, 8), np.float32)
    filled[..., 0], filled[..., 3] = spread_out * seen, seen
    every = np.ones(seen.shape, np.bool_)
    return np.ascontiguousarray(Pyramid(filled, every, every, threads).fields()[..., 0])


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
    front, back, around = image.copy(), np.zeros_like(image), np.zeros_like(residual)
    seen = _Seen(image, alpha)
    variance, table = colors.plate_variance[..., None], noise_variances(noise)
    model = _Model(colors.fields, colors.plate, variance, view or whole(*alpha.shape), table)
    soft = halved_area((alpha > 0) & (alpha < 1), threads)
    cells = _Cells(rows, columns, soft)
    parallel_rows(_priors, len(residual), seen, model, cells, front, back, residual, threads=threads)
    parallel_rows(_about, len(residual), residual, dilated(soft, 1), around, threads=threads)
    parallel_rows(_wiener, len(alpha), seen, model, around, front, back, threads=threads)
    return front, back
