"""The clean plate of a still camera: what its frames show between them without their subject.

Where a subject moves, other frames show what is behind it. The median of the frames in which a mask leaves a pixel
empty is the plate there; how far these frames lie apart is how far it can be trusted: leaves in the wind are no plate.
Where no frame shows it, the plate is guessed from its surroundings, as well as these are plain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.clips.color_key import key_channel
from vivid_assets.imaging.clips.drift import drift
from vivid_assets.imaging.core.areas import grown
from vivid_assets.imaging.core.arrays import RGB8, Area, LinearRGB, Matte, Plane, Planes
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.core.noise import NOISE

_MARGIN = 0.012
"""Share of the longer side about the subject that is no sure background."""
_UNSURE, _SURE = 0.15, 0.97
"""Probability up to which a pixel may be background, and from which it is subject for sure."""
_OTHER = 9.0
"""Mean squared difference from the plate, in its spread, from which a pixel is something else."""
_TWO_MINDS = 0.3
"""Share of the frames in which a network takes for subject what it leaves out in others."""
_MOVING = 0.003
"""Share of the picture that moves, on average, where a subject moves at all."""
_VAGUE = 8.0
"""Levels of 8 bits by which a guess may be off, from which what never changes is the better one."""
_FIXED = 1.6
"""Spread, in the background's, up to which a pixel that a network takes for subject never changes."""
_FIXED_CHANCE = 0.22
"""How often a subject that moves has pixels that never do: a plain shirt has, so that a sure network is believed."""
_BINS = 16
"""Of the subject's colours, a channel."""
_LEAST_CHANCE = 0.05
_WHITE, _BLACK, _BURNT_CHANCE = 250.0, 6.0, 0.3
"""Levels beyond which all things look alike, and how often a subject has such parts there."""
_FALSE = 0.05
"""Share of the background that does not look as the plate does."""
_TELLS = 8.0
"""Spread of the plate, in levels of 8 bits, that halves what it says."""
_LEAST_SEEN = 0.2
"""Share of the frames that must show a pixel."""
_STILL = 0.7
"""Share of what is seen that must agree with the plate for the camera to stand still."""
_AGREES = 3.5
"""Noise within which it agrees."""
_STEADY = 4.0
"""Levels of 8 bits by which a still camera's frames differ, codecs included, in half of the background. Those of a
smooth background differ by less where the camera pans: see ``drift``."""
_BUSY = 24.0
"""Levels of 8 bits by which a guess may be off, beside what its surroundings vary by, the longer side away."""


@dataclass(frozen=True, eq=False)
class CleanPlate:
    """The original background of a clip's scene."""

    color: Planes
    """float32 H×W×3, levels of gamma-encoded sRGB, 0..255."""
    spread: Plane
    """float32 H×W: standard deviation of a frame's pixel about it, in levels."""
    seen: Area
    """bool H×W: where frames show it; elsewhere it is guessed."""
    chance: Plane
    """float32 H×W, 0..1: share of the subject that has the plate's colour there by chance; high for white on white."""
    key: int | None = None
    """The channel of its colour that the subject does not have, see ``color_key``; None where it has it."""

    def packed(self) -> list[NDArray[Any]]:
        """Itself as arrays to store, of 8 and 16 bits."""
        color = np.rint(self.color).astype(np.uint8)
        key = np.array(-1 if self.key is None else self.key, np.int8)
        return [color, self.spread.astype(np.float16), self.seen, self.chance.astype(np.float16), key]

    @classmethod
    def unpacked(cls, stored: Sequence[NDArray[Any]]) -> CleanPlate:
        """The plate that ``packed`` gave."""
        color, spread, seen, chance, key = stored
        floats = (plane.astype(np.float32) for plane in (color, spread, chance))
        return cls(next(floats), next(floats), seen, next(floats), int(key) if key >= 0 else None)

    @cached_property
    def odds(self) -> tuple[Plane, Plane]:
        """How probably a pixel is subject where it looks as the plate does, and where not, as log-likelihoods.

        A plate that is guessed says little; so does one that leaves in the wind change. float32 H×W each.
        """
        little = 1 + (self.spread / np.float32(_TELLS)) ** 2
        return np.log(self.chance / (1 - _FALSE)) / little, np.log((1 - self.chance) / _FALSE) / little

    @cached_property
    def noise(self) -> float:
        """By which half of what is seen of it varies from frame to frame, in levels."""
        return float(np.median(self.spread[self.seen]))

    @cached_property
    def light(self) -> LinearRGB:
        """float32 H×W×3, linear light."""
        return srgb_to_linear(self.color / np.float32(255))


