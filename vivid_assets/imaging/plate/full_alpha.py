"""Alpha at the picture's own size, where the small picture leaves it open.

Solved twice: what is nearly solid after the first time is settled, so that the second one has the colours of the rim
beside each pixel. Each pixel is solved by itself; that its neighbours' alpha changes as their colours do is brought in
after each time.
"""

from typing import NamedTuple

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import Box, around, distance_to
from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane
from vivid_assets.imaging.core.guided_filter import guided_filter, guided_upsample
from vivid_assets.imaging.core.interpolate import enlarge, smoothstep
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, whole
from vivid_assets.imaging.core.resize import REFERENCE
from vivid_assets.imaging.core.spread_colors import spread_front
from vivid_assets.imaging.core.unmix import Model, Rim, Solved, fill_solid, hold_hue, solve_alpha
from vivid_assets.imaging.plate.neighbours import range_about
from vivid_assets.imaging.plate.own_colors import color_codes
from vivid_assets.imaging.plate.separation import Parts

_CONTEXT = 64
"""Pixels of a picture of REFERENCE pixels about what is solved, from which F spreads."""
_EDGE = 1.1
"""Such pixels from a bare one within which a solid pixel's colour is not trusted."""
_BORDER = 0.1, 0.36
"""Range of the enlarged trimap, of which bare is 0 and unknown one half, over which alpha may rise to 1."""
_BARE = 0.35
"""Alpha under which a pixel is nearer to bare than to solid."""
_WINDOW = 4
"""Pixels of a picture of REFERENCE pixels to each side, over which alpha is fitted to the colours."""
_EVEN = 3e-6
"""Variance of light, 0..1 squared, under which a window is of one colour, and its alpha is averaged."""
_RIM = 0.05
"""Share of what is nearly bare, within two windows about a solid pixel, from which that may be a rim."""
_TRACE = 0.01
"""Alpha that a fit leaves of nothing, and lacks of what is solid."""


def full_alpha(light: LinearRGB, parts: Parts, model: Model, threads: int | None) -> Matte:
    """Solve alpha at the picture's size, where the small picture leaves it open.

    Args:
        light: float32 H×W×3, linear light.
        parts: the small picture's.
        model: F, B and their spread, with F spread from the small picture.
        threads: the most to use.

    Returns:
        float32 H×W, 0..1.
    """
    height, width = light.shape[:2]
    unit = max(1.0, max(height, width) / REFERENCE)
    context = round(_CONTEXT * unit)
    # What is solid or bare all about in the small picture is so in the large one, and is not looked at again.
    alpha = np.asarray(cv2.resize(parts.trimap, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.float32)
    outer = _about_open(parts, height, width, context)
    alpha[outer], unknown = _trimap(light, parts, outer, threads)
    if not unknown.any():
        return alpha
    inner = around(unknown, context)
    rows, columns = (slice(o.start + i.start, o.start + i.stop) for o, i in zip(outer, inner, strict=True))
    box = rows, columns
    view = View(float(rows.start), float(columns.start), float(height), float(width))
    image, out = np.ascontiguousarray(light[box]), np.ascontiguousarray(alpha[box])
    where: Area = np.ascontiguousarray(unknown[inner])
    here = Solved(image, _interpolated(parts.prior, view, out.shape, threads), where, view, view)
    telling = _enlarged(parts.telling, height, width, box)
    none, count = np.zeros((1, 1, 2), np.float32), len(where)
    guide = _guide(image, where, unit)
    parallel_rows(solve_alpha, count, here, model, none, out, threads=threads)
    # A rim of a hue of its own seems half clear, and would not show its colour: solid again, it does. Where the plate
    # has no hue, what is nearly solid may as well be the plate in the shadow.
    away = _settle(here._replace(where=where & telling), model, telling, out, unit, threads)
    out = _with_colors(image, guide, out, where, threads)
    parallel_rows(hold_hue, count, here, model, out, threads=threads)
    near = _next_to(out, where, away, unit)
    model = model._replace(front=spread_front(image, near, where, threads))
    here = here._replace(front_view=whole(*out.shape))
    parallel_rows(solve_alpha, count, here, model, none, out, threads=threads)
    _settle(here, model, telling, out, unit, threads)
    out = _with_colors(image, guide, out, where, threads)
    parallel_rows(hold_hue, count, here, model, out, threads=threads)
    # In a shadow as dark as the subject alpha has no contour of its own: there it is that of the small picture.
    blurred = np.asarray(cv2.GaussianBlur(parts.trimap, (0, 0), 1.0), np.float32)
    soft = _interpolated(blurred, view, out.shape, threads)
    border = where & (soft < _BORDER[1])
    out[border] = np.minimum(out[border], smoothstep(soft[border], *_BORDER))
    alpha[box] = out
    return alpha


def _about_open(parts: Parts, height: int, width: int, context: float) -> Box:
    """Find the part of the picture that holds every pixel that the small one leaves open, with the context of these."""
    rows, columns = parts.trimap.shape
    open_to = (parts.trimap == 0.5) | (range_about(parts.trimap, 3) > 0) | parts.beside_gaps
    down, across = height / rows, width / columns
    top, left = (int(np.ceil(context / scale)) + 2 for scale in (down, across))
    small = around(open_to, max(top, left))
    return (
        slice(int(small[0].start * down), min(height, int(np.ceil(small[0].stop * down)))),
        slice(int(small[1].start * across), min(width, int(np.ceil(small[1].stop * across)))),
    )


def _trimap(light: LinearRGB, parts: Parts, box: Box, threads: int | None) -> tuple[Matte, Area]:
    """Enlarge the trimap over a part of the picture: 0 or 1, and the pixels (bool) that are open."""
    height, width = light.shape[:2]
    view = View(float(box[0].start), float(box[1].start), float(height), float(width))
    trimap = _interpolated(parts.trimap, view, (box[0].stop - box[0].start, box[1].stop - box[1].start), threads)
    unknown = (trimap > 0.01) & (trimap < 0.99)
    if parts.beside_gaps.any():
        unknown |= _doubted(light, trimap, parts, box)
    return np.round(trimap, out=trimap), unknown


def _interpolated(plane: Plane, view: View, shape: tuple[int, ...], threads: int | None) -> Plane:
    out = np.empty(shape, np.float32)
    parallel_rows(enlarge, len(out), plane, view, out, threads=threads)
    return out


def _settle(here: Solved, model: Model, telling: Area, alpha: Matte, unit: float, threads: int | None) -> Plane:
    """Raise what was solved to what the hue of F allows, and make solid what is nearly so; in place.

    Returns:
        float32 H×W: pixels to the next bare one.
    """
    parallel_rows(hold_hue, len(alpha), here, model, alpha, threads=threads)
    rim = Rim(alpha.copy(), distance_to(alpha < _BARE), np.float32(unit))
    parallel_rows(fill_solid, len(alpha), here, model, rim, telling, alpha, threads=threads)
    return rim.away


class _Guide(NamedTuple):
    """What alpha is fitted to. A lens blurs more pixels of a large picture, which needs no more fits than a small."""

    light: LinearRGB
    """float32 h×w×3: the picture, smaller by ``scale``."""
    where: Area
    """bool h×w: what is solved."""
    scale: int
    side: int
    """Pixels of it, two windows to each side, within which a rim is looked for."""


def _guide(image: LinearRGB, where: Area, unit: float) -> _Guide:
    scale = round(unit)
    side = round(4 * _WINDOW * unit / scale) + 1
    if scale == 1:
        return _Guide(image, where, scale, side)
    size = image.shape[1] // scale, image.shape[0] // scale
    light, share = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
        for plane in (image, where.astype(np.float32))
    )
    return _Guide(light, share > 0, scale, side)


