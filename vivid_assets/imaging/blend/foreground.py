"""Foreground and old background at every soft pixel, in linear light.

A soft pixel is I = αF + (1 − α)B. Three steps take it apart:

1. *Priors.* F spreads out of the solid and B out of the empty pixels; what a soft pixel says about either joins in
   by its alpha, twice over (``estimate_colors``).
2. *The wall.* Where the old background is plain, its own extrapolation is nearly exact and replaces B's estimate;
   its local variance decides how far.
3. *Un-mixing.* F moves from its prior towards (I − (1 − α)B)/α as far as the data can be trusted: a Wiener step
   with the prior's variance measured in the neighbourhood, B's variance and the capture's noise (``unmix``).
"""

from dataclasses import astuple, dataclass, replace
from typing import Any

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.interpolate import bilinear, cells_about, smoothstep_of
from vivid_assets.imaging.core.noise import NOISE, noise_variance, noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import Pyramid, View, halves, touched, whole

Array = NDArray[Any]

_TINY = np.float32(1e-6)
PLAIN = np.float32(1e-4)  # wall variance (linear light squared) at which extrapolation and estimate weigh the same
_BURNT = np.float32(0.05)  # light by which a pixel must miss what alpha and B allow, for its colour to stay its own
_WALL_LEVEL = 2  # cells of 8 pixels, taken 3 by 3: the window in which the wall's variance is measured


@dataclass(frozen=True)
class Colors:
    """Foreground and background at half size, which ``unmix`` and the alpha solver interpolate."""

    fields: Array  # float32 hxwx6: F and B, linear light; defined in and around the soft band
    plate: Array  # float32 hxwx3: the background extrapolated from empty pixels alone
    plate_variance: Array  # float32, small: local variance of the wall, linear light squared
    soft: Array  # bool hxw: cells that hold a soft pixel
    pyramid: Pyramid  # what the fields are spread from


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gather(image, alpha, fields, known, square, chosen, nearly, again, y0, wy, x0, wx, first, end):  # type: ignore[no-untyped-def]
    """Sum each half-size cell's evidence of F and of B; the second time soft pixels are taken apart first."""
    height, width = alpha.shape
    rows, columns = known.shape[0], known.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    one, low = np.float32(1.0), np.float32(0.05)
    for cy in range(first, end):
        for cx in range(columns):
            if not chosen[cy, cx]:
                continue
            known[cy, cx, :] = 0.0
            squares = np.float32(0.0)
            for i in range(3):
                for j in range(3):
                    k = wy[cy, i] * wx[cx, j]
                    if k <= 0.0:
                        continue
                    y, x = np.uintp(y0[cy] + i), np.uintp(x0[cx] + j)
                    a = alpha[y, x]
                    if a >= one or a <= 0.0:
                        side = 0 if a >= one else 4
                        for c in range(3):
                            known[cy, cx, side + c] += k * image[y, x, c]
                            if side == 4:
                                squares += k * image[y, x, c] * image[y, x, c]
                        known[cy, cx, side + 3] += k
                        continue
                    b = one - a
                    over_a, over_b = one / max(a, low), one / max(b, low)
                    if again:
                        wf = k * (a * a * smoothstep_of(a, np.float32(0.0), np.float32(0.9)) + _TINY * a)
                        wb = k * (b * b * smoothstep_of(b, np.float32(0.0), np.float32(0.9)) + _TINY * b)
                        y1, y2, ty = cells_about(y, sy, rows)
                        x1, x2, tx = cells_about(x, sx, columns)
                    else:
                        wf = k * (smoothstep_of(a, np.float32(0.9), np.float32(0.98)) + _TINY * a)
                        wb = k * (nearly * smoothstep_of(b, np.float32(0.9), np.float32(0.98)) + _TINY * b)
                    for c in range(3):
                        front = back = image[y, x, c]
                        if again:
                            f = bilinear(fields, y1, y2, ty, x1, x2, tx, c)
                            g = bilinear(fields, y1, y2, ty, x1, x2, tx, 3 + c)
                            front = min(max((image[y, x, c] - b * g) * over_a, np.float32(0.0)), one)
                            back = min(max((image[y, x, c] - a * f) * over_b, np.float32(0.0)), one)
                        known[cy, cx, c] += wf * front
                        known[cy, cx, 4 + c] += wb * back
                        squares += wb * back * back
                    known[cy, cx, 3] += wf
                    known[cy, cx, 7] += wb
            if not again:
                square[cy, cx] = squares * np.float32(1 / 3)


