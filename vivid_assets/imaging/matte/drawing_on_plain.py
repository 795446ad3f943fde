"""Masks of line art: outlines joined, flat regions filled, true holes kept, anti-aliased edges soft.

A network sees a drawing as a blob. The wall's colour says far more: before a plain or patterned wall the alpha comes
from the wall (``wall_matte``), and the network only decides what an enclosed patch in the wall's own colour is.
Before a busy wall the network's mask stays, dark outlines are joined to it and flat regions inside are filled.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vivid_assets.imaging.matte.exactness import BLOCK, EVEN_WALL, ONE_COLOUR, SURELY_OTHER, is_clean, steps
from vivid_assets.imaging.matte.from_background import EDGE, edge_alpha, enclosed_holes, flood_wall, wall_distance
from vivid_assets.imaging.matte.patterned_background import fit_palette, palette_distance, spread_wall
from vivid_assets.imaging.matte.plain_background import Wall, fit_wall, to_lab

#: Luminance (0..255) under which a pixel is outline ink; the article's figure.
INK = 80
#: How much darker than the wall beside it an outline is at least, of 255.
DARKER = 20
#: How far an outline reaches beyond what a network is sure of, in pixels…
OUTLINE = 3
#: …and the side of the window in which the wall beside it is looked at.
BESIDE = 21
#: Network's probability over which an enclosed patch of white on white paper is part of the subject.
FILL_FROM = 0.95
#: Lightness (0..100) of a wall that dark outlines come near.
DARK = 25.0
#: Distances, in ΔE, under which a pixel is the wall: before a noiseless wall that went through a lossy codec, and
#: before one that did not.
NEAR_LOSSY = 2.5
NEAR_LOSSLESS = 0.8
#: Most noise of a drawn wall, in ΔE: rounding leaves .3 where it is shaded.
SHADED = 0.4
#: Of an edge's contrast, what a lossy codec's ringing in its blocks reaches at most, where the network denies the
#: pixel; and where it only does not hold it.
RINGING, RINGING_DOUBTED = 0.3, 0.15
#: Probability under which a network denies a pixel, and over which it holds it.
DENIED, HELD = 0.05, 0.95
#: How deep within what a network holds the wall's colour counts nothing, as a share of the longest side.
HELD_DEEP = 0.02
#: How wide the rim of a network's mask is, as a share of the longest side, and how much of the subject may be lost
#: within it on paper where there is a shadow.
RIM, MOST_LOST = 0.004, 0.02
#: Distance of a hole's mean colour from the wall's, in ΔE, at most, after a lossy codec.
SAME_MEAN = 2.0
#: A soft shadow: steps of lightness (0..100) a pixel, at most, and how far its hue may lie from the wall's, in ΔE.
SOFT, SHADOW_HUE = 4.0, 4.0
#: …and as a share of the wall's chroma besides.
SHADOW_TINT = 0.15
#: What spans this share of the picture's width and height and fills less than this of it is a panel's frame.
FRAME_SPAN, FRAME_FILL = 0.85, 0.15
#: Share of a glow's steps that are none, at most: more of them are a fill between the wall's colour and the ink's.
MOST_EVEN = 0.35
#: Steps of one line's colour, of 255 a channel, within which a drawing is in one ink.
ONE_INK = 40


@dataclass(frozen=True)
class LineArtMatte:
    """A drawing's alpha and the kind of wall that it was read from."""

    alpha: np.ndarray
    """float32 H×W, 0..1."""
    wall: str
    """``plain`` or ``patterned``."""
    fills: np.ndarray
    """bool H×W: patches in the wall's colour that the drawing encloses and that count as its fills."""
    holes: np.ndarray
    """bool H×W: patches that it encloses and that have the wall's colour to the last bit."""
    exact: bool
    """Whether the wall is the same to the last bit up to the drawing."""
    translucent: bool = False
    """Whether it is one translucent ink."""
    doubt: str = ""
    """What of it is a guess, in a sentence; empty where nothing is."""


