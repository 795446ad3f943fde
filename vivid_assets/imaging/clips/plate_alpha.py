"""The alpha of a frame against its scene's clean plate.

What looks as the plate does is background, what differs is subject, as far as the network, smoothed over time, agrees:
each has its say as a log-likelihood. What is as the plate but darker is its shadow, for which the network alone
speaks. Along the contour the matting equation I = αF + (1 − α)B is solved in linear light with F from the subject
nearby and B from the plate.
"""

from typing import NamedTuple

import cv2
import numba
import numpy as np

from vivid_assets.imaging.clips.clean_plate import CleanPlate
from vivid_assets.imaging.clips.color_key import most_alpha
from vivid_assets.imaging.core.areas import around, dilated, distance_to, eroded, joined
from vivid_assets.imaging.core.arrays import RGB8, Area, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.core.interpolate import smoothstep
from vivid_assets.imaging.core.parallel_rows import parallel_rows

_SAME, _OTHER = 3.0, 9.0
"""Mean squared difference from the plate, in its spread, up to which a pixel looks as it does, and from which not."""
_TRUST, _DISTRUST = 2.4, 2.0
"""Log-likelihood of what the network is sure is subject, and sure is none: it misses cables and legs."""
_GAP = 0.006
"""Share of the longer side over which parts of the subject belong together."""
_DARKEST = 0.5
"""Share of the plate's level, gamma-encoded, that a shadow leaves at least."""
_EDGE = 0.003
"""What an edge is wide at most, as a share of the longer side; a shadow is twice as wide at least."""
_UNSURE = 0.7
"""Probability below which a pixel is solved wherever it lies: smoke, glass."""
_BAND = 0.006
"""Depth of a soft edge, as a share of the longer side; at least three pixels."""
_CORE = 50.0
"""How much more the subject's inside tells of its colour than its edge does."""
_MIXED = 0.5
"""How much the variance of the subject's colours nearby takes from the trust in their mean."""
_DEEP = 3.0
"""Pixels from a sharp edge at which the subject's colour is pure."""
_SHARP = 2.0
"""Pixels over which a lens draws an edge."""
_BARE = 2.0, 6.0
"""Squared difference of a pixel from the plate, in its spread, up to which it is bare, and from which it is not."""
_LITTLE = 0.15, 0.4
"""Alpha up to which it may be noise, and from which it is not."""
_MISFIT = 16.0
"""Squared distance from the line between F and B, in spreads, from which a pixel is another colour of the subject."""


_ROW = 1024
"""Places in a row of those that OpenCV fetches at once."""


class Compared(NamedTuple):
    """How a frame compares with the plate."""

    off: Plane
    """float32 H×W: mean squared difference of the channels, in the plate's spread."""
    shaded: Area
    """bool H×W: as the plate, but darker."""
    own: Plane
    """float32 H×W: as ``off``, of each pixel by itself."""


def plate_alpha(frame: RGB8, probability: Matte, plate: CleanPlate) -> Matte:
    """Solve a frame's alpha.

    Args:
        frame: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, smoothed over time.
        plate: of the frame's size.

    Returns:
        float32 H×W, 0..1.
    """
    found = compare(frame, plate)
    differs = smoothstep(found.off, _SAME, _OTHER).astype(np.float32)
    same, other = plate.odds
    says = same + differs * (other - same)
    says = np.where(found.shaded, np.minimum(says, 0), says)
    sure = np.clip(probability, 0.03, 0.97)
    logit = np.log(sure / (1 - sure)) / np.float32(np.log(0.97 / 0.03))
    subject = np.where(logit > 0, _TRUST, _DISTRUST) * logit + says > 0
    near = dilated(subject, max(1, round(_GAP * max(subject.shape))))
    subject &= joined(near, subject & (probability > 0.5), connectivity=8)
    subject = _with_edge(subject, differs > 0, found.shaded)
    return _keyed(frame, _solve(frame, subject, differs, found.own, probability < _UNSURE, plate), probability, plate)


