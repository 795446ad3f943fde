"""Drawings in one ink: a glow or a stamp, whose alpha is the ink's share, and outlines that enclose what they draw."""

from typing import NamedTuple

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import distance_to, eroded, frame_of, joined_to_frame
from vivid_assets.imaging.core.arrays import RGB8, Area, Matte, Planes, Vector
from vivid_assets.imaging.matte.exactness import BLOCK, EVEN_BACKGROUND, HELD, steps
from vivid_assets.imaging.matte.from_background import EDGE

MOST_EVEN = 0.35
"""Share of a glow's steps that are none, at most: more of them are a fill between the background's colour and the
ink's."""
ONE_INK = 40
"""Steps of one line's colour, of 255 a channel, within which a drawing is in one ink."""
_FEWEST = 64
"""Pixels of a drawing, or of a part of it, under which nothing is concluded from it."""


def one_ink_matte(image: RGB8, probability: Matte | None = None) -> Matte | None:
    """Cut out a glow or a stamp: one translucent ink on a background of one colour.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's raw answer, if there is one.

    Returns:
        float32 H×W, 0..1; ``None`` where the frame is not one colour, or the picture not one ink on it.

    """
    frame = frame_of(image)
    if int(np.ptp(frame, axis=0).max()) > 2:
        return None
    color = np.median(frame, axis=0).astype(np.float32)
    background = np.abs(image - color).max(axis=2) <= 2
    beyond = eroded(background, BLOCK)
    if beyond.any() and float((steps(image)[beyond] <= 1).mean()) < EVEN_BACKGROUND:
        return None
    seen = np.zeros(background.shape, np.float32) if probability is None else probability
    return alpha_of_one_ink(image, np.broadcast_to(color, image.shape), background, seen)


def is_one_ink(image: RGB8, background: Area) -> bool:
    """Whether what is drawn is strokes of one colour; anti-aliasing goes over from it to the background.

    Args:
        image: uint8 H×W×3 sRGB.
        background: bool H×W, all that is not ink.

    """
    ink = eroded(~background, 1)
    drawn = image[ink if ink.any() else ~background].astype(np.int16)
    if not len(drawn):
        return False
    return bool((np.abs(drawn - np.median(drawn, axis=0)).max(axis=1) <= ONE_INK).mean() > 0.9)


def is_hollow_outline(image: RGB8, alpha: Matte) -> bool:
    """Whether a mask is strokes of one ink that enclose more than they cover: a drawing, of which they are the outline.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float32 H×W, 0..1.

    """
    outside = alpha < 0.5
    if outside.all():
        return False
    enclosed = outside & ~joined_to_frame(outside)
    return int(enclosed.sum()) > int((~outside).sum()) and is_one_ink(image, outside)


def alpha_of_one_ink(image: RGB8, background_color: Planes, background: Area, probability: Matte) -> Matte | None:
    """Make the alpha of a drawing in one translucent ink (a glow, a stamp); ``None`` when it is anything else.

    Every pixel then lies on the line from the background's colour to the ink's, and its place there is its alpha. A
    grey fill of a drawing in black lies on such a line too, so where the line does not change hue, the ink must fade
    into the background, as a glow does and a fill does not.

    Args:
        image: uint8 H×W×3 sRGB.
        background_color: float32 H×W×3, 0..255.
        background: bool H×W.
        probability: float32 H×W, 0..1, a network's raw answer.

    Returns:
        float32 H×W, 0..1.

    """
    drawn = ~background
    if int(drawn.sum()) < _FEWEST:
        return None
    pixels, backgrounds = image[drawn].astype(np.float32), background_color[drawn]
    offset = pixels - backgrounds
    length = np.einsum("ij,ij->i", offset, offset)
    ink = np.asarray(np.median(pixels[length >= np.percentile(length, 98)], axis=0), np.float32)
    line = ink - backgrounds
    size = np.einsum("ij,ij->i", line, line)
    contrast = float(np.sqrt(np.median(size)))
    if contrast < 8.0:
        return None
    share = np.einsum("ij,ij->i", offset, line) / np.maximum(size, 1.0)
    # Rounding alone leaves a pixel 1 off the line; a codec that halves the colours puts pixels off it, and not means.
    most = min(6.0, 1.0 + 0.08 * contrast) + 0.08 * contrast
    across = np.zeros(image.shape, np.float32)
    across[drawn] = offset - share[:, None] * line
    for mean, least in ((across, 0.9), (cv2.blur(across, (3, 3)), 0.98)):
        if float((np.linalg.norm(mean[drawn], axis=1) < most).mean()) < least:
            return None
    on_line = _OnLine(share, line, contrast, np.asarray(distance_to(background)[drawn], np.float32))
    if not _fades_like_ink(on_line, probability[drawn]):
        return None
    between = (share > 0.05) & (share < 0.9)
    if float((steps(image)[drawn][between] == 0).mean()) > MOST_EVEN:
        return None
    alpha = np.zeros(drawn.shape, dtype=np.float32)
    alpha[drawn] = np.clip(share, 0.0, 1.0)
    return alpha


class _OnLine(NamedTuple):
    """A drawing's pixels, each with its place on the line from the background's colour to the ink's."""

    share: Vector
    """Of the way to the ink."""
    line: Vector
    """N×3: from the background to the ink, 0..255 a channel."""
    contrast: float
    """The line's length on the whole."""
    depth: Vector
    """Distance from the background, in pixels."""


def _fades_like_ink(drawn: _OnLine, probability: Vector) -> bool:
    """Whether what lies on such a line is a translucent ink, and no grey fill, soft shadow or pale product."""
    share, depth = drawn.share, drawn.depth
    between = (share > 0.05) & (share < 0.9)
    rim = share[(depth > EDGE) & (depth <= 2 * EDGE)]
    # All along: a product's soft shadow fades on one side, and on the other the product has an edge.
    fades = rim.size >= _FEWEST and float(np.percentile(rim, 90)) < 0.3
    changes_hue = float(np.ptp(np.median(drawn.line, axis=0))) >= 0.5 * min(drawn.contrast, 60.0)
    if float(between.mean()) < 0.3 or not (changes_hue or fades):
        return False
    # A black product with its shadow fades into the background, too; but what a network holds of it is mostly ink, and
    # of a sign mostly background.
    held = share[probability > HELD]
    if not changes_hue and held.size and float(np.median(held)) > 0.5:
        return False
    # A pale product on white paper lies on a line too, towards its darkest detail. But little of it is as dark as that,
    # and it is as far from the background at its rim as inside.
    deep = share[depth > 4 * EDGE]
    level = rim.size >= _FEWEST and deep.size >= _FEWEST and float(np.median(rim)) > 0.5 * float(np.median(deep))
    return not level and float(np.percentile(share, 90)) >= 0.5