def line_art_matte(image: np.ndarray, probability: np.ndarray, *, trusted: bool = True) -> LineArtMatte | None:
    """Cut a drawing from the wall before which it lies.

    Args:
        image: uint8 H×W×3 sRGB, of exact pixels (see ``exactness``).
        probability: float32 H×W, 0..1, a network's or the gradient tier's raw answer.
        trusted: whether its verdict was good; then what it denies is no subject for a codec's ringing or a soft
            shadow, and what it holds is not opened where a codec has blurred the wall's colour.

    Returns:
        The matte; ``alpha`` is zero where nothing differs from the wall. ``None`` where the wall is busy.

    """
    lab = to_lab(image)
    wall = fit_wall(lab)
    palette = None if wall.plain and wall.share > 0.97 else fit_palette(lab)
    if palette is not None and (not wall.plain or len(palette) > 1):
        distance = palette_distance(lab, palette)
        near = 4.0
        background, holes, fills, doubt = _with_holes(
            image, distance, flood_wall(distance, near), near, probability, palette, lossless=True
        )
        alpha = edge_alpha(image, spread_wall(image, background), background)
        return LineArtMatte(alpha, "patterned", fills, holes, exact=_is_exact(lab, palette), doubt=doubt)
    if not wall.plain:
        return None
    believed = probability if trusted else np.full_like(probability, 0.5 - 1e-3)
    near = max(NEAR_LOSSY, 4.0 * wall.noise)
    distance = _without_frame(wall_distance(lab, wall), near, believed)
    lossless = wall.noise < SHADED and is_clean(image, wall, distance)
    if not lossless:
        distance = _without_ringing(distance, believed)
    elif wall.noise < NEAR_LOSSLESS / 4:
        near = NEAR_LOSSLESS
    reached = _without_shadow(distance, lab, wall, believed)
    if not lossless and trusted:
        reached = np.where(_deep_within(probability > HELD), np.float32(np.inf), reached)
    colour = np.clip(cv2.cvtColor(wall.colour, cv2.COLOR_LAB2RGB), 0.0, 1.0) * 255.0
    flooded, same = flood_wall(reached, near), ""
    lost = flooded & _deep_within(believed > 0.5, RIM)
    if _is_paper(wall.colour) and lost.sum() > MOST_LOST * (~flooded).sum() and _casts(distance, reached, flooded):
        # A sticker's white rim, a white cup: where it has the paper's colour, only its shadow tells.
        flooded = flood_wall(np.where(_deep_within(believed > 0.5, RIM), np.float32(np.inf), reached), near)
        same = "white on white, by its shadow: its edge is the network's guess"
    background, holes, fills, doubt = _with_holes(
        image, distance, flooded, near, probability, wall.colour, lossless=lossless
    )
    if not lossless:
        background = _without_crumbs(background, distance, probability)
    ink = _one_ink(image, colour, flood_wall(distance, near), probability) if wall.noise < ONE_COLOUR else None
    if ink is not None:
        return LineArtMatte(ink, "plain", np.zeros_like(fills), holes, exact=True, translucent=True)
    # Between a dark wall and a fill, an outline two pixels wide looks like their mixture.
    reach = 1 if float(np.median(wall.colour[..., 0])) < DARK else EDGE
    return LineArtMatte(
        edge_alpha(image, colour, background, reach), "plain", fills, holes, exact=lossless, doubt=doubt or same
    )


def one_ink_matte(image: np.ndarray, probability: np.ndarray | None = None) -> np.ndarray | None:
    """Cut out a glow or a stamp: one translucent ink on a wall of one colour.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's raw answer, if there is one.

    Returns:
        float32 H×W, 0..1; ``None`` where the frame is not one colour, or the picture not one ink on it.

    """
    frame = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    if int(np.ptp(frame, axis=0).max()) > 2:
        return None
    colour = np.median(frame, axis=0).astype(np.float32)
    background = np.abs(image - colour).max(axis=2) <= 2
    beyond = cv2.erode(background.astype(np.uint8), np.ones((2 * BLOCK + 1,) * 2, np.uint8)) > 0
    if beyond.any() and float((steps(image)[beyond] <= 1).mean()) < EVEN_WALL:
        return None
    seen = np.zeros(background.shape, np.float32) if probability is None else probability
    return _one_ink(image, np.broadcast_to(colour, image.shape), background, seen)


def _is_exact(lab: np.ndarray, palette: np.ndarray) -> bool:
    """Whether nearly all of the picture's frame has a pattern's own colours, to the last bit."""
    frame = np.concatenate([lab[:2].reshape(-1, 3), lab[-2:].reshape(-1, 3), *(lab[:, c] for c in (0, 1, -2, -1))])
    nearest = np.min([np.linalg.norm(frame - colour, axis=1) for colour in palette], axis=0)
    return bool((nearest < NEAR_LOSSLESS / 2).mean() > 0.85)