def _keyed(frame: RGB8, alpha: Matte, probability: Matte, plate: CleanPlate) -> Matte:
    """No more alpha than the plate's colour leaves, where that tells."""
    box = around(alpha > 0, 0)
    if plate.key is not None:
        light = srgb_to_linear(np.ascontiguousarray(frame[box]))
        alpha[box] = np.minimum(alpha[box], most_alpha(light, plate.light[box], probability[box], plate.key))
    return alpha


def _with_edge(subject: Area, differs: Area, shaded: Area) -> Area:
    """The subject and what differs beside it, which holds a part of it, however sure the network is of its contour.

    The edge of a dark subject is as the plate but darker, as shadows are; but a shadow is wider than a lens draws it.
    """
    reach = edge_width(*subject.shape)
    shadow = dilated(eroded(shaded, reach), reach) & shaded
    # Specks of it may be leaves in the wind.
    body = dilated(eroded(subject, reach), reach)
    return subject | (dilated(body, reach) & differs & ~shadow)


def compare(frame: RGB8, plate: CleanPlate) -> Compared:
    """Compare a frame with the plate, over windows of 3 × 3 pixels."""
    height, width = frame.shape[:2]
    off, ray, share = (np.empty((height, width), np.float32) for _ in range(3))
    parallel_rows(_compare, height, frame, plate.color, plate.spread, off, ray, share)
    near, along = (np.asarray(cv2.blur(plane, (3, 3)), np.float32) for plane in (off, ray))
    return Compared(near, (along < _SAME) & (near > _SAME) & (share < 1) & (share > _DARKEST), off)


def edge_width(height: int, width: int) -> int:
    """Pixels, at most, over which a lens draws an edge."""
    return max(2, round(_EDGE * max(height, width)))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _compare(frame, plate, spread, off, ray, share, first, end):  # type: ignore[no-untyped-def]
    for y in range(first, end):
        for x in range(frame.shape[1]):
            dot, square = np.float32(0.0), np.float32(1.0)
            for c in range(3):
                dot += frame[y, x, c] * plate[y, x, c]
                square += plate[y, x, c] * plate[y, x, c]
            part = dot / square
            # Rounding to 8 bits adds a twelfth, chroma subsampling about one.
            variance = spread[y, x] * spread[y, x] + np.float32(1.0)
            apart, beside = np.float32(0.0), np.float32(0.0)
            for c in range(3):
                d = frame[y, x, c] - plate[y, x, c]
                e = frame[y, x, c] - part * plate[y, x, c]
                apart += d * d
                beside += e * e
            off[y, x] = apart / (3 * variance)
            ray[y, x] = beside / (3 * variance)
            share[y, x] = part


def _solve(frame: RGB8, subject: Area, differs: Plane, own: Plane, unsure: Area, plate: CleanPlate) -> Matte:
    """Solve the matting equation in the band within the contour; 0 outside of it, 1 deeper inside.

    ``differs`` compares windows with the plate, 0..1, and ``own`` single pixels, see ``Compared``.
    """
    depth = max(3.0, _BAND * max(subject.shape))
    alpha = subject.astype(np.float32)
    # Beyond, no colour of the subject is spread to.
    box = around(subject, round(3 * depth) + 4)
    subject, differs, own, unsure, part = subject[box], differs[box], own[box], unsure[box], alpha[box]
    inside = distance_to(~subject)
    core = (inside > depth) & ~unsure
    band = subject & ~core
    if not band.any():
        return alpha
    light = srgb_to_linear(np.ascontiguousarray(frame[box]))
    wide, variance = (plane[band] for plane in _nearby(light, subject, core, differs, depth))
    close = _deeper(light, inside, band)
    # Levels of 8 bits tell how far F and B can be told apart, light how they are mixed.
    seen, back, spread = light[band], plate.light[box][band], np.maximum(plate.spread[box][band], 1.0)
    grain = (spread / 255) ** 2 * 5 * np.maximum(back.mean(axis=1), 0.01) ** 1.17
    # The inside's colour where it explains the pixel, else that of the pixels next to it, else one of its own.
    first, other = _mixture(seen, wide, back, grain)
    near, alien = _mixture(seen, close, back, grain)
    most = np.where(unsure[band], _least(seen, back), 1) * differs[band]
    solved = first + other * (near + alien * (most - near) - first)
    length = _dot(wide - back, wide - back)
    trust = length / (length + 30 * grain + _MIXED * variance * (1 - other))
    # Where colours say nothing, an edge is as wide as a lens draws it.
    found = trust * solved + (1 - trust) * np.clip((inside[band] - 0.5) / _SHARP, 0, 1)
    # Noise alone would give a little alpha to half of what is bare beside the contour.
    little = trust * (1 - smoothstep(found, *_LITTLE))
    part[band] = found * (1 - little * (1 - smoothstep(own[band], *_BARE)))
    return alpha