def clean_plate(frames: Sequence[RGB8], probabilities: Sequence[Matte], *, stands: bool = False) -> CleanPlate | None:
    """Find the plate of a scene, or None where the camera moves or hardly any background is seen.

    Args:
        frames: uint8 H×W×3 sRGB each, some of the scene, from its beginning to its end.
        probabilities: float32 H×W each, 0..1: of the subject.
        stands: whether parts of the subject never move, so that what never changes may be the subject.

    >>> frames = [np.full((64, 64, 3), 90, np.uint8) for _ in range(5)]
    >>> for place, frame in enumerate(frames): frame[:, 12 * place : 12 * place + 12] = 200
    >>> plate = clean_plate(frames, [(frame[..., 0] == 200).astype(np.float32) for frame in frames])
    >>> float(plate.color.max())
    90.0
    """
    margin = _MARGIN * max(probabilities[0].shape)
    empty = [~grown(probability > _UNSURE, margin) for probability in probabilities]
    color, spread, count = _median(frames, empty)
    seen = count >= max(2.0, _LEAST_SEEN * len(frames))
    if not seen.any() or (typical := float(np.median(spread[seen]))) > _STEADY:
        return None
    if _agreement(frames, empty, color, typical, seen) < _STILL:
        return None
    if drift(frames, [area & seen for area in empty], color).is_camera:
        return None
    if stands:
        seen &= ~_taken(frames, probabilities, color, spread)
        if not seen.any():
            return None
    moves = _moves(frames, probabilities, color, spread, seen)
    color, guessed = _spread_out(color, seen)
    spread = np.where(seen, spread, guessed).astype(np.float32)
    fixed = np.zeros_like(seen)
    if moves and not stands and (vague := guessed > _VAGUE).any():
        always, steady, _ = _median(frames, [np.ones_like(seen)] * len(frames))
        fixed = ~seen & vague & (steady <= _FIXED * typical)
        color[fixed], spread[fixed] = always[fixed], steady[fixed]
    chance = np.where(fixed, np.float32(_FIXED_CHANCE), _chance(color, _palette(frames, probabilities)))
    return CleanPlate(color, spread, seen | fixed, chance, key_channel(frames, probabilities, color))


def _median(frames: Sequence[RGB8], empty: Sequence[Area]) -> tuple[Planes, Plane, Plane]:
    """Give the median of the empty pixels, their spread and how many they are; some rows at a time."""
    height, width = empty[0].shape
    color, spread = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    count = np.asarray(np.sum(empty, axis=0), np.float32)
    for top in range(0, height, 64):
        rows = slice(top, top + 64)
        there = np.stack([area[rows] for area in empty])[..., None]
        values = np.where(there, np.stack([frame[rows] for frame in frames]), 255)
        middle = np.maximum(count[rows].astype(np.int64) - 1, 0)[None, ..., None] // 2
        ordered = np.sort(values, axis=0)
        found = np.take_along_axis(ordered, np.broadcast_to(middle, (1, *values.shape[1:])), axis=0)
        off = np.where(there, np.maximum(values, found) - np.minimum(values, found), 255).astype(np.uint8)
        # Over an axis of three NumPy's maximum takes ten times as long.
        apart = np.maximum(np.maximum(off[..., 0], off[..., 1]), off[..., 2])
        half = np.take_along_axis(np.sort(apart, axis=0), middle[..., 0], axis=0)
        color[rows], spread[rows] = found[0], half[0]
    return color, np.maximum(1.1 * spread, NOISE).astype(np.float32), count


def _agreement(frames: Sequence[RGB8], empty: Sequence[Area], color: Planes, typical: float, seen: Area) -> float:
    """Share of the seen background, over all frames, that is as the plate has it, within its ``typical`` spread."""
    most = np.float32(_AGREES * typical + 2.0)
    counts = [_agreeing(frame, color, area & seen, most) for frame, area in zip(frames, empty, strict=True)]
    agree, total = np.sum(counts, axis=0).tolist()
    return float(agree / max(total, 1))


