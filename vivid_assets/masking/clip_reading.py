"""The first reading of a clip: what a tier says of each frame, and what is found of each scene once it ends.

It may be kept as it goes, so that a reading that was interrupted goes on behind what it has read: no frame is decoded,
made small or asked about twice, and no scene is looked at twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.clips.clean_plate import CleanPlate
from vivid_assets.imaging.clips.cuts import CutFinder
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.resize import resize_to_fit, shrink
from vivid_assets.imaging.matte.quality import GOOD
from vivid_assets.masking.clip_moving import still_things
from vivid_assets.masking.clip_survey import Samples, Small, Survey

SMALL = 480
"""Longer side in pixels at which motion is found and probabilities are smoothed."""


class Answer(NamedTuple):
    """What a tier said of a frame."""

    levels: NDArray[np.uint8]
    """H×W: probability in 256 steps."""
    verdict: str
    reason: str


class Sample(NamedTuple):
    """A frame of those that a scene's plate is made of, and its probability."""

    image: RGB8
    """Of the models' size."""
    levels: NDArray[np.uint8]
    """Of that size, in 256 steps."""


@runtime_checkable
class Sought(Protocol):
    """Frames that can be begun in the middle without decoding those before."""

    def behind(self, count: int) -> Iterator[RGB8]:
        """The frames behind the first ``count``."""


class Stretch(Protocol):
    """Frames of one scene that follow each other, as they were kept."""

    @property
    def verdicts(self) -> Sequence[tuple[str, str]]:
        """Name and reason by frame."""

    @property
    def usual(self) -> float:
        """``CutFinder.usual`` at the last of them."""

    @property
    def begins(self) -> bool:
        """Whether a scene begins with them."""

    @property
    def is_last(self) -> bool:
        """Whether the clip ends with them."""

    def frames(self) -> Iterator[Small]:
        """The frames, in order."""

    def last(self) -> RGB8:
        """The last small frame."""

    def sample(self, number: int) -> Sample | None:
        """What was kept of a frame for the scene's plate; None where nothing was."""


class Scene(NamedTuple):
    """What is found of a scene as a whole."""

    plate: CleanPlate | None
    """Where the camera stands still."""
    overruled: bool
    """See ``Survey.overruled``."""
    revised: Callable[[int, int], Iterator[NDArray[np.uint8]]] | None
    """Small probabilities in 256 steps of the frames from one on to before another; None where they stayed."""


class Kept(Protocol):
    """Where a reading is kept as far as it has come."""

    def stretch(self, tier: str, first: int) -> Stretch | None:
        """The frames from the ``first`` on; None where none are kept."""

    def scene(self, tier: str, first: int) -> Scene | None:
        """What was found of the scene that begins with that frame."""

    def add(self, reading: Reading, small: Small) -> None:
        """Take the frame that was read last, which may wait for later ones."""

    def go_on(self, reading: Reading) -> None:
        """Keep what waits, if it is time: another frame of the scene follows."""

    def end(self, reading: Reading, *, last: bool) -> None:
        """Keep what waits, if anything does: the scene ends, or the clip where it is the ``last``."""

    def add_scene(self, reading: Reading, found: Scene) -> None:
        """Keep what was found of the scene that was read last."""


