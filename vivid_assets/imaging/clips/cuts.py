"""Where one scene ends and the next begins."""

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import RGB8, Planes

_THUMBNAIL = (32, 18)
_APART = 22.0
"""Mean difference of thumbnails, in levels of 8 bits, that a cut has at least."""
_LEAP = 2.0
"""How many times the difference between the frames before it."""
_ALIKE = 0.6
"""Correlation of thumbnails up to which two scenes are two."""


class CutFinder:
    """Tells, frame by frame, whether a new scene begins.

    >>> rng = np.random.default_rng(0)
    >>> scenes = [rng.integers(0, 255, (18, 32, 3), np.uint8) for _ in range(2)]
    >>> finder = CutFinder()
    >>> [finder.begins(scene) for scene in (scenes[0], scenes[0], scenes[1], scenes[1])]
    [True, False, True, False]
    """

    def __init__(self) -> None:
        self._before: Planes | None = None
        self.usual = 0.0
        """Mean difference of the thumbnails before."""

    def go_on(self, frame: RGB8, usual: float) -> None:
        """Be as behind a ``frame`` at which ``usual`` was this."""
        self._before, self.usual = _thumbnail(frame), usual

    def begins(self, frame: RGB8) -> bool:
        """Whether ``frame`` (uint8 H×W×3 sRGB, the one after the last call's) is the first of a scene."""
        thumbnail = _thumbnail(frame)
        before, self._before = self._before, thumbnail
        if before is None:
            return True
        apart = float(np.abs(thumbnail - before).mean())
        cut = apart > max(_APART, _LEAP * self.usual) and _correlation(thumbnail, before) < _ALIKE
        # A cut says nothing of how its scene moves.
        self.usual = 0.0 if cut else max(apart, 0.7 * self.usual)
        return cut


def _thumbnail(frame: RGB8) -> Planes:
    return cv2.resize(frame, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)


def _correlation(one: Planes, other: Planes) -> float:
    a, b = one - one.mean(axis=(0, 1)), other - other.mean(axis=(0, 1))
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))
