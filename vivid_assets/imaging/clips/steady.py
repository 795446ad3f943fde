"""What is left of flicker once probabilities are smoothed: alpha is solved frame by frame, each with its own noise.

A frame's alpha is averaged with those of the frames beside it, along the motion and as far as the colours agree. And
where the camera stands still, a pixel whose colour stays what it was has the alpha that it had: what its alpha is now
counts little by little.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.clips.motion import Motion, at_size, fetched
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.interpolate import bilinear, cells_about, smoothstep_of
from vivid_assets.imaging.core.parallel_rows import parallel_rows

BESIDE = 0.8
"""What the alpha of the frame before, or after, counts beside a frame's own."""
_APART = 12.0
"""Difference of luma, in levels of 8 bits, at which that falls to 1/e. Codecs leave too little of colours at edges."""
_LUMA = 0.299, 0.587, 0.114
_SAME = 2.7
"""Noise by which a channel's level may be off for the colour to have stayed."""
_TAKES = 0.1
"""What the alpha of now counts, at least: with 0.25 flicker is half as much again."""
_OTHER = 0.15, 0.7
"""Difference of alpha from which it counts more, and from which it counts alone: what looks as it did may have become
another thing, black cloth where a black wall was."""
_STEPS = 256
"""Of a level, in which ``Held.color`` is kept."""


class Held(NamedTuple):
    """What a scene's pixels were up to a frame, before a camera that stands still."""

    color: NDArray[np.uint16]
    """H×W×3: mean colour since it last changed, in steps of 1/256 of a level of 8 bits."""
    alpha: Matte
    """float32 H×W, 0..1."""


class Beside(NamedTuple):
    """The frame before or after another."""

    alpha: Matte
    """float32 H×W, 0..1."""
    image: RGB8
    """Of that size."""
    motion: Motion
    """To it; of that size, or a smaller one."""


def steadied(alpha: Matte, image: RGB8, *others: Beside | None) -> Matte:
    """Average a frame's alpha with those of the frames beside it, as far as the motion to them can be believed.

    Args:
        alpha: float32 H×W, 0..1.
        image: the frame, uint8 H×W×3 sRGB.
        others: None where there is no such frame.
    """
    sums, weights = alpha, np.ones_like(alpha)
    height, width = alpha.shape
    for other in others:
        if other is None:
            continue
        motion = at_size(other.motion, height, width)
        values, share = fetched(other.alpha, motion), np.zeros_like(alpha)
        parallel_rows(_believe, height, (alpha, image), (values, other.image), motion, share)
        sums, weights = sums + share * values, weights + share
    return np.asarray(sums / weights, np.float32)


def held(alpha: Matte, image: RGB8, noise: float, before: Held | None) -> Held:
    """Hold each pixel's alpha while its colour stays the same.

    Args:
        alpha: float32 H×W, 0..1: of a frame.
        image: this frame, uint8 H×W×3 sRGB.
        noise: by which its pixels vary, standard deviation in levels.
        before: what was held up to the frame before; None for a scene's first.

    >>> frame = np.full((1, 1, 3), 90, np.uint8)
    >>> first = held(np.zeros((1, 1), np.float32), frame, 1.2, None)
    >>> float(held(np.full((1, 1), 0.1, np.float32), frame, 1.2, first).alpha[0, 0]) < 0.02
    True
    >>> round(float(held(np.full((1, 1), 0.1, np.float32), frame + 9, 1.2, first).alpha[0, 0]), 3)
    0.1
    """
    color, made = image.astype(np.uint16) * np.uint16(_STEPS), alpha.copy()
    if before is not None:
        most = np.float32(_SAME * noise * _STEPS)
        parallel_rows(_hold, len(alpha), before.color, before.alpha, most, color, made)
    return Held(color, made)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _believe(own, beside, motion, share, first, end):  # type: ignore[no-untyped-def]
    """Set how much the alpha of the frame beside counts, where it is another one."""
    (alpha, image), (values, other), (shift, trust) = own, beside, motion
    height, width = alpha.shape
    for y in range(first, end):
        for x in range(width):
            if trust[y, x] == 0 or abs(values[y, x] - alpha[y, x]) < np.float32(1e-3):
                continue
            at_x, at_y = x + shift[y, x, 0], y + shift[y, x, 1]
            if at_x < -0.5 or at_y < -0.5 or at_x > width - 0.5 or at_y > height - 0.5:
                continue
            x1, x2, right = cells_about(at_x, np.float32(1.0), width)
            y1, y2, down = cells_about(at_y, np.float32(1.0), height)
            apart = np.float32(0.0)
            for c in range(3):
                apart += np.float32(_LUMA[c]) * (bilinear(other, y1, y2, down, x1, x2, right, c) - image[y, x, c])
            apart /= np.float32(_APART)
            share[y, x] = np.float32(BESIDE) * trust[y, x] * np.exp(-apart * apart)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _hold(held_color, held_alpha, most, color, alpha, first, end):  # type: ignore[no-untyped-def]
    for y in range(first, end):
        for x in range(alpha.shape[1]):
            apart = np.float32(0.0)
            for c in range(3):
                apart = max(apart, abs(np.float32(color[y, x, c]) - np.float32(held_color[y, x, c])))
            if apart > most:
                continue
            off = alpha[y, x] - held_alpha[y, x]
            other = smoothstep_of(abs(off), np.float32(_OTHER[0]), np.float32(_OTHER[1]))
            takes = np.float32(_TAKES) + (1 - np.float32(_TAKES)) * other
            alpha[y, x] = held_alpha[y, x] + takes * off
            for c in range(3):
                was = np.float32(held_color[y, x, c])
                color[y, x, c] = np.uint16(was + takes * (np.float32(color[y, x, c]) - was) + np.float32(0.5))
