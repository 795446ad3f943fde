"""What a blend did to a picture, in figures that a check can be set on and a reader can compare."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.color import ciede2000, rgb_to_lab

Array = NDArray[Any]


@dataclass(frozen=True)
class Measures:
    """Figures of one blend. Lab units unless said otherwise; NaN-free: 0 where there is nothing to measure."""

    halo: float  # chroma of the subject's rim towards the old wall's hue, less that of the ring inside; signed
    leakage: float  # share of the old wall's colour still in the rim's foreground, 0..1
    moved_share: float  # share of the picture's pixels whose colour was changed by more than ΔE00 1, 0..1
    moved_delta_e: float  # their mean ΔE00
    wall_flatness: float  # robust spread of the old wall's colour (median Lab distance from its median)
    wall_lightness: float  # the old wall's median L
    wall_a: float
    wall_b: float


_MOST_SAMPLES = 20_000


def measure(image: Array, foreground: Array, alpha: Array) -> Measures:
    """Measure a blend from the source, the estimated foreground (both uint8 HxWx3 sRGB) and the alpha used."""
    kernel = np.ones((3, 3), np.uint8)
    opaque = (alpha > 0.9).astype(np.uint8)
    rim = (alpha > 0.3) & (cv2.erode(opaque, kernel, iterations=2) == 0)
    inner = (cv2.erode(opaque, kernel, iterations=4) > 0) & (cv2.erode(opaque, kernel, iterations=9) == 0)
    wall = alpha < 0.02

    rim_lab, inner_lab = rgb_to_lab(_sample(foreground, rim)), rgb_to_lab(_sample(foreground, inner))
    wall_lab = rgb_to_lab(_sample(image, wall))
    middle = np.median(wall_lab, axis=0) if len(wall_lab) else np.zeros(3)
    flatness = float(np.median(np.linalg.norm(wall_lab - middle, axis=1))) if len(wall_lab) else 0.0

    halo = leakage = 0.0
    if len(rim_lab) and len(inner_lab) and len(wall_lab):
        chroma = float(np.hypot(middle[1], middle[2]))
        direction = middle[1:] / chroma if chroma >= 4 else np.zeros(2)
        halo = float((rim_lab[:, 1:].mean(axis=0) - inner_lab[:, 1:].mean(axis=0)) @ direction)
        span = middle - inner_lab.mean(axis=0)
        shares = (rim_lab - inner_lab.mean(axis=0)) @ span / max(float(span @ span), 1.0)
        leakage = float(np.clip(shares, 0, 1).mean())

    changed = (alpha > 0.02) & (image != foreground).any(axis=2)
    count = int(changed.sum())
    delta = ciede2000(rgb_to_lab(_sample(image, changed)), rgb_to_lab(_sample(foreground, changed)))
    moved = delta[delta > 1]
    share = count / alpha.size * (len(moved) / len(delta)) if len(delta) else 0.0
    mean_moved = float(moved.mean()) if len(moved) else 0.0
    lightness, a, b = (float(v) for v in middle)
    return Measures(halo, leakage, float(share), mean_moved, flatness, lightness, a, b)


def _sample(picture: Array, where: Array) -> Array:
    """Take at most 20,000 evenly spaced pixels of a region: enough for a mean, whatever the picture's size."""
    index = np.flatnonzero(where)
    return picture.reshape(-1, 3)[index[:: max(1, -(-len(index) // _MOST_SAMPLES))]]
