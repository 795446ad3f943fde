"""Areas of a picture, as booleans: how far from one, what is near it, what hangs together."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Area = NDArray[np.bool_]


def distance_to(area: Area) -> NDArray[np.float32]:
    """Each pixel's distance to ``area`` (bool h×w), in pixels; float32 h×w, 0 inside."""
    return np.asarray(cv2.distanceTransform((~area).astype(np.uint8), cv2.DIST_L2, 3), np.float32)


def grown(area: Area, radius: float) -> NDArray[Any]:
    """``area`` (bool h×w) and what is within ``radius`` pixels of it."""
    return np.asarray(distance_to(area) <= radius) if area.any() else area


def joined(area: Area, seeds: Area, *, connectivity: int = 4) -> NDArray[Any]:
    """The connected parts of ``area`` (bool h×w) that hold a seed; with ``connectivity`` 8 over corners too."""
    count, labels = cv2.connectedComponents(area.astype(np.uint8), connectivity=connectivity)
    held = np.zeros(count, bool)
    held[np.unique(labels[seeds & area])] = True
    held[0] = False
    return np.asarray(held[labels])


def frame_of(plane: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels of ``plane`` (h×w), each once, as a row."""
    return np.concatenate([plane[0], plane[-1], plane[1:-1, 0], plane[1:-1, -1]])