def _without_frame(distance: np.ndarray, near: float, probability: np.ndarray) -> np.ndarray:
    """``distance`` to the wall, less a panel's frame: thin lines around the picture that no network takes for it."""
    other = (distance >= near).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(other, connectivity=8)
    height, width = distance.shape
    spans = (stats[:, cv2.CC_STAT_WIDTH] >= FRAME_SPAN * width) & (stats[:, cv2.CC_STAT_HEIGHT] >= FRAME_SPAN * height)
    thin = stats[:, cv2.CC_STAT_AREA] < FRAME_FILL * height * width
    held = np.bincount(labels.ravel(), (probability > 0.5).ravel(), minlength=count) > 0.02 * stats[:, cv2.CC_STAT_AREA]
    frame = spans & thin & ~held
    frame[0] = False
    return np.where(frame[labels], np.float32(0.0), distance)


def _without_ringing(distance: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """``distance`` to the wall, less what a lossy codec made of the wall in the blocks through which an edge runs.

    There its error is a share of that edge's contrast, and beyond it is none: the frame does not tell. Ink is as far
    from the wall as the edge that it makes.
    """
    contrast = _contrast(distance)
    share = np.where(probability < DENIED, RINGING, np.where(probability < 0.75, RINGING_DOUBTED, 0.0))
    # A codec's steps are no smaller beside a weak edge.
    denied = (probability < DENIED) & (distance < SURELY_OTHER) & (contrast > SURELY_OTHER)
    return np.where((distance < share * contrast) | denied, np.float32(0.0), distance)


def _without_crumbs(background: np.ndarray, distance: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """``background`` and every part of the subject that has no pixel surely other than the wall, or is held by none."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~background).astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    sure = np.bincount(labels.ravel(), (distance > SURELY_OTHER).ravel(), minlength=count) > 0
    held = np.bincount(labels.ravel(), probability.ravel(), minlength=count) > 0.5 * area
    kept = sure | (held & (area >= BLOCK * BLOCK))
    return background | ~kept[labels]


def _contrast(distance: np.ndarray) -> np.ndarray:
    """The strongest of the edges whose blocks reach a pixel, in ΔE; float32 H×W."""
    return np.asarray(cv2.dilate(distance, np.ones((2 * BLOCK + 1,) * 2, np.uint8)))


def _without_shadow(distance: np.ndarray, lab: np.ndarray, wall: Wall, probability: np.ndarray) -> np.ndarray:
    """``distance`` to the wall, less soft shadows on it that the network does not hold.

    A shadow is the wall's light times a share, so its colour lies on the line from the wall's to black; and it has no
    edge, as a fill and a stroke have.
    """
    if float(np.median(wall.colour[..., 0])) < DARK:
        return distance
    share = np.clip(lab[..., 0] / np.maximum(wall.colour[..., 0], 1.0), 0.0, 1.0)
    hue = np.hypot(*(lab[..., c] - share * wall.colour[..., c] for c in (1, 2)))
    smooth = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.0)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125))
    # Light from the sides tints shadows.
    tint = SHADOW_HUE + SHADOW_TINT * np.hypot(wall.colour[..., 1], wall.colour[..., 2])
    dark = (share < 1.0) & (share > 0.3) & (hue < tint) & (probability < 0.5)
    soft = dark & (slope < SOFT)
    # Up to the thing that casts it, whose own edge is steep.
    beside = cv2.dilate((soft & (distance > NEAR_LOSSY)).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return np.where(soft | (dark & beside), np.float32(0.0), distance)


def _casts(distance: np.ndarray, reached: np.ndarray, flooded: np.ndarray) -> bool:
    """Whether a soft shadow of some size was counted as wall."""
    return bool(((reached == 0) & (distance > NEAR_LOSSY)).sum() > MOST_LOST * (~flooded).sum())


def _deep_within(held: np.ndarray, share: float = HELD_DEEP) -> np.ndarray:
    depth = max(1, round(share * max(held.shape)))
    # Where the picture ends, what is held goes on.
    padded = np.pad(held.astype(np.uint8), 1, mode="edge")
    return cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1] > depth


def fill_regions(alpha: np.ndarray) -> np.ndarray:
    """Raise medium alpha inside the closed confident zone to at least 220/255 (the article's second stage)."""
    confident = (alpha > 160 / 255).astype(np.uint8)
    size = max(3, round(0.01 * max(alpha.shape)) | 1)
    zone = cv2.morphologyEx(confident, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    medium = (zone > 0) & (alpha > 80 / 255)
    return np.where(medium, np.maximum(alpha, np.float32(220 / 255)), alpha).astype(np.float32)


def join_outlines(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Make dark outlines that belong to the subject opaque; never a dark background.

    A connected dark region belongs when most of it lies on or right beside the subject and it does not run along
    the frame. What is dark further away is the wall.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float32 H×W, 0..1.

    Returns:
        float32 H×W, nowhere below ``alpha``.

    """
    ink = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) < INK).astype(np.uint8)
    subject = (alpha > 0.5).astype(np.uint8)
    if not subject.any() or not ink.any():
        return alpha
    reach = max(3, round(0.02 * max(alpha.shape)) | 1)
    beside = cv2.dilate(subject, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    count, labels = cv2.connectedComponents(ink, connectivity=8)
    area = np.bincount(labels.ravel(), minlength=count)
    on_subject = np.bincount(labels[beside > 0], minlength=count)
    belongs = on_subject > 0.6 * area
    belongs[0] = False
    frame = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    belongs[frame[on_subject[frame] < 0.9 * area[frame]]] = False
    return np.where(belongs[labels], np.float32(1.0), alpha).astype(np.float32)


def unmix_outline(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Give the dark outline along a drawing's rim its alpha: its place between the wall's lightness and the ink's.

    A network's contour runs somewhere within an outline, which is two or three pixels wide. Only what is darker than
    the wall beside it can be told from the wall, and only where the network does not deny it.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float32 H×W, 0..1, 0 where nobody takes it for the subject.

    Returns:
        float32 H×W, nowhere below ``alpha``.

    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    near = cv2.dilate((alpha > 0.5).astype(np.uint8), np.ones((2 * OUTLINE + 1,) * 2, np.uint8)) > 0
    beyond = (~near).astype(np.float32)
    wall = cv2.blur(grey * beyond, (BESIDE, BESIDE)) / np.maximum(cv2.blur(beyond, (BESIDE, BESIDE)), 1e-3)
    ink = cv2.erode(grey, np.ones((2 * EDGE + 1,) * 2, np.uint8))
    contrast = wall - ink
    share = np.clip((wall - grey) / np.maximum(contrast, 1.0), 0.0, 1.0)
    rim = near & (alpha > 0) & (ink < INK) & (contrast > DARKER)
    return np.where(rim, np.maximum(alpha, share), alpha).astype(np.float32)


def _with_holes(
    image: np.ndarray,
    distance: np.ndarray,
    background: np.ndarray,
    near: float,
    probability: np.ndarray,
    wall_lab: np.ndarray,
    *,
    lossless: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Add the true holes to the flooded background.

    Returns:
        The background, all bool H×W; the holes; the other enclosed patches; and what of it is a guess.

    """
    subject = int((~background).sum())
    labels = enclosed_holes(distance, background, near, smallest=12)
    count = int(labels.max())
    if count == 0 or subject == 0:
        return background, np.zeros_like(background), np.zeros_like(background), ""
    area = np.bincount(labels.ravel(), minlength=count + 1)
    enclosed = int(area[1:].sum())
    mean = np.bincount(labels.ravel(), probability.ravel(), minlength=count + 1) / np.maximum(area, 1)
    paper, doubt = _is_paper(wall_lab), ""
    if 2 * enclosed > subject and is_one_ink(image, background | (labels > 0)):
        # A drawing in outlines encloses more than its ink: what its lines enclose is the thing drawn, on paper always
        # and elsewhere where the network holds it.
        hole = np.full(count + 1, False) if paper else mean < 0.5
        large = area[1:] > 0.05 * enclosed
        if large.sum() > 1 or (mean[1:][large] < 0.5).any():
            doubt = f"a drawing in outlines: which of {int(large.sum())} enclosed parts are filled is a guess"
    elif not paper or enclosed > 0.3 * subject:
        # A coloured wall inside the subject is the wall; and so is what is mostly paper within coloured strokes:
        # spokes, a fence, a net.
        hole = np.full(count + 1, True)
    else:
        hole = mean < FILL_FROM
    if not lossless:
        # Ringing goes both ways and leaves the mean; shading that comes near the wall's colour keeps to its side.
        offset = to_lab(image) - wall_lab
        sums = [np.bincount(labels.ravel(), offset[..., c].ravel(), minlength=count + 1) for c in range(3)]
        even = np.linalg.norm(sums, axis=0) < SAME_MEAN * area
        hole &= even | (mean < 0.5)
    hole[0] = False
    opened = hole[labels]
    if not lossless:
        # In a hole no wider than a codec's blocks, the wall rings as well.
        ringing = distance < RINGING_DOUBTED * _contrast(distance)
        opened |= (cv2.dilate(opened.astype(np.uint8), np.ones((BLOCK + 1,) * 2, np.uint8)) > 0) & ringing
    return background | opened, opened, (labels > 0) & ~opened, doubt


def _is_paper(wall_lab: np.ndarray) -> bool:
    """White, where drawings use the wall's colour for eyes, shirts and highlights too."""
    lightness, a, b = np.median(wall_lab.reshape(-1, 3), axis=0)
    return bool(lightness > 95 and np.hypot(a, b) < 4)


def is_one_ink(image: np.ndarray, background: np.ndarray) -> bool:
    """Whether what is drawn is strokes of one colour; anti-aliasing goes over from it to the wall.

    Args:
        image: uint8 H×W×3 sRGB.
        background: bool H×W, all that is not ink.

    """
    ink = cv2.erode((~background).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    drawn = image[ink if ink.any() else ~background].astype(np.int16)
    if not len(drawn):
        return False
    return bool((np.abs(drawn - np.median(drawn, axis=0)).max(axis=1) <= ONE_INK).mean() > 0.9)


def is_hollow_outline(image: np.ndarray, alpha: np.ndarray) -> bool:
    """Whether a mask is strokes of one ink that enclose more than they cover: a drawing, of which they are the outline.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float32 H×W, 0..1.

    """
    outside = alpha < 0.5
    if outside.all():
        return False
    enclosed = outside & ~flood_wall(np.where(outside, np.float32(0.0), np.float32(1.0)), 0.5)
    return int(enclosed.sum()) > int((~outside).sum()) and is_one_ink(image, outside)


def _one_ink(
    image: np.ndarray, wall_colour: np.ndarray, background: np.ndarray, probability: np.ndarray
) -> np.ndarray | None:
    """Alpha of a drawing in one translucent ink (a glow, a stamp), or ``None`` when it is anything else.

    Every pixel then lies on the line from the wall's colour to the ink's, and its place there is its alpha. A grey
    fill of a drawing in black lies on such a line too, so where the line does not change hue, the ink must fade into
    the wall, as a glow does and a fill does not.

    Args:
        image: uint8 H×W×3 sRGB.
        wall_colour: float32 H×W×3, 0..255.
        background: bool H×W.
        probability: float32 H×W, 0..1, a network's raw answer.

    Returns:
        float32 H×W, 0..1.

    """
    drawn = ~background
    if int(drawn.sum()) < 64:
        return None
    pixels, walls = image[drawn].astype(np.float32), wall_colour[drawn]
    offset = pixels - walls
    length = np.einsum("ij,ij->i", offset, offset)
    ink = np.median(pixels[length >= np.percentile(length, 98)], axis=0).astype(np.float32)
    line = ink - walls
    size = np.einsum("ij,ij->i", line, line)
    contrast = float(np.sqrt(np.median(size)))
    if contrast < 8.0:
        return None
    share = np.einsum("ij,ij->i", offset, line) / np.maximum(size, 1.0)
    off_line = np.linalg.norm(offset - share[:, None] * line, axis=1)
    # Rounding alone leaves a pixel 1 off the line.
    if float((off_line < min(6.0, 1.0 + 0.08 * contrast) + 0.08 * contrast).mean()) < 0.98:
        return None
    between = (share > 0.05) & (share < 0.9)
    depth = cv2.distanceTransform(drawn.astype(np.uint8), cv2.DIST_L2, 3)[drawn]
    rim = share[(depth > EDGE) & (depth <= 2 * EDGE)]
    # All along: a product's soft shadow fades on one side, and on the other the product has an edge.
    fades = rim.size >= 64 and float(np.percentile(rim, 90)) < 0.3
    changes_hue = float(np.ptp(np.median(line, axis=0))) >= 0.5 * min(contrast, 60.0)
    if float(between.mean()) < 0.3 or not (changes_hue or fades):
        return None
    # A black product with its shadow fades into the wall, too; but what a network holds of it is mostly ink, and of a
    # sign mostly wall.
    held = share[probability[drawn] > HELD]
    if not changes_hue and held.size and float(np.median(held)) > 0.5:
        return None
    # A pale product on white paper lies on a line too, towards its darkest detail. But little of it is as dark as that,
    # and it is as far from the wall at its rim as inside.
    deep = share[depth > 4 * EDGE]
    level = rim.size >= 64 and deep.size >= 64 and float(np.median(rim)) > 0.5 * float(np.median(deep))
    if level or float(np.percentile(share, 90)) < 0.5:
        return None
    if float((steps(image)[drawn][between] == 0).mean()) > MOST_EVEN:
        return None
    alpha = np.zeros(drawn.shape, dtype=np.float32)
    alpha[drawn] = np.clip(share, 0.0, 1.0)
    return alpha
