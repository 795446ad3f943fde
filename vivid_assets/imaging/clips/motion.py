"""How a picture moves from one frame to the next, both ways, and where that can be believed.

Dense inverse search (Kroeger et al. 2016, "Fast optical flow using dense inverse search") gives a displacement for
every pixel. It is believed where going there and back again ends where it began (Sundaram et al. 2010, "Dense point
trajectories by GPU-accelerated large displacement optical flow", equation 5) and the colours agree: what is covered
or uncovered has no partner.
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.arrays import RGB8, Plane, Planes

_ROUND_TRIP = 0.01, 0.5
"""Of the equation: share of the squared displacements, and squared pixels, that the way back may be off."""
_COLOR = 18.0
"""Difference of colours, root mean square of the channels in levels of 8 bits, at which belief falls to 1/e."""


class Motion(NamedTuple):
    """Where each pixel of one frame lies in another."""

    shift: Planes
    """float32 h×w×2, pixels: across, down."""
    trust: Plane
    """float32 h×w, 0..1: 0 where the pixel has no partner."""


def motion_between(first: RGB8, second: RGB8) -> tuple[Motion, Motion]:
    """Find the motion between two frames of one size: of the first to the second, and of the second to the first.

    Args:
        first: uint8 h×w×3 sRGB, 8 pixels or more each way.
        second: likewise.

    >>> frame = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    >>> there, back = motion_between(frame, frame)
    >>> float(np.abs(there.shift).max()) < 0.1, float(back.trust.min()) > 0.9
    (True, True)
    """
    grey, other = (np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in (first, second))
    there, back = _shift(grey, other), _shift(other, grey)
    return Motion(there, _trust(there, back, first, second)), Motion(back, _trust(back, there, second, first))


def fetched(plane: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
    """Fetch the values (float32 h×w or h×w×c) of another frame along the motion to it; 0 beyond the frame."""
    return _moved(plane, motion.shift)


def at_size(motion: Motion, height: int, width: int) -> Motion:
    """Bring a motion to frames of another size."""
    rows, columns = motion.trust.shape
    if (rows, columns) == (height, width):
        return motion
    shift = cv2.resize(motion.shift, (width, height), interpolation=cv2.INTER_LINEAR)
    trust = cv2.resize(motion.trust, (width, height), interpolation=cv2.INTER_LINEAR)
    scaled = np.asarray(shift, np.float32) * np.array([width / columns, height / rows], np.float32)
    return Motion(scaled, np.asarray(trust, np.float32))


def _shift(grey: NDArray[np.uint8], other: NDArray[np.uint8]) -> Planes:
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(flow.calc(grey, other, np.zeros((*grey.shape, 2), np.float32)), np.float32)


def _trust(shift: Planes, back: Planes, frame: RGB8, other: RGB8) -> Plane:
    home = _moved(back, shift)
    squared, size = _squared(shift + home), _squared(shift) + _squared(home)
    off = squared / (_ROUND_TRIP[0] * size + _ROUND_TRIP[1])
    apart = np.asarray(cv2.blur(_moved(other.astype(np.float32), shift) - frame, (3, 3)), np.float32)
    colors = np.sqrt(_squared(apart) / np.float32(3)) / _COLOR
    y, x = _grid(*frame.shape[:2])
    height, width = frame.shape[:2]
    at_x, at_y = x + shift[..., 0], y + shift[..., 1]
    inside = (at_x > -0.5) & (at_x < width - 0.5) & (at_y > -0.5) & (at_y < height - 0.5)
    return np.where(inside, np.exp(-off - colors), 0).astype(np.float32)


def _squared(planes: Planes) -> Plane:
    """The squared length of each pixel's vector."""
    # Over an axis of two or three NumPy's sum takes ten times as long.
    return np.asarray(sum(plane * plane for plane in cv2.split(planes)), np.float32)


def _moved(plane: NDArray[np.float32], shift: Planes) -> NDArray[np.float32]:
    y, x = _grid(*shift.shape[:2])
    return np.asarray(
        cv2.remap(plane, x + shift[..., 0], y + shift[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT),
        np.float32,
    )


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> tuple[Plane, Plane]:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return y, x
