"""The shadow of a clip's subject: the one that it casts on a plain background, or one that is drawn, or none."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from vivid_assets.imaging.blend.cast_shadow import Choice, choose_shadow
from vivid_assets.imaging.blend.known_plate import REFERENCE, solve_known_plate
from vivid_assets.imaging.clips.layers import REACH, steady_layer
from vivid_assets.imaging.core.alpha import fit_alpha
from vivid_assets.imaging.core.arrays import RGB8, LinearRGB, Matte
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.core.noise import capture_noise
from vivid_assets.imaging.core.resize import shrink

_SAMPLES = 8
"""Frames that tell which shadow a clip has, at most."""


class Masked(NamedTuple):
    """A frame and its mask."""

    frame: RGB8
    """H×W×3 sRGB."""
    alpha: Matte
    """float32 h×w, 0..1, of the models' size."""
    scene: int
    """0 for the clip's first."""


def samples_of(count: int) -> frozenset[int]:
    """The frames, of so many, that tell which shadow a clip has."""
    return frozenset(np.linspace(0, count - 1, min(count, _SAMPLES)).round().astype(int).tolist())


def clip_shadow(asked: Choice, samples: Iterable[Masked], floor: KeyLight | None) -> Choice:
    """Choose one shadow for a whole clip: ``auto`` is what it is for most of some frames as pictures.

    Args:
        asked: which.
        samples: frames of the clip, see ``samples_of``; read only where the answer depends on them.
        floor: as for ``choose_shadow``.

    Returns:
        ``keep``, ``soft`` or ``none``.
    """
    if asked != "auto":
        return asked
    kinds = [choose_shadow("auto", _measured(one), one.alpha, floor=floor).kind for one in samples]
    ((kind, _),) = Counter(kinds).most_common(1)
    return "keep" if kind == "kept" else kind


def with_shadows(frames: Iterable[Masked]) -> Iterator[tuple[Masked, LinearRGB | None]]:
    """Yield each frame with its shadow, smoothed over time, as ``choose_shadow`` takes it.

    It is None where neither the frame nor any about it in its scene has a plain background. ``frames`` are read
    ``REACH`` ahead.
    """
    source, waiting = iter(frames), deque[Masked]()
    about = deque[tuple[int, LinearRGB | None]]()

    def read(count: int) -> None:
        for masked in islice(source, count):
            waiting.append(masked)
            about.append((masked.scene, _measured(masked)))

    read(REACH + 1)
    at = 0
    while waiting:
        yield waiting.popleft(), _steady(about, at)
        if at == REACH:
            about.popleft()
        at = min(at + 1, REACH)
        read(1)


def _steady(about: Sequence[tuple[int, LinearRGB | None]], at: int) -> LinearRGB | None:
    """The shadow of one of the frames, smoothed by those of its scene."""
    return steady_layer([layer if scene == about[at][0] else None for scene, layer in about], at)


def _measured(masked: Masked) -> LinearRGB | None:
    """A frame's own shadow; None where its background is not plain."""
    small = shrink(masked.frame, REFERENCE)
    alpha = fit_alpha(masked.alpha, *small.shape[:2])
    known = solve_known_plate(small, alpha, capture_noise(small, alpha), solve=False)
    return None if known is None else known.layer
