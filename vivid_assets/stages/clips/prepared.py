"""What is known of a clip once it has been read: its length, a frame that stands for it, and some more."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vivid_assets.imaging.core.arrays import RGB8
from vivid_assets.imaging.core.resize import resize_to_fit
from vivid_assets.imaging.io.video.read import Clip

_SAMPLES = 8
"""Frames that are kept while a clip is read, at most."""
_SHOWN = 3
"""Of them, those that are analysed."""


@dataclass(frozen=True, eq=False)
class ReadClip:
    """A clip that was read to its end."""

    frames: int
    still: int
    """Number of the frame that stands for the clip."""
    image: RGB8
    """This frame, of the models' size."""
    others: tuple[RGB8, ...]
    """Some frames, from its beginning to its end."""
    size: tuple[int, int]
    """Width and height of a frame."""
    fps: float
    format: str
    notes: tuple[str, ...]


def read_clip(clip: Clip, longest: int) -> ReadClip:
    """Read a clip to its end, one frame in memory at a time. Raises UnreadableClip.

    The frame that stands for it is of its middle: many begin in black.
    """
    kept: list[tuple[int, RGB8]] = []
    every = count = 0
    for count, frame in enumerate(clip, start=1):
        every = max(every, 1)
        if (count - 1) % every:
            continue
        kept.append((count - 1, resize_to_fit(frame.rgb, longest)))
        if len(kept) > _SAMPLES:
            kept, every = kept[::2], 2 * every
    still, image = min(kept, key=lambda one: abs(one[0] - (count - 1) / 2))
    places = np.linspace(0, len(kept) - 1, min(_SHOWN, len(kept))).round().astype(int)
    return ReadClip(
        frames=count,
        still=still,
        image=image,
        others=tuple(kept[place][1] for place in places),
        size=clip.size,
        fps=float(clip.rate),
        format="frames" if clip.path.is_dir() else clip.path.suffix[1:].upper(),
        notes=tuple(dict.fromkeys(clip.notes)),
    )


def stacked(frames: Iterable[RGB8]) -> RGB8:
    """Frames of one size as one picture, one below the other."""
    return np.concatenate([*frames])


def unstacked(picture: RGB8, height: int) -> list[RGB8]:
    """What ``stacked`` made one of: frames of that height."""
    return [*picture.reshape(-1, height, *picture.shape[1:])]
