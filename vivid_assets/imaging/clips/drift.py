"""How far a camera moves over a scene, as the background's slopes tell.

Before a smooth background, colours differ little when the camera pans, so that they alone do not tell. But they differ
as the slopes say: by the same shift everywhere (Lucas and Kanade 1981, "An iterative image registration technique with
an application to stereo vision"). Leaves in the wind and codecs do not shift a picture as a whole, and what light does
is told apart.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import RGB8, Area, Planes
from vivid_assets.imaging.core.resize import fitted_size

_SIDE = 320
"""Longer side in pixels at which shifts are measured."""
_BLUR = 1.5
"""Standard deviation in pixels of what slopes are taken of."""
_ALIEN = 20.0
"""Levels of 8 bits from which a difference is another thing's."""
_FEWEST = 500
"""Pixels by which a frame can be measured."""
_BEYOND = 0.1
"""Share of the frames, at both ends, that may be wrong."""
_FAR, _MUCH = 0.0025, 1.2
"""Share of the longer side, and levels of 8 bits, beyond which it is the camera that moves. Of two backgrounds, as they
were and smoothed, and the still clips at hand at most .53 levels are measured where the camera stands still (but for
plain ones, of less than half a level, at most .0007), of pans of half a pixel a frame and more 2.4 levels and .0087 at
least."""


class Drift(NamedTuple):
    """How far the background of a scene moves."""

    share: float
    """Of the picture's longer side."""
    levels: float
    """What that changes of its colours: root mean square, in levels of 8 bits."""

    @property
    def is_camera(self) -> bool:
        """Whether it is the camera that moves."""
        return self.share > _FAR and self.levels > _MUCH


def drift(frames: Sequence[RGB8], empty: Sequence[Area], usual: Planes) -> Drift:
    """Measure how far the background moves in a scene.

    Args:
        frames: of the scene, uint8 H×W×3 sRGB each.
        empty: bool H×W each: where they show background that ``usual`` knows.
        usual: float32 H×W×3, its median in levels of 8 bits.

    >>> x = np.arange(160, dtype=np.float32)
    >>> wide = np.broadcast_to((120 + 60 * np.sin(x / 30))[:, None], (120, 160, 3))
    >>> still, pan = [[np.roll(wide, step * n, 1).astype(np.uint8)[:, 40:120] for n in range(9)] for step in (0, 1)]
    >>> area = np.ones((120, 80), np.bool_)
    >>> [round(drift(one, [area] * 9, np.median(one, axis=0).astype(np.float32)).share, 2) for one in (still, pan)]
    [0.0, 0.05]
    """
    height, width = usual.shape[:2]
    size = fitted_size(width, height, _SIDE)
    if min(size) < 2:  # a strip, which has no slope across
        return Drift(0.0, 0.0)
    plate = _small(usual, size)
    slopes = np.stack([np.gradient(plate, axis=1), np.gradient(plate, axis=0)], axis=-1)
    shifts, slope = [], []
    for frame, area in zip(frames, empty, strict=True):
        apart = _small(frame, size) - plate
        clear = cv2.resize(area.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.99
        clear = cv2.erode(clear.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0) > 0
        clear &= np.abs(apart).max(axis=2) < _ALIEN
        if np.count_nonzero(clear) >= _FEWEST:
            shift, squares = _shift(apart[clear], slopes[clear], plate[clear])
            shifts.append(shift)
            slope.append(squares)
    if len(shifts) < 3:
        return Drift(0.0, 0.0)
    low, high = np.quantile(shifts, (_BEYOND, 1 - _BEYOND), axis=0)
    return Drift(float((high - low).max()) / max(size), float(np.sqrt((high - low) ** 2 @ np.mean(slope, axis=0))))


def _small(picture: RGB8 | Planes, size: tuple[int, int]) -> Planes:
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), _BLUR), np.float32)


def _shift(apart: Planes, slopes: Planes, plate: Planes) -> tuple[Planes, Planes]:
    """Fit differences (N×3) by a shift over ``slopes`` (N×3×2) and by light: a share of the ``plate`` and a constant.

    Returns the shift (2, pixels) and the mean squares of what of the slopes light does not explain (2).
    """
    light = np.column_stack([plate.ravel(), np.tile(np.eye(3, dtype=np.float32), (len(plate), 1))])
    both = np.column_stack([slopes.reshape(-1, 2), apart.ravel()]).astype(np.float64)
    both -= light @ np.linalg.lstsq(light.T @ light, light.T @ both, rcond=None)[0]
    left, off = both[:, :2], both[:, 2]
    products = left.T @ left
    # A slope of no more than a hundredth of a level says nothing.
    products += np.eye(2) * 1e-4 * len(left)
    return -np.linalg.solve(products, left.T @ off), np.diag(products) / len(left)
