"""Masks of line art: outlines joined, flat regions filled, true holes kept, anti-aliased edges soft.

A network sees a drawing as a blob. The wall's colour says far more: before a plain or patterned wall the alpha comes
from the wall (``wall_matte``), and the network only decides what an enclosed patch in the wall's own colour is.
Before a busy wall the network's mask stays, dark outlines are joined to it and flat regions inside are filled.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vivid_assets.imaging.palette_wall import fit_palette, palette_distance, spread_wall
from vivid_assets.imaging.wall import Wall, fit_wall, to_lab
from vivid_assets.imaging.wall_matte import EDGE, edge_alpha, enclosed_holes, flood_wall, wall_distance

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
#: Noise of a wall, in ΔE, above which light falls on it: a drawn wall has only what rounding to 8 bits (0.3) and
#: JPEG leave.
PHOTOGRAPHED = 0.4
#: Lightness (0..100) of a wall that dark outlines come near.
DARK = 25.0
#: Distances, in ΔE, under which a pixel is the wall: before a noiseless wall that went through a lossy codec, and
#: before one that did not.
NEAR_LOSSY = 2.5
NEAR_LOSSLESS = 0.8


@dataclass(frozen=True)
class LineArtMatte:
    """A drawing's alpha and the kind of wall that it was read from."""

    alpha: np.ndarray
    """float32 H×W, 0..1."""
    wall: str
    """``plain`` or ``patterned``."""


def line_art_matte(image: np.ndarray, probability: np.ndarray) -> LineArtMatte | None:
    """Cut a drawing from the wall before which it lies.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's or the gradient tier's raw answer.

    Returns:
        The matte; ``alpha`` is zero where nothing differs from the wall. ``None`` where the wall is busy.

    """
    lab = to_lab(image)
    wall = fit_wall(lab)
    if wall.plain:
        near = max(NEAR_LOSSY, 4.0 * wall.noise)
        distance = wall_distance(lab, wall)
        if wall.noise < NEAR_LOSSLESS / 4 and _is_clean(distance, near):
            near = NEAR_LOSSLESS
        if wall.noise > PHOTOGRAPHED:
            distance = _without_light(distance, lab, wall, probability)
        colour = np.clip(cv2.cvtColor(wall.colour, cv2.COLOR_LAB2RGB), 0.0, 1.0) * 255.0
        background = _with_holes(image, distance, flood_wall(distance, near), near, probability, wall.colour)
        matte = _one_ink(image, colour, background)
        if matte is None:
            # Between a dark wall and a fill, an outline two pixels wide looks like their mixture.
            reach = 1 if float(np.median(wall.colour[..., 0])) < DARK else EDGE
            matte = edge_alpha(image, colour, background, reach)
        return LineArtMatte(matte, "plain")
    palette = fit_palette(lab)
    if palette is not None:
        distance = palette_distance(lab, palette)
        near = 4.0
        background = flood_wall(distance, near)
        background = _with_holes(image, distance, background, near, probability, palette)
        return LineArtMatte(edge_alpha(image, spread_wall(image, background), background), "patterned")
    return None


def one_ink_matte(image: np.ndarray) -> np.ndarray | None:
    """Cut out a glow or a stamp: one translucent ink on a wall of one colour.

    Args:
        image: uint8 H×W×3 sRGB.

    Returns:
        float32 H×W, 0..1; ``None`` where the frame is not one colour, or the picture not one ink on it.

    """
    frame = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    if int(np.ptp(frame, axis=0).max()) > 2:
        return None
    colour = np.median(frame, axis=0).astype(np.float32)
    background = np.abs(image - colour).max(axis=2) <= 2
    return _one_ink(image, np.broadcast_to(colour, image.shape), background)


def _is_clean(distance: np.ndarray, near: float) -> bool:
    """Whether the wall is the same to the last bit right up to the drawing, which no lossy codec leaves so.

    The frame does not tell: JPEG rings only in the blocks that the drawing touches.
    """
    subject = (distance >= near).astype(np.uint8)
    around = cv2.dilate(subject, np.ones((19, 19), np.uint8)) - cv2.dilate(subject, np.ones((5, 5), np.uint8))
    return bool(around.any() and (distance[around > 0] > NEAR_LOSSLESS / 2).mean() < 0.05)


