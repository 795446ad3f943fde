"""Drawings against busy backgrounds: the flat fills themselves say what is drawn.

A drawing's fill is one colour to the last bit, or in bands of such; a photograph's surface carries grain. So a picture
falls into flat segments, which a network's probability sorts into drawing and background as wholes, and grain, which
belongs to a flat drawing only as far as anti-aliasing reaches. A network's contour is off by pixels; a segment's is
exact.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import dilated, parts_of
from vivid_assets.imaging.core.arrays import RGB8, Area, Indices, Labels, Matte, Plane, Vector
from vivid_assets.imaging.core.color import color_codes
from vivid_assets.imaging.matte.from_background import edge_alpha
from vivid_assets.imaging.matte.patterned_background import extend_background

SMALLEST = 16
"""Smallest segment, in pixels. Below, grain makes them by chance."""
FLAT = 0.55
"""Least share of what the network is sure of that lies in segments."""
EXACT = 0.5
"""Least share of its steps that are none: grain, and what JPEG leaves, quickly show in it."""
SURE = 0.95
"""Mean probability from which grain among a drawing's fills is drawn: gradients fall into bands too small for
segments."""
WHOLE = 128
"""Smallest fill, in pixels, that a photograph does not have by chance where it is not clipped…"""
FLAT_BACKGROUND = 0.1
"""…as long as less than this share of what the network takes for background lies in such fills."""
LEAST_BACKGROUND = 0.1
"""Share of the picture that must be background to the network, for that to be measured."""
DRAWN = 0.1
"""Mean probability from which such a fill is drawn."""
REACH = 2
"""How far anti-aliasing reaches beyond a fill, in pixels."""
FLAT_BLOCKS = 0.02
"""Least share of blocks of 16 × 16 pixels that are mostly flat, for a picture to have flat parts."""


def has_flat_parts(image: RGB8) -> bool:
    """Whether some of a picture (uint8 H×W×3 sRGB) is flat to the last bit, clipped light and shadow left out.

    Most photographs have next to nothing that is. Measured to the right neighbour on every fourth row.
    """
    if image.shape[1] < 2:
        return False
    flat = (_like_left_neighbour(image) & ~_clipped(image[::4])[:, 1:]).astype(np.float32)
    blocks = (max(1, flat.shape[1] // 16), max(1, flat.shape[0] // 4))
    return bool((cv2.resize(flat, blocks, interpolation=cv2.INTER_AREA) > 0.5).mean() >= FLAT_BLOCKS)


def flat_segments(image: RGB8) -> tuple[Labels, Indices]:
    """Split a picture into connected segments of one colour.

    Args:
        image: uint8 H×W×3 sRGB.

    Returns:
        int32 H×W, 0 for grain and 1… for segments of at least ``SMALLEST`` pixels; and int64, the area by label.

    """
    from skimage.measure import label

    labels = label(color_codes(image), background=-1, connectivity=1)
    flat = np.bincount(labels.ravel()) >= SMALLEST
    number = np.where(flat, np.cumsum(flat), 0).astype(np.int32)
    labels = number[labels]
    return labels, np.bincount(labels.ravel(), minlength=int(flat.sum()) + 1)


def whole_fills(image: RGB8, probability: Matte) -> Matte:
    """Decide flat fills before a photograph as wholes, in the drawing's favour.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's raw answer.

    Returns:
        float32 H×W, 1 in every fill that the network does not deny, elsewhere ``probability``; unchanged where the
        background itself has flat fills, or where the network is sure of no background.

    """
    if not has_flat_parts(image):
        return probability
    labels, area = flat_segments(image)
    whole = (area >= WHOLE) & (_sum_by_label(~_clipped(image), labels, area) > 0.5 * area)
    whole[0] = False
    behind = whole[labels[probability < 0.05]]
    if behind.size < LEAST_BACKGROUND * labels.size or behind.mean() >= FLAT_BACKGROUND:
        return probability
    whole &= _sum_by_label(probability, labels, area) > DRAWN * area
    return np.where(whole[labels], np.float32(1.0), probability)


def flat_fill_matte(image: RGB8, probability: Matte) -> Matte | None:
    """Cut a drawing in flat fills out of a busy picture.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's raw answer.

    Returns:
        float32 H×W, 0..1; ``None`` where what the network sees is not made of flat fills.

    """
    seen = probability > 0.9
    if not _is_flat(image, seen):
        return None
    labels, area = flat_segments(image)
    drawn = _sum_by_label(probability, labels, area) > 0.5 * area
    drawn[0] = False
    if not drawn.any() or (labels[seen] > 0).mean() < FLAT:
        return None
    if _is_grain(labels):
        # Nothing of such a background is flat, so every fill is drawn, whatever the network overlooks.
        drawn[1:] |= area[1:] >= 4 * SMALLEST
    fills = drawn[labels]
    solid = fills.astype(np.uint8)
    reached = _reached(fills)
    enclosed = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((17, 17), np.uint8)) > 0
    if (enclosed & ~reached & (probability > SURE)).sum() > 0.03 * solid.sum():
        # JPEG rings in the blocks of 8 × 8 along every edge: there the fills have no edges to go by.
        return None
    fills |= _sure_grain((labels == 0) & ~reached, probability)
    background = ~_reached(fills) | ((labels > 0) & ~fills)
    alpha = edge_alpha(image, extend_background(image, background), background, REACH + 1)
    alpha[fills] = 1.0
    return alpha


def _sum_by_label(values: Plane | Area, labels: Labels, area: Indices) -> Vector:
    return np.asarray(np.bincount(labels.ravel(), values.ravel(), minlength=len(area)), np.float64)


def _reached(fills: Area) -> Area:
    """Fills (bool H×W) and their anti-aliased rims."""
    return dilated(fills, REACH)


def _sure_grain(grain: Area, probability: Matte) -> Area:
    """Connected parts of ``grain`` (bool H×W) that the network is sure of."""
    parts, area = parts_of(grain, connectivity=4)
    sure = _sum_by_label(probability, parts, area) > SURE * area
    sure[0] = False
    return np.asarray(sure[parts])


def _clipped(image: RGB8) -> Area:
    """Where a photograph is flat as well: burnt-out light and lost shadow; bool H×W."""
    red, green, blue = cv2.split(np.ascontiguousarray(image))
    return (cv2.min(cv2.min(red, green), blue) >= 250) | (cv2.max(cv2.max(red, green), blue) <= 5)


def _like_left_neighbour(image: RGB8) -> Area:
    """Whether a pixel has its left neighbour's colour, on every fourth row: a millisecond's look; bool H/4×(W−1)."""
    color = color_codes(image[::4])
    return np.asarray(color[:, 1:] == color[:, :-1])


def _is_flat(image: RGB8, seen: Area) -> bool:
    """Tell photographs in a millisecond: steps to the right neighbour on every fourth row.

    In drawings through no lossy codec 70 % and more are none at all, in photographs at most 42 %.
    """
    where = seen[::4, 1:]
    if min(image.shape[:2]) < 10 or not where.any():
        return False
    return bool(_like_left_neighbour(image)[where].mean() >= EXACT)


def _is_grain(labels: Labels) -> bool:
    """Whether the outer tenth of the picture has next to no flat segments."""
    height, width = labels.shape
    frame = np.ones(labels.shape, dtype=bool)
    frame[height // 10 : height - height // 10, width // 10 : width - width // 10] = False
    return bool((labels[frame] > 0).mean() < 0.05)
