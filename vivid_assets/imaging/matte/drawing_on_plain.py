"""Line art cut from a plain or patterned background by its colour: true holes kept, anti-aliased edges soft.

A network sees a drawing as a blob. The background's colour shows far more: against a plain or patterned background the
alpha comes from the background (``from_background``), and the network only decides what an enclosed patch in the
background's own colour is. Against a busy background there is none of this (``outlines``).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import dilated, eroded, joined, parts_of, square
from vivid_assets.imaging.core.arrays import RGB8, Area, Lab, Matte, Plane
from vivid_assets.imaging.core.color import opencv_lab
from vivid_assets.imaging.matte.exactness import BLOCK, DENIED, HELD, ONE_COLOR, SURELY_OTHER, is_clean
from vivid_assets.imaging.matte.from_background import (
    EDGE,
    background_distance,
    edge_alpha,
    enclosed_holes,
    flood_background,
    lightness_slope,
)
from vivid_assets.imaging.matte.one_ink import alpha_of_one_ink, is_one_ink
from vivid_assets.imaging.matte.patterned_background import extend_background, fit_palette, palette_distance
from vivid_assets.imaging.matte.plain_background import BackgroundModel, fit_background

FILL_FROM = 0.95
"""Network's probability over which an enclosed patch of white on white paper is part of the subject."""
DARK = 25.0
"""Lightness (0..100) of a background that dark outlines come near."""
NEAR_LOSSY, NEAR_LOSSLESS = 2.5, 0.8
"""Distances, in ΔE, under which a pixel is the background: against a noiseless one that went through a lossy codec, and
against one that did not."""
SHADED = 0.4
"""Most noise of a drawn background, in ΔE: rounding leaves .3 where it is shaded."""
RINGING, RINGING_DOUBTED = 0.3, 0.15
"""Of an edge's contrast, what a lossy codec's ringing in its blocks reaches at most, where the network denies the
pixel; and where it only does not hold it."""
RINGING_IN_HOLES = 8.0
"""And in ΔE, where a hole has shown to be one and the network does not count: a thin spoke is not far off, either."""
HELD_DEEP = 0.02
"""How deep within what a network holds the background's colour counts nothing, as a share of the longest side."""
RIM, MOST_LOST = 0.004, 0.02
"""How wide the rim of a network's mask is, as a share of the longest side, and how much of the subject may be lost
within it on paper where there is a shadow."""
SAME_MEAN = 2.0
"""Distance of a hole's mean colour from the background's, in ΔE, at most, after a lossy codec."""
SOFT, SHADOW_HUE = 4.0, 4.0
"""A soft shadow: steps of lightness (0..100) a pixel, at most, and how far its hue may lie from the background's, in
ΔE."""
EDGED = 0.6
"""Share of a soft grey part's rim that is an edge, from which it is no shadow."""
SHADOW_TINT = 0.15
"""The same as a share of the background's chroma, besides."""
FRAME_SPAN, FRAME_FILL = 0.85, 0.15
"""What spans this share of the picture's width and height and fills less than this of it is a panel's frame."""


@dataclass(frozen=True)
class DrawingMatte:
    """A drawing's alpha and the kind of background that it was read from."""

    alpha: Matte
    """float32 H×W, 0..1."""
    background: Literal["plain", "patterned"]
    """The kind of background that it was cut from."""
    fills: Area
    """bool H×W: patches in the background's colour that the drawing encloses and that count as its fills."""
    holes: Area
    """bool H×W: patches that it encloses and that have the background's colour to the last bit."""
    exact: bool
    """Whether the background is the same to the last bit up to the drawing."""
    translucent: bool = False
    """Whether it is one translucent ink."""
    doubt: str = ""
    """What of it is a guess, in a sentence; empty where nothing is."""


