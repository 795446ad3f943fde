"""Alpha at the picture's own size, where the small picture leaves it open.

Solved twice: what is nearly solid after the first time is settled, so that the second one has the colours of the rim
beside each pixel.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import around, distance_to
from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane
from vivid_assets.imaging.core.interpolate import smoothstep
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, whole
from vivid_assets.imaging.core.resize import REFERENCE
from vivid_assets.imaging.core.spread_colors import spread_front
from vivid_assets.imaging.core.unmix import Model, Solved, fill_solid, hold_hue, solve_alpha
from vivid_assets.imaging.plate.neighbours import range_about
from vivid_assets.imaging.plate.own_colors import color_codes
from vivid_assets.imaging.plate.separation import Parts

_CONTEXT = 64
"""Pixels of a picture of REFERENCE pixels about what is solved, from which F spreads."""
_EDGE = 1.1
"""Such pixels from a bare one within which a solid pixel's colour is not trusted."""
_BORDER = 0.1, 0.36
"""Range of the enlarged trimap, of which bare is 0 and unknown one half, over which alpha may rise to 1."""
_HAIRY = 0.15, 0.4
"""Range of alpha among a pixel and those next to it from which it may be, and is, in hair."""


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
    alpha = np.asarray(cv2.resize(parts.trimap, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    unknown = (alpha > 0.01) & (alpha < 0.99)
    if parts.beside_gaps.any():
        unknown |= _doubted(light, alpha, parts)
    np.round(alpha, out=alpha)
    unit = max(1.0, max(height, width) / REFERENCE)
    box = around(unknown, round(_CONTEXT * unit))
    if not unknown.any():
        return alpha
    prior = np.asarray(cv2.resize(parts.prior, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    view = View(float(box[0].start), float(box[1].start), float(height), float(width))
    image, where = np.ascontiguousarray(light[box]), np.ascontiguousarray(unknown[box])
    here = Solved(image, np.ascontiguousarray(prior[box]), where, view, view)
    out, rows = np.ascontiguousarray(alpha[box]), len(where)
    none = np.zeros((1, 1, 2), np.float32)
    telling = np.ascontiguousarray(_enlarged(parts.telling, height, width)[box])
    parallel_rows(solve_alpha, rows, here, model, none, out, threads=threads)
    # A rim of a hue of its own seems half clear, and would not show its colour: solid again, it does. Where the plate
    # has no hue, what is nearly solid may as well be the plate in the shadow.
    _settle(here._replace(where=where & telling), model, telling, out, unit, threads)
    near = _next_to(out, where, unit)
    model = model._replace(front=spread_front(image, near, where, threads))
    here = here._replace(front_view=whole(*out.shape))
    parallel_rows(solve_alpha, rows, here, model, none, out, threads=threads)
    _settle(here, model, telling, out, unit, threads)
    alpha[box] = out
    # In a shadow as dark as the subject alpha has no contour of its own: there it is that of the small picture.
    soft = cv2.resize(cv2.GaussianBlur(parts.trimap, (0, 0), 1.0), (width, height), interpolation=cv2.INTER_LINEAR)
    border = unknown & (soft < _BORDER[1])
    alpha[border] = np.minimum(alpha[border], smoothstep(np.asarray(soft[border], np.float32), *_BORDER))
    return alpha


def _settle(here: Solved, model: Model, telling: Area, alpha: Matte, unit: float, threads: int | None) -> None:
    """Raise what was solved to what the hue of F allows, and make solid what is nearly so; in place."""
    parallel_rows(hold_hue, len(alpha), here, model, alpha, threads=threads)
    away = _away_from_bare(alpha, unit)
    parallel_rows(fill_solid, len(alpha), here, model, away, telling, alpha, threads=threads)


def _away_from_bare(alpha: Matte, unit: float) -> Plane:
    """Measure each pixel's distance from the next that is bare, which in hair counts half: a gap there may not be."""
    hairy = np.clip((range_about(alpha, 3) - _HAIRY[0]) / (_HAIRY[1] - _HAIRY[0]), 0, 1)
    return np.asarray(distance_to(alpha < 0.35) * (1 - 0.5 * hairy) / unit, np.float32)


def _next_to(alpha: Matte, unknown: Area, unit: float) -> Matte:
    """Make a trimap whose solid pixels show F: none that a bare one's light may have reached."""
    # Lenses and codecs see a picture, not pixels: what they blur is wider in a larger one.
    far = distance_to(alpha < 0.35) > _EDGE * unit
    return np.where((alpha > 0.97) & far, np.float32(1), np.where(unknown, np.float32(0.5), alpha)).astype(np.float32)


def _doubted(light: LinearRGB, trimap: Matte, parts: Parts) -> Area:
    """Mark the pixels of the picture's size beside gaps that are solid in the small picture and of no own colour.

    Between hairs the small picture has gaps and hairs in one pixel.
    """
    height, width = trimap.shape
    near = _enlarged(parts.beside_gaps, height, width) & (trimap >= 0.99)
    found = np.zeros_like(near)
    found[near] = ~parts.own[color_codes(light[near])]
    return found


def _enlarged(area: Area, height: int, width: int) -> Area:
    return np.asarray(cv2.resize(area.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0)
