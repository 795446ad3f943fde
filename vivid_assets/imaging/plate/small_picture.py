"""The picture at 512 pixels, compared with its plate: what lies on the ray, what is flat, what is thin.

The plate in any light is a ray through black. A pixel near it is background or grey subject; how near it lies, how
rough it is and how steep are what the separation goes by.
"""

from dataclasses import dataclass

import cv2
import numba
import numpy as np

from vivid_assets.imaging.core.areas import distance_to, grown, joined, joined_to_frame, without_small_parts
from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.noise import noise_variances, reduced_noise
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.resize import fitted_size
from vivid_assets.imaging.plate.floor import floor_line, rows_of_plate
from vivid_assets.imaging.plate.neighbours import least_of_channels, most_of_channels, range_about, slope_of, window
from vivid_assets.imaging.plate.shadow_layer import MOST_SHARE

SEPARATED_AT = 512
"""Longer side in pixels at which subject, shadow and plate are separated."""
NEAR = 0.012
"""Share of the longer side about the mask that is solved."""
LARGE = 2e-3
"""Share of the picture from which a hole is large, or a tinted shadow."""
SHADED = 0.88
"""Share of the plate's light up to which there is a shadow."""
_DARKEST = 0.04
"""Share of the plate's light under which nothing is taken for shadow."""
_FOOT = 8
"""Pixels about a tinted shadow that are as tinted and belong to it."""
_DARKER, _BOUNCED = 0.75, 0.2
"""Share of the light of the subject beside it up to which a shadow at its foot is darker, and the tint there."""
_FADES = 1.3
"""Range of the logarithm of light about a pixel up to which there is no edge."""
_LINE, _DENT = 9, 0.12
"""Pixels across which a line is thin, and share of the plate's light that it must lack against both of its sides."""
_ALONG = 24
"""Pixels that a line follows the subject's contour, from which it is the shadow at its foot."""
_TINTED = 0.3
"""Distance from the ray, as a share of the plate's light, of the most tinted shadow."""


@dataclass(frozen=True)
class SmallPicture:
    """The small picture, and how each of its pixels compares with the plate."""

    light: LinearRGB
    """float32 h×w×3, linear light, as the plate."""
    network: Matte
    """float32 h×w, 0..1: the network's alpha."""
    plate: LinearRGB
    """float32 h×w×3, linear light."""
    share: Plane
    """float32 h×w, 0 and up: of the plate's light."""
    noise: Plane
    """float32 h×w: standard deviation of that."""
    off: Plane
    """float32 h×w, 0 and up: distance from the ray, as a share of the plate's light."""
    ray: Area
    """bool: plate in any light."""
    flat: Area
    """bool: no rougher than noise, no steeper than a shadow's edge."""
    thin: Area
    """bool: darker than what lies on both sides of it. No lamp is so small that its shadow of a hair were so sharp."""
    table: Vector
    """The noise's variances."""
    colored: Plane
    """How far the plate is from grey, 0..1."""

    @property
    def longest(self) -> int:
        """Its longer side, in pixels."""
        return int(max(self.network.shape))


def small_picture(light: LinearRGB, alpha: Matte, plate: LinearRGB, noise: float) -> SmallPicture:
    """Reduce a picture to ``SEPARATED_AT`` and compare its pixels with the plate.

    Args:
        light: float32 H×W×3, linear light.
        alpha: float32 h×w, 0..1, of any size: a network's.
        plate: float32 h×w×3, linear light, of any size.
        noise: the capture's in the whole picture, in levels of 8 bits.

    """
    height, width = light.shape[:2]
    size = fitted_size(width, height, SEPARATED_AT)
    reduced = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
    network = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    plate = np.asarray(cv2.resize(plate, size, interpolation=cv2.INTER_LINEAR), np.float32)
    left = reduced_noise(noise, max(size), max(height, width))
    table = noise_variances(left)
    # Each channel by its noise, whose variance goes with the light to the power of 7/6.
    weight = np.maximum(plate, 0.004) ** np.float32(-7 / 6)
    planes: Planes = np.empty((3, *network.shape), np.float32)
    length, share, off = planes
    parallel_rows(_shares, len(share), weight, plate, reduced, length, share)
    row = rows_of_plate(share, network < 0.05)
    plate, share, length = plate * row[..., None], share / row, length * row * row
    parallel_rows(_distances, len(off), (weight, plate, reduced), length, share, off)
    grain = np.sqrt(np.float32((left / 255) ** 2 * (2.4 / 1.055) ** 2) / length)
    # Light that is shaded may be tinted: by the sky, or by the subject.
    tinted = 0.025 + 0.08 * np.clip(1 - share, 0, 1) * share + 3 * grain
    floor = floor_line(reduced)
    ray = (off < tinted) & (share > _DARKEST) & ((share < MOST_SHARE) | floor)
    slope = slope_of(np.log(np.maximum(share, 0.01)))
    fine = (share - cv2.GaussianBlur(share, (0, 0), 1.5)) ** 2
    rough = np.sqrt(cv2.GaussianBlur(fine, (0, 0), 1.5))
    flat = (slope < 0.05 + 2 * grain / np.maximum(share, 0.05)) & (rough < 0.008 + 1.5 * grain)
    thin = _thin(share, grain, floor)
    thin &= ~_at_foot(thin, share, network)
    # Along a row the end of a floor is even, and so it is in a gap that a network is not sure of.
    even = np.abs(cv2.Scharr(np.log(np.maximum(share, 0.01)), cv2.CV_32F, 1, 0) / 32) < 0.02 + 2 * grain
    flat |= floor & ray & ((network < 0.5) | ((network < 0.97) & (off < 0.01 + 2 * grain) & even))
    ray |= _deeply_tinted(off, ray, flat & (network < 0.05), grain) & (network < 0.5) & (share > _DARKEST)
    ray |= _tinted_foot(off, share, network, tinted) & ~thin
    return SmallPicture(reduced, network, plate, share, grain, off, ray, flat, thin, table, _colored(plate))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _shares(weight, plate, light, length, share, first, end):  # type: ignore[no-untyped-def]
    """Write each pixel's share of the plate's light, and the square of the plate, both by weight."""
    for y in range(first, end):
        for x in range(share.shape[1]):
            square, dot = np.float32(0.0), np.float32(0.0)
            for c in range(3):
                square += weight[y, x, c] * plate[y, x, c] * plate[y, x, c]
                dot += weight[y, x, c] * light[y, x, c] * plate[y, x, c]
            length[y, x], share[y, x] = square, dot / square


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _distances(pictures, length, share, off, first, end):  # type: ignore[no-untyped-def]
    """Write how far each pixel lies from its share of the plate, as a share of it."""
    weight, plate, light = pictures
    for y in range(first, end):
        for x in range(off.shape[1]):
            beside = np.float32(0.0)
            for c in range(3):
                apart = light[y, x, c] - share[y, x] * plate[y, x, c]
                beside += weight[y, x, c] * (apart * apart)
            off[y, x] = np.sqrt(beside / length[y, x])


