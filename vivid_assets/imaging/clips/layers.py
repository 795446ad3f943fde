"""Layers of a clip's frames, shadows for one, smoothed over time.

A layer is measured frame by frame, so that it trembles, and what is hardly there comes and goes. Each pixel becomes
the mean of those of the frames about it that differ by no more than such trembling: what moves stays where it is.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import Planes

REACH = 4
"""Frames each way that are looked at."""
_TREMBLES = 0.025
"""Difference of a pixel from its frame's, averaged over the channels and its surroundings, at which the weight of
another frame falls to 1/e: twice what is the least of a shadow (``plate.shadow_layer``), which comes and goes."""
_ABOUT = 5
"""Pixels across over which the difference is averaged."""


def steady_layer(layers: Sequence[Planes | None], at: int) -> Planes | None:
    """Smooth the layer of one frame by those of the frames about it; one that is missing becomes the nearest.

    Args:
        layers: float32 h×w×c each, about 1; of frames of one scene that follow each other; None where a frame has none.
        at: which of them.

    Returns:
        float32 h×w×c; exactly what a pixel of the frame is where all agree. None where no frame has a layer.

    >>> noisy = [np.full((8, 8, 3), 0.8 + 0.01 * (-1) ** index, np.float32) for index in range(9)]
    >>> round(float(steady_layer(noisy, 4).mean()), 2)
    0.8
    """
    there = [index for index, layer in enumerate(layers) if layer is not None]
    if not there:
        return None
    nearest = min(there, key=lambda index: abs(index - at))
    own = layers[nearest]
    assert own is not None
    sums, weights = np.zeros_like(own), np.ones((*own.shape[:2], 1), np.float32)
    for index in there:
        layer = layers[index]
        if index == nearest or layer is None:
            continue
        off = layer - own
        apart = cv2.blur(np.abs(off).mean(axis=2), (_ABOUT, _ABOUT)) / np.float32(_TREMBLES)
        weight = np.exp(-apart * apart)[..., None]
        sums, weights = sums + weight * off, weights + weight
    return np.asarray(own + sums / weights, np.float32)