def drawing_matte(image: RGB8, probability: Matte, *, trusted: bool = True) -> DrawingMatte | None:
    """Cut a drawing from the background before which it lies.

    Args:
        image: uint8 H×W×3 sRGB, of exact pixels (see ``exactness``).
        probability: float32 H×W, 0..1, a network's or the gradient tier's raw answer.
        trusted: whether its verdict was good; then what it denies is no subject for a codec's ringing or a soft
            shadow, and what it holds is not opened where a codec has blurred the background's colour.

    Returns:
        The matte; ``alpha`` is zero where nothing differs from the background. ``None`` where the background is busy.

    """
    lab = opencv_lab(image)
    model = fit_background(lab)
    palette = None if model.is_plain and model.share > 0.97 else fit_palette(lab)
    if palette is not None and (not model.is_plain or len(palette) > 1):
        distance = palette_distance(lab, palette)
        near = 4.0
        by = _Flooded(image, distance, near, palette, probability, lossless=True)
        found = _with_holes(by, flood_background(distance, near))
        alpha = edge_alpha(image, extend_background(image, found.area), found.area)
        return DrawingMatte(
            alpha, "patterned", found.fills, found.holes, exact=_is_exact(lab, palette), doubt=found.doubt
        )
    if not model.is_plain:
        return None
    believed = probability if trusted else np.full_like(probability, 0.5 - 1e-3)
    near = max(NEAR_LOSSY, 4.0 * model.noise)
    distance = _without_frame(background_distance(lab, model), near, believed)
    lossless = model.noise < SHADED and is_clean(image, model, distance)
    if not lossless:
        distance = _without_ringing(distance, believed)
    elif model.noise < NEAR_LOSSLESS / 4:
        near = NEAR_LOSSLESS
    reached = _without_shadow(distance, lab, model, believed)
    if not lossless and trusted:
        reached = np.where(_deep_within(probability > HELD, HELD_DEEP), np.float32(np.inf), reached)
    flooded, same = flood_background(reached, near), ""
    lost = flooded & _deep_within(believed > 0.5, RIM)
    if _is_paper(model.lab) and lost.sum() > MOST_LOST * (~flooded).sum() and _casts(distance, reached, flooded):
        # A sticker's white rim, a white cup: where it has the paper's colour, only its shadow shows it.
        flooded = flood_background(np.where(_deep_within(believed > 0.5, RIM), np.float32(np.inf), reached), near)
        same = "white on white, by its shadow: its edge is the network's guess"
    by = _Flooded(image, distance, near, model.lab, probability, lossless=lossless)
    found = _with_holes(by, flooded)
    background = found.area if lossless else _without_crumbs(found.area, distance, probability)
    if model.noise < ONE_COLOR:
        ink = alpha_of_one_ink(image, model.rgb, flood_background(distance, near), probability)
    else:
        ink = None
    if ink is not None:
        return DrawingMatte(ink, "plain", np.zeros_like(found.fills), found.holes, exact=True, translucent=True)
    # Between a dark background and a fill, an outline two pixels wide looks like their mixture.
    reach = 1 if model.lightness < DARK else EDGE
    alpha = edge_alpha(image, model.rgb, background, reach)
    return DrawingMatte(alpha, "plain", found.fills, found.holes, exact=lossless, doubt=found.doubt or same)


def _is_exact(lab: Lab, palette: Lab) -> bool:
    """Whether nearly all of the picture's frame has a pattern's own colours, to the last bit."""
    frame = np.concatenate([lab[:2].reshape(-1, 3), lab[-2:].reshape(-1, 3), *(lab[:, c] for c in (0, 1, -2, -1))])
    nearest = np.min([np.linalg.norm(frame - color, axis=1) for color in palette], axis=0)
    return bool((nearest < NEAR_LOSSLESS / 2).mean() > 0.85)


def _without_frame(distance: Plane, near: float, probability: Matte) -> Plane:
    """``distance`` to the background, less a panel's frame: thin lines all round that no network takes for subject."""
    other = (distance >= near).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(other, connectivity=8)
    height, width = distance.shape
    spans = (stats[:, cv2.CC_STAT_WIDTH] >= FRAME_SPAN * width) & (stats[:, cv2.CC_STAT_HEIGHT] >= FRAME_SPAN * height)
    thin = stats[:, cv2.CC_STAT_AREA] < FRAME_FILL * height * width
    held = np.bincount(labels.ravel(), (probability > 0.5).ravel(), minlength=count) > 0.02 * stats[:, cv2.CC_STAT_AREA]
    frame = spans & thin & ~held
    frame[0] = False
    return np.where(frame[labels], np.float32(0.0), distance)