def _without_light(distance: np.ndarray, lab: np.ndarray, wall: Wall, probability: np.ndarray) -> np.ndarray:
    """``distance`` to a lit wall, less what pools of light and cast shadows make of it where the network sees nothing.

    Light and shadow change lightness far more than hue, so lightness counts a third there, and a small difference
    counts nothing. Ink and colours that the network overlooks differ by far more.
    """
    reach = max(3, round(0.006 * max(distance.shape)) | 1)
    seen = cv2.dilate((probability > 0.1).astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    offset = lab - wall.colour
    hue = np.hypot(offset[..., 1], offset[..., 2])
    strict = np.maximum(np.hypot(hue, offset[..., 0] / 3) - 12.0, 0)
    return np.where(seen, distance, np.minimum(distance, strict)).astype(np.float32)


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
) -> np.ndarray:
    """Add the true holes to the flooded background."""
    subject = int((~background).sum())
    labels = enclosed_holes(distance, background, near, smallest=12)
    count = int(labels.max())
    if count == 0 or subject == 0:
        return background
    area = np.bincount(labels.ravel(), minlength=count + 1)
    if not _is_paper(wall_lab):
        # A coloured wall inside the subject is the wall.
        return background | (labels > 0)
    if _is_ink_only(image, background | (labels > 0)):
        # A line drawing on paper: what its lines enclose is the thing drawn.
        return background
    if area[1:].sum() > 0.3 * subject:
        # Mostly paper within coloured strokes: spokes, a fence, a net.
        return background | (labels > 0)
    mean = np.bincount(labels.ravel(), probability.ravel(), minlength=count + 1) / np.maximum(area, 1)
    hole = mean < FILL_FROM
    hole[0] = False
    return background | hole[labels]


def _is_paper(wall_lab: np.ndarray) -> bool:
    """White, where drawings use the wall's colour for eyes, shirts and highlights too."""
    lightness, a, b = np.median(wall_lab.reshape(-1, 3), axis=0)
    return bool(lightness > 95 and np.hypot(a, b) < 4)


def _is_ink_only(image: np.ndarray, background: np.ndarray) -> bool:
    drawn = image[~background].astype(np.int64)
    if not len(drawn):
        return False
    colourless = drawn.max(axis=1) - drawn.min(axis=1) < 24
    return bool(colourless.mean() > 0.97 and (drawn.mean(axis=1) < 110).mean() > 0.5)


def _one_ink(image: np.ndarray, wall_colour: np.ndarray, background: np.ndarray) -> np.ndarray | None:
    """Alpha of a drawing in one translucent ink (a glow, a stamp), or ``None`` when it is anything else.

    Every pixel then lies on the line from the wall's colour to the ink's, and its place there is its alpha. A grey
    fill of a drawing in black lies on such a line too, so where the line does not change hue, the ink must fade into
    the wall, as a glow does and a fill does not.

    Args:
        image: uint8 H×W×3 sRGB.
        wall_colour: float32 H×W×3, 0..255.
        background: bool H×W.

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
    fades = rim.size >= 64 and float(np.median(rim)) < 0.3
    changes_hue = float(np.ptp(np.median(line, axis=0))) >= 0.5 * min(contrast, 60.0)
    if float(between.mean()) < 0.3 or not (changes_hue or fades):
        return None
    # A pale product on white paper lies on a line too, towards its darkest detail. But little of it is as dark as that,
    # and it is as far from the wall at its rim as inside.
    deep = share[depth > 4 * EDGE]
    level = rim.size >= 64 and deep.size >= 64 and float(np.median(rim)) > 0.5 * float(np.median(deep))
    if level or float(np.percentile(share, 90)) < 0.5:
        return None
    alpha = np.zeros(drawn.shape, dtype=np.float32)
    alpha[drawn] = np.clip(share, 0.0, 1.0)
    return alpha
