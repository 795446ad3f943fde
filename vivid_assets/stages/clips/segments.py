"""A clip's video as it is made: a segment is encoded and kept, so that a run that was killed goes on behind it.

Segments have so many frames however fast a machine is, so that a run that went on ends with the same file as one that
was not killed. Frames of the segment in hand are kept as they are, some seconds' work at a time.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.io.video.joined import Segment
from vivid_assets.imaging.io.video.write import FrameSink
from vivid_assets.stages.clips.kept import Parts
from vivid_assets.stages.clips.packed import Packed, Packer, packed, shadow_name

_SECONDS = 6.0
"""Work of which frames are kept, where a segment takes longer."""
_PIXELS, _LEAST, _MOST = 48_000_000, 12, 48
"""Pixels of a segment, and its frames. Each begins with a whole picture; two seconds between these are usual."""
_VIDEO = "video"
_LAYERS = "shadows.zip"

Note = dict[str, Any]
"""What is kept of a frame besides its picture; ``time`` is its numerator and denominator, in seconds."""


class SegmentedVideo:
    """A video that is encoded in segments, which outlive the process; to be used as a context."""

    def __init__(
        self, parts: Parts, folder: Path, suffix: str, begin: Callable[[Path], AbstractContextManager[FrameSink]]
    ) -> None:
        """Of the container of ``suffix``; ``begin`` gives the encoder of a file, and ``folder`` is a temporary one."""
        import av

        self._parts, self._folder, self._suffix, self._begin = parts, folder, suffix, begin
        # Packets of two versions of an encoder may not be in one file.
        self._what = f"segments by {av.__version__}", f"frames by {av.__version__}"
        self.notes: list[Note] = []
        """Of the frames so far."""
        self._segments: list[Segment] = []
        self._sink: FrameSink | None = None
        self._open = ExitStack()
        self._first = 0
        self._waiting: dict[int, NDArray[np.uint8]] = {}
        self._shadows: dict[int, bytes] = {}
        """Of the segment in hand."""
        self._layers = Packer(folder / _LAYERS)
        self._has_layers = False
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """Close the file in hand."""
        self._open.__exit__(*error)

    def earlier(self) -> None:
        """Take in what an earlier run has kept."""
        segments, frames = self._what
        while found := self._parts.read(segments, len(self.notes)):
            self._path.write_bytes(found.read(_VIDEO))
            self.notes += found.notes
            for number in range(self._first, len(self.notes)):
                if (png := _shadow(found, number)) is not None:
                    self._shadows[number] = png
            self._end()
        while found := self._parts.read(frames, len(self.notes)):
            for number, note in zip(found.numbers, found.notes, strict=True):
                stored = np.frombuffer(found.picture(number), np.uint8)
                pixels = np.asarray(cv2.imdecode(stored, cv2.IMREAD_UNCHANGED), np.uint8)
                self._encode(pixels, note, _shadow(found, number))

    def add(self, pixels: NDArray[np.uint8], note: Note, shadow: bytes | None = None) -> None:
        """Take a frame (uint8 H×W×3, or H×W×4 with straight alpha), later than the last, and its shadow's picture."""
        number = len(self.notes)
        self._encode(pixels, note, shadow)
        if self._sink is None:
            return
        self._waiting[number] = pixels
        if time.monotonic() - self._since > _SECONDS:
            pictures = {number: _png(waiting) for number, waiting in self._waiting.items()}
            first = min(pictures)
            self._parts.write(self._what[1], first, packed(pictures, self.notes[first:], self._named_shadows(first)))
            self._waiting, self._since = {}, time.monotonic()

    def finish(self, join: Callable[[Path, Sequence[Segment]], None]) -> Path:
        """The whole, in the temporary folder, by what makes one file of all segments."""
        if self._sink is not None:
            self._close()
        path = self._folder / f"whole{self._suffix}"
        join(path, self._segments)
        self._layers.close({"seconds": [float(time) for time in self.times]})
        return path

    @property
    def times(self) -> list[Fraction]:
        """Of the frames so far, in seconds."""
        return _times(self.notes)

    @property
    def shadows(self) -> Path | None:
        """Once it is finished, the pictures of the frames' shadows, see ``packed``; None where no frame has one."""
        return self._folder / _LAYERS if self._has_layers else None

    @property
    def _path(self) -> Path:
        """The file of the segment in hand."""
        return self._folder / f"{self._first:06d}{self._suffix}"

    def _encode(self, pixels: NDArray[np.uint8], note: Note, shadow: bytes | None) -> None:
        if self._sink is None:
            self._sink = self._open.enter_context(self._begin(self._path))
        self._sink.add(pixels, Fraction(*note["time"]))
        if shadow is not None:
            self._shadows[len(self.notes)] = shadow
        self.notes.append(note)
        if len(self.notes) - self._first >= segment_length(*pixels.shape[:2]):
            path, first, shadows = self._path, self._first, self._named_shadows(self._first)
            self._close()
            whole = packed({}, self.notes[first:], {_VIDEO: path.read_bytes(), **shadows})
            self._parts.write(self._what[0], first, whole)
            self._parts.remove(self._what[1])

    def _close(self) -> None:
        """End the file in hand."""
        self._open.close()
        self._sink, self._waiting, self._since = None, {}, time.monotonic()
        self._end()

    def _end(self) -> None:
        """Take the segment in hand, whose file is there, to those that are finished."""
        self._segments.append(Segment(self._path, _times(self.notes[self._first :])))
        for number, png in self._shadows.items():
            self._layers.add_picture(number, png)
            self._has_layers = True
        self._shadows, self._first = {}, len(self.notes)

    def _named_shadows(self, first: int) -> dict[str, bytes]:
        return {shadow_name(number): png for number, png in self._shadows.items() if number >= first}


def _shadow(kept: Packed, number: int) -> bytes | None:
    return kept.read(shadow_name(number)) if kept.has(shadow_name(number)) else None


def segment_length(height: int, width: int) -> int:
    """Frames of a segment: fewer of large ones, which take longer."""
    return min(max(_PIXELS // (height * width), _LEAST), _MOST)


def _times(notes: Iterable[Note]) -> list[Fraction]:
    return [Fraction(*note["time"]) for note in notes]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """The channels in whatever order they are: only ``earlier`` reads it."""
    _, data = cv2.imencode(
        ".png", pixels, [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_COMPRESSION, 1]
    )
    return data.tobytes()
