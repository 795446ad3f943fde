"""Scenes in which a tier takes for subject, beside what moves as a whole, what never moves."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.clips.moving import StillScene, still_scene
from vivid_assets.imaging.core.alpha import fit_alpha
from vivid_assets.imaging.core.areas import grown
from vivid_assets.imaging.core.arrays import RGB8, Area
from vivid_assets.imaging.core.resize import shrink

_FEWEST = 6
"""Frames that tell what moves."""
_STATIC = 0.02
"""Share of what is taken for the subject that lies where nothing moves, from which what never moves is left out."""
_SEEN = 0.3
"""Share of what moves that the tier takes for subject, at least: else it looks at other things."""
_ONE_THING = 0.3
"""Share of the seam between what moves and what does not that has no edge, from which they are one thing: a sleeve and
its shirt."""
_NEAR = 0.012
"""Share of the longer side about what moves that may belong to it."""


def with_still_things(images: Sequence[RGB8], levels: Sequence[NDArray[np.uint8]], side: int) -> StillScene | None:
    """What moves in a scene where the tier takes for subject, in part, what never does; None elsewhere.

    Args:
        images: frames of the scene, from its beginning to its end.
        levels: their probabilities in 256 steps.
        side: the longer side at which the scene is looked at.
    """
    if len(images) < _FEWEST:
        return None
    frames = [shrink(image, side) for image in images]
    scene = still_scene(frames)
    if scene is None:
        return None
    near = grown(scene.moving, _NEAR * side)
    taken = static = moving = seen = meets = smooth = 0
    for frame, level in zip(frames, levels, strict=True):
        mask = fit_alpha(level / np.float32(255), *near.shape) > 0.5
        differs = ~scene.background(frame)
        taken, static = taken + _count(mask), static + _count(mask & ~near)
        moving, seen = moving + _count(differs), seen + _count(mask & differs)
        seam = scene.seam(frame, mask)
        meets, smooth = meets + seam[0], smooth + seam[1]
    is_other = static > _STATIC * taken and smooth <= _ONE_THING * meets
    return scene if is_other and seen > _SEEN * moving else None


def _count(area: Area) -> int:
    return int(np.count_nonzero(area))
