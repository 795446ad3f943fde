"""The background that shows between hairs and twigs: a network fills it in, its colour shows it.

Against a plain, coloured background a pixel of hair is a mixture of two known colours: the background's, however
shaded, and the hair's, however light. How much of the background is in it follows from its direction in linear light,
without regard to how bright either is. This is done only where the background's own colour reaches into the mask, well
beyond its contour.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import dilated, joined
from vivid_assets.imaging.core.arrays import RGB8, Area, LinearRGB, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.color import opencv_lab, opencv_lab_to_rgb, srgb_to_linear
from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.matte.plain_background import fit_background

FITTED_AT = 320
"""Long side, in pixels, at which the background is fitted."""
LEAST_CHROMA = 20.0
"""Chroma below which a background is no help: grey on grey, white hair on white."""
SAME_DIRECTION = 0.1
"""How far from the background's direction its own pixels lie, as a share of their length."""
SAME_LIGHT = (0.45, 1.2)
"""The light on a gap, as a share of that on the background beside the subject: a shadow may lie in it, no lamp."""
LEAST_DEPTH = 4.0
"""How far a mask reaches over the background, in pixels of 1,000, before its contour is doubted."""
MOST_DEPTH = 120.0
"""How deep in a mask background is looked for, in pixels of 1,000: what is deeper is the subject's own colour."""
OWN_SHARE = 0.03
"""Share of a subject's core in the background's hue, light or dark, above which the hue is the subject's, too."""
LEAST_ANGLE = 0.4
"""The sine of the angle between the subject's colour and the background's below which no mixture of them can be
measured."""
BUNDLE, RIM = 9, 12
"""The widest bundle of hairs that is looked through, and how far beyond it, in pixels of 1,000."""
FLOOR = 0.06
"""What noise makes of a background without anything before it."""


def open_gaps(image: RGB8, alpha: Matte) -> Matte:
    """Take the background out from between a subject's hairs.

    Args:
        image: uint8 H×W×3 sRGB, a photograph.
        alpha: float32 H×W, 0..1.

    Returns:
        float32 H×W, nowhere over ``alpha``; ``alpha`` itself unless the background is plain and coloured and shows in
        it.

    """
    background = _background_light(image)
    if background is None:
        return alpha
    side = max(alpha.shape) / 1000
    light = srgb_to_linear(image)
    length = np.einsum("ijc,ijc->ij", background, background)
    shade = np.einsum("ijc,ijc->ij", light, background) / length
    across = np.linalg.norm(light - shade[..., None] * background, axis=-1)
    like = (across < SAME_DIRECTION * shade * np.sqrt(length)) & (shade > 0.3) & (shade < 1.25)
    # A brown subject against an orange background has the background's direction, too, but not the light that lies on
    # the background.
    beside = _local_mean(shade[..., None], like & (alpha < 0.05), 60 * side, np.ones(1, np.float32))[..., 0]
    like &= (alpha < 0.05) | ((shade > SAME_LIGHT[0] * beside) & (shade < SAME_LIGHT[1] * beside))
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    core = depth > min(MOST_DEPTH * side, 0.6 * float(depth.max()))
    if core.any() and (across < 1.5 * SAME_DIRECTION * shade * np.sqrt(length))[core].mean() > OWN_SHARE:
        return alpha
    like &= depth < MOST_DEPTH * side
    zone = joined(dilated(like, max(1, round(BUNDLE * side))), like & (alpha < 0.5))
    shown = like & zone & (alpha > 0.5)
    contour = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).sum()
    if shown.sum() < LEAST_DEPTH * side * contour / 2:
        return alpha
    zone = dilated(zone, max(1, round(RIM * side)))
    solid = (alpha > 0.9) & ~zone
    if not solid.any():
        return alpha
    own = _local_mean(light, solid, 80 * side, light[solid].mean(axis=0))
    share, unexplained, apart = _share_of_background(light, own, background)
    here = _local_mean(shade[..., None], like, 12 * side, np.ones(1, np.float32))[..., 0]
    # A third colour (an eye, a label) is none of the two: it stays as it was.
    mixed = zone & (apart > LEAST_ANGLE) & (like | (unexplained < 0.2 * np.linalg.norm(light, axis=-1)))
    key = ((1 - share / np.maximum(here, 0.05) - FLOOR) / (1 - FLOOR)).clip(0, 1)
    return np.where(mixed, np.minimum(alpha, key), alpha).astype(np.float32)


def _background_light(image: RGB8) -> LinearRGB | None:
    """The background as it would be at each pixel, in linear light; None if it is not plain or has no colour."""
    model = fit_background(opencv_lab(shrink(image, FITTED_AT)))
    if model.noise > 1.5 or model.share < 0.9 or model.chroma < LEAST_CHROMA:
        return None
    height, width = image.shape[:2]
    lab = np.asarray(cv2.resize(model.lab, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return srgb_to_linear(np.rint(opencv_lab_to_rgb(lab)).astype(np.uint8))


def _share_of_background(light: LinearRGB, own: LinearRGB, background: LinearRGB) -> tuple[Plane, Plane, Plane]:
    """How much of ``background`` each pixel has beside ``own`` (least squares), what is left, and the angle's sine."""

    def dot(a: Planes, b: Planes) -> Plane:
        return np.asarray(np.einsum("ijc,ijc->ij", a, b))

    oo, bb, ob = dot(own, own), dot(background, background), dot(own, background)
    lo, lb = dot(light, own), dot(light, background)
    span = np.maximum(oo * bb - ob * ob, 1e-9)
    of_background, of_own = (oo * lb - ob * lo) / span, (bb * lo - ob * lb) / span
    rest = light - of_background[..., None] * background - of_own[..., None] * own
    sine = np.sqrt(np.maximum(1 - ob * ob / np.maximum(oo * bb, 1e-9), 0))
    return of_background, np.linalg.norm(rest, axis=-1), sine


def _local_mean(values: Planes, where: Area, radius: float, otherwise: Vector) -> Planes:
    side = 2 * max(3, round(radius)) + 1
    weight = cv2.blur(where.astype(np.float32), (side, side))
    total = cv2.blur(np.where(where[..., None], values, 0).astype(np.float32), (side, side)).reshape(values.shape)
    return np.where((weight > 0.01)[..., None], total / np.maximum(weight, 1e-6)[..., None], otherwise)
