"""How exact are a picture's pixels? A drawing's fills and wall are the same to the last bit, also after JPEG.

The line-art detector sees a picture's statistics, and a product before a plain sweep has those of a drawing. What it
does not have is pixels that repeat: a sensor's noise is in every one. A lossy codec leaves the blocks alone that no
edge runs through.
"""

from __future__ import annotations

import cv2
import numpy as np

from vivid_assets.imaging.wall import fit_wall, to_lab
from vivid_assets.imaging.wall_matte import wall_distance

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
        seen |= (wall_distance(lab, wall) > SURELY_OTHER).astype(np.uint8)
        beyond = cv2.dilate(seen, np.ones((2 * BLOCK + 1,) * 2, np.uint8)) == 0
        if beyond.any() and float((step[beyond] <= 1).mean()) < EVEN_WALL:
            return False
    deep = cv2.erode(seen, np.ones((2 * DEPTH + 1,) * 2, np.uint8)) > 0
    if deep.sum() < DEEP * max(int(seen.sum()), 1):
        # Strokes have no fills; their wall has said enough.
        return wall.plain
    # Clipped light and shadow are even in photographs, too.
    deep &= (image.min(axis=2) < 250) & (image.max(axis=2) > 5)
    return bool(deep.any() and (step[deep] == 0).mean() >= EVEN_FILLS)


def steps(image: np.ndarray) -> np.ndarray:
    """Largest difference of a pixel from its right and lower neighbours, over the channels; int16 H×W."""
    value = image.astype(np.int16)
    right = np.abs(np.diff(value, axis=1, append=value[:, -1:])).max(axis=2)
    below = np.abs(np.diff(value, axis=0, append=value[-1:])).max(axis=2)
    return np.asarray(np.maximum(right, below))
