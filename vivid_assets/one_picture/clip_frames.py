"""A clip's frames before one background, in a place that is the same for all."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.composite import Blend, compose
from vivid_assets.imaging.blend.options import BlendOptions, Placement
from vivid_assets.imaging.blend.placement import Place, find_place
from vivid_assets.imaging.blend.separate import separate
from vivid_assets.imaging.blend.upsample import upsample_alpha
from vivid_assets.imaging.core.alpha import Alpha, fit_alpha
from vivid_assets.imaging.core.arrays import RGB8, LinearRGB, Matte
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.plate.cast_shadow import Choice


class Masked(NamedTuple):
    """A frame, its mask and its shadow."""

    frame: RGB8
    """H×W×3 sRGB."""
    alpha: Matte
    """float32 h×w, 0..1, of the models' size."""
    shadow: LinearRGB | None
    """What it casts, where that is to be kept; see ``ClipShadows.steady``."""


def compose_clip(
    frames: Iterable[Masked],
    union: Matte,
    background: NDArray[np.uint8] | None,
    options: BlendOptions,
    *,
    shadow: Choice,
    floor: KeyLight | None,
    placement: Placement,
) -> Iterator[Blend]:
    """Yield each frame before the background.

    Args:
        frames: of one size.
        union: the most that any of their masks has, by which the subject is placed.
        background: as for ``compose``.
        options: as for ``separate``; spill, which is measured and would come and go, is not removed.
        shadow: as ``ClipShadows.choice`` gives it.
        floor: as for ``compose``.
        placement: where the subject is to stand.
    """
    options = replace(options, refine=False, spill=False, shadow="none")
    place: Place | None = None
    for frame, alpha, cast in frames:
        if place is None and not placement.is_as_photographed:
            place = find_place(fit_alpha(union, *frame.shape[:2]), placement)
        cut = separate(frame, Alpha(upsample_alpha(alpha, frame), "person"), options)
        yield compose(cut, background, shadow=shadow, measured=cast, floor=floor, placement=place)
