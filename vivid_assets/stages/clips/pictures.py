"""A clip's cut-out as numbered PNG pictures in a ZIP, written and joined as videos are.

Its notes have the ``seconds`` at which each picture is shown.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.io.video.joined import Segment
from vivid_assets.imaging.io.video.write import FrameSink, frame_png
from vivid_assets.stages.clips.packed import Packed, Packer

SUFFIX = ".zip"


class _Pictures:
    """Writes pictures from 000000 on."""

    def __init__(self, packer: Packer, provenance: str) -> None:
        self._packer, self._provenance = packer, provenance
        self.seconds: list[float] = []

    def add(self, pixels: NDArray[np.uint8], time: Fraction) -> None:
        """See ``FrameSink``."""
        self._packer.add_picture(len(self.seconds), frame_png(pixels, self._provenance))
        self.seconds.append(float(time))


@contextmanager
def writing_pictures(path: Path, provenance: str) -> Iterator[FrameSink]:
    """A sink for such a file; ``provenance`` is written into each picture."""
    packer = Packer(path)
    sink = _Pictures(packer, provenance)
    yield sink
    packer.close({"seconds": sink.seconds})


def join_pictures(path: Path, segments: Sequence[Segment]) -> None:
    """Write one file of those that were written one after the other."""
    packer, seconds = Packer(path), list[float]()
    for segment in segments:
        for png, time in zip(Packed(segment.path).pictures(), segment.times, strict=True):
            packer.add_picture(len(seconds), png)
            seconds.append(float(time))
    packer.close({"seconds": seconds})
