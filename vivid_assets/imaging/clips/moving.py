"""What moves before a still camera, and what it moves before.

A network takes what stands out for the subject: the cup beside a toy that walks, the person behind a tablet that turns.
No single frame tells them apart. The clip does: a subject that moves as a whole lies, in every frame, where pixels
change. There the background is followed inwards from where nothing ever changes: neighbours are uncovered in the same
frames, all but those in which the contour lies between them; and whenever it is uncovered, a pixel has the same colour.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numba
import numpy as np

from vivid_assets.imaging.clips.drift import drift
from vivid_assets.imaging.core.areas import dilated, eroded, grown, joined, square, without_small_parts
from vivid_assets.imaging.core.arrays import RGB8, Area, Plane, Planes
from vivid_assets.imaging.core.noise import NOISE

_AGREES = 4.0
"""Noise beyond which a pixel is not what it was."""
_STEADY = 4.0
"""Levels of 8 bits by which half of a still camera's pixels differ, codecs included."""
_STILL = 0.4
"""Share of the picture that never changes, at least: else it may be the camera that moves."""
_LEAST = 0.004
"""Share of the picture that changes, at least."""
_SPECK = 0.0005
"""Share of the picture under which what changes, or does not, is chance."""
_GAP = 0.012
"""Share of the longer side over which changes belong together."""
_EDGE = 3.0
"""How many times as much as noise colours differ, at least, on the two sides of an edge."""
_STREAK = 3
"""Pixels each way within which what is seen of the background has all pixels."""
_SAME_FRAMES = 0.75
"""Share of the frames in which one of two neighbours is uncovered, or both, in which both are."""
_FEWEST_FRAMES = 3
"""In which a pixel is uncovered."""


class StillScene(NamedTuple):
    """A scene before a camera that stands still."""

    moving: Area
    """bool h×w: where anything changes in the scene."""
    color: RGB8
    """uint8 h×w×3 sRGB: the background."""
    known: Area
    """bool h×w: where some frames show it."""
    tolerance: float
    """Levels by which a frame's pixel may be off."""

    def background(self, frame: RGB8) -> Area:
        """Where a frame (uint8 h×w×3) of the scene shows its background: bool h×w."""
        off = off_by(frame, self.color)
        same = self.known & ((off < self.tolerance) | ~self.moving)
        # Spots and streaks of the subject may look like what is behind it.
        wide = dilated(eroded(same, _STREAK), _STREAK) & same
        return joined(wide, ~self.moving)

    def seam(self, frame: RGB8, taken: Area) -> tuple[int, int]:
        """How what moves in a frame meets what does not, within what is ``taken`` for the subject (bool h×w).

        Returns the pixels at which they meet, and those of them without an edge, as parts of one thing have.
        """
        moves = taken & ~self.background(frame)
        meets = taken & ~moves & dilated(moves, 1)
        window = square(2)
        red, green, blue = cv2.split(cv2.subtract(cv2.dilate(frame, window), cv2.erode(frame, window)))
        relief = cv2.max(cv2.max(red, green), blue)
        return int(meets.sum()), int((meets & (relief <= _EDGE * self.tolerance)).sum())


def still_scene(frames: Sequence[RGB8]) -> StillScene | None:
    """Find what moves in a scene; None where the camera does, or nothing.

    Args:
        frames: 3 to 32 of the scene, uint8 h×w×3 sRGB, from its beginning to its end.

    >>> frames = [np.full((60, 80, 3), 90, np.uint8) for _ in range(6)]
    >>> for place, frame in enumerate(frames): frame[20:30, 10 + 8 * place : 30 + 8 * place] = 200
    >>> scene = still_scene(frames)
    >>> found = ~scene.background(frames[2])
    >>> bool(found[25, 36]), bool(found[25, 60]), bool(found[50, 36])
    (True, False, False)
    """
    usual, apart = usual_color(frames)
    typical = float(np.maximum(np.median(np.median(apart, axis=0)), NOISE))
    if typical > _STEADY:
        return None
    tolerance = _AGREES * typical + 2.0
    moving = without_small_parts(apart.max(axis=0) > tolerance, _SPECK * usual[..., 0].size)
    if not _LEAST < moving.mean() < 1 - _STILL:
        return None
    if drift(frames, [*(apart < tolerance)], usual.astype(np.float32)).is_camera:
        return None
    moving = _closed(moving, max(1, round(_GAP * max(moving.shape))))
    color, shown = usual.copy(), np.where(moving, 0, (1 << len(frames)) - 1).astype(np.uint32)
    _follow(np.stack(frames), color, shown, tolerance)
    return StillScene(moving, color, shown > 0, tolerance)


