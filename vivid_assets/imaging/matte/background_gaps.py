"""The wall that shows between hairs and twigs: a network fills it in, its colour tells it apart.

Before a plain, coloured wall a pixel of hair is a mixture of two known colours: the wall's, however shaded, and the
hair's, however light. How much of the wall is in it follows from its direction in linear light, without regard to how
bright either is. It is asked only where the wall's own colour reaches into the mask, well beyond its contour.
"""

from __future__ import annotations

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import joined
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.matte.plain_background import fit_wall, to_lab

#: Long side, in pixels, at which the wall is fitted.
FITTED_AT = 320
#: Chroma below which a wall is no help: grey on grey, white hair on white.
LEAST_CHROMA = 20.0
#: How far from the wall's direction its own pixels lie, as a share of their length.
SAME_DIRECTION = 0.1
#: The light on a gap, as a share of that on the wall beside the subject: a shadow may lie in it, no lamp.
SAME_LIGHT = (0.45, 1.2)
#: How far a mask reaches over the wall, in pixels of 1,000, before its contour is doubted.
LEAST_DEPTH = 4.0
#: How deep in a mask wall is looked for, in pixels of 1,000: what is deeper is the subject's own colour.
MOST_DEPTH = 120.0
#: Share of a subject's core in the wall's hue, light or dark, above which the hue is the subject's, too.
OWN_SHARE = 0.03
#: The sine of the angle between the subject's colour and the wall's below which no mixture of them can be told.
LEAST_ANGLE = 0.4
#: The widest bundle of hairs that is looked through, and how far beyond it, in pixels of 1,000.
BUNDLE, RIM = 9, 12
#: What noise makes of a wall without anything before it.
FLOOR = 0.06


def open_gaps(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Take the wall out from between a subject's hairs.

    Args:
        image: uint8 H×W×3 sRGB, a photograph.
        alpha: float32 H×W, 0..1.

    Returns:
        float32 H×W, nowhere over ``alpha``; ``alpha`` itself unless the wall is plain and coloured and shows in it.

    """
    wall = _wall_light(image)
    if wall is None:
        return alpha
    side = max(alpha.shape) / 1000
    light = srgb_to_linear(image).astype(np.float32)
    length = np.einsum("ijc,ijc->ij", wall, wall)
    shade = np.einsum("ijc,ijc->ij", light, wall) / length
    across = np.linalg.norm(light - shade[..., None] * wall, axis=-1)
    like = (across < SAME_DIRECTION * shade * np.sqrt(length)) & (shade > 0.3) & (shade < 1.25)
    # A brown subject before an orange wall has the wall's direction, too, but not the light that lies on the wall.
    beside = _local_mean(shade[..., None], like & (alpha < 0.05), 60 * side, np.ones(1, np.float32))[..., 0]
    like &= (alpha < 0.05) | ((shade > SAME_LIGHT[0] * beside) & (shade < SAME_LIGHT[1] * beside))
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    core = depth > min(MOST_DEPTH * side, 0.6 * float(depth.max()))
    if core.any() and (across < 1.5 * SAME_DIRECTION * shade * np.sqrt(length))[core].mean() > OWN_SHARE:
        return alpha
    like &= depth < MOST_DEPTH * side
    zone = joined(_grown(like, BUNDLE * side), like & (alpha < 0.5))
    shown = like & zone & (alpha > 0.5)
    contour = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).sum()
    if shown.sum() < LEAST_DEPTH * side * contour / 2:
        return alpha
    zone = _grown(zone, RIM * side)
    solid = (alpha > 0.9) & ~zone
    if not solid.any():
        return alpha
    own = _local_mean(light, solid, 80 * side, light[solid].mean(axis=0))
    share, unexplained, apart = _share_of_wall(light, own, wall)
    here = _local_mean(shade[..., None], like, 12 * side, np.ones(1, np.float32))[..., 0]
    # A third colour (an eye, a label) is none of the two: it stays as it was.
    mixed = zone & (apart > LEAST_ANGLE) & (like | (unexplained < 0.2 * np.linalg.norm(light, axis=-1)))
    key = ((1 - share / np.maximum(here, 0.05) - FLOOR) / (1 - FLOOR)).clip(0, 1)
    return np.where(mixed, np.minimum(alpha, key), alpha).astype(np.float32)


def _wall_light(image: np.ndarray) -> np.ndarray | None:
    """The wall as it would be at each pixel, in linear light; None if it is not plain or has no colour."""
    wall = fit_wall(to_lab(shrink(image, FITTED_AT)))
    chroma = float(np.hypot(*np.median(wall.colour[..., 1:], axis=(0, 1))))
    if wall.noise > 1.5 or wall.share < 0.9 or chroma < LEAST_CHROMA:
        return None
    height, width = image.shape[:2]
    shown = cv2.cvtColor(cv2.resize(wall.colour, (width, height), interpolation=cv2.INTER_LINEAR), cv2.COLOR_LAB2RGB)
    return srgb_to_linear(np.rint(shown.clip(0, 1) * 255).astype(np.uint8)).astype(np.float32)


def _share_of_wall(light: np.ndarray, own: np.ndarray, wall: np.ndarray) -> tuple[np.ndarray, ...]:
    """How much of ``wall`` is in each pixel beside ``own`` (least squares), what neither explains, the angle's sine."""

    def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.einsum("ijc,ijc->ij", a, b)

    oo, ww, ow, lo, lw = dot(own, own), dot(wall, wall), dot(own, wall), dot(light, own), dot(light, wall)
    span = np.maximum(oo * ww - ow * ow, 1e-9)
    of_wall, of_own = (oo * lw - ow * lo) / span, (ww * lo - ow * lw) / span
    rest = light - of_wall[..., None] * wall - of_own[..., None] * own
    sine = np.sqrt(np.maximum(1 - ow * ow / np.maximum(oo * ww, 1e-9), 0))
    return of_wall, np.linalg.norm(rest, axis=-1), sine


def _local_mean(values: np.ndarray, where: np.ndarray, radius: float, otherwise: np.ndarray) -> np.ndarray:
    side = 2 * max(3, round(radius)) + 1
    weight = cv2.blur(where.astype(np.float32), (side, side))
    total = cv2.blur(np.where(where[..., None], values, 0).astype(np.float32), (side, side)).reshape(values.shape)
    return np.where((weight > 0.01)[..., None], total / np.maximum(weight, 1e-6)[..., None], otherwise)


def _grown(area: np.ndarray, radius: float) -> np.ndarray:
    side = 2 * max(1, round(radius)) + 1
    return cv2.dilate(area.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
