"""What a blend did to a picture, in figures that a check can be set on and a reader can compare."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.color import ciede2000, lab_to_linear, rgb_to_lab, srgb_to_linear
from vivid_assets.imaging.deprojection import CHROMA_GATE

Array = NDArray[Any]


@dataclass(frozen=True)
class Measures:
    """Figures of one blend. Lab units unless said otherwise; NaN-free: 0 where there is nothing to measure."""

    halo: float  # chroma of the subject's rim towards the old wall's hue, less that of the ring inside; signed
    leakage: float  # how far the foreground goes over to the old wall as alpha falls; 0 clean, 1 as if not un-mixed
    moved_share: float  # share of the picture's pixels whose colour was changed by more than ΔE00 1, 0..1
    moved_delta_e: float  # their mean ΔE00
    wall_flatness: float  # robust spread of the old wall's colour (median Lab distance from its median)
    wall_lightness: float  # the old wall's median L
    wall_a: float
    wall_b: float


@dataclass(frozen=True)
class Wall:
    """The old background as a colour: its median in Lab and the median distance from it."""

    lab: Array  # float32, 3
    flatness: float


_MOST_SAMPLES = 20_000
_FEWEST_SOFT = 50
_LEAST_SPAN = 0.005  # squared distance in linear light under which subject and wall are one colour


def wall_color(image: Array, alpha: Array) -> Wall | None:
    """Measure the old wall's colour where ``alpha`` < 0.02; None where no wall is seen."""
    lab = rgb_to_lab(_sample(image, alpha < 0.02))
    if not len(lab):
        return None
    middle = np.median(lab, axis=0)
    return Wall(middle, float(np.median(np.linalg.norm(lab - middle, axis=1))))


def measure(image: Array, foreground: Array, alpha: Array, changed: Array, wall: Wall | None) -> Measures:
    """Measure a blend.

    From the source and the estimated foreground (both HxWx3 sRGB), the alpha used, the pixels that were changed
    (bool) and the old wall.
    """
    kernel = np.ones((3, 3), np.uint8)
    opaque = (alpha > 0.9).astype(np.uint8)
    core = cv2.erode(opaque, kernel, iterations=3)
    rim = (alpha > 0.3) & (core == 0)
    inner = (core > 0) & (cv2.erode(core, kernel, iterations=6) == 0)
    rim_lab, inner_lab = rgb_to_lab(_sample(foreground, rim)), rgb_to_lab(_sample(foreground, inner))

    halo = leakage = 0.0
    if len(rim_lab) and len(inner_lab) and wall is not None:
        middle = inner_lab.mean(axis=0)
        chroma = float(np.hypot(wall.lab[1], wall.lab[2]))
        if chroma >= CHROMA_GATE[0]:
            halo = float((rim_lab[:, 1:].mean(axis=0) - middle[1:]) @ (wall.lab[1:] / chroma))
        leakage = _leakage(foreground, alpha, inner_lab, wall)

    touched = changed & (alpha > 0.02)
    before, after = _sample(image, touched), _sample(foreground, touched)
    delta = ciede2000(rgb_to_lab(before), rgb_to_lab(after))
    moved = delta[delta > 1]
    share = np.count_nonzero(touched) / alpha.size * (len(moved) / max(len(delta), 1))
    lightness, a, b = (float(v) for v in wall.lab) if wall is not None else (0.0, 0.0, 0.0)
    return Measures(
        halo=halo,
        leakage=leakage,
        moved_share=float(share),
        moved_delta_e=float(moved.mean()) if len(moved) else 0.0,
        wall_flatness=wall.flatness if wall is not None else 0.0,
        wall_lightness=lightness,
        wall_a=a,
        wall_b=b,
    )


def _leakage(foreground: Array, alpha: Array, inner_lab: Array, wall: Wall) -> float:
    """Regress how far soft pixels lie from the subject's inner colour towards the wall's on 1 − α, in linear light.

    A subject may well be of the wall's colour at its rim, but only a mixture goes with alpha from pixel to pixel. Plain
    alpha blending gives 1, an exact foreground about 0.
    """
    soft = (alpha > 0.1) & (alpha < 0.95)
    light = srgb_to_linear(_sample(foreground, soft))
    if len(light) < _FEWEST_SOFT:
        return 0.0
    inner, outer = lab_to_linear(inner_lab).mean(axis=0), lab_to_linear(wall.lab)
    span = outer - inner
    along = (light - inner) @ span / max(float(span @ span), _LEAST_SPAN)
    empty = 1 - _sample(alpha, soft)
    empty = empty - empty.mean()
    return float(np.clip(along @ empty / max(float(empty @ empty), 1e-6), 0, 2))


def _sample(plane: Array, where: Array) -> Array:
    """Take at most 20,000 evenly spaced pixels of a region: enough for a mean, whatever the picture's size."""
    index = np.flatnonzero(where)
    return plane.reshape(-1, *plane.shape[2:])[index[:: max(1, -(-len(index) // _MOST_SAMPLES))]]
