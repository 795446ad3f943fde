"""Alpha of single pixels whose F and B are known but for their spread: I = αF + (1 − α)B, compiled.

The most probable alpha is that of least cost: how far the mixture misses the pixel, in what the spread of F and B, the
brightness of both and the noise explain, and how far alpha lies from what was expected. As Bayesian matting (Chuang et
al. 2001), with the brightness of F and B as variances of their own.
"""

from typing import NamedTuple

import numba
import numpy as np

from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.interpolate import bilinear, cells_about, smoothstep_of
from vivid_assets.imaging.core.noise import noise_variance
from vivid_assets.imaging.core.push_pull import View

_FILLS = np.float32(1.5), np.float32(3.0)
"""Pixels of a picture of REFERENCE pixels from a bare one between which what is nearly solid becomes so."""
_HAIRY = np.float32(0.15), np.float32(0.4)
"""Range of alpha among a pixel and those next to it from which it may be, and is, in hair."""
DISPROVED = np.float32(1.0), np.float32(6.0)
"""Misfit that a solid pixel would have beyond a soft one's, from which it stays soft."""

_HUE = np.float32(0.8)
"""Share of the ratio of two channels of F beside a pixel that F has at least."""
_TELLING = np.float32(0.02), np.float32(0.1)
"""Light of a plate between which its hue begins to tell."""


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


class Rim(NamedTuple):
    """What ``fill_solid`` goes by."""

    before: Matte
    """Alpha as it was solved."""
    away: Plane
    """Pixels to the next bare one."""
    unit: np.float32
    """Pixels of the picture in one of a picture of REFERENCE pixels."""


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


@numba.njit(inline="always")
def _log(x):  # type: ignore[no-untyped-def]
    """Give the natural logarithm to 1e-6 without a call, so that several are worked out at once (Cephes' ``logf``)."""
    bits = np.float32(x).view(np.int32)
    power = np.float32((bits >> np.int32(23)) - np.int32(127))
    m = np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    high = m > np.float32(1.41421356)
    power = power + np.float32(1.0) if high else power
    m = np.float32(0.5) * m - np.float32(1.0) if high else m - np.float32(1.0)
    p = np.float32(7.0376836292e-2)
    p = p * m - np.float32(1.1514610310e-1)
    p = p * m + np.float32(1.1676998740e-1)
    p = p * m - np.float32(1.2420140846e-1)
    p = p * m + np.float32(1.4249322787e-1)
    p = p * m - np.float32(1.6668057665e-1)
    p = p * m + np.float32(2.0000714765e-1)
    p = p * m - np.float32(2.4999993993e-1)
    p = p * m + np.float32(3.3333331174e-1)
    return m + (p * m - np.float32(0.5)) * m * m + np.float32(0.69314718) * power


@numba.njit(inline="always")
def _channel(a, light, f, b, v, g, s):  # type: ignore[no-untyped-def]
    """Give one channel's share of the sums over channels, and one over its variance."""
    c = np.float32(1.0) - a
    over = np.float32(1.0) / (a * a * (s[5] * v + s[0] * f * f + np.float32(1e-6)) + c * c * s[2] * b * b + g)
    rest = light - a * f - c * b
    return rest * rest * over, b * b * over, rest * b * over, f * f * over, rest * f * over, f * b * over, over


@numba.njit(inline="always")
def _explained(a, pixel, dim, s):  # type: ignore[no-untyped-def]
    """Give how badly ``a`` explains a pixel (chi squared), and the determinant of what may explain it.

    A pixel is its light, F, B, the variance of F and that of the noise, three channels each.
    """
    light, f, b, v, g = pixel
    one = np.float32(1.0)
    c = one - a
    chi0, bb0, rb0, ff0, rf0, fb0, over0 = _channel(a, light[0], f[0], b[0], v[0], g[0], s)
    chi1, bb1, rb1, ff1, rf1, fb1, over1 = _channel(a, light[1], f[1], b[1], v[1], g[1], s)
    chi2, bb2, rb2, ff2, rf2, fb2, over2 = _channel(a, light[2], f[2], b[2], v[2], g[2], s)
    rb, rf, fb = rb0 + rb1 + rb2, rf0 + rf1 + rf2, fb0 + fb1 + fb2
    # Two variances of brightness, along F and along B: Woodbury's identity with a 2 by 2 inside.
    qb, qf = dim * c * c, s[1] * a * a
    along_b, along_f = one + qb * (bb0 + bb1 + bb2), one + qf * (ff0 + ff1 + ff2)
    det = along_f * along_b - qf * qb * fb * fb
    lit = qf * rf * rf * along_b + qb * rb * rb * along_f - np.float32(2.0) * qf * qb * rf * rb * fb
    return chi0 + chi1 + chi2 - lit / det, det * np.float32(1e12) / (over0 * over1 * over2)


