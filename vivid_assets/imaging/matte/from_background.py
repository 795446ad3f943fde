"""The alpha of a subject before a plain wall, from the wall's colour alone.

The wall is flooded from the border; what it encloses is a true hole (a handle, the space between arm and body)
where it has the wall's own colour, and part of the subject where it is a flat fill of another colour. Along the
contour alpha is the share of the way from the wall's colour to the subject's, so anti-aliased edges stay soft.
"""

from __future__ import annotations

import cv2
import numpy as np

from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.matte.plain_background import Wall, fit_wall, to_lab

#: Long side, in pixels, at which a photograph's wall is looked at for holes.
HOLES_AT = 320
#: How far anti-aliasing reaches into the subject, in pixels.
EDGE = 2


def wall_distance(lab: np.ndarray, wall: Wall) -> np.ndarray:
    """Distance of each pixel from the wall in ΔE (CIE 1976); float32 H×W from Lab float32 H×W×3."""
    offset = lab - wall.colour
    return np.sqrt(np.einsum("ijc,ijc->ij", offset, offset))


def flood_wall(distance: np.ndarray, near: float) -> np.ndarray:
    """Background: pixels nearer than ``near`` to the wall that are joined to the frame. bool H×W."""
    return _joined_to_frame(distance < near)


def enclosed_holes(distance: np.ndarray, background: np.ndarray, near: float, smallest: int) -> np.ndarray:
    """Wall-coloured regions of at least ``smallest`` pixels that the subject encloses, as labels int32 H×W.

    0 is everything else. Whether a region is a hole or a patch of the subject in the wall's colour is for the
    caller to say: over white paper the colour alone cannot tell.
    """
    inside = ((distance < near) & ~background).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    kept = np.zeros(count, dtype=np.int32)
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= smallest)
    large = large[large > 0]
    kept[large] = np.arange(1, len(large) + 1)
    return kept[labels]


def open_holes(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Open what the subject encloses of a plain, coloured wall: a ring's middle, the room between arm and body.

    Networks fill such holes. A patch counts as wall where it has the wall's colour, light aside, and no texture. On a
    wall without a colour nothing is opened: white on white, grey on grey and a highlight look the same.

    Args:
        image: uint8 H×W×3 sRGB, a photograph.
        alpha: float32 H×W, 0..1.

    Returns:
        float32 H×W, nowhere over ``alpha``.

    """
    height, width = alpha.shape
    scale = min(1.0, HOLES_AT / max(height, width))
    small = shrink(image, HOLES_AT)
    frame = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    if float((np.ptp(frame.astype(np.int16), axis=1)).mean()) < 12:
        return alpha
    lab = to_lab(small)
    wall = fit_wall(lab)
    if wall.noise > 1.5 or wall.share < 0.9 or float(np.hypot(*np.median(wall.colour[..., 1:], axis=(0, 1)))) < 10:
        return alpha
    inside = shrink(alpha, HOLES_AT) > 0.9
    offset = lab - wall.colour
    # Light changes lightness far more than hue.
    like = (np.hypot(offset[..., 1], offset[..., 2]) < 3.0) & (np.abs(offset[..., 0]) < 8.0)
    slope = cv2.morphologyEx(lab[..., 0], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    patch = cv2.morphologyEx(
        (like & inside & (slope < 3.0)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(patch, connectivity=4)
    kept = stats[:, cv2.CC_STAT_AREA] >= max(16, round(0.004 * inside.sum()))
    kept[0] = False
    if not kept.any():
        return alpha
    hole = cv2.resize(kept[labels].astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    grown = cv2.dilate(hole, np.ones((3, 3), np.uint8), iterations=max(2, round(2 / scale)))
    behind = cv2.resize(wall.colour, (width, height), interpolation=cv2.INTER_LINEAR)
    colour = np.clip(cv2.cvtColor(behind, cv2.COLOR_LAB2RGB), 0.0, 1.0) * 255.0
    offset = to_lab(image) - behind
    near = (np.hypot(offset[..., 1], offset[..., 2]) < 4.0) & (np.abs(offset[..., 0]) < 10.0)
    background = (hole > 0) | ((grown > 0) & near)
    return np.where(grown > 0, np.minimum(alpha, edge_alpha(image, colour, background)), alpha).astype(np.float32)


def edge_alpha(image: np.ndarray, wall_colour: np.ndarray, background: np.ndarray, reach: int = EDGE) -> np.ndarray:
    """Alpha with soft edges: the pixel's place on the line from the wall's colour to the subject's.

    The subject's colour at an edge pixel is that of the nearest pixel further inside than anti-aliasing reaches;
    in a line too thin to have an inside, that of the nearby pixel furthest from the wall.

    Args:
        image: uint8 H×W×3 sRGB. Rasterisers mix sRGB values, so the line is drawn there.
        wall_colour: float32 H×W×3, the wall in the same units, 0..255.
        background: bool H×W, the wall and the holes.
        reach: of the anti-aliasing into the subject, in pixels.

    Returns:
        float32 H×W: 0 on the background, 1 inside, between on the rim.

    """
    subject = ~background
    if not subject.any() or subject.all():
        return subject.astype(np.float32)
    colour = image.astype(np.float32)
    offset = colour - wall_colour
    far = np.einsum("ijc,ijc->ij", offset, offset)
    depth = cv2.distanceTransform(subject.astype(np.uint8), cv2.DIST_L2, 3)
    rim = subject & (depth <= reach)
    inside = subject & ~rim
    rows, columns = np.nonzero(rim)
    reference = _strongest_nearby(far, rows, columns, reach)
    if inside.any():
        near_rows, near_columns, distance = _nearest(inside, rows, columns)
        has_inside = distance <= reach + 1.5
        reference = np.where(has_inside[:, None], np.stack([near_rows, near_columns], axis=1), reference)
    pure = offset[reference[:, 0], reference[:, 1]]
    share = (offset[rows, columns] * pure).sum(axis=1) / np.maximum((pure**2).sum(axis=1), 1.0)
    alpha = subject.astype(np.float32)
    alpha[rows, columns] = np.clip(share, 0.0, 1.0)
    return alpha


def _strongest_nearby(far: np.ndarray, rows: np.ndarray, columns: np.ndarray, reach: int) -> np.ndarray:
    """Row and column of the pixel furthest from the wall within ``reach`` either way; int N×2."""
    height, width = far.shape
    best = np.stack([rows, columns], axis=1)
    strongest = far[rows, columns].copy()
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            r, c = np.clip(rows + dy, 0, height - 1), np.clip(columns + dx, 0, width - 1)
            better = far[r, c] > strongest
            best[better] = np.stack([r, c], axis=1)[better]
            strongest = np.maximum(strongest, far[r, c])
    return best


def _nearest(inside: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, ...]:
    distance, labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    where = np.zeros((int(labels.max()) + 1, 2), dtype=np.int64)
    r, c = np.nonzero(inside)
    where[labels[r, c]] = np.stack([r, c], axis=1)
    nearest = where[labels[rows, columns]]
    return nearest[:, 0], nearest[:, 1], distance[rows, columns]


def _joined_to_frame(candidate: np.ndarray) -> np.ndarray:
    _, labels = cv2.connectedComponents(candidate.astype(np.uint8), connectivity=4)
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    reached = np.zeros(int(labels.max()) + 1, dtype=bool)
    reached[touching[touching > 0]] = True
    return reached[labels]
