"""The alpha of a subject against a plain background, from the background's colour alone.

The background is flooded from the border; what it encloses is a true hole (a handle, the space between arm and body)
where it has the background's own colour, and part of the subject where it is a flat fill of another colour. Along the
contour alpha is the share of the way from the background's colour to the subject's, so anti-aliased edges stay soft.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import frame_of, joined_to_frame, parts_of, square, without_small_parts
from vivid_assets.imaging.core.arrays import RGB8, Area, Indices, Lab, Labels, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.color import opencv_lab, opencv_lab_to_rgb
from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.matte.plain_background import BackgroundModel, fit_background

HOLES_AT = 320
"""Long side, in pixels, at which a photograph's background is looked at for holes."""
EDGE = 2
"""How far anti-aliasing reaches into the subject, in pixels."""


def background_distance(lab: Lab, model: BackgroundModel) -> Plane:
    """Distance of each pixel from the background in ΔE (CIE 1976); float32 H×W from Lab float32 H×W×3."""
    offset = lab - model.lab
    return np.asarray(np.sqrt(np.einsum("ijc,ijc->ij", offset, offset)))


def flood_background(distance: Plane, near: float) -> Area:
    """The background: pixels nearer to it than ``near`` (ΔE) that are joined to the frame; bool H×W."""
    return joined_to_frame(distance < near)


def enclosed_holes(distance: Plane, background: Area, near: float, smallest: int) -> Labels:
    """Number the regions in the background's colour that the subject encloses.

    Whether a region is a hole or a patch of the subject in that colour is for the caller to decide: over white paper
    the colour alone does not show it.

    Args:
        distance: float32 H×W, from the background, in ΔE.
        background: bool H×W, as it was flooded.
        near: the distance under which a pixel has the background's colour.
        smallest: pixels of a region, at least.

    Returns:
        int32 H×W: 0 for everything else.
    """
    labels, sizes = parts_of((distance < near) & ~background, connectivity=4)
    number = np.zeros(len(sizes), dtype=np.int32)
    large = np.flatnonzero(sizes >= smallest)
    large = large[large > 0]
    number[large] = np.arange(1, len(large) + 1)
    return np.asarray(number[labels])


def lightness_slope(lab: Lab) -> Plane:
    """How steeply lightness changes about each pixel, in L a pixel; float32 H×W."""
    smooth = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.0)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *way, scale=0.125) for way in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(across, down))


def open_holes(image: RGB8, alpha: Matte) -> Matte:
    """Open what the subject encloses of a plain, coloured background: a ring's middle, the room between arm and body.

    Networks fill such holes. A patch counts as background where it has the background's colour, light aside, and no
    texture. On a background without a colour nothing is opened: white on white, grey on grey and a highlight look the
    same.

    Args:
        image: uint8 H×W×3 sRGB, a photograph.
        alpha: float32 H×W, 0..1.

    Returns:
        float32 H×W, nowhere over ``alpha``.

    """
    height, width = alpha.shape
    scale = min(1.0, HOLES_AT / max(height, width))
    small = shrink(image, HOLES_AT)
    if float((np.ptp(frame_of(small).astype(np.int16), axis=1)).mean()) < 12:
        return alpha
    lab = opencv_lab(small)
    model = fit_background(lab)
    if model.noise > 1.5 or model.share < 0.9 or model.chroma < 10:
        return alpha
    inside = shrink(alpha, HOLES_AT) > 0.9
    offset: Lab = lab - model.lab
    # Light changes lightness far more than hue.
    like = (np.hypot(offset[..., 1], offset[..., 2]) < 3.0) & (np.abs(offset[..., 0]) < 8.0)
    slope = cv2.morphologyEx(lab[..., 0], cv2.MORPH_GRADIENT, square(1))
    patch = cv2.morphologyEx((like & inside & (slope < 3.0)).astype(np.uint8), cv2.MORPH_OPEN, square(1))
    patches = without_small_parts(np.asarray(patch) > 0, max(16, round(0.004 * inside.sum())), connectivity=4)
    if not patches.any():
        return alpha
    hole = cv2.resize(patches.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    grown = cv2.dilate(hole, square(1), iterations=max(2, round(2 / scale)))
    behind = np.asarray(cv2.resize(model.lab, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    offset = opencv_lab(image) - behind
    near = (np.hypot(offset[..., 1], offset[..., 2]) < 4.0) & (np.abs(offset[..., 0]) < 10.0)
    background = (hole > 0) | ((grown > 0) & near)
    return np.where(
        grown > 0, np.minimum(alpha, edge_alpha(image, opencv_lab_to_rgb(behind), background)), alpha
    ).astype(np.float32)


def edge_alpha(image: RGB8, background_color: Planes, background: Area, reach: int = EDGE) -> Matte:
    """Alpha with soft edges: the pixel's place on the line from the background's colour to the subject's.

    The subject's colour at an edge pixel is that of the nearest pixel further inside than anti-aliasing reaches;
    in a line too thin to have an inside, that of the nearby pixel furthest from the background.

    Args:
        image: uint8 H×W×3 sRGB. Rasterisers mix sRGB values, so the line is drawn there.
        background_color: float32 H×W×3, the background in the same units, 0..255.
        background: bool H×W, the background and the holes.
        reach: of the anti-aliasing into the subject, in pixels.

    Returns:
        float32 H×W: 0 on the background, 1 inside, between on the rim.

    """
    subject = ~background
    if not subject.any() or subject.all():
        return subject.astype(np.float32)
    color = image.astype(np.float32)
    offset = color - background_color
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
    alpha: Matte = subject.astype(np.float32)
    alpha[rows, columns] = np.clip(share, 0.0, 1.0)
    return alpha


def _strongest_nearby(far: Plane, rows: Indices, columns: Indices, reach: int) -> Indices:
    """Row and column of the pixel furthest from the background within ``reach`` either way; int N×2."""
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


def _nearest(inside: Area, rows: Indices, columns: Indices) -> tuple[Indices, Indices, Vector]:
    """Row and column of the pixel of ``inside`` that is nearest to each place, and how far it is."""
    distance, labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    where = np.zeros((int(labels.max()) + 1, 2), dtype=np.int64)
    r, c = np.nonzero(inside)
    where[labels[r, c]] = np.stack([r, c], axis=1)
    nearest = where[labels[rows, columns]]
    return nearest[:, 0], nearest[:, 1], np.asarray(distance[rows, columns], np.float32)
