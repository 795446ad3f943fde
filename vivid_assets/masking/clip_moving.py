"""Scenes in which a tier takes for subject what never moves, beside what does."""

from collections.abc import Sequence
from typing import NamedTuple

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
_CUT = 0.01
"""Share of the picture's frame that cuts what comes in from beyond it, at least: a wrist."""
_NEAR = 0.012
"""Share of the longer side about what moves that may belong to it."""


class StillThings(NamedTuple):
    """What a tier takes for subject though it never moves, beside what does."""

    scene: StillScene
    belong: bool
    """Whether it is a part of the subject, or the subject itself."""


def still_things(images: Sequence[RGB8], levels: Sequence[NDArray[np.uint8]], side: int) -> StillThings | None:
    """Find what a tier takes for subject though it never moves; None where there is no such thing.

    It belongs to the subject where it is one thing with what moves, where the tier looks at it rather than at what
    moves, and where what moves reaches in from the frame, as hands do that show a product.

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
    taken = static = moving = seen = meets = smooth = reaching = 0
    for frame, level in zip(frames, levels, strict=True):
        mask = fit_alpha(level / np.float32(255), *near.shape) > 0.5
        differs = ~scene.background(frame)
        taken, static = taken + _count(mask), static + _count(mask & ~near)
        moving, seen = moving + _count(differs), seen + _count(mask & differs)
        reaching += _reaches_in(mask & differs)
        seam = scene.seam(frame, mask)
        meets, smooth = meets + seam[0], smooth + seam[1]
    if static <= _STATIC * taken:
        return None
    is_one = smooth > _ONE_THING * meets
    return StillThings(scene, is_one or seen <= _SEEN * moving or reaching > len(frames) / 2)


def _reaches_in(area: Area) -> bool:
    """Whether an area comes in from the picture's frame."""
    rim = np.concatenate(
        [area[:2].any(axis=0), area[-2:].any(axis=0), area[:, :2].any(axis=1), area[:, -2:].any(axis=1)]
    )
    return _count(rim) > _CUT * len(rim)


def _count(area: Area) -> int:
    return int(np.count_nonzero(area))
