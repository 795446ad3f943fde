"""Colours at half of a picture's resolution, as JPEG, WebP and video store them, brought back along its lightness.

Half of the colours' resolution leaves a fringe two pixels wide about every edge: the background's hue on the subject,
the subject's on the background. Lightness is stored in full. Beside an edge both change together, so how colours go
with a lightness that was blurred like them says how they go with the sharp one.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import Box
from vivid_assets.imaging.core.arrays import RGB, RGB8, Area, Plane, Vector

_SHARP = 0.45
"""Detail of the colours, as a share of what lightness promises, under which they are at half resolution. Photographs
through JPEG have .0 to .5, mostly .2, and pictures with all their colours .55 to .9; soft subjects less."""
_LENS: Vector = np.array([1, 4, 6, 4, 1], np.float32) / 16
"""What averaging two by two and interpolating again does to a plane, on average over where a pixel lies."""
_WINDOW = (7, 7)
"""Pixels about each within which colours and lightness are compared."""
_ROUNDING = 9.0
"""Variance, in squared levels of 8 bits, of what is no edge."""
_TELLING, _CLEAR = 30.0, 0.8
"""The variance of a colour and its correlation with lightness, squared, from which an edge says how sharp it is."""
_GRAIN, _EVEN = 0.4, 4.0
"""Levels of 8 bits: detail of colours where lightness is even (of less than that variance), from which it is a
capture's noise, which no halved colour keeps; rounding leaves .2."""
_STRIP, _REACH = 256, 8
"""Rows at a time, for the memory that they take, and how far a pixel's colour reaches."""
_SAMPLED = 6
"""Strips that are looked at to tell whether colours are at half resolution."""


class _Chroma(NamedTuple):
    """One colour difference of a strip, and the detail that lightness promises it."""

    plane: Plane
    promised: Plane
    share: Plane
    """Its correlation with lightness, squared."""
    variance: Plane
    even: Area
    """Where lightness is even."""


def whole_colors(image: RGB, box: Box) -> RGB | None:
    """Bring a picture's colours to its full resolution; None where they are.

    Args:
        image: H×W×3 sRGB; one of 16 bits was never stored with halved colours.
        box: the part in which they are wanted; the others stay.

    Returns:
        uint16 H×W×3.

    """
    if image.dtype != np.uint8:
        return None
    codes: RGB8 = image.astype(np.uint8, copy=False)
    looked_at = _restored_if_halved(codes, box)
    if looked_at is None:
        return None
    made = np.multiply(codes, np.uint16(257), dtype=np.uint16)
    for rows, inner in _strips(box[0], len(codes)):
        at = slice(rows.start + inner.start, rows.start + inner.stop)
        strip = looked_at.pop(at.start, None)
        made[at, box[1]] = _restored(*_compared(codes[rows, box[1]]), inner) if strip is None else strip
    return made


def _restored_if_halved(image: RGB8, box: Box) -> dict[int, RGB] | None:
    """Look at some strips; where colours are at half resolution, these are restored, by their first row.

    They are where they have less detail beside edges than lightness promises, and none where there is no edge.
    """
    strips = list(_strips(box[0], len(image)))
    seen = found = 0.0
    grain, made = [], {}
    for rows, inner in strips[:: -(-len(strips) // _SAMPLED)]:
        lightness, chromas = _compared(image[rows, box[1]])
        for one in chromas:
            told = (one.share > _CLEAR) & (one.variance > _TELLING)
            promised, detail = one.promised[told], one.plane - _blurred(one.plane)
            seen += float(promised @ promised)
            found += float(promised @ detail[told])
            grain.append(np.abs(detail[one.even]))
        made[rows.start + inner.start] = _restored(lightness, chromas, inner)
    rest = np.concatenate(grain)
    halved = found < _SHARP * seen and not (rest.size and float(np.median(rest)) > _GRAIN)
    return made if halved else None


def _restored(lightness: Plane, chromas: tuple[_Chroma, _Chroma], inner: slice) -> RGB:
    """Bring a strip's colours to full resolution; uint16, without its surroundings."""
    blue, red = (one.plane[inner] + one.share[inner] * one.promised[inner] for one in chromas)
    lightness = lightness[inner]
    green = lightness - np.float32(0.114 / 0.587) * blue - np.float32(0.299 / 0.587) * red
    # One channel after the other: an array of all three is two passes more.
    made = np.empty((*lightness.shape, 3), np.uint16)
    for c, plane in enumerate((lightness + red, green, lightness + blue)):
        np.clip(plane, 0, 255, out=plane)
        np.multiply(plane, np.float32(257), out=plane)
        made[..., c] = np.rint(plane, out=plane)
    return made


def _strips(rows: slice, height: int) -> Iterator[tuple[slice, slice]]:
    """Yield strips of ``rows`` with their surroundings, and which rows of each count."""
    for top in range(rows.start, rows.stop, _STRIP):
        bottom = min(top + _STRIP, rows.stop)
        first, end = max(top - _REACH, 0), min(bottom + _REACH, height)
        yield slice(first, end), slice(top - first, bottom - first)


def _compared(image: RGB8) -> tuple[Plane, tuple[_Chroma, _Chroma]]:
    """Lightness (0..255), and how blue and red differ from it and go with it."""
    red, green, blue = (plane.astype(np.float32) for plane in cv2.split(np.ascontiguousarray(image)))
    lightness = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    blurred = _blurred(lightness)
    mean, fine = _mean(blurred), lightness - blurred
    variance = _mean(blurred * blurred)
    variance -= mean * mean
    np.maximum(variance, 0, out=variance)
    even, rounded = variance < _EVEN, variance + np.float32(_ROUNDING)

    def chroma(plane: Plane) -> _Chroma:
        # In place: memory for a plane more takes longer than to work it out.
        middle, own, common = _mean(plane), _mean(plane * plane), _mean(blurred * plane)
        own -= middle * middle
        np.maximum(own, 0, out=own)
        middle *= mean
        common -= middle
        share = common * common
        np.multiply(variance, own, out=middle)
        share /= np.maximum(middle, 1e-3, out=middle)
        common /= rounded
        common *= fine
        return _Chroma(plane, common, share, own, even)

    return lightness, (chroma(blue - lightness), chroma(red - lightness))


def _blurred(plane: Plane) -> Plane:
    return np.asarray(cv2.sepFilter2D(plane, cv2.CV_32F, _LENS, _LENS, borderType=cv2.BORDER_REFLECT_101))


def _mean(plane: Plane) -> Plane:
    return np.asarray(cv2.blur(plane, _WINDOW, borderType=cv2.BORDER_REFLECT_101))
