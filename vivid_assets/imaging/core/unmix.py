"""Alpha of single pixels whose F and B are known but for their spread: I = αF + (1 − α)B, compiled.

The most probable alpha is that of least cost: how far the mixture misses the pixel, in what the spread of F and B, the
brightness of both and the noise explain, and how far alpha lies from what was expected. As Bayesian matting (Chuang et
al. 2001), with the brightness of F and B as variances of their own.
"""

from typing import NamedTuple

import numba
import numpy as np

from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Planes, Vector
from vivid_assets.imaging.core.interpolate import bilinear, cells_about, smoothstep_of
from vivid_assets.imaging.core.noise import noise_variance
from vivid_assets.imaging.core.push_pull import View

FILLS = np.float32(3.0), np.float32(7.0)
"""Pixels of a picture of REFERENCE pixels from a bare one between which what is nearly solid becomes so."""
DISPROVED = np.float32(1.0), np.float32(6.0)
"""Misfit that a solid pixel would have beyond a soft one's, from which it stays soft."""


class Solved(NamedTuple):
    """What alpha is solved from, at the solved size."""

    image: LinearRGB
    prior: Matte
    where: Area
    """The pixels that are solved."""
    view: View
    """Where it lies in the whole picture."""
    front_view: View
    """Where it lies in what F covers."""