def _moves(frames: Sequence[RGB8], probabilities: Sequence[Matte], color: Planes, spread: Plane, seen: Area) -> bool:
    """Whether a subject covers and uncovers the background that is seen."""
    moving = 0
    for frame, probability in zip(frames, probabilities, strict=True):
        moving += int(np.count_nonzero(_is_other(frame, color, spread) & seen & (probability > 0.5)))
    return moving > _MOVING * seen.size * len(frames)


def _taken(frames: Sequence[RGB8], probabilities: Sequence[Matte], color: Planes, spread: Plane) -> Area:
    """Where what looks as the plate does is often taken for subject: a shirt that a network misses at times."""
    count = np.zeros(spread.shape, np.int32)
    for frame, probability in zip(frames, probabilities, strict=True):
        count += ~_is_other(frame, color, spread) & (probability > 0.5)
    return np.asarray(count > _TWO_MINDS * len(frames))


@numba.njit(cache=True, nogil=True)
def _agreeing(frame, color, where, most):  # type: ignore[no-untyped-def]
    """Count the pixels of an area that are off by less than ``most`` levels in each channel, and all of them."""
    agree = total = 0
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            if where[y, x]:
                off = np.float32(0.0)
                for c in range(3):
                    off = max(off, abs(np.float32(frame[y, x, c]) - color[y, x, c]))
                total += 1
                agree += off < most
    return agree, total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _is_other(frame, color, spread):  # type: ignore[no-untyped-def]
    """Tell, as bool H×W, which pixels look other than the plate."""
    out = np.empty(spread.shape, np.bool_)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            apart = np.float32(0.0)
            for c in range(3):
                off = np.float32(frame[y, x, c]) - color[y, x, c]
                apart += off * off
            out[y, x] = apart / 3 > np.float32(_OTHER) * (spread[y, x] * spread[y, x] + 1)
    return out


def _palette(frames: Sequence[RGB8], probabilities: Sequence[Matte]) -> Planes:
    """Share of the sure subject's pixels within a bin of each colour: float32, one axis a channel."""
    counts: Planes = np.zeros((_BINS, _BINS, _BINS), np.float32)
    for frame, probability in zip(frames, probabilities, strict=True):
        bins = frame[probability > _SURE][::7].astype(np.int64) * _BINS // 256
        np.add.at(counts, tuple(bins.T), 1)
    shares = counts / max(float(counts.sum()), 1.0)
    for axis in range(3):
        wider = np.pad(shares, [(1, 1) if axis == other else (0, 0) for other in range(3)])
        shares = np.sum([np.take(wider, range(step, step + _BINS), axis) for step in range(3)], axis=0)
    return np.asarray(shares, np.float32)


def _chance(color: Planes, palette: Planes) -> Plane:
    bins = np.clip(color, 0, 255).astype(np.int64) * _BINS // 256
    found = palette[bins[..., 0], bins[..., 1], bins[..., 2]]
    burnt = (color.min(axis=2) > _WHITE) | (color.max(axis=2) < _BLACK)
    found = np.where(burnt, np.maximum(found, _BURNT_CHANCE), found)
    return np.clip(found, _LEAST_CHANCE, 1 - _LEAST_CHANCE).astype(np.float32)


def _spread_out(color: Planes, seen: Area) -> tuple[Planes, Plane]:
    """Fill in what no frame shows from what is nearest, coarse to fine, with the spread of its surroundings."""
    weight = seen.astype(np.float32)
    level = np.dstack([color * weight[..., None], (color**2).sum(axis=2) * weight / 3, weight])
    levels = [level]
    while min(levels[-1].shape[:2]) > 2 and (levels[-1][..., 4] < 0.05).any():
        levels.append(cv2.pyrDown(levels[-1]))
    filled = levels[-1][..., :4] / np.maximum(levels[-1][..., 4:], 1e-4)
    for level in levels[-2::-1]:
        up = cv2.pyrUp(filled, dstsize=level.shape[1::-1])
        share = np.clip(level[..., 4:] * 2, 0, 1)
        filled = share * (level[..., :4] / np.maximum(level[..., 4:], 1e-4)) + (1 - share) * up
    mean = filled[..., :3]
    variance = np.maximum(filled[..., 3] - (mean**2).mean(axis=2), 0)
    away = cv2.distanceTransform((~seen).astype(np.uint8), cv2.DIST_L2, 3) / max(seen.shape)
    guessed = np.sqrt(variance + NOISE**2) + _BUSY * away
    return np.where(seen[..., None], color, mean).astype(np.float32), guessed.astype(np.float32)