@numba.njit(inline="always")
def _misfit(a, pixel, dim, s):  # type: ignore[no-untyped-def]
    """Give how badly ``a`` explains a pixel."""
    return _explained(a, pixel, dim, s)[0]


@numba.njit(inline="always")
def _costs(least, step, count, pixel, dim, a0, s, cost):  # type: ignore[no-untyped-def]
    """Write minus twice the log of how probable each of ``count`` alphas is, from ``least`` on, all within 0..1."""
    one = np.float32(1.0)
    for i in range(count):
        a = min(max(least + np.float32(i) * step, np.float32(0.0)), one)
        chi, det = _explained(a, pixel, dim, s)
        cost[i] = chi + _log(det) + (a - a0) * (a - a0) * s[7] + s[6] * a * (one - a)


@numba.njit(inline="always")
def _cheapest(pixel, dim, a0, s, cost):  # type: ignore[no-untyped-def]
    """Find the alpha of least cost: the best of nine, then finer, and last the bottom of the parabola through three.

    More costs are worked out than are looked at: eight or sixteen at once take no longer than two.
    """
    zero, one, near = np.float32(0.0), np.float32(1.0), np.float32(1 / 32)
    _costs(zero, np.float32(0.125), 16, pixel, dim, a0, s, cost)
    best = 0
    for i in range(1, 9):
        if cost[i] < cost[best]:
            best = i
    a, least = np.float32(best) * np.float32(0.125), cost[best]
    _costs(a - 3 * near, near, 8, pixel, dim, a0, s, cost)
    at = 3
    for i in (1, 5):
        if cost[i] < least:
            least, at = cost[i], i
    a = min(max(a + np.float32(at - 3) * near, zero), one)
    below, above, left, right = max(a - near, zero), min(a + near, one), cost[at - 1], cost[at + 1]
    if left < least or right < least:
        return below if left <= right else above
    bend = left + right - np.float32(2.0) * least
    if below < a and a < above and bend > np.float32(1e-6):
        a += np.float32(0.5) * (left - right) / bend * near
    return a


@numba.njit(inline="always")
def _about(y, x, view, field):  # type: ignore[no-untyped-def]
    """Find the four cells of a field that a pixel lies between."""
    top, left, tall, wide = view
    y1, y2, ty = cells_about(y + top, np.float32(field.shape[0] / tall), field.shape[0])
    x1, x2, tx = cells_about(x + left, np.float32(field.shape[1] / wide), field.shape[1])
    return y1, y2, ty, x1, x2, tx


@numba.njit(inline="always")
def _three(field, at):  # type: ignore[no-untyped-def]
    """Interpolate three channels of a field."""
    y1, y2, ty, x1, x2, tx = at
    red = bilinear(field, y1, y2, ty, x1, x2, tx, 0)
    return red, bilinear(field, y1, y2, ty, x1, x2, tx, 1), bilinear(field, y1, y2, ty, x1, x2, tx, 2)


@numba.njit(inline="always")
def _read(y, x, solved, model):  # type: ignore[no-untyped-def]
    """Read what a pixel is solved from (see ``_explained``), and the variance of the brightness of B there."""
    image, _, _, view, front_view = solved
    front, variance, plate, back, table, s = model
    at = _about(y, x, view, plate)
    light = image[y, x, 0], image[y, x, 1], image[y, x, 2]
    f, b = _three(front, _about(y, x, front_view, front)), _three(back, at)
    v = _three(variance, _about(y, x, view, variance))
    g = noise_variance(table, light[0]), noise_variance(table, light[1]), noise_variance(table, light[2])
    y1, y2, ty, x1, x2, tx = at
    shade = min(b[0] / max(bilinear(plate, y1, y2, ty, x1, x2, tx, 0), np.float32(1e-5)), np.float32(1.0))
    dim = np.sqrt(s[3]) + s[4] * (np.float32(1.0) - shade)
    return (light, f, b, v, g), dim * dim


