"""What a blend did to a picture, in figures that a check can be set on and a reader can compare."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.lab_deprojection import CHROMA_GATE
from vivid_assets.imaging.core.color import ciede2000, lab_to_linear, rgb_to_lab, srgb_to_linear

Array = NDArray[Any]


@dataclass(frozen=True)
class Measures:
    """Figures of one blend, of any size alike. Lab units unless said otherwise; None: there is nothing to measure."""

    halo: float | None  # chroma of the subject's rim towards the old wall's hue, less that of the ring inside; signed
    leakage: (
        float | None
    )  # how far the rim goes over to the old wall towards its contour; 0 clean, 1 as if not un-mixed
    moved_share: float  # share of the picture's pixels whose colour was changed by more than ΔE00 1, 0..1
    moved_delta_e: float  # their mean ΔE00
    wall_flatness: float | None  # robust spread of the old wall's colour (median Lab distance from its median)
    wall_lightness: float | None  # the old wall's median L
    wall_a: float | None
    wall_b: float | None


@dataclass(frozen=True)
class Wall:
    """The old background as a colour: its median in Lab and the median distance from it."""

    lab: Array  # float32, 3
    flatness: float


_MOST_SAMPLES = 20_000
_FEWEST = 30  # pixels of a rim, or of the subject inside it, under which nothing is said
_LEAST_SPAN = 0.005  # squared distance in linear light under which subject and wall are one colour
_REFERENCE = 1024  # pixels of the longer side that the distances below are for
_RIM = 4.0  # pixels inside the contour where the rim ends
_RING = 12.0, 28.0  # pixels inside the contour between which the subject's own colour is looked for
_REACH = 3.0  # pixels over which a hard contour counts as half an edge
_CONTOUR = 0.5


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
    halo, leakage = (None, None) if wall is None else _edge(foreground, alpha, wall)
    touched = changed & (alpha > 0.02)
    before, after = _sample(image, touched), _sample(foreground, touched)
    delta = ciede2000(rgb_to_lab(before), rgb_to_lab(after))
    moved = delta[delta > 1]
    share = np.count_nonzero(touched) / alpha.size * (len(moved) / max(len(delta), 1))
    lightness, a, b = (float(v) for v in wall.lab) if wall is not None else (None, None, None)
    return Measures(
        halo=halo,
        leakage=leakage,
        moved_share=float(share),
        moved_delta_e=float(moved.mean()) if len(moved) else 0.0,
        wall_flatness=wall.flatness if wall is not None else None,
        wall_lightness=lightness,
        wall_a=a,
        wall_b=b,
    )


def _edge(foreground: Array, alpha: Array, wall: Wall) -> tuple[float | None, float | None]:
    """Measure halo and leakage by the distance from the contour of what is nearly solid, scaled by the picture."""
    scale = max(alpha.shape) / _REFERENCE
    solid = (alpha > 0.9).astype(np.uint8)
    if solid.all() or not solid.any():
        return None, None
    depth = np.asarray(cv2.distanceTransform(solid, cv2.DIST_L2, 5), np.float32)
    # A pixel's distance is that of its far side. In thin subjects the ring is what lies deepest.
    depth -= np.float32(0.5)
    outer = min(_RING[0] * scale, 0.6 * float(depth.max()))
    rim = (alpha > 0.3) & (depth <= _RIM * scale)
    ring = (depth >= outer) & (depth <= max(_RING[1] * scale, outer + 2))
    inner_lab = rgb_to_lab(_sample(foreground, ring))
    if len(inner_lab) < _FEWEST or np.count_nonzero(rim) < _FEWEST:
        return None, None
    halo = None
    chroma = float(np.hypot(wall.lab[1], wall.lab[2]))
    if chroma >= CHROMA_GATE[0]:
        rim_lab = rgb_to_lab(_sample(foreground, rim))
        halo = float((rim_lab[:, 1:].mean(axis=0) - inner_lab[:, 1:].mean(axis=0)) @ (wall.lab[1:] / chroma))
    return halo, _leakage(foreground, alpha, inner_lab, wall, _REACH * scale)


def _leakage(foreground: Array, alpha: Array, inner_lab: Array, wall: Wall, reach: float) -> float | None:
    """Regress how far the rim lies from the subject's inner colour towards the wall's on how near the wall is.

    How near says 1 − α, and within ``reach`` of a hard contour the distance from it. A subject may well be of the
    wall's colour at its rim, but only a mixture goes with alpha from pixel to pixel. Plain alpha blending of an exact
    alpha gives 1, an exact foreground about 0, and a mask that takes in a strip of wall more than 1.
    """
    inner, outer = lab_to_linear(inner_lab).mean(axis=0), lab_to_linear(wall.lab)
    span = outer - inner
    if float(span @ span) < _LEAST_SPAN:
        return None
    within = cv2.distanceTransform((alpha > _CONTOUR).astype(np.uint8), cv2.DIST_L2, 5)
    near = np.clip(1 - (within - np.float32(0.5)) / (2 * reach), 0, 1) * (within > 0)
    empty = np.maximum(1 - alpha, 0.5 * near)
    edge = (alpha > 0.1) & ((empty > 0.05) | (within > 0) & (within < 4 * reach + 1))
    light, empty = srgb_to_linear(_sample(foreground, edge)), _sample(empty, edge)
    if len(light) < _FEWEST:
        return None
    along = (light - inner) @ span / float(span @ span)
    empty = empty - empty.mean()
    spread = float(empty @ empty)
    if spread < 1e-3 * len(empty):
        return None
    return float(np.clip(along @ empty / spread, 0, 4))


def _sample(plane: Array, where: Array) -> Array:
    """Take at most 20,000 evenly spaced pixels of a region: enough for a mean, whatever the picture's size."""
    index = np.flatnonzero(where)
    return plane.reshape(-1, *plane.shape[2:])[index[:: max(1, -(-len(index) // _MOST_SAMPLES))]]
