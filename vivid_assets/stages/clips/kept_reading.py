"""The first reading of a clip (``masking.clip_reading.Kept``), in the store as far as it has come.

A file has some seconds' frames of a scene, small, with the samples among them from which its plate is made; another has
what was found of a scene once it ended. Small frames are decoded when one of them is asked for: who goes on behind the
reading needs the last few alone.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.clips.clean_plate import CleanPlate
from vivid_assets.imaging.core.arrays import RGB8
from vivid_assets.masking.clip_reading import Reading, Sample, Scene
from vivid_assets.masking.clip_survey import Small
from vivid_assets.stages.clips import kept
from vivid_assets.stages.clips.packed import Packed, Packer, packed, picture_name
from vivid_assets.stages.clips.source import Pixels

_PLATE = "plate.npz"


class KeptStretch:
    """Some frames of a scene (``masking.clip_reading.Stretch``)."""

    def __init__(self, path: Path) -> None:
        """In a file of this machine, which is whole."""
        self._path = path
        with Packed(path) as file:
            self._numbers, self.notes = file.numbers, file.notes
        self.verdicts: Sequence[tuple[str, str]] = [(name, reason) for name, reason in self.notes["verdicts"]]
        self.usual, self.begins, self.is_last = (self.notes[name] for name in ("usual", "begins", "last"))

    def is_whole_from(self, first: int) -> bool:
        """Whether it has that frame and those behind it, one by one, each with its verdict."""
        return bool(self.verdicts) and [*self._numbers] == [*range(first, first + len(self.verdicts))]

    def frames(self) -> Iterator[Small]:
        """The small frames and their probabilities."""
        with Packed(self._path) as file:
            for number in self._numbers:
                yield Small(_color(file.read(_frame_name(number))), _grey(file.picture(number)))

    def last(self) -> RGB8:
        """The last small frame."""
        with Packed(self._path) as file:
            return _color(file.read(_frame_name(self._numbers[-1])))

    def sample(self, number: int) -> Sample | None:
        """A frame of the models' size and its probability, where it was kept."""
        image, levels = _sample_names(number)
        with Packed(self._path) as file:
            return Sample(_color(file.read(image)), _grey(file.read(levels))) if file.has(image) else None


class KeptReading:
    """Readings of a clip by tiers."""

    def __init__(self, parts: kept.Parts, frames: Pixels, folder: Path) -> None:
        """In these files; copies may be made in ``folder``."""
        self._parts, self._frames, self._folder = parts, frames, folder
        self._first, self._since = 0, time.monotonic()
        self._waiting: dict[str, bytes] = {}
        self._reading: Reading | None = None
        self._found: dict[tuple[str, int], KeptStretch] = {}

    def stretch(self, tier: str, first: int) -> KeptStretch | None:
        """The frames that are kept from the ``first`` on."""
        found = self._there(tier, first)
        if found is None:
            return None
        self._frames.times[first:] = [Fraction(*at) for at in found.notes["times"]]
        said = self._frames.clip.notes
        said += [note for note in found.notes["remarks"] if note not in said]
        return found

    def scene(self, tier: str, first: int) -> Scene | None:
        """What was found of the scene that begins there, if all of its frames are kept, too."""
        path = self._parts.local_copy(_scenes(tier), first, self._folder)
        if path is None:
            return None
        with Packed(path) as file:
            at = first
            while at < file.notes["end"]:
                if (stretch := self._there(tier, at)) is None:
                    return None
                at += len(stretch.verdicts)
            plate = None
            if file.has(_PLATE):
                with np.load(io.BytesIO(file.read(_PLATE))) as stored:
                    plate = CleanPlate.unpacked([stored[name] for name in stored.files])
            revised = partial(_revised, path) if file.numbers else None
            return Scene(plate, file.notes["overruled"], revised)

    def add(self, reading: Reading, small: Small) -> None:
        """Take the frame that was read last."""
        number = reading.survey.count - 1
        if self._reading is not reading:  # the tier before has broken, and what waits is its
            self._reading, self._waiting = reading, {}
        if not self._waiting:
            self._first, self._since = number, time.monotonic()
        self._waiting |= {_frame_name(number): _png(small.frame), picture_name(number): _png(small.levels)}

    def go_on(self, reading: Reading) -> None:
        """Write what waits, if it is some seconds' work: another frame of the scene follows."""
        if self._waiting and time.monotonic() - self._since > kept.SECONDS:
            self._write(reading, last=False)

    def end(self, reading: Reading, *, last: bool) -> None:
        """Write what waits: the scene ends, or the clip."""
        if self._waiting:
            self._write(reading, last=last)

    def add_scene(self, reading: Reading, found: Scene) -> None:
        """Write what was found of the scene that was read last."""
        first, path = reading.survey.starts[-1], self._folder / "scene.zip"
        packer = Packer(path)
        if found.plate is not None:
            stream = io.BytesIO()
            np.savez_compressed(stream, *found.plate.packed())
            packer.add(_PLATE, stream.getvalue())
        if found.revised:
            for number, levels in enumerate(found.revised(first, reading.survey.count), start=first):
                packer.add_picture(number, _png(levels))
        packer.close({"overruled": found.overruled, "end": reading.survey.count})
        self._parts.write_file(_scenes(reading.survey.tier), first, path)

    def _there(self, tier: str, first: int) -> KeptStretch | None:
        if (tier, first) not in self._found:
            path = self._parts.local_copy(_stretches(tier), first, self._folder)
            if path is None:
                return None
            found = KeptStretch(path)
            if not found.is_whole_from(first):
                return None
            self._found[tier, first] = found
        return self._found[tier, first]

    def _write(self, reading: Reading, *, last: bool) -> None:
        samples, files = reading.samples, {**self._waiting}
        first, end = self._first, reading.survey.count
        for number, image, levels in zip(samples.numbers, samples.images, samples.levels, strict=True):
            if number >= first:
                files |= dict(zip(_sample_names(number), (_png(image), _png(levels)), strict=True))
        notes: dict[str, Any] = {
            "verdicts": reading.survey.verdicts[first:end],
            "times": [at.as_integer_ratio() for at in self._frames.times[first:end]],
            "remarks": [*self._frames.clip.notes],
            "usual": reading.usual,
            "begins": first in reading.survey.starts,
            "last": last,
        }
        self._parts.write(_stretches(reading.survey.tier), first, packed({}, notes, files))
        self._waiting = {}


def _stretches(tier: str) -> str:
    return f"frames read by {tier}"


def _scenes(tier: str) -> str:
    return f"scenes of {tier}"


def _frame_name(number: int) -> str:
    return f"frames/{picture_name(number)}"


def _sample_names(number: int) -> tuple[str, str]:
    """Of the image, and of its probability."""
    return f"samples/{picture_name(number)}", f"sampled/{picture_name(number)}"


def _revised(path: Path, first: int, end: int) -> Iterator[NDArray[np.uint8]]:
    with Packed(path) as file:
        for number in range(first, end):
            yield _grey(file.picture(number))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as they are, the channels in whatever order: only this module reads it."""
    _, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()


def _color(png: bytes) -> RGB8:
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _grey(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