def _deeply_tinted(off: Plane, ray: Area, where: Area, grain: Plane) -> Area:
    """What goes over smoothly from a shadow on the ray to one that is tinted more, as colourful plates have it."""
    smooth = where & (off < _TINTED) & (slope_of(off) < 0.01 + 2 * grain)
    # Most pixels about each tell, so that grain leaves no specks.
    smooth = ~ray & (off < _TINTED) & (cv2.blur(smooth.astype(np.float32), (7, 7)) > 0.5)
    found = joined(without_small_parts(smooth, LARGE * smooth.size), grown(ray, 2))
    # At the subject's foot the shadow is steeper.
    return found | (grown(found, _FOOT) & (off < _TINTED)) if found.any() else found


def _tinted_foot(off: Plane, share: Plane, network: Matte, tinted: Plane) -> Area:
    """What lies in the shadow at the subject's foot and is tinted by the light that the subject throws back.

    At its darkest it is darker than the plate and than the subject beside it, which no mixture of both is; and it
    fades into the plate, which no part of the subject does.
    """
    darkest = cv2.erode(np.where(network > 0.9, share, np.inf).astype(np.float32), window(2 * _FOOT + 1))
    beside = grown(network > 0.5, _FOOT) & (network < 0.05)
    smooth = range_about(np.log(np.maximum(share, 0.01)), 3) < _FADES
    limit = tinted + _BOUNCED * share * np.clip(1 - share, 0, 1)
    shaded = beside & (share < SHADED) & (off < limit) & smooth
    shaded = joined(shaded, grown((off < tinted) & (share >= SHADED) & smooth & (network < 0.05), 1))
    return grown(shaded & (share < _DARKER * darkest), 2 * _FOOT) & shaded


def _thin(share: Plane, grain: Plane, floor: Area) -> Area:
    """Where it is darker than on both sides: hairs and stalks, but no line where a floor meets its wall."""
    dent = np.asarray(cv2.morphologyEx(np.minimum(share, 1), cv2.MORPH_BLACKHAT, window(_LINE)), np.float32)
    found = (dent > _DENT + 3 * grain) & ~floor
    return np.asarray(found & ~joined_to_frame(found))


def _at_foot(thin: Area, share: Plane, network: Matte) -> Area:
    """Which thin dark lines are the shadow right beneath the subject, and no hair.

    They follow its contour for long and never leave it, or all light about them is dimmed.
    """
    away = distance_to(network > 0.5)
    lightest = cv2.dilate(np.where(network < 0.5, share, 0).astype(np.float32), window(2 * _LINE - 1))
    dimmed = (lightest < SHADED) & (away <= _LINE / 2)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(thin.astype(np.uint8), connectivity=8)
    farthest = np.zeros(count)
    np.maximum.at(farthest, np.asarray(labels[thin], np.int64), away[thin])
    along = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) > _ALONG
    follows = along & (farthest <= _LINE)
    follows[0] = False
    return np.asarray(dimmed | follows[labels])


def _colored(plate: LinearRGB) -> Plane:
    """How far a plate is from grey, 0..1."""
    return np.asarray(1 - least_of_channels(plate) / np.maximum(most_of_channels(plate), 1e-4))