def _without_ringing(distance: Plane, probability: Matte) -> Plane:
    """``distance`` to the background, less what a lossy codec made of it in the blocks through which an edge runs.

    There its error is a share of that edge's contrast, and beyond it is none: the frame does not tell. Ink is as far
    from the background as the edge that it makes.
    """
    contrast = _contrast(distance)
    share = np.where(probability < DENIED, RINGING, np.where(probability < 0.75, RINGING_DOUBTED, 0.0))
    # A codec's steps are no smaller beside a weak edge.
    denied = (probability < DENIED) & (distance < SURELY_OTHER) & (contrast > SURELY_OTHER)
    return np.where((distance < share * contrast) | denied, np.float32(0.0), distance)


def _without_crumbs(background: Area, distance: Plane, probability: Matte) -> Area:
    """``background`` with every part of the subject that no network holds and no pixel shows surely to be another."""
    labels, area = parts_of(~background)
    # Beside an edge of strong contrast, ringing goes further than that.
    surely = distance > np.maximum(SURELY_OTHER, RINGING * _contrast(distance))
    sure = np.bincount(labels.ravel(), surely.ravel(), minlength=len(area)) > 0
    held = np.bincount(labels.ravel(), probability.ravel(), minlength=len(area)) > 0.5 * area
    kept = sure | (held & (area >= BLOCK * BLOCK))
    return np.asarray(background | ~kept[labels])


def _contrast(distance: Plane) -> Plane:
    """The strongest of the edges whose blocks reach a pixel, in ΔE; float32 H×W."""
    return np.asarray(cv2.dilate(distance, square(BLOCK)), np.float32)


def _without_shadow(distance: Plane, lab: Lab, model: BackgroundModel, probability: Matte) -> Plane:
    """``distance`` to the background, less soft shadows on it that the network does not hold.

    A shadow is the background's light times a share, so its colour lies on the line from the background's to black; and
    it has no edge, as a fill and a stroke have: somewhere it fades into the background. A grey part that the network
    missed may be shaded as softly, but has an edge all round.
    """
    if model.lightness < DARK:
        return distance
    share = np.clip(lab[..., 0] / np.maximum(model.lab[..., 0], 1.0), 0.0, 1.0)
    hue = np.hypot(*(lab[..., c] - share * model.lab[..., c] for c in (1, 2)))
    # Light from the sides tints shadows.
    tint = SHADOW_HUE + SHADOW_TINT * np.hypot(model.lab[..., 1], model.lab[..., 2])
    dark = (share < 1.0) & (share > 0.3) & (hue < tint) & (probability < 0.5)
    soft = dark & (lightness_slope(lab) < SOFT)
    soft &= ~_edged(soft & (distance > NEAR_LOSSY), soft | (distance < NEAR_LOSSY), dilated(probability > 0.5, BLOCK))
    # Up to the thing that casts it, whose own edge is steep.
    beside = dilated(soft & (distance > NEAR_LOSSY), 3)
    return np.where(soft | (dark & beside), np.float32(0.0), distance)


def _edged(area: Area, smooth: Area, beside: Area) -> Area:
    """Which parts of ``area`` are no shadows: most of their rim, away from the subject (``beside``), is not smooth."""
    parts = parts_of(area)
    rim = area & ~eroded(area, 1) & ~beside
    hard = dilated(~smooth, 1)
    on_rim, on_edge = (np.bincount(parts.labels[one], minlength=len(parts.sizes)) for one in (rim, rim & hard))
    kept = (on_rim > 0) & (on_edge > EDGED * on_rim)
    kept[0] = False
    return np.asarray(kept[parts.labels])


