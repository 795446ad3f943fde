"""A clip's probabilities, smoothed over a window of frames each way; frames without their subject bridged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from resources.errors import MachineFault
from resources.masks.tier import MaskModel
from vivid_assets.imaging.clips.motion import Motion, motion_between
from vivid_assets.imaging.clips.smoothing import AHEAD, Past, smooth
from vivid_assets.imaging.core.areas import box_of, without_small_parts
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.matte.quality import GOOD, Thresholds, agreement, judge, measure
from vivid_assets.masking.clip_survey import Survey

LOST = "lost"
"""The verdict of a frame whose own mask contradicts those of its neighbours."""
_CHUNK = 32
"""Frames smoothed at a time."""
_WEIGHTS = {GOOD: 1.0, "empty": 0.001, "broke": 0.001}
_BAD, _FOUND = 0.05, 0.3
"""Weights of frames by their verdict, of those with any other, and of those in which a closer look finds the subject: a
frame in which a tier sees nothing says nothing."""
_LOOKED_FOR = frozenset({LOST, "empty", "low_confidence"})
"""Verdicts on frames that are looked at again, about the place where the frames about them have the subject."""
_CLOSER = 1.6, 2.5
"""Sides of what is looked at, in those of the subject's box: one cuts off too much, the other shows it too small."""
_SHARED = 0.6
"""Overlap with the smoothed mask under which a frame's own is lost."""
_PART = 0.1
"""Share of what is seen that a part of it has at least."""
_SEEN = 0.3
"""Smoothed probability from which a pixel belongs to the place where the subject is looked for."""


@dataclass(frozen=True, eq=False)
class Smoothed:
    """A frame's smoothed probability, and what is known of the frame."""

    probability: Matte
    """float32 h×w, small."""
    verdict: str
    """On the frame's own mask."""
    reason: str
    back: Motion | None
    """To the frame before; None for a scene's first."""
    onward: Motion | None
    """To the next frame; None for a scene's last."""
    behind: Behind | None
    """Of a frame with which smoothing can begin: what it goes on from."""


@dataclass(frozen=True, eq=False)
class Behind:
    """What the frames of a scene before one say of it, and of those that follow."""

    frame: int
    """That one's number."""
    past: NDArray[np.float32] | None
    """As ``Past.sums``."""
    doubted: NDArray[np.float32] | None
    """The same, without the frames that contradict it."""
    again: Mapping[int, Matte | None]
    """By frame, what a closer look found."""
    box: tuple[int, int, int, int] | None
    """Where the subject was seen last."""


def smoothed_probabilities(
    survey: Survey, model: MaskModel, thresholds: Thresholds, behind: Behind | None = None
) -> Iterator[Smoothed]:
    """Yield each frame's smoothed probability.

    Args:
        survey: of the clip.
        model: the tier's, for a closer look.
        thresholds: of the verdicts.
        behind: where to begin; None for the clip's beginning.
    """
    for start, end in zip(survey.starts, [*survey.starts[1:], survey.count], strict=True):
        window = _Window(survey, model, thresholds, start)
        begin = start
        if behind is not None and behind.frame > start:
            begin = behind.frame
            window.go_on(behind)
        for first in range(begin, end, _CHUNK):
            yield from window.smoothed(first, min(first + _CHUNK, end), min(first + _CHUNK + AHEAD, end))