@numba.njit(inline="always")
def _spreads(model):  # type: ignore[no-untyped-def]
    """Take the spreads out of their array: numbers stay in registers."""
    s = model[5]
    return s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def solve_alpha(solved, model, misfit, out, first, end):  # type: ignore[no-untyped-def]
    """Write the most probable alpha of each pixel to ``out``, for ``parallel_rows``.

    ``misfit`` (float32 H×W×2), only where it has the picture's size, gets how badly that explains the pixel, and how
    badly a solid one would: chi squared of three channels.
    """
    _, prior, where, _, _ = solved
    s, cost = _spreads(model), np.empty(16, np.float32)
    for y in range(first, end):
        for x in range(prior.shape[1]):
            if not where[y, x]:
                continue
            pixel, dim = _read(y, x, solved, model)
            a0 = prior[y, x]
            if a0 < np.float32(0.5):
                # Most of a generous band is bare, and shows it.
                light, _, b, _, g = pixel
                chi = np.float32(0.0)
                for c in range(3):
                    chi += (light[c] - b[c]) * (light[c] - b[c]) / (g[c] + s[2] * b[c] * b[c])
                if chi < np.float32(3.0):
                    out[y, x] = np.float32(0.0)
                    continue
            a = _cheapest(pixel, dim, a0, s, cost)
            out[y, x] = a
            if misfit.shape[0] == prior.shape[0]:
                misfit[y, x, 0] = _misfit(a, pixel, dim, s)
                misfit[y, x, 1] = _misfit(np.float32(1.0), pixel, dim, s)


@numba.njit(inline="always")
def _hairy(alpha, y, x):  # type: ignore[no-untyped-def]
    """How likely a pixel is in hair, 0..1, by how far alpha goes up and down about it."""
    least = most = alpha[y, x]
    for i in range(max(y - 1, 0), min(y + 2, alpha.shape[0])):
        for j in range(max(x - 1, 0), min(x + 2, alpha.shape[1])):
            least, most = min(least, alpha[i, j]), max(most, alpha[i, j])
    return min(max((most - least - _HAIRY[0]) / (_HAIRY[1] - _HAIRY[0]), np.float32(0.0)), np.float32(1.0))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def fill_solid(solved, model, rim, telling, out, first, end):  # type: ignore[no-untyped-def]
    """Make solid what is nearly so, far from every bare pixel, and as well explained if it were solid.

    Where the plate's colour is not ``telling``, it need not be.
    """
    _, prior, where, _, _ = solved
    before, away, unit = rim
    s, one = _spreads(model), np.float32(1.0)
    for y in range(first, end):
        for x in range(prior.shape[1]):
            a = before[y, x]
            if not where[y, x] or a <= np.float32(0.5) or a >= one or away[y, x] <= _FILLS[0] * unit:
                continue
            far = away[y, x] * (one - np.float32(0.5) * _hairy(before, y, x)) / unit
            if far <= _FILLS[0]:
                continue
            lift = min((far - _FILLS[0]) / (_FILLS[1] - _FILLS[0]), one)
            if telling[y, x]:
                pixel, dim = _read(y, x, solved, model)
                against = _misfit(one, pixel, dim, s) - _misfit(a, pixel, dim, s)
                lift *= one - smoothstep_of(against, DISPROVED[0], DISPROVED[1])
            out[y, x] = a + (one - a) * lift


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def hold_hue(solved, model, out, first, end):  # type: ignore[no-untyped-def]
    """Raise alpha until F, which is what it leaves of a pixel, has the hue of the F that was spread to it.

    A subject that is darker at its edge than further in seems to be less of it, until more of the plate would be taken
    off one channel than the hue of F allows: before green what is left is crimson.
    """
    _, prior, where, view, _ = solved
    plate, one, tiny = model[2], np.float32(1.0), np.float32(1e-4)
    for y in range(first, end):
        for x in range(prior.shape[1]):
            a = out[y, x]
            if not where[y, x] or a <= np.float32(0.05) or a >= np.float32(0.97):
                continue
            (light, f, b, _, g), _ = _read(y, x, solved, model)
            most = least = 0  # the channels of which the plate has the most and the least for its hue beside F's
            for c in range(1, 3):
                if b[c] * f[most] > b[most] * f[c]:
                    most = c
                if b[c] * f[least] < b[least] * f[c]:
                    least = c
            if most == least:
                continue
            lit = _three(plate, _about(y, x, view, plate))[most]
            ratio = _HUE * smoothstep_of(lit, _TELLING[0], _TELLING[1]) * f[most] / max(f[least], tiny)
            noise = np.sqrt(g[most] + ratio * ratio * g[least])
            bare = (light[most] - ratio * light[least] + noise) / max(b[most] - ratio * b[least], tiny)
            out[y, x] = min(max(a, one - bare), one)
