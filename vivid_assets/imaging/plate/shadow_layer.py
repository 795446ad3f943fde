"""The shadow that a subject casts on a plain background, taken off the photograph as a layer of its own.

Outside the subject S = I / plate is the share of light that the subject leaves: contact shadow, cast shadow, a soft
reflection. The layer is free of the capture's noise, goes on smoothly beneath the subject's soft edge, may be tinted,
and is 1 where nothing is.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import LinearRGB, Plane, Planes
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
    ratio = light / np.maximum(plate * np.maximum(share, 0.03)[..., None], 1e-4)
    tint = np.clip(blur_widely(np.clip(ratio, 0.6, 1.5), trust), 0.75, 1.25)
    # A channel that a colourful plate hardly has was cut off by the camera's colours: it says nothing of the light.
    tint = 1 + (tint - 1) * np.clip(plate / np.maximum(plate.max(axis=2, keepdims=True), 1e-4) / _TELLING - 0.5, 0, 1)
    there = np.abs(value - 1) > _SEEN
    _, labels, stats, _ = cv2.connectedComponentsWithStats(there.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > _LEAST_AREA * there.size
    large[0] = False
    there = large[labels]
    fade = cv2.GaussianBlur(cv2.dilate(there.astype(np.float32), np.ones((5, 5), np.uint8)), (0, 0), 2.0)
    value = 1 + (value - 1) * fade
    colored = np.clip((np.abs(value - 1) - 0.02) / 0.1, 0, 1)[..., None]
    layer = value[..., None] * (1 + (tint - 1) * colored)
    layer[np.abs(value - 1) < 0.002] = 1
    return np.asarray(np.clip(layer, 0, MOST_SHARE), np.float32)


def _blurred(values: Planes, weight: Plane, sigma: float) -> tuple[Planes, Plane]:
    """Blur ``values`` by their weight; with the blurred weight."""
    planes = np.dstack([values * (weight if values.ndim == 2 else weight[..., None]), weight]).astype(np.float32)
    sums = np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)
    mean = sums[..., :-1] / np.maximum(sums[..., -1:], 1e-4)
    return mean.reshape(values.shape), sums[..., -1]
