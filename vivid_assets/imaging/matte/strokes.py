"""Signs in strokes of one ink over a busy background: a glowing emblem, a logo in outline, a stamp on a photograph.

A network takes such a sign for a disc and fills it. Its strokes are thin, so an opening (Serra 1982) removes them and
leaves the background; alpha is each pixel's place between that background and the ink.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import RGB8, Area, Matte, Plane, Vector
from vivid_assets.imaging.core.color import color_cells, color_codes

WIDEST = 0.03
"""Width of the widest stroke, as a share of the longest side."""
STRONG = 60
"""How much a stroke differs from the background in one of the channels, of 255…"""
SAME_INK = 12
"""…and how little from the ink where it is opaque."""
LEAST_SPAN = 0.6
"""Of the subject's width and height, what connected strokes span at least. Photographs have .5 at most."""
LEAST_NEAR, NEARBY = 0.8, 0.1
"""Share of the subject that has a stroke nearby, at least, and what is nearby, as a share of its size. An outline
around a figure leaves the middle of it empty."""
MOST_INK = 0.4
"""Strokes' share of the subject, at most: a highlight taken for the subject is one stroke."""
MOST_WIDE = 0.1
"""Share of the subject that is a wide area of the ink's colour, at most: gaps between light lines look like dark
lines."""
ALIKE = 30
"""How much the background within may differ from the background around, in a channel's mean, of 255: a sign's own haze,
and not another thing with a frame printed on it."""
GLOW = 0.02
"""How far from strokes their glow reaches, as a share of the longest side."""


def stroke_matte(image: RGB8, probability: Matte) -> Matte | None:
    """Cut out what is drawn in thin strokes of one ink, lighter or darker than the background that shows between them.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's raw answer, which fills the sign.

    Returns:
        float32 H×W, 0..1; ``None`` where the subject is anything else.

    """
    subject = probability > 0.5
    if not subject.any():
        return None
    for picture in (image, 255 - image):
        matte = _light_strokes(picture, subject)
        if matte is not None:
            return matte
    return None


def _light_strokes(image: RGB8, subject: Area) -> Matte | None:
    longest = max(image.shape[:2])
    window = np.ones((round(WIDEST * longest) | 1,) * 2, np.uint8)
    background = np.asarray(cv2.morphologyEx(image, cv2.MORPH_OPEN, window), np.uint8)
    red, green, blue = cv2.split(cv2.subtract(image, background))
    lighter = cv2.max(cv2.max(red, green), blue)
    strokes = (lighter > STRONG) & (cv2.dilate(subject.astype(np.uint8), window) > 0)
    if not strokes.any():
        return None
    ink = _commonest(image[strokes])
    strokes &= _is_ink(image, ink)
    if not _make_up(strokes, subject) or _is_ink(background, ink)[subject].mean() > MOST_WIDE:
        return None
    if not _goes_on(background, subject, window.shape):
        return None
    under = background.astype(np.float32)
    line = ink - under
    # Where the background is as light as the ink, nobody can tell.
    length = np.maximum(np.einsum("ijk,ijk->ij", line, line), STRONG**2)
    share = np.einsum("ijk,ijk->ij", image - under, line) / length
    return np.where(_distance_to(strokes) <= GLOW * longest, np.clip(share, 0.0, 1.0), 0.0).astype(np.float32)


def _make_up(strokes: Area, subject: Area) -> bool:
    """Whether ``strokes`` run through all of ``subject``, and some of them from end to end."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats(strokes.astype(np.uint8), connectivity=8)
    if len(boxes) < 2:
        return False
    largest = boxes[1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())]
    _, _, width, height = cv2.boundingRect(subject.astype(np.uint8))
    if min(largest[cv2.CC_STAT_WIDTH] / width, largest[cv2.CC_STAT_HEIGHT] / height) < LEAST_SPAN:
        return False
    if strokes.sum() > MOST_INK * subject.sum():
        return False
    near = _distance_to(strokes)[subject] < NEARBY * np.sqrt(subject.sum())
    return bool(near.mean() >= LEAST_NEAR)


def _goes_on(background: RGB8, subject: Area, window: tuple[int, ...]) -> bool:
    """Whether the background, strokes removed, is much the same on both sides of the subject's contour."""
    contours, _ = cv2.findContours(subject.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=len)
    within = cv2.drawContours(np.zeros(subject.shape, np.uint8), [contour], -1, 1, cv2.FILLED)
    x, y = contour[:, 0].T
    sides = []
    for side in (within, 1 - within):
        area = np.maximum(cv2.blur(side.astype(np.float32), window), 1e-3)
        sides.append((cv2.blur((background * side[..., None]).astype(np.float32), window) / area[..., None])[y, x])
    return bool(np.median(np.abs(sides[0] - sides[1]).max(axis=1)) <= ALIKE)


def _commonest(pixels: RGB8) -> Vector:
    """The median of the fullest cell of colours; float32, 3."""
    cell = color_cells(color_codes(pixels))
    return np.asarray(np.median(pixels[cell == np.bincount(cell).argmax()], axis=0), np.float32)


def _is_ink(image: RGB8, ink: Vector) -> Area:
    low, high = (np.clip(np.rint(ink) + offset, 0, 255).astype(np.uint8) for offset in (-SAME_INK, SAME_INK))
    return np.asarray(cv2.inRange(image, low, high)) > 0


def _distance_to(there: Area) -> Plane:
    return np.asarray(cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