class Reading:
    """A first reading, as far as it has come."""

    def __init__(self, survey: Survey, longest: int, kept: Kept | None) -> None:
        """Begin it.

        Args:
            survey: what it leaves; empty.
            longest: the models' size.
            kept: what an earlier one has kept, and where this one is.
        """
        self.survey, self._longest, self._kept = survey, longest, kept
        self.samples = Samples()
        """Of the scene in hand."""
        self.usual = 0.0
        """``CutFinder.usual`` at the last frame."""
        self._cuts, self._in_scene = CutFinder(), False
        self._scene: Scene | None = None
        """The one in hand, where an earlier reading has seen its end."""

    def run(self, clip: Iterable[RGB8], ask: Callable[[RGB8], Answer], progress: Callable[[str, int], None]) -> Survey:
        """Read the clip to its end.

        Args:
            clip: its frames.
            ask: the tier about a frame of the models' size.
            progress: see ``ClipMasks.masks``.

        Raises:
            ValueError: the clip has no frames.
        """
        if self._take_kept():
            return self.survey
        for frame in frames_behind(clip, self.survey.count):
            self._take(frame, ask)
            progress("finding", self.survey.count)
        if not self.survey.count:
            raise ValueError("The clip has no frames.")
        self._end_scene(last=True)
        return self.survey

    def _take(self, frame: RGB8, ask: Callable[[RGB8], Answer]) -> None:
        image = resize_to_fit(frame, self._longest)
        small = shrink(image, SMALL)
        if self._cuts.begins(small):
            if self._in_scene:
                self._end_scene()
            self._begin_scene()
        elif self._kept:
            self._kept.go_on(self)
        answer, number = ask(image), self.survey.count
        found = Small(small, _levels(shrink(answer.levels.astype(np.float32) / np.float32(255), SMALL)))
        self.survey.write(*found, (answer.verdict, answer.reason))
        self.usual = self._cuts.usual
        if answer.verdict == GOOD:
            self.samples.add(number, image, answer.levels)
        if self._kept:
            self._kept.add(self, found)

    def _take_kept(self) -> bool:
        """Take in what is kept; and say whether that is all of the clip."""
        while self._kept and (stretch := self._kept.stretch(self.survey.tier, self.survey.count)):
            if stretch.begins:
                if self._in_scene:
                    self._end_scene()
                self._begin_scene(self._kept.scene(self.survey.tier, self.survey.count))
            self._take_stretch(stretch)
            if stretch.is_last:
                self._end_scene()
                return True
        return False

    def _take_stretch(self, stretch: Stretch) -> None:
        """Take in frames that were kept."""
        last, first, scene = stretch.last(), self.survey.count, self._scene
        end = first + len(stretch.verdicts)
        read = stretch.frames
        if scene and scene.revised:
            read = partial(_revised, stretch, scene.revised, first, end)
        self.survey.expect((last.shape[0], last.shape[1]), stretch.verdicts, read)
        self.usual = stretch.usual
        self._cuts.go_on(last, stretch.usual)
        for number in range(first, end if scene is None else first):
            if self.survey.verdicts[number][0] == GOOD:
                # Those of which nothing was kept are left out again before the stretch is over.
                self.samples.add(number, *(stretch.sample(number) or _NO_SAMPLE))

    def _begin_scene(self, found: Scene | None = None) -> None:
        self.survey.starts.append(self.survey.count)
        self.samples, self._in_scene, self._scene = Samples(), True, found

    def _end_scene(self, *, last: bool = False) -> None:
        self._in_scene, found = False, self._scene
        if found is None:
            if self._kept:
                self._kept.end(self, last=last)
            found = self._looked_at()
            if self._kept:
                self._kept.add_scene(self, found)
        self.survey.overruled |= found.overruled
        self.survey.keep_plate(found.plate)

    def _looked_at(self) -> Scene:
        """Look at a scene as a whole: what never moves is taken out of its probabilities, and its plate is made."""
        things, revised = still_things(self.samples.images, self.samples.levels, SMALL), False
        overruled = things is not None and not things.belong
        if things is not None and overruled:
            scene, revised = things.scene, True
            self._revise(lambda frame, found: found * ~scene.background(frame))
        stands = things is not None and things.belong
        plate = self.samples.plate(stands=stands)
        # Before a smooth background, colours alone do not tell that the camera moves.
        if plate is not None and (standing := self.samples.disputed(SMALL)) is not None:
            revised = True
            self._revise(standing.decided)
            plate = self.samples.plate(stands=stands)
        return Scene(plate, overruled, self._levels if revised else None)

    def _revise(self, by: Callable[[RGB8, Matte], Matte]) -> None:
        """Have other probabilities for the frames of the scene: what ``by`` makes of each, small."""
        for number in range(self.survey.starts[-1], self.survey.count):
            found = by(self.survey.frame(number), self.survey.probability(number))
            self.survey.replace(number, _levels(found))
            self.samples.replace(number, found)

    def _levels(self, first: int, end: int) -> Iterator[NDArray[np.uint8]]:
        return map(self.survey.levels, range(first, end))


_NO_SAMPLE = Sample(np.zeros((0, 0, 3), np.uint8), np.zeros((0, 0), np.uint8))


def frames_behind(clip: Iterable[RGB8], count: int) -> Iterator[RGB8]:
    """The frames of a clip behind the first ``count``, which are not decoded where the clip can be sought in."""
    return clip.behind(count) if isinstance(clip, Sought) else islice(clip, count, None)


def _revised(
    stretch: Stretch, levels: Callable[[int, int], Iterator[NDArray[np.uint8]]], first: int, end: int
) -> Iterator[Small]:
    """The frames of a stretch with other probabilities."""
    return (Small(small.frame, other) for small, other in zip(stretch.frames(), levels(first, end), strict=True))


def _levels(probability: Matte) -> NDArray[np.uint8]:
    return np.rint(probability * 255).astype(np.uint8)
