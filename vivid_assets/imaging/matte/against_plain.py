"""A mask against its plain background: what it leaves out and the background does not explain, and what it takes of it.

Light on a plain background changes slowly, and a shadow fades. What differs from it with sharp edges is a thing; a hole
in a mask shows the background, or its shadow; and what is the background itself, and goes over into it without an edge,
is no subject: a reflection on a white floor, the room between two strands. The mask may be meant so, and white may be
before white, but it is for a person to look at: nothing else speaks against a network that is sure of it.
"""

from typing import NamedTuple

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import (
    Parts,
    distance_to,
    eroded,
    frame_of,
    grown,
    joined,
    joined_to_frame,
    parts_of,
)
from vivid_assets.imaging.core.arrays import RGB8, Area, Lab, Matte, Plane
from vivid_assets.imaging.core.color import opencv_lab
from vivid_assets.imaging.core.resize import JUDGED_AT, shrink
from vivid_assets.imaging.matte.plain_background import BackgroundModel, fit_background

_OTHER = 8.0
"""Distance from the background, in ΔE, from which a pixel is not it, and the background's own noise so many times."""
_NOISES = 4.0
_EVEN = 1.5
"""Noise of a background, in ΔE, up to which it is a studio's; snow has 2."""
_SOFT, _SHARP = 4.0, 10.0
"""Change of colour, in ΔE a pixel, up to which a shadow fades, and that from which there is an edge."""
_SAME, _LEVEL = 1.5, 1.0
"""Distance from the background, in ΔE, up to which a pixel is it, and change of colour up to which there is no edge, in
ΔE a pixel."""
_EDGED = 0.6
"""Share of a thing's rim that is an edge."""
_EDGE = 0.02
"""Width of a network's edge, as a share of the longer side."""
_DARK, _HUE = 0.7, 0.15
"""Share of the background's lightness that a shadow in a hole leaves, and how far from its hue, as a share of its
lightness, it may lie: of 103 photographs' holes one shows another thing, at .5; shadows have .85 and more."""


class AgainstPlain(NamedTuple):
    """Areas as shares of the mask's own, 0 and up; both 0 where the background is not plain or nothing is masked."""

    left_out: float
    """What the background does not explain, outside the mask. What reaches the picture's frame, as a floor does, does
    not count."""
    taken_in: float
    """What is the background's own, inside the mask's rim."""


def against_plain(image: RGB8, alpha: Matte) -> AgainstPlain:
    """Compare a mask with its picture's plain background.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float H×W, 0..1, as it is written.

    >>> against_plain(np.full((40, 40, 3), 250, np.uint8), np.zeros((40, 40), np.float32))
    AgainstPlain(left_out=0.0, taken_in=0.0)
    """
    small, matte = shrink(image, JUDGED_AT), shrink(alpha.astype(np.float32), JUDGED_AT)
    inside = matte > 0.5
    lab = opencv_lab(small)
    background = fit_background(lab)
    if not background.is_plain or background.noise > _EVEN or not inside.any():
        return AgainstPlain(0.0, 0.0)
    offset = lab - background.lab
    away = np.sqrt(np.einsum("ijc,ijc->ij", offset, offset))
    other = (away > max(_OTHER, _NOISES * background.noise)) & ~inside
    edge = max(2, round(_EDGE * max(inside.shape)))
    slope = _slope(lab)
    found = (_sharp_things(slope, other, inside) & ~grown(matte > 0.1, edge)) | _other_holes(
        lab, background, ~inside, other
    )
    same = (away < max(_SAME, 2 * background.noise)) & (slope < max(_LEVEL, background.noise))
    taken = joined(same, same & ~grown(inside, edge)) & (distance_to(~inside) > edge / 2)
    return AgainstPlain(*(float(area.sum() / inside.sum()) for area in (found, taken)))


def _sharp_things(slope: Plane, other: Area, inside: Area) -> Area:
    """What differs from the background, within the picture, and goes over into it nowhere without an edge."""
    smooth = (slope < _SOFT) & ~inside
    parts = parts_of(other & ~grown(joined(smooth, smooth & ~other), 1), connectivity=4)
    # A coloured background's shadow may be as steep as that, but has no edge.
    area = parts.labels > 0
    rim = area & ~eroded(area, 1)
    edge = rim & (np.asarray(cv2.dilate(slope, np.ones((5, 5), np.uint8))) > _SHARP)
    on_rim, on_edge = (np.bincount(parts.labels[one], minlength=len(parts.sizes)) for one in (rim, edge))
    kept = on_edge > _EDGED * np.maximum(on_rim, 1)
    kept[np.unique(frame_of(parts.labels))] = False
    return _of(parts, kept)


def _other_holes(lab: Lab, background: BackgroundModel, outside: Area, other: Area) -> Area:
    """What the mask encloses that is all ``other`` than the background (bool h×w), and no shadow on it."""
    parts = parts_of(outside & ~joined_to_frame(outside), connectivity=4)
    lightness = np.maximum(background.lab[..., 0], 1.0)
    share = lab[..., 0] / lightness
    hue = np.hypot(*(lab[..., c] - np.clip(share, 0, 1) * background.lab[..., c] for c in (1, 2)))
    strange = other & ((share < _DARK) | (share > 2 - _DARK) | (hue > _HUE * lightness))
    core = distance_to(~outside) > 1.5
    inner, unlike = (np.bincount(parts.labels[area], minlength=len(parts.sizes)) for area in (core, core & strange))
    return _of(parts, (inner > 0) & (unlike > 0.9 * inner))


def _slope(lab: Lab) -> Plane:
    """How steeply the colour changes, ΔE a pixel, float32 h×w."""
    across, down = (cv2.Scharr(lab, cv2.CV_32F, *way, scale=1 / 32) for way in ((1, 0), (0, 1)))
    return np.asarray(np.sqrt(np.einsum("ijc,ijc->ij", across, across) + np.einsum("ijc,ijc->ij", down, down)))


def _of(parts: Parts, kept: Area) -> Area:
    kept[0] = False
    return np.asarray(kept[parts.labels])
