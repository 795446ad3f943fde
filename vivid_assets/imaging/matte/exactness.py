"""How exact are a picture's pixels? A drawing's fills and background are the same to the last bit, also after JPEG.

The line-art detector sees a picture's statistics, and a product before a plain sweep has those of a drawing. What it
does not have is pixels that repeat: a sensor's noise is in every one. A lossy codec leaves the blocks alone that no
edge runs through.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import dilated, eroded
from vivid_assets.imaging.core.arrays import RGB8, Area, Indices, Matte, Plane
from vivid_assets.imaging.core.color import opencv_lab
from vivid_assets.imaging.matte.from_background import background_distance
from vivid_assets.imaging.matte.plain_background import BackgroundModel, fit_background

BLOCK = 16
"""Side of the largest block of a codec whose colours have half the resolution, in pixels: an edge's ringing ends
there."""
SURELY_OTHER = 12.0
"""Distance from the background, in ΔE, that is surely no ringing."""
EVEN_BACKGROUND = 0.99
"""Least share of the steps in a drawn background, a block away from the subject, that are none or 1 of 255. Sweeps
reach it, too, where they were clipped or painted over…"""
EVEN_FILLS = 0.1
"""…and so it takes the subject's fills: the least share of steps within that are none. Photographed products on such a
background have .01 to .3, a bicycle's thin tubes through JPEG at quality 75 .11 to .16."""
SMOOTH_BACKGROUND = 0.96
"""Share of such steps over which a background of several colours is smooth."""
ONE_COLOR = 0.1
"""Noise of a background, in ΔE, up to which it is one colour; rounding leaves .3 where light falls off: it must be
clean."""
DEPTH = 4
"""Depth, in pixels, from which a fill is looked at, and the least share of the subject that is so deep."""
DEEP = 0.02

DENIED, HELD = 0.05, 0.95
"""Probability under which a network denies a pixel, and over which it holds it."""


def is_drawn(image: RGB8, probability: Matte) -> bool:
    """Whether the pixels are as exact as only a drawing's are.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's raw answer.

    """
    step = steps(image)
    seen, unlike = probability > 0.5, np.zeros(probability.shape, bool)
    lab = opencv_lab(image)
    model = fit_background(lab)
    if model.is_plain:
        distance = background_distance(lab, model)
        unlike = distance > SURELY_OTHER
        seen |= unlike
    slight, none = _even(step, seen)
    if model.is_plain:
        if slight < EVEN_BACKGROUND or (model.noise > ONE_COLOR and not is_clean(image, model, distance)):
            return False
    elif slight > SMOOTH_BACKGROUND > none:
        # A wall and a floor in soft light: smooth, as no photograph behind a drawing is, and not one colour each.
        return False
    deep = eroded(seen, DEPTH)
    if deep.sum() < DEEP * max(int(seen.sum()), 1):
        # Strokes have no fills; their background alone decides.
        return model.is_plain
    # What a network holds may be the background, rung by a codec between spokes, or a white thing's clipped rim.
    fills = eroded(unlike, DEPTH)
    if fills.sum() >= DEEP * int(seen.sum()):
        deep = fills
    # Clipped light and shadow are even in photographs, too.
    deep &= (image.min(axis=2) < 250) & (image.max(axis=2) > 5)
    return bool(deep.any() and (step[deep] == 0).mean() >= EVEN_FILLS)


def is_smooth(image: RGB8, probability: Matte) -> bool:
    """Whether what lies behind the subject is smooth: a wall, or a wall and a floor, in soft light.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's raw answer.

    """
    return _even(steps(image), probability > 0.5)[0] > SMOOTH_BACKGROUND


def _even(step: Indices, seen: Area) -> tuple[float, float]:
    """Shares of the steps a block away from ``seen`` that are none or 1 of 255, and that are none."""
    beyond = ~dilated(seen, BLOCK)
    if not beyond.any():
        return 1.0, 1.0
    return float((step[beyond] <= 1).mean()), float((step[beyond] == 0).mean())


def is_clean(image: RGB8, model: BackgroundModel, distance: Plane) -> bool:
    """Whether a plain background is as exact right beside the drawing as elsewhere, which no lossy codec leaves so.

    The frame does not tell: JPEG rings only in the blocks that the drawing touches. There it leaves a background that
    is a few levels off; a drawing has other colours there, or the background.

    Args:
        image: uint8 H×W×3 sRGB.
        model: its background's.
        distance: float32 H×W, from the background, in ΔE.

    """
    subject = distance > SURELY_OTHER
    around = dilated(subject, (BLOCK + 3) // 2) & ~dilated(subject, 2)
    # Rounding leaves 1 where the background is shaded.
    off = np.abs(image - model.rgb).max(axis=2)[around]
    return bool((off < 4.6).any() and (off[off < 4.6] > 1.1).mean() < 0.06)


def steps(image: RGB8) -> Indices:
    """Largest difference of a pixel from its right and lower neighbours, over the channels; int16 H×W."""
    step = np.zeros_like(image)
    if image.shape[1] > 1:
        step[:, :-1] = cv2.absdiff(image[:, 1:], image[:, :-1])
    if image.shape[0] > 1:
        step[:-1] = np.maximum(step[:-1], cv2.absdiff(image[1:], image[:-1]))
    # Channel by channel: NumPy's own maximum over an axis of three takes ten times as long.
    return np.maximum(np.maximum(step[..., 0], step[..., 1]), step[..., 2]).astype(np.int16)