def usual_color(frames: Sequence[RGB8]) -> tuple[RGB8, Planes]:
    """The median of frames (uint8 h×w×3) by pixel and channel, and how far each lies from it: float32 N×h×w."""
    usual = np.sort(np.stack(frames), axis=0)[len(frames) // 2]
    return usual, np.stack([off_by(frame, usual) for frame in frames])


def off_by(frame: RGB8, other: RGB8) -> Plane:
    """How many levels two frames (uint8 h×w×3) lie apart in their farthest channel, over 3 × 3 pixels: float32 h×w."""
    red, green, blue = cv2.split(cv2.absdiff(frame, other))
    return np.asarray(cv2.blur(cv2.max(cv2.max(red, green), blue).astype(np.float32), (3, 3)), np.float32)


def _closed(area: Area, radius: int) -> Area:
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = cv2.morphologyEx(np.pad(area.astype(np.uint8), radius + 1), cv2.MORPH_CLOSE, window)
    closed = padded[radius + 1 : -radius - 1, radius + 1 : -radius - 1] > 0
    return grown(closed | ~joined(~closed, _rim(area.shape)), 2.0)


def _rim(shape: tuple[int, ...]) -> Area:
    rim = np.ones(shape[:2], np.bool_)
    rim[1:-1, 1:-1] = False
    return rim


@numba.njit(cache=True, nogil=True)
def _follow(stack, color, shown, tolerance):  # type: ignore[no-untyped-def]
    """Follow the background from where it is ``shown`` (uint32 h×w: a bit a frame) into where that is 0."""
    count, height, width = stack.shape[:3]
    queue = np.empty((height * width, 2), np.int32)
    first, last = 0, 0
    for y in range(height):
        for x in range(width):
            if shown[y, x]:
                queue[last, 0], queue[last, 1] = y, x
                last += 1
    values = np.empty(count, np.float32)
    middle = np.empty(3, np.float32)
    while first < last:
        y, x = queue[first]
        first += 1
        for step in range(4):
            v, u = y + (step == 0) - (step == 1), x + (step == 2) - (step == 3)
            if v < 0 or u < 0 or v >= height or u >= width or shown[v, u]:
                continue
            for c in range(3):
                there = 0
                for f in range(count):
                    if (shown[y, x] >> np.uint32(f)) & np.uint32(1):
                        values[there] = stack[f, v, u, c]
                        there += 1
                middle[c] = np.median(values[:there])
            both, either, own, bits = 0, 0, 0, np.uint32(0)
            for f in range(count):
                off = np.float32(0.0)
                for c in range(3):
                    off = max(off, abs(np.float32(stack[f, v, u, c]) - middle[c]))
                here = off < tolerance
                beside = ((shown[y, x] >> np.uint32(f)) & np.uint32(1)) > 0
                both += here and beside
                either += here or beside
                own += here
                if here:
                    bits |= np.uint32(1) << np.uint32(f)
            if own >= _FEWEST_FRAMES and both >= _SAME_FRAMES * either:
                shown[v, u] = bits
                for c in range(3):
                    color[v, u, c] = middle[c]
                queue[last, 0], queue[last, 1] = v, u
                last += 1