@dataclass
class _Window:
    """The frames of a scene that are in hand."""

    survey: Survey
    model: MaskModel
    thresholds: Thresholds
    start: int
    past: Past = field(default_factory=Past)
    doubted: Past = field(default_factory=Past)
    moves: dict[int, tuple[Motion, Motion]] = field(default_factory=dict)
    """By frame, to the next one and back."""
    again: dict[int, Matte | None] = field(default_factory=dict)
    """By frame, what a closer look found."""
    box: tuple[int, int, int, int] | None = None
    """Where the subject was seen last."""

    def go_on(self, behind: Behind) -> None:
        """Have the window as it was before that frame."""
        self.past, self.doubted = Past(behind.past), Past(behind.doubted)
        self.again, self.box = {**behind.again}, behind.box

    def smoothed(self, first: int, last: int, ahead: int) -> Iterator[Smoothed]:
        """Smooth the frames from ``first`` to before ``last``, which are the next ones, with those before ``ahead``.

        It is done twice: the second time without the frames that contradict the first, and with what was found in
        them.
        """
        self._move(first, ahead)
        behind = Behind(first, self.past.sums, self.doubted.sums, {**self.again}, self.box)
        own = [self.survey.probability(index) for index in range(first, ahead)]
        verdicts = self.survey.verdicts[first:ahead]
        weights = [_WEIGHTS.get(name, _BAD) for name, _ in verdicts]
        made = self._smooth(self.past, own, weights, (first, last, ahead), whole=True)
        for index, smoothed in enumerate(made):
            name = verdicts[index][0]
            if name == GOOD and (smoothed > 0.5).any() and agreement(own[index], smoothed) < _SHARED:
                name, weights[index] = LOST, _BAD
                verdicts[index] = (LOST, "its own mask contradicts those of the frames about it")
            seen = smoothed > _SEEN
            self.box = box_of(without_small_parts(seen, _PART * float(seen.sum()))) or self.box
            if name in _LOOKED_FOR and (found := self._look_closer(first + index)) is not None:
                own[index], weights[index] = found, _FOUND
        made = self._smooth(self.doubted, own, weights, (first, last, ahead), whole=False)
        for index, smoothed in enumerate(made, start=first):
            back = self.moves[index - 1][1] if index > self.start else None
            onward = self.moves[index][0] if index in self.moves else None
            at = behind if index == first else None
            yield Smoothed(smoothed, *verdicts[index - first], back, onward, at)

    def _smooth(
        self, past: Past, own: list[Matte], weights: list[float], span: tuple[int, int, int], *, whole: bool
    ) -> list[Matte]:
        """Smooth the frames up to the second of ``span``, or, ``whole``, those ahead too; ``past`` goes on there."""
        first, last, ahead = span
        onwards = [self.moves[index][0] for index in range(first, ahead - 1)]
        pasts, passing = [], past
        for index in range(first, ahead if whole else last):
            if index == last:
                passing = Past(past.sums)
            back = self.moves[index - 1][1] if index > self.start else None
            pasts.append(passing.add(own[index - first], weights[index - first], back))
        return smooth(pasts, own, weights, onwards)

    def _move(self, first: int, ahead: int) -> None:
        """Find the motion between the frames in hand, and forget that of earlier ones."""
        for index in [index for index in self.moves if index < first - 1]:
            del self.moves[index]
        for index in [index for index in self.again if index < first]:
            del self.again[index]
        for index in range(max(first - 1, self.start), ahead - 1):
            if index not in self.moves:
                self.moves[index] = motion_between(self.survey.frame(index), self.survey.frame(index + 1))

    def _look_closer(self, index: int) -> Matte | None:
        """Ask the tier about the part of a frame in which the subject should be; None where it is not seen there."""
        if index not in self.again:
            frame = self.survey.frame(index)
            looks = [] if self.box is None else [self._look(frame, self.box, side) for side in _CLOSER]
            found = np.maximum.reduce(looks) if looks else None
            self.again[index] = found if found is not None and (found > 0.5).any() else None
        return self.again[index]

    def _look(self, frame: RGB8, box: tuple[int, int, int, int], side: float) -> Matte:
        top, bottom, left, right = box
        reach = round(side * max(bottom - top, right - left) / 2)
        y, x = (top + bottom) // 2, (left + right) // 2
        cut = slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1)
        found = np.zeros(frame.shape[:2], np.float32)
        part = np.ascontiguousarray(frame[cut])
        if min(part.shape[:2]) < 16:
            return found
        # A model takes what is small for what is coarse.
        large = np.asarray(cv2.resize(part, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
        try:
            answer = self.model.probabilities([large])[0]
        except MachineFault:
            raise
        except (ValueError, RuntimeError):
            return found
        if isinstance(answer, Exception) or judge(measure(answer), self.thresholds).name in ("empty", "covers_all"):
            return found
        small = cv2.resize(answer, part.shape[1::-1], interpolation=cv2.INTER_AREA)
        found[cut] = np.clip(np.nan_to_num(small), 0, 1)
        return found
