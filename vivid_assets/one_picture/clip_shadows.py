"""The shadow of a clip's subject: the one that it casts on a plain background, or one that is drawn, or none."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from vivid_assets.imaging.clips.layers import REACH, steady_layer
from vivid_assets.imaging.core.arrays import LinearRGB, Matte
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.plate.cast_shadow import Choice, choose_shadow

_SAMPLES = 8
"""Frames that tell which shadow a clip has, at most."""


class ClipShadows:
    """The shadows that a clip's subject casts, as they were measured with its masks; frames are not needed."""

    def __init__(self, layer: Callable[[int], LinearRGB | None], scenes: Sequence[int]) -> None:
        """Of as many frames as there are ``scenes``, which has each one's.

        ``layer`` reads that of the frame of a number: float32 h×w×3; None where the background is busy.
        """
        self._scenes = scenes
        self._layer = lru_cache(maxsize=2 * REACH + 1)(layer)

    def choice(self, asked: Choice, alpha: Callable[[int], Matte], floor: KeyLight | None) -> Choice:
        """Choose one shadow for the whole clip: ``auto`` is what it is for most of some frames as pictures.

        Args:
            asked: which.
            alpha: gives that of the frame of a number.
            floor: as for ``choose_shadow``.

        Returns:
            ``keep``, ``soft`` or ``none``.
        """
        if asked != "auto":
            return asked
        count = len(self._scenes)
        samples = np.unique(np.linspace(0, count - 1, min(count, _SAMPLES)).round().astype(int)).tolist()
        kinds = [choose_shadow("auto", self._layer(one), alpha(one), floor=floor).kind for one in samples]
        ((kind, _),) = Counter(kinds).most_common(1)
        return "keep" if kind == "kept" else kind

    def steady(self, number: int) -> LinearRGB | None:
        """A frame's own shadow, smoothed by those of the frames about it, as ``compose`` takes it.

        None where neither the frame nor any about it in its scene has a plain background.
        """
        first = max(0, number - REACH)
        scenes = self._scenes[first : number + REACH + 1]
        layers = [
            self._layer(index) if scene == self._scenes[number] else None for index, scene in enumerate(scenes, first)
        ]
        return steady_layer(layers, number - first)
