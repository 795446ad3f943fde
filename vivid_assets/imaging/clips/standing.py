"""What stands still before a still camera, of which a network is of two minds: a shirt that it sees in some frames.

Smoothing over time looks some frames each way; a network may be wrong for longer. But what never changes is the same
thing in all frames of a scene, so that they vote.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vivid_assets.imaging.clips.moving import off_by, usual_color
from vivid_assets.imaging.core.arrays import RGB8, Matte, Plane
from vivid_assets.imaging.core.noise import NOISE

_AGREES = 4.0
"""Noise beyond which a pixel is not what it was."""
_STEADY = 2.0
"""Levels of 8 bits by which half of a still camera's pixels differ, codecs included. A smooth background differs by
little more where the camera pans."""
_SHOWN = 0.5, 0.75
"""Share of the frames that show what stands there, from which these have a say, and from which they decide."""
_STILL = 0.4
"""Share of the picture that stands still, at least: else it may be the camera that moves."""


class Standing(NamedTuple):
    """What stands still in a scene."""

    color: RGB8
    """uint8 h×w×3 sRGB."""
    probability: Matte
    """float32 h×w, 0..1: that it is subject, as most frames have it that show it."""
    decides: Plane
    """float32 h×w, 0..1: how much this counts."""
    tolerance: float
    """Levels by which a pixel that shows it may be off."""

    def decided(self, frame: RGB8, probability: Matte) -> Matte:
        """A frame's probability (float32 h×w) with the scene's where the frame shows what stands there."""
        shows = np.clip(2 - 2 * off_by(frame, self.color) / np.float32(self.tolerance), 0, 1)
        return np.asarray(probability + self.decides * shows * (self.probability - probability), np.float32)


def what_stands(frames: Sequence[RGB8], probabilities: Sequence[Matte]) -> Standing | None:
    """Find what stands still in a scene; None where the camera moves.

    Args:
        frames: 3 or more of the scene, uint8 h×w×3 sRGB, from its beginning to its end.
        probabilities: a network's, float32 h×w, 0..1 each.

    >>> frames = [np.full((20, 20, 3), 90, np.uint8)] * 4
    >>> found = what_stands(frames, [np.full((20, 20), one, np.float32) for one in (0.9, 0.1, 1.0, 0.8)])
    >>> round(float(found.decided(frames[1], np.full((20, 20), 0.1, np.float32))[9, 9]), 2)
    0.9
    """
    masks = np.stack(probabilities)
    usual, off = usual_color(frames)
    typical = max(float(np.median(off)), NOISE)
    tolerance = _AGREES * typical + 2.0
    shows = off < tolerance
    share = shows.mean(axis=0)
    if typical > _STEADY or (share > _SHOWN[1]).mean() < _STILL:
        return None
    taken = shows & (masks > 0.5)
    most = np.where(2 * taken.sum(axis=0) > shows.sum(axis=0), taken, shows & ~taken)
    # The mean of those that win: of two minds is not half clear.
    mean = (masks * most).sum(axis=0) / np.maximum(most.sum(axis=0), 1)
    decides = np.clip((share - _SHOWN[0]) / (_SHOWN[1] - _SHOWN[0]), 0, 1)
    return Standing(usual, mean.astype(np.float32), decides.astype(np.float32), tolerance)