def _casts(distance: Plane, reached: Plane, flooded: Area) -> bool:
    """Whether a soft shadow of some size was counted as background."""
    return bool(((reached == 0) & (distance > NEAR_LOSSY)).sum() > MOST_LOST * (~flooded).sum())


def _deep_within(held: Area, share: float) -> Area:
    """What of ``held`` lies deeper in it than ``share`` of the longest side."""
    depth = max(1, round(share * max(held.shape)))
    # Where the picture ends, what is held goes on.
    padded = np.pad(held.astype(np.uint8), 1, mode="edge")
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1] > depth)


class _Flooded(NamedTuple):
    """What a drawing was flooded by."""

    image: RGB8
    distance: Plane
    """From the background, in ΔE."""
    near: float
    """The distance under which a pixel is background."""
    lab: Lab
    """The background's colour at each pixel, or its few colours."""
    probability: Matte
    lossless: bool
    """Whether no lossy codec has blurred the background's colour."""


class _Background(NamedTuple):
    """A drawing's background, its holes included."""

    area: Area
    holes: Area
    fills: Area
    """The other patches that the drawing encloses."""
    doubt: str = ""
    """What of it is a guess."""


def _with_holes(flooded: _Flooded, background: Area) -> _Background:
    """Add the true holes to the flooded ``background``."""
    image, probability = flooded.image, flooded.probability
    subject = int((~background).sum())
    labels = enclosed_holes(flooded.distance, background, flooded.near, smallest=12)
    count = int(labels.max())
    if count == 0 or subject == 0:
        return _Background(background, np.zeros_like(background), np.zeros_like(background))
    area = np.bincount(labels.ravel(), minlength=count + 1)
    enclosed = int(area[1:].sum())
    mean = np.bincount(labels.ravel(), probability.ravel(), minlength=count + 1) / np.maximum(area, 1)
    paper, doubt = _is_paper(flooded.lab), ""
    if 2 * enclosed > subject and is_one_ink(image, background | (labels > 0)):
        # A drawing in outlines encloses more than its ink: what its lines enclose is the thing drawn, on paper always
        # and elsewhere where the network holds it.
        hole = np.full(count + 1, False) if paper else mean < 0.5
        large = area[1:] > 0.05 * enclosed
        if large.sum() > 1 or (mean[1:][large] < 0.5).any():
            doubt = f"a drawing in outlines: which of {int(large.sum())} enclosed parts are filled is a guess"
    elif not paper or enclosed > 0.3 * subject:
        # A coloured background inside the subject is the background; and so is what is mostly paper within coloured
        # strokes: spokes, a fence, a net.
        hole = np.full(count + 1, True)
    else:
        hole = mean < FILL_FROM
    if not flooded.lossless:
        # Ringing goes both ways and leaves the mean; shading that comes near the background's colour keeps to its side.
        offset = opencv_lab(image) - flooded.lab
        sums = [np.bincount(labels.ravel(), offset[..., c].ravel(), minlength=count + 1) for c in range(3)]
        even = np.linalg.norm(sums, axis=0) < SAME_MEAN * area
        hole &= even | (mean < 0.5)
    hole[0] = False
    opened = hole[labels]
    if not flooded.lossless:
        # In a hole no wider than a codec's blocks, the background rings as well: a whole block may be a few steps off,
        # and some of its pixels more.
        contrast = _contrast(flooded.distance)
        slight = flooded.distance < np.minimum(RINGING_DOUBTED * contrast, SURELY_OTHER / 2)
        opened |= joined(slight & dilated(opened, BLOCK), opened)
        opened |= dilated(opened, BLOCK // 2) & (flooded.distance < np.minimum(RINGING * contrast, RINGING_IN_HOLES))
    return _Background(background | opened, opened, (labels > 0) & ~opened, doubt)


def _is_paper(background_lab: Lab) -> bool:
    """White, where drawings use the background's colour for eyes, shirts and highlights too."""
    lightness, a, b = np.median(background_lab.reshape(-1, 3), axis=0)
    return bool(lightness > 95 and np.hypot(a, b) < 4)
