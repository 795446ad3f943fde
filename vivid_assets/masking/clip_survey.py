"""What the first reading of a clip leaves for the second, on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.clips.clean_plate import CleanPlate, clean_plate
from vivid_assets.imaging.clips.standing import Standing, what_stands
from vivid_assets.imaging.core.alpha import fit_alpha
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.matte.quality import GOOD

_DISPUTED = 0.002
"""Share of a frame that others take for something else, from which they vote."""
_FEWEST = 6
"""Frames that can vote."""
SAMPLES = 24
"""Frames of a scene that its plate is made of, at most."""


@dataclass
class Survey:
    """What the first reading leaves of a clip."""

    folder: Path
    tier: str
    size: tuple[int, int] = (0, 0)
    """Height and width of the small frames, once there is one."""
    verdicts: list[tuple[str, str]] = field(default_factory=list)
    """Name and reason by frame."""
    starts: list[int] = field(default_factory=list)
    """The first frame of each scene."""
    still: list[bool] = field(default_factory=list)
    """By scene: whether the camera stands still, so that it has a plate."""
    overruled: bool = False
    """Whether the tier took for subject, somewhere, what never moves, and that was left out."""
    _waiting: list[Waiting] = field(default_factory=list)
    """What is not on disk yet, though its verdicts are here."""

    @property
    def count(self) -> int:
        """How many frames there are."""
        return len(self.verdicts)

    @property
    def good(self) -> float:
        """Share of the frames whose verdict is good."""
        return sum(name == GOOD for name, _ in self.verdicts) / max(self.count, 1)

    def scene_of(self, frame: int) -> int:
        """The scene that a frame belongs to."""
        return int(np.searchsorted(self.starts, frame, side="right")) - 1

    def write(self, frame: RGB8, levels: NDArray[np.uint8], verdict: tuple[str, str]) -> None:
        """Append a small frame, its probability in 256 steps, and the verdict on it."""
        self._write(self.count, frame, levels)
        self.verdicts.append(verdict)

    def expect(
        self, size: tuple[int, int], verdicts: Iterable[tuple[str, str]], read: Callable[[], Iterable[Small]]
    ) -> None:
        """Append frames that are kept elsewhere: they are ``read`` once one of them is asked for."""
        first, self.size = self.count, size
        self.verdicts.extend(verdicts)
        self._waiting.append(Waiting(first, self.count, read))

    def replace(self, frame: int, levels: NDArray[np.uint8]) -> None:
        """Have another probability for a frame, of the small size, in 256 steps."""
        self._fetch(frame)
        self._put("masks", frame, levels)

    def frame(self, number: int) -> RGB8:
        """A small frame: uint8 h×w×3."""
        self._fetch(number)
        return self._got("frames", number, (*self.size, 3))

    def levels(self, number: int) -> NDArray[np.uint8]:
        """Its probability in 256 steps: uint8 h×w."""
        self._fetch(number)
        return self._got("masks", number, self.size)

    def probability(self, number: int) -> Matte:
        """The same: float32 h×w, 0..1."""
        return self.levels(number).astype(np.float32) / np.float32(255)

    def _write(self, number: int, frame: RGB8, levels: NDArray[np.uint8]) -> None:
        self.size = frame.shape[0], frame.shape[1]
        self._put("frames", number, frame)
        self._put("masks", number, levels)

    def _put(self, name: str, number: int, values: NDArray[np.uint8]) -> None:
        path = self.folder / name
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.seek(number * values.size)
            file.write(np.ascontiguousarray(values).tobytes())

    def _got(self, name: str, number: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        size = int(np.prod(shape))
        return np.fromfile(self.folder / name, np.uint8, size, offset=number * size).reshape(shape)

    def _fetch(self, number: int) -> None:
        """Read the frames that wait with this one, where it does."""
        for waiting in self._waiting:
            if waiting.first <= number < waiting.end:
                for at, (frame, levels) in enumerate(waiting.read(), start=waiting.first):
                    self._write(at, frame, levels)
                self._waiting.remove(waiting)
                return

    def keep_plate(self, plate: CleanPlate | None) -> None:
        """Store the plate of the scene that ends."""
        if plate is not None:
            np.savez(self.folder / f"plate{len(self.still)}", *plate.packed())
        self.still.append(plate is not None)

    def plate(self, scene: int) -> CleanPlate | None:
        """The plate of a scene, where its camera stands still."""
        if not self.still[scene]:
            return None
        with np.load(self.folder / f"plate{scene}.npz") as stored:
            return CleanPlate.unpacked([stored[name] for name in stored.files])


class Small(NamedTuple):
    """A small frame and its probability."""

    frame: RGB8
    levels: NDArray[np.uint8]
    """uint8 h×w, in 256 steps."""


class Waiting(NamedTuple):
    """Frames that are kept elsewhere."""

    first: int
    end: int
    """The number behind the last."""
    read: Callable[[], Iterable[Small]]


class Samples:
    """Frames of a scene, evenly spaced however long it is."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.images: list[RGB8] = []
        self.levels: list[NDArray[np.uint8]] = []
        """Their probabilities in 256 steps."""
        self._every, self._seen = 1, 0

    def add(self, number: int, image: RGB8, levels: NDArray[np.uint8]) -> None:
        """Take a frame and its probability in 256 steps."""
        if self._seen % self._every == 0:
            self.numbers.append(number)
            self.images.append(image)
            self.levels.append(levels)
            if len(self.images) > SAMPLES:
                self.numbers, self.images, self.levels = self.numbers[::2], self.images[::2], self.levels[::2]
                self._every *= 2
        self._seen += 1

    def replace(self, number: int, probability: Matte) -> None:
        """Have another probability (float32 h×w, 0..1, of any size) for a frame, where it is one of these."""
        if number in self.numbers:
            at = self.numbers.index(number)
            self.levels[at] = np.rint(fit_alpha(probability, *self.images[at].shape[:2]) * 255).astype(np.uint8)

    def disputed(self, side: int) -> Standing | None:
        """What stands still in the scene, of ``side`` pixels; None where its frames agree on it, or are too few."""
        if len(self.images) < _FEWEST:
            return None
        frames = [shrink(image, side) for image in self.images]
        masks = [fit_alpha(levels / np.float32(255), *frames[0].shape[:2]) for levels in self.levels]
        found = what_stands(frames, masks)
        if found is None:
            return None
        pairs = zip(frames, masks, strict=True)
        turned = [((found.decided(frame, mask) > 0.5) != (mask > 0.5)).mean() for frame, mask in pairs]
        return found if max(turned) > _DISPUTED else None

    def plate(self, *, stands: bool) -> CleanPlate | None:
        """The scene's plate; None where the camera moves, or there are too few frames to tell.

        ``stands`` says whether parts of the subject never move.
        """
        if len(self.images) < 3:
            return None
        probabilities = [levels / np.float32(255) for levels in self.levels]
        return clean_plate(self.images, probabilities, stands=stands)
