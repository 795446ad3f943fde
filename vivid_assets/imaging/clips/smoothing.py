"""Probabilities of a scene's frames, smoothed along their motion.

Each pixel's probability becomes the mean of those that the frames before and after give for the same point of the
scene. A frame counts by its weight, by its distance in time, and as far as the motion to it can be believed; so a frame
in which the subject is lost takes its mask from its neighbours, and what nothing covers does not flicker.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.clips.motion import Motion, fetched
from vivid_assets.imaging.core.arrays import Matte

FADE = 0.9
"""What a frame counts beside the next nearer one. At 0.7 flicker is a tenth more, at 0.97 edges drag."""
AHEAD = 16
"""Frames ahead that are looked at: those beyond count less than a fifth."""


class Past:
    """What the frames so far say of the next one."""

    def __init__(self, sums: NDArray[np.float32] | None = None) -> None:
        """Begin a scene, or go on with the ``sums`` of its frames so far."""
        self.sums = sums

    def add(self, probability: Matte, weight: float, back: Motion | None) -> NDArray[np.float32]:
        """Take in a frame, and give the sums up to it (float32 h×w×2: weighted probability, weight).

        Args:
            probability: float32 h×w, 0..1.
            weight: of the frame.
            back: the motion from it to the one before; None for a scene's first.
        """
        own = _own(probability, weight)
        self.sums = own if self.sums is None or back is None else own + _faded(self.sums, back)
        return self.sums


def smooth(
    pasts: Sequence[NDArray[np.float32]],
    probabilities: Sequence[Matte],
    weights: Sequence[float],
    onwards: Sequence[Motion],
) -> list[Matte]:
    """Smooth frames that follow each other.

    Args:
        pasts: what ``Past.add`` gave for each frame to be smoothed.
        probabilities: of these frames and of those ahead of them, float32 h×w, 0..1.
        weights: of the same.
        onwards: the motion from each of them to the next; one less.

    Returns:
        One float32 h×w, 0..1, for each of ``pasts``.
    """
    made: list[Matte] = []
    future: NDArray[np.float32] | None = None
    for index in range(len(probabilities) - 1, -1, -1):
        beyond = None if future is None else _faded(future, onwards[index])
        if index < len(pasts):
            sums = pasts[index] if beyond is None else pasts[index] + beyond
            made.append(sums[..., 0] / np.maximum(sums[..., 1], np.float32(1e-6)))
        own = _own(probabilities[index], weights[index])
        future = own if beyond is None else own + beyond
    return made[::-1]


def changed_share(alpha: Matte, before: Matte, back: Motion) -> float:
    """How much of the subject comes or goes from one frame to the next though nothing moves it there.

    Args:
        alpha: float32 h×w, 0..1, of the motion's size.
        before: that of the frame before.
        back: the motion to it.

    Returns:
        The sum of the changes along the motion, as far as it can be believed, as a share of the subject's area; 0
        where there is no subject.
    """
    moved = fetched(before, back)
    area = float((back.trust * np.maximum(alpha, moved)).sum())
    return float((back.trust * np.abs(alpha - moved)).sum()) / area if area > 1 else 0.0


def _own(probability: Matte, weight: float) -> NDArray[np.float32]:
    planes = np.empty((*probability.shape, 2), np.float32)
    planes[..., 0], planes[..., 1] = probability * np.float32(weight), weight
    return planes


def _faded(sums: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
    return np.asarray(fetched(sums, motion) * (np.float32(FADE) * motion.trust)[..., None], np.float32)