def _with_colors(image: LinearRGB, guide: _Guide, alpha: Matte, where: Area, threads: int | None) -> Matte:
    """Let alpha change with the light, ``where`` it was solved.

    Where F and B are even, alpha is linear in the pixel's light (Levin, Lischinski and Weiss 2008, equation 4). Solving
    each pixel by itself leaves a dark rim of hair or cloth before a dark plate bitten, pixel by pixel. Twice: the
    second fit is to what the first has evened out.
    """
    few = alpha
    if guide.scale > 1:
        size = guide.where.shape[::-1]
        few = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    # Away from every rim, a fit to single wrong pixels would open all of their colour.
    rim = cv2.blur((few < _BARE).astype(np.float32), (guide.side, guide.side)) > _RIM
    few = _fitted(few, guided_filter(guide.light, few, _WINDOW, _EVEN, guide.where, threads), guide.where, rim)
    if guide.scale == 1:
        return _fitted(few, guided_filter(guide.light, few, _WINDOW, _EVEN, guide.where, threads), guide.where, rim)
    near = cv2.resize(rim.astype(np.uint8), where.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
    return _fitted(alpha, guided_upsample(image, few, guide.light, _WINDOW, _EVEN, where, threads), where, near)


def _fitted(alpha: Matte, found: Plane, where: Area, rim: Area) -> Matte:
    """Take over what was fitted, ``where`` it may be: what is bare stays so, and what is lowered is at a rim."""
    at = np.flatnonzero(where & (alpha > 0))
    fit, was = found.ravel()[at], alpha.ravel()[at]
    fit[fit < _TRACE] = 0
    fit[fit > 1 - _TRACE] = 1
    out = alpha.copy()
    out.ravel()[at] = np.where((fit > was) | rim.ravel()[at], fit, was)
    return out


def _next_to(alpha: Matte, unknown: Area, away: Plane, unit: float) -> Matte:
    """Make a trimap whose solid pixels show F: none that a bare one's light may have reached."""
    # Lenses and codecs see a picture, not pixels: what they blur is wider in a larger one.
    near = alpha.copy()
    np.copyto(near, np.float32(0.5), where=unknown)
    np.copyto(near, np.float32(1), where=(alpha > 0.97) & (away > _EDGE * unit))
    return near


def _doubted(light: LinearRGB, trimap: Matte, parts: Parts, box: Box) -> Area:
    """Mark the pixels of a part of the picture beside gaps that are solid in the small one and of no own colour.

    Between hairs the small picture has gaps and hairs in one pixel.
    """
    near = _enlarged(parts.beside_gaps, light.shape[0], light.shape[1], box) & (trimap >= 0.99)
    found = np.zeros(near.shape, np.bool_)
    found[near] = ~parts.own[color_codes(light[box][near])]
    return found


def _enlarged(area: Area, height: int, width: int, box: Box) -> Area:
    """Enlarge an area of the small picture, and cut a part out of it."""
    small = area.astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)[box] > 0)
