"""What the first reading of a clip leaves for the second, on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

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
    size: tuple[int, int]
    """Width and height of the small frames."""
    verdicts: list[tuple[str, str]] = field(default_factory=list)
    """Name and reason by frame."""
    starts: list[int] = field(default_factory=list)
    """The first frame of each scene."""
    still: list[bool] = field(default_factory=list)
    """By scene: whether the camera stands still, so that it has a plate."""
    overruled: bool = False
    """Whether the tier took for subject, somewhere, what never moves, and that was left out."""
    broken: int = 0
    """Frames for which the tier gave no mask."""

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

    def write(self, frame: RGB8, probability: Matte) -> None:
        """Append a small frame and its probability."""
        for name, values in (("frames", frame), ("masks", np.rint(probability * 255).astype(np.uint8))):
            with (self.folder / name).open("ab") as file:
                file.write(np.ascontiguousarray(values).tobytes())

    def replace(self, frame: int, probability: Matte) -> None:
        """Have another probability for a frame, of the small size."""
        with (self.folder / "masks").open("r+b") as file:
            file.seek(frame * probability.size)
            file.write(np.rint(probability * 255).astype(np.uint8).tobytes())

    def frames(self) -> NDArray[np.uint8]:
        """All small frames, on disk: uint8 N×h×w×3."""
        return np.memmap(self.folder / "frames", np.uint8, "r", shape=(self.count, self.size[1], self.size[0], 3))

    def probabilities(self) -> NDArray[np.uint8]:
        """All small probabilities, on disk: uint8 N×h×w."""
        return np.memmap(self.folder / "masks", np.uint8, "r", shape=(self.count, self.size[1], self.size[0]))

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
        """Have another probability (float32 h×w, of any size) for a frame, where it is one of these."""
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