def _mixture(seen: Vector, front: Vector, back: Vector, grain: Vector) -> tuple[Vector, Vector]:
    """Give alpha of each pixel (N×3 colours), and 0..1 how little a mixture of ``front`` and ``back`` explains it."""
    line = front - back
    length, apart = _dot(line, line), seen - back
    part = np.clip(_dot(apart, line) / np.maximum(length, 1e-9), 0, 1)
    off = apart - part[:, None] * line
    beside = _dot(off, off)
    return part, smoothstep(beside / (grain + 0.002 * length), _MISFIT, 3 * _MISFIT)


def _dot(one: Vector, other: Vector) -> Vector:
    return np.asarray(np.einsum("ij,ij->i", one, other))


def _least(seen: Vector, back: Vector) -> Vector:
    """Give the least alpha of each pixel: with less, F would be darker than black or brighter than white."""
    room = np.where(seen > back, 1 - back, back)
    return np.asarray((np.abs(seen - back) / np.maximum(room, 0.02)).max(axis=1).clip(0, 1))


def _deeper(light: Planes, inside: Plane, band: Area) -> Vector:
    """Give each pixel of the band (N×3) the colour of the one that lies ``_DEEP`` pixels inside of the contour."""
    slope_x, slope_y = (cv2.Sobel(inside, cv2.CV_32F, dx, 1 - dx, ksize=3)[band] for dx in (1, 0))
    y, x = (place.astype(np.float32) for place in np.nonzero(band))
    step = np.maximum(_DEEP - inside[band], 0) / np.maximum(np.hypot(slope_x, slope_y), 1e-3)
    # OpenCV fetches for a picture of places; a row of it has at most 32,767.
    rows = -(-len(x) // _ROW)
    across, down = (np.resize(place, (rows, _ROW)) for place in (x + step * slope_x, y + step * slope_y))
    fetched = cv2.remap(light, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(fetched.reshape(-1, 3)[: len(x)], np.float32)


def _nearby(light: Planes, subject: Area, core: Area, differs: Plane, depth: float) -> tuple[Planes, Plane]:
    """Spread the subject's colours to its edge: of its inside, where there is one, else of what differs most.

    Returns their mean (float32 H×W×3) and variance (float32 H×W).
    """
    weight = subject * differs * (1 + _CORE * core).astype(np.float32) + np.float32(1e-6)
    red, green, blue = cv2.split(light)
    square = red * red + green * green + blue * blue
    planes = cv2.merge([red * weight, green * weight, blue * weight, square * weight])
    half = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in (planes, weight)]
    sums, weights = (np.asarray(cv2.GaussianBlur(plane, (0, 0), depth / 2), np.float32) for plane in half)
    sums /= np.maximum(weights, 1e-9)[..., None]
    planes = cv2.resize(sums, subject.shape[::-1], interpolation=cv2.INTER_LINEAR)
    mean = np.asarray(planes[..., :3], np.float32)
    return mean, np.maximum(planes[..., 3] - np.einsum("ijk,ijk->ij", mean, mean), 0)
