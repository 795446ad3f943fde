"""How exact are a picture's pixels? A drawing's fills and wall are the same to the last bit, also after JPEG.

The line-art detector sees a picture's statistics, and a product before a plain sweep has those of a drawing. What it
does not have is pixels that repeat: a sensor's noise is in every one. A lossy codec leaves the blocks alone that no
edge runs through.
"""

from __future__ import annotations

import cv2
import numpy as np

from vivid_assets.imaging.matte.from_background import wall_distance
from vivid_assets.imaging.matte.plain_background import Wall, fit_wall, to_lab

#: Side of the largest block of a codec whose colours have half the resolution, in pixels: an edge's ringing ends there.
BLOCK = 16
#: Distance from the wall, in ΔE, that is surely no ringing.
SURELY_OTHER = 12.0
#: Least share of the steps in a drawn wall, a block away from the subject, that are none or 1 of 255. Sweeps reach
#: it, too, where they were clipped or painted over…
EVEN_WALL = 0.99
#: …and so it takes the subject's fills: the least share of steps within that are none. Photographed products on such
#: a wall have .01 to .2, a bicycle's thin tubes through JPEG at quality 75 .12.
EVEN_FILLS = 0.1
#: Share of such steps over which a wall of several colours is smooth.
SMOOTH_WALL = 0.96
#: Noise of a wall, in ΔE, up to which it is one colour; rounding leaves .3 where light falls off: it must be clean.
ONE_COLOUR = 0.1
#: Depth, in pixels, from which a fill is looked at, and the least share of the subject that is so deep.
DEPTH = 4
DEEP = 0.02


def is_drawn(image: np.ndarray, probability: np.ndarray) -> bool:
    """Whether the pixels are as exact as only a drawing's are.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's raw answer.

    """
    step = steps(image)
    seen = (probability > 0.5).astype(np.uint8)
    lab = to_lab(image)
    wall = fit_wall(lab)
    if wall.plain:
        distance = wall_distance(lab, wall)
        seen |= (distance > SURELY_OTHER).astype(np.uint8)
    slight, none = _even(step, seen)
    if wall.plain:
        if slight < EVEN_WALL or (wall.noise > ONE_COLOUR and not is_clean(image, wall, distance)):
            return False
    elif slight > SMOOTH_WALL > none:
        # A wall and a floor in soft light: smooth, as no photograph behind a drawing is, and not one colour each.
        return False
    deep = cv2.erode(seen, np.ones((2 * DEPTH + 1,) * 2, np.uint8)) > 0
    if deep.sum() < DEEP * max(int(seen.sum()), 1):
        # Strokes have no fills; their wall has said enough.
        return wall.plain
    # Clipped light and shadow are even in photographs, too.
    deep &= (image.min(axis=2) < 250) & (image.max(axis=2) > 5)
    return bool(deep.any() and (step[deep] == 0).mean() >= EVEN_FILLS)


def is_smooth(image: np.ndarray, probability: np.ndarray) -> bool:
    """Whether what lies behind the subject is smooth: a wall, or a wall and a floor, in soft light.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a network's raw answer.

    """
    return _even(steps(image), (probability > 0.5).astype(np.uint8))[0] > SMOOTH_WALL


def _even(step: np.ndarray, seen: np.ndarray) -> tuple[float, float]:
    """Shares of the steps a block away from ``seen`` that are none or 1 of 255, and that are none."""
    beyond = cv2.dilate(seen, np.ones((2 * BLOCK + 1,) * 2, np.uint8)) == 0
    if not beyond.any():
        return 1.0, 1.0
    return float((step[beyond] <= 1).mean()), float((step[beyond] == 0).mean())


def is_clean(image: np.ndarray, wall: Wall, distance: np.ndarray) -> bool:
    """Whether a plain wall is as exact right beside the drawing as elsewhere, which no lossy codec leaves so.

    The frame does not tell: JPEG rings only in the blocks that the drawing touches. There it leaves a wall that is a
    few levels off; a drawing has other colours there, or the wall.

    Args:
        image: uint8 H×W×3 sRGB.
        wall: its wall.
        distance: float32 H×W, from the wall, in ΔE.

    """
    subject = (distance > SURELY_OTHER).astype(np.uint8)
    around = cv2.dilate(subject, np.ones((BLOCK + 3,) * 2, np.uint8)) - cv2.dilate(subject, np.ones((5, 5), np.uint8))
    colour = np.clip(cv2.cvtColor(wall.colour, cv2.COLOR_LAB2RGB), 0.0, 1.0) * 255.0
    # Rounding leaves 1 where the wall is shaded.
    off = np.abs(image - colour).max(axis=2)[around > 0]
    return bool((off < 4.6).any() and (off[off < 4.6] > 1.1).mean() < 0.06)


def steps(image: np.ndarray) -> np.ndarray:
    """Largest difference of a pixel from its right and lower neighbours, over the channels; int16 H×W."""
    value = image.astype(np.int16)
    right = np.abs(np.diff(value, axis=1, append=value[:, -1:])).max(axis=2)
    below = np.abs(np.diff(value, axis=0, append=value[-1:])).max(axis=2)
    return np.asarray(np.maximum(right, below))
