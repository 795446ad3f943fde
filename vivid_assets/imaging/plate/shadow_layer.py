"""The shadow that a subject casts on a plain background, taken off the photograph as a layer of its own.

Outside the subject S = I / plate is the share of light that the subject leaves: contact shadow, cast shadow, a soft
reflection. The layer is free of the capture's noise, goes on smoothly beneath the subject's soft edge, may be tinted,
and is 1 where nothing is.
"""

import cv2
import numba
import numpy as np

from vivid_assets.imaging.core.arrays import LinearRGB, Plane, Planes
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.plate.fill import blur_widely

MOST_SHARE = 1.12
"""The largest share: a soft reflection on a glossy floor."""
_TELLING = 0.2
"""Share of the plate's strongest channel from which another has its half say in a shadow's tint."""
_SEEN = 0.012
"""Of light, that a shadow must take away or add for it to be one."""
_LEAST_AREA = 4e-4
"""Share of the picture under which a patch is dirt, or grain."""


def measure_shadow(share: Plane, light: LinearRGB, plate: LinearRGB, seen: Plane, noise: Plane) -> LinearRGB:
    """Measure the shares of light (float32 h×w×3, 1 where nothing is) of a picture's background.

    Args:
        share: float32 h×w, how much of the plate's light each pixel has.
        light: float32 h×w×3, the picture in linear light.
        plate: float32 h×w×3, linear light.
        seen: float32 h×w, 0..1: how surely it is background; what is less than half sure has no say in the tint.
        noise: float32 h×w, standard deviation of ``share`` by the capture's noise.

    """
    share = np.clip(share, 0, 1.3)
    # As fine as the noise allows: the finest of three widths that differs from the next by more than noise.
    fine, weight = _blurred(share, seen, 1.0)
    middle, _ = _blurred(share, seen, 2.5)
    wide = blur_widely(share, seen)
    grain = np.maximum(noise, 0.002)
    value = np.where(weight > 0.05, fine, middle)
    for coarser, left in ((middle, 0.3), (wide, 0.12)):
        apart = np.clip(np.abs(value - coarser) / (left * grain + 0.0015) - 1.5, 0, 1)
        value = coarser + (value - coarser) * cv2.blur(apart, (3, 3))
    there = (weight > 0.02).astype(np.float32)
    value = np.where(there > 0, value, wide)
    # The tint says less where little light is left, and is smoother than the shadow.
    trust = np.where(seen > 0.5, np.clip(share, 0.03, 1), 0).astype(np.float32)
    ratio = np.empty_like(light)
    parallel_rows(_ratios, len(share), light, plate, share, ratio)
    tint = blur_widely(ratio, trust)
    there = np.abs(value - 1) > _SEEN
    _, labels, stats, _ = cv2.connectedComponentsWithStats(there.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > _LEAST_AREA * there.size
    large[0] = False
    there = large[labels]
    fade = cv2.GaussianBlur(cv2.dilate(there.astype(np.float32), np.ones((5, 5), np.uint8)), (0, 0), 2.0)
    value = 1 + (value - 1) * fade
    parallel_rows(_tinted, len(value), np.ascontiguousarray(value, np.float32), tint, plate, ratio)
    return ratio


def _blurred(values: Planes, weight: Plane, sigma: float) -> tuple[Planes, Plane]:
    """Blur ``values`` by their weight; with the blurred weight."""
    planes = np.dstack([values * (weight if values.ndim == 2 else weight[..., None]), weight]).astype(np.float32)
    sums = np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)
    mean = sums[..., :-1] / np.maximum(sums[..., -1:], 1e-4)
    return mean.reshape(values.shape), sums[..., -1]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _ratios(light, plate, share, out, first, end):  # type: ignore[no-untyped-def]
    """Write how each channel's share of the plate's light differs from the pixel's."""
    for y in range(first, end):
        for x in range(out.shape[1]):
            dimmed = max(share[y, x], np.float32(0.03))
            for c in range(3):
                ratio = light[y, x, c] / max(plate[y, x, c] * dimmed, np.float32(1e-4))
                out[y, x, c] = min(max(ratio, np.float32(0.6)), np.float32(1.5))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _tinted(value, tint, plate, out, first, end):  # type: ignore[no-untyped-def]
    """Write the shadow ``value`` (float32 h×w), each channel in its tint, which says less where little light is taken.

    A channel that a colourful plate hardly has was cut off by the camera's colours: it says nothing of the light.
    """
    one, zero = np.float32(1.0), np.float32(0.0)
    for y in range(first, end):
        for x in range(out.shape[1]):
            off = abs(value[y, x] - one)
            colored = min(max((off - np.float32(0.02)) / np.float32(0.1), zero), one)
            strongest = max(max(plate[y, x, 0], plate[y, x, 1], plate[y, x, 2]), np.float32(1e-4))
            for c in range(3):
                if off < np.float32(0.002):
                    out[y, x, c] = one
                    continue
                said = plate[y, x, c] / strongest / np.float32(_TELLING) - np.float32(0.5)
                found = min(max(tint[y, x, c], np.float32(0.75)), np.float32(1.25))
                shade = one + (found - one) * min(max(said, zero), one)
                made = value[y, x] * (one + (shade - one) * colored)
                out[y, x, c] = min(max(made, zero), np.float32(MOST_SHARE))