class Model(NamedTuple):
    """What F and B are taken to be, each of a size of its own."""

    front: LinearRGB
    variance: Planes
    """Of F, each channel by itself."""
    plate: LinearRGB
    back: LinearRGB
    """The plate in the shadow."""
    table: Vector
    """The noise's variances."""
    spreads: Vector


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _cost(a, pixel, dim, a0, s):  # type: ignore[no-untyped-def]
    """Give minus twice the log of how probable ``a`` is, and how badly it explains the pixel.

    A pixel is its light, F, B, the variance of F and that of the noise, three channels each.
    """
    light, f, b, v, g = pixel
    one = np.float32(1.0)
    c = one - a
    bb = rb = ff = rf = fb = chi = np.float32(0.0)
    product = one
    for i in range(3):
        own = a * a * (s[5] * v[i] + s[0] * f[i] * f[i] + np.float32(1e-6)) + c * c * s[2] * b[i] * b[i] + g[i]
        rest = light[i] - a * f[i] - c * b[i]
        over = one / own
        chi += rest * rest * over
        bb += b[i] * b[i] * over
        rb += rest * b[i] * over
        ff += f[i] * f[i] * over
        rf += rest * f[i] * over
        fb += f[i] * b[i] * over
        product *= own * np.float32(1e4)
    # Two variances of brightness, along F and along B: Woodbury's identity with a 2 by 2 inside.
    qb, qf = dim * c * c, s[1] * a * a
    det = (one + qf * ff) * (one + qb * bb) - qf * qb * fb * fb
    chi -= (qf * rf * rf * (one + qb * bb) + qb * rb * rb * (one + qf * ff) - 2 * qf * qb * rf * rb * fb) / det
    return chi + np.log(product * det) + (a - a0) * (a - a0) * s[7] + s[6] * a * c, chi


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _cheapest(pixel, dim, a0, s, cost):  # type: ignore[no-untyped-def]
    """Find the alpha of least cost: the best of nine, then finer, and last the bottom of the parabola through three."""
    steps = len(cost) - 1
    step = np.float32(1 / steps)
    best = 0
    for i in range(steps + 1):
        cost[i] = _cost(np.float32(i) * step, pixel, dim, a0, s)[0]
        if cost[i] < cost[best]:
            best = i
    a, least = np.float32(best) * step, cost[best]
    for half in range(2):
        near = np.float32(0.5) * step if half == 0 else np.float32(0.25) * step
        below, above = max(a - near, np.float32(0.0)), min(a + near, np.float32(1.0))
        left = _cost(below, pixel, dim, a0, s)[0]
        right = _cost(above, pixel, dim, a0, s)[0]
        middle = a
        if left < least:
            a, least = below, left
        if right < least:
            a, least = above, right
        if half == 1 and a == middle and below < middle < above:
            bend = left + right - 2 * least
            if bend > np.float32(1e-6):
                a += np.float32(0.5) * (left - right) / bend * near
    return a


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _read(y, x, solved, model, pixel):  # type: ignore[no-untyped-def]
    """Read what a pixel is solved from; returns the variance of the brightness of B there."""
    image, _, _, view, front_view = solved
    front, variance, plate, back, table, spreads = model
    light, f, b, v, g = pixel
    top, left, tall, wide = view
    y1, y2, ty = cells_about(y + top, np.float32(plate.shape[0] / tall), plate.shape[0])
    x1, x2, tx = cells_about(x + left, np.float32(plate.shape[1] / wide), plate.shape[1])
    w1, w2, tw = cells_about(y + top, np.float32(variance.shape[0] / tall), variance.shape[0])
    z1, z2, tz = cells_about(x + left, np.float32(variance.shape[1] / wide), variance.shape[1])
    top, left, tall, wide = front_view
    v1, v2, tv = cells_about(y + top, np.float32(front.shape[0] / tall), front.shape[0])
    u1, u2, tu = cells_about(x + left, np.float32(front.shape[1] / wide), front.shape[1])
    for c in range(3):
        light[c] = image[y, x, c]
        f[c] = bilinear(front, v1, v2, tv, u1, u2, tu, c)
        b[c] = bilinear(back, y1, y2, ty, x1, x2, tx, c)
        v[c] = bilinear(variance, w1, w2, tw, z1, z2, tz, c)
        g[c] = noise_variance(table, light[c])
    shade = min(b[0] / max(bilinear(plate, y1, y2, ty, x1, x2, tx, 0), np.float32(1e-5)), np.float32(1.0))
    dim = np.sqrt(spreads[3]) + spreads[4] * (np.float32(1.0) - shade)
    return dim * dim


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def solve_alpha(solved, model, misfit, out, first, end):  # type: ignore[no-untyped-def]
    """Write the most probable alpha of each pixel to ``out``, for ``parallel_rows``.

    ``misfit`` (float32 H×W×2), only where it has the picture's size, gets how badly that explains the pixel, and how
    badly a solid one would: chi squared of three channels.
    """
    _, prior, where, _, _ = solved
    spreads = model[5]
    light, f, b = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    v, g = np.empty(3, np.float32), np.empty(3, np.float32)
    pixel, cost = (light, f, b, v, g), np.empty(9, np.float32)
    for y in range(first, end):
        for x in range(prior.shape[1]):
            if not where[y, x]:
                continue
            dim = _read(y, x, solved, model, pixel)
            a0 = prior[y, x]
            if a0 < np.float32(0.5):
                # Most of a generous band is bare, and shows it.
                chi = np.float32(0.0)
                for c in range(3):
                    chi += (light[c] - b[c]) * (light[c] - b[c]) / (g[c] + spreads[2] * b[c] * b[c])
                if chi < np.float32(3.0):
                    out[y, x] = np.float32(0.0)
                    continue
            a = _cheapest(pixel, dim, a0, spreads, cost)
            out[y, x] = a
            if misfit.shape[0] == prior.shape[0]:
                misfit[y, x, 0] = _cost(a, pixel, dim, a0, spreads)[1]
                misfit[y, x, 1] = _cost(np.float32(1.0), pixel, dim, a0, spreads)[1]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def fill_solid(solved, model, away, telling, out, first, end):  # type: ignore[no-untyped-def]
    """Make solid what is nearly so, far from every bare pixel (``away``), and as well explained if it were solid.

    Where the plate's colour is not ``telling``, it need not be.
    """
    _, prior, where, _, _ = solved
    spreads = model[5]
    light, f, b = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    v, g = np.empty(3, np.float32), np.empty(3, np.float32)
    pixel = (light, f, b, v, g)
    one = np.float32(1.0)
    for y in range(first, end):
        for x in range(prior.shape[1]):
            a = out[y, x]
            if not where[y, x] or a <= np.float32(0.5) or a >= one or away[y, x] <= FILLS[0]:
                continue
            lift = min((away[y, x] - FILLS[0]) / (FILLS[1] - FILLS[0]), one)
            if telling[y, x]:
                dim = _read(y, x, solved, model, pixel)
                against = _cost(one, pixel, dim, one, spreads)[1] - _cost(a, pixel, dim, a, spreads)[1]
                lift *= one - smoothstep_of(against, DISPROVED[0], DISPROVED[1])
            out[y, x] = a + (one - a) * lift
