"""A clip's frames before one background, in a place that is the same for all."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.cast_shadow import Choice
from vivid_assets.imaging.blend.composite import Blend, compose
from vivid_assets.imaging.blend.options import BlendOptions, Placement
from vivid_assets.imaging.blend.placement import Place, find_place
from vivid_assets.imaging.blend.separate import separate
from vivid_assets.imaging.blend.upsample import upsample_alpha
from vivid_assets.imaging.core.alpha import Alpha, fit_alpha
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.key_light import KeyLight


def clip_shadow(asked: Choice, floor: KeyLight | None) -> Choice:
    """The shadow of a clip. Raises ValueError where its own is to be kept, which cannot be."""
    if asked == "keep":
        raise ValueError("A clip's own shadow cannot be kept: choose the shadow soft or none.")
    if asked == "auto":
        return "none" if floor is None else "soft"
    return asked


def compose_clip(
    frames: Iterable[RGB8],
    alphas: Iterable[Matte],
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
        frames: uint8 H×W×3 sRGB, of one size.
        alphas: float32 h×w of each frame, 0..1, of the models' size.
        union: the most that any of them has, by which the subject is placed.
        background: as for ``compose``.
        options: as for ``separate``; spill, which is measured and would come and go, is not removed.
        shadow: ``soft`` or ``none``; see ``clip_shadow``.
        floor: as for ``compose``.
        placement: where the subject is to stand.
    """
    options = replace(options, refine=False, spill=False, shadow="none")
    place: Place | None = None
    for frame, small in zip(frames, alphas, strict=True):
        if place is None and not placement.is_as_photographed:
            place = find_place(fit_alpha(union, *frame.shape[:2]), placement)
        cut = separate(frame, Alpha(upsample_alpha(small, frame), "person"), options)
        yield compose(cut, background, shadow=shadow, floor=floor, placement=place)
