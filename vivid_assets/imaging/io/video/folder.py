"""A folder of numbered pictures as a clip."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.transparency import NOTE_OVER_WHITE, opaque
from vivid_assets.imaging.io.unreadable import UnreadablePicture
from vivid_assets.imaging.io.video.limits import FRAME_SUFFIXES, ClipLimits
from vivid_assets.imaging.io.video.read import Frame, UnreadableClip

RATE = Fraction(25)
"""Frames a second of a folder, which does not declare any."""
_NUMBER = re.compile(r"(\d+)\D*$")


@dataclass(eq=False)
class FrameFolder:
    """Pictures in the order of their numbers; see ``Clip``."""

    path: Path
    files: list[Path]
    limits: ClipLimits
    size: tuple[int, int] = (0, 0)
    rate: Fraction = RATE
    has_audio: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many frames there are."""
        return len(self.files)

    def __iter__(self) -> Iterator[Frame]:
        """Decode one picture after the other. Raises UnreadableClip, which names the picture."""
        return self.behind(())

    def behind(self, times: Sequence[Fraction]) -> Iterator[Frame]:
        """See ``Clip``. Raises UnreadableClip, which names the picture."""
        for number, file in enumerate(self.files[len(times) :], start=len(times)):
            try:
                picture = decode(file.read_bytes(), max_pixels=self.limits.pixels)
            except UnreadablePicture as error:
                raise UnreadableClip(f"Frame {file.name}: {error}") from error
            height, width = picture.rgb.shape[:2]
            self.size = self.size if any(self.size) else (width, height)
            if (width, height) != self.size:
                raise UnreadableClip(
                    f"Frame {file.name} is {width} × {height} pixels, the first one {self.size[0]} × {self.size[1]}: "
                    "the frames of a clip have one size."
                )
            if picture.alpha is not None and NOTE_OVER_WHITE not in self.notes:
                self.notes.append(NOTE_OVER_WHITE)
            yield Frame(opaque(picture), Fraction(number) / self.rate)


def read_folder(path: Path, limits: ClipLimits | None = None) -> FrameFolder:
    """Open a folder of pictures whose names end in numbers as a clip of 25 frames a second.

    Raises:
        UnreadableClip: there are none, or too many; they differ in size; one cannot be read.
        OSError: the folder cannot be read.
    """
    limits = limits or ClipLimits()
    files = [file for file in path.iterdir() if file.suffix.lower() in FRAME_SUFFIXES]
    numbered = {file: _NUMBER.search(file.stem) for file in files}
    if not files or not all(numbered.values()):
        odd = next((file.name for file, number in numbered.items() if not number), "")
        why = f"{odd} has no number" if odd else "there are none"
        raise UnreadableClip(f"The frames of a clip are numbered pictures, as in 0001.png: {why} in {path}.")
    if len(files) > limits.frames:
        raise UnreadableClip(f"The clip has {len(files):,} frames; the limit is {limits.frames:,}.")
    files.sort(key=lambda file: (int(found[1]) if (found := numbered[file]) else 0, file.name))
    clip = FrameFolder(path, files, limits)
    next(iter(clip))
    return clip