def estimate_colors(
    image: Array,
    alpha: Array,
    *,
    rounds: int = 2,
    soft: Array | None = None,
    noise: float = NOISE,
    threads: int | None = None,
) -> Colors:
    """Estimate F and B around the soft pixels of ``image`` (float32 HxWx3 linear) under ``alpha`` (HxW, 0..1).

    ``soft`` (bool HxW) names the pixels that may become soft in later updates, where that is more than are now.
    """
    y0, wy = halves(alpha.shape[0])
    x0, wx = halves(alpha.shape[1])
    shape = (len(y0), len(x0))
    known, square = np.empty((*shape, 8), np.float32), np.empty(shape, np.float32)
    nothing = np.zeros((1, 1, 6), np.float32)
    every = np.ones(shape, np.bool_)
    # A wall seen through one percent of subject is not the wall's colour when the wall is dark: where a picture
    # has truly empty pixels, nearly empty ones only help out.
    nearly = np.float32(1e-3 if np.count_nonzero(alpha <= 0) > 0.01 * alpha.size else 1.0)
    inputs = (image, alpha, nothing, known, square, every, nearly, False)
    parallel_rows(_gather, shape[0], *inputs, y0, wy, x0, wx, threads=threads)

    cells = touched((alpha > 0) & (alpha < 1) if soft is None else soft)
    wanted = cv2.dilate(cells.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    pyramid = Pyramid(known, wanted, cells, threads)
    fields = pyramid.fields()
    wall = np.ascontiguousarray(fields[..., 3:])
    colors = Colors(fields, wall, _wall_variance(square, pyramid.levels, noise, threads), cells, pyramid)
    for _ in range(rounds):
        colors = update_colors(image, alpha, colors, threads=threads)
    return colors


def update_colors(image: Array, alpha: Array, colors: Colors, *, threads: int | None = None) -> Colors:
    """Estimate F and B once more, with what the soft pixels say about them.

    The pyramid is written to; the older ``colors`` must not be updated again.
    """
    y0, wy = halves(alpha.shape[0])
    x0, wx = halves(alpha.shape[1])
    known, square = colors.pyramid.levels[0], np.empty((1, 1), np.float32)  # solid and empty cells stay as they are
    inputs = (image, alpha, colors.fields, known, square, colors.soft, np.float32(1), True)
    parallel_rows(_gather, len(known), *inputs, y0, wy, x0, wx, threads=threads)
    colors.pyramid.update()
    return replace(colors, fields=colors.pyramid.fields())


def _wall_variance(square: Array, levels: list[Array], noise: float, threads: int | None) -> Array:
    """Measure the wall's variance over about 24 pixels, its noise taken off, spread to where no wall is seen."""
    for _ in range(min(_WALL_LEVEL, len(levels) - 1)):
        y0, wy = halves(square.shape[0])
        x0, wx = halves(square.shape[1])
        rows = sum(square[np.minimum(y0 + i, len(square) - 1)] * wy[:, i, None] for i in range(3))
        square = sum(rows[:, np.minimum(x0 + j, rows.shape[1] - 1)] * wx[None, :, j] for j in range(3))
    cells = levels[min(_WALL_LEVEL, len(levels) - 1)][..., 4:]
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


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _doubt(variance, y, x, top, left, tall, wide):  # type: ignore[no-untyped-def]
    """Give the wall's local variance at a pixel."""
    rows, columns = variance.shape[0], variance.shape[1]
    y1, y2, ty = cells_about(y + top, np.float32(rows / tall), rows)
    x1, x2, tx = cells_about(x + left, np.float32(columns / wide), columns)
    return bilinear(variance, y1, y2, ty, x1, x2, tx, 0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _priors(  # type: ignore[no-untyped-def]
    image,
    alpha,
    fields,
    wall,
    variance,
    top,
    left,
    tall,
    wide,
    grain,
    front,
    back,
    soft,
    surprise,
    y0,
    wy,
    x0,
    wx,
    first,
    end,
):
    """Write F's prior and B at soft pixels, and sum per half-size cell what they leave unexplained beyond noise."""
    rows, columns = fields.shape[0], fields.shape[1]
    sy, sx = np.float32(rows / tall), np.float32(columns / wide)
    one = np.float32(1.0)
    for cy in range(first, end):
        for cx in range(surprise.shape[1]):
            surprise[cy, cx, :] = 0.0
            if not soft[cy, cx]:
                continue
            for i in range(3):
                for j in range(3):
                    k = wy[cy, i] * wx[cx, j]
                    if k <= 0.0:
                        continue
                    y, x = np.uintp(y0[cy] + i), np.uintp(x0[cx] + j)
                    a = alpha[y, x]
                    if a <= 0.0 or a >= one:
                        continue
                    y1, y2, ty = cells_about(y + top, sy, rows)
                    x1, x2, tx = cells_about(x + left, sx, columns)
                    uneven = _doubt(variance, y, x, top, left, tall, wide)
                    plain = PLAIN / (PLAIN + uneven)
                    counts = a > 0.02
                    for c in range(3):
                        f = bilinear(fields, y1, y2, ty, x1, x2, tx, c)
                        b = (one - plain) * bilinear(fields, y1, y2, ty, x1, x2, tx, 3 + c)
                        b += plain * bilinear(wall, y1, y2, ty, x1, x2, tx, c)
                        front[y, x, c], back[y, x, c] = f, b
                        if counts:
                            rest = image[y, x, c] - a * f - (one - a) * b
                            doubt = (one - a) * (one - a) * uneven * np.float32(0.5) + noise_variance(
                                grain, image[y, x, c]
                            )
                            surprise[cy, cx, c] += k * a * a * (rest * rest - doubt)
                    if counts:
                        surprise[cy, cx, 3] += k * a * a * a * a


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _wiener(image, alpha, variance, top, left, tall, wide, grain, surprise, front, back, first, end):  # type: ignore[no-untyped-def]
    """Move F from its prior towards what the pixel says."""
    height, width = alpha.shape
    rows, columns = surprise.shape[0], surprise.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    one, zero = np.float32(1.0), np.float32(0.0)
    for y in range(first, end):
        y1, y2, ty = cells_about(y, sy, rows)
        for x in range(width):
            a = alpha[y, x]
            if a <= zero or a >= one:
                for c in range(3):
                    back[y, x, c] = image[y, x, c]
                continue
            x1, x2, tx = cells_about(x, sx, columns)
            base = one / max(bilinear(surprise, y1, y2, ty, x1, x2, tx, 3), _TINY)
            wall = (one - a) * (one - a) * _doubt(variance, y, x, top, left, tall, wide) * np.float32(0.5)
            # With so little alpha F would be darker than black or brighter than white: there is more of it, and what
            # is seen is nearer to F than what is worked out would be.
            beyond = zero
            for c in range(3):
                rest = image[y, x, c] - (one - a) * back[y, x, c]
                beyond = max(beyond, max(-rest, rest - a) - 3 * np.sqrt(noise_variance(grain, image[y, x, c])))
            burnt = smoothstep_of(beyond, zero, _BURNT) * smoothstep_of(a, np.float32(0.4), np.float32(0.7))
            for c in range(3):
                f = front[y, x, c]
                rest = image[y, x, c] - a * f - (one - a) * back[y, x, c]
                own = max(bilinear(surprise, y1, y2, ty, x1, x2, tx, c), zero) * base
                gain = own * a / (a * a * own + wall + noise_variance(grain, image[y, x, c]) + np.float32(1e-12))
                # A nearly solid pixel shows F itself, whatever its surroundings promise: its detail is kept.
                gain += smoothstep_of(a, np.float32(0.9), np.float32(0.98)) * (one / a - gain)
                f = min(max(f + gain * rest, zero), one)
                front[y, x, c] = f + burnt * (image[y, x, c] - f)


def unmix(
    image: Array,
    alpha: Array,
    colors: Colors,
    *,
    view: View | None = None,
    noise: float = NOISE,
    threads: int | None = None,
) -> tuple[Array, Array]:
    """Take soft pixels apart into foreground and old background (float32 HxWx3 linear light; ``image`` elsewhere).

    ``colors`` may be a smaller picture's, of which ``view`` says where ``image`` lies in it.

    F = F₀ + σF²α/(α²σF² + (1 − α)²σB² + σ²)·(I − αF₀ − (1 − α)B): Bayesian matting's colour step (Chuang et al.
    2001, equation 9) for a known alpha, with σF² found by empirical Bayes: what F₀ leaves unexplained in a window of
    about 9 pixels beyond the wall's variance σB² and the capture's noise σ².
    """
    y0, wy = halves(alpha.shape[0])
    x0, wx = halves(alpha.shape[1])
    surprise = np.empty((len(y0), len(x0), 4), np.float32)
    front, back = image.copy(), np.empty_like(image)
    variance, grain = colors.plate_variance[..., None], noise_variances(noise)
    at = astuple(view or whole(*alpha.shape))
    parts = (image, alpha, colors.fields, colors.plate, variance, *at, grain, front, back)
    parallel_rows(
        _priors, len(y0), *parts, touched((alpha > 0) & (alpha < 1)), surprise, y0, wy, x0, wx, threads=threads
    )
    around: Array = cv2.blur(surprise, (5, 5), borderType=cv2.BORDER_REFLECT).reshape(surprise.shape)
    parallel_rows(_wiener, len(alpha), image, alpha, variance, *at, grain, around, front, back, threads=threads)
    return front, back
