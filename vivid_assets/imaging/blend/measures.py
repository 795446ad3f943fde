"""What a blend did to a picture, in figures that a check can be set on and a reader can compare."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.lab_deprojection import CHROMA_GATE
from vivid_assets.imaging.core.areas import box_of
from vivid_assets.imaging.core.arrays import RGB, Area, Lab, Matte
from vivid_assets.imaging.core.color import ciede2000, lab_to_linear, rgb_to_lab, srgb_to_linear
from vivid_assets.imaging.core.resize import REFERENCE


@dataclass(frozen=True)
class Measures:
    """Figures of one blend, of any size alike. Lab units unless said otherwise; None: there is nothing to measure."""

    halo: float | None
    """Chroma of the subject's rim towards the original background's hue, less that of the ring inside; signed."""
    leakage: float | None
    """How far the rim goes over to the original background towards its contour; 0 clean, 1 as by plain alpha."""
    moved_share: float
    """Share of the picture's pixels whose colour was changed by more than ΔE00 1, 0..1."""
    moved_delta_e: float
    """Their mean ΔE00."""
    old_background_spread: float | None
    """Spread of the original background's colour: median Lab distance from its median, 0 for one colour."""
    wall_lightness: float | None
    """The original background's median L."""
    wall_a: float | None
    """Its median a."""
    wall_b: float | None
    """Its median b."""


@dataclass(frozen=True)
class BackgroundColor:
    """The original background as a colour: its median in Lab and the median distance from it."""

    lab: Lab
    """float32, 3."""
    spread: float
    """Median Lab distance from it: 0 for one colour."""


_MOST_SAMPLES = 20_000
_FEWEST = 30
"""Pixels of a rim, or of the subject inside it, under which nothing is measured."""
_LEAST_SPAN = 0.005
"""Squared distance in linear light under which subject and background are one colour."""
_RIM = 4.0
"""Pixels inside the contour where the rim ends."""
_RING = 12.0, 28.0
"""Pixels inside the contour between which the subject's own colour is looked for."""
_REACH = 3.0
"""Pixels over which a hard contour counts as half an edge."""
_SOLID, _CONTOUR, _FAINTEST = 0.9, 0.5, 0.1
"""Alpha from which a pixel is nearly solid, of the contour, and up to which one shows too little to be measured."""


def background_color(image: RGB, alpha: Matte) -> BackgroundColor | None:
    """Measure the original background's colour where ``alpha`` < 0.02; None where no background is seen."""
    lab = rgb_to_lab(_sample(image, alpha < 0.02))
    if not len(lab):
        return None
    middle = np.median(lab, axis=0)
    return BackgroundColor(middle, float(np.median(np.linalg.norm(lab - middle, axis=1))))


def measure(image: RGB, foreground: RGB, alpha: Matte, changed: Area, original: BackgroundColor | None) -> Measures:
    """Measure a blend.

    Args:
        image: the source, H×W×3 sRGB.
        foreground: as it was estimated, H×W×3 sRGB.
        alpha: float32 H×W, 0..1, as it was used.
        changed: bool H×W: the pixels that were changed.
        original: the original background; None where none is seen.
    """
    halo, leakage = (None, None) if original is None else _edge(foreground, alpha, original)
    touched = changed & (alpha > 0.02)
    before, after = _sample(image, touched), _sample(foreground, touched)
    delta = ciede2000(rgb_to_lab(before), rgb_to_lab(after))
    moved = delta[delta > 1]
    share = np.count_nonzero(touched) / alpha.size * (len(moved) / max(len(delta), 1))
    lightness, a, b = (float(v) for v in original.lab) if original is not None else (None, None, None)
    return Measures(
        halo=halo,
        leakage=leakage,
        moved_share=float(share),
        moved_delta_e=float(moved.mean()) if len(moved) else 0.0,
        old_background_spread=original.spread if original is not None else None,
        wall_lightness=lightness,
        wall_a=a,
        wall_b=b,
    )


def _edge(foreground: RGB, alpha: Matte, original: BackgroundColor) -> tuple[float | None, float | None]:
    """Measure halo and leakage by the distance from the contour of what is nearly solid, scaled by the picture."""
    scale = max(alpha.shape) / REFERENCE
    if (seen := box_of(alpha > _FAINTEST)) is None or alpha.min() > _SOLID:
        return None, None
    # All that is measured lies within; two pixels more, since distances are summed in steps of up to two.
    top, bottom, left, right = seen
    box = slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2)
    foreground, alpha = foreground[box], alpha[box]
    solid = (alpha > _SOLID).astype(np.uint8)
    if not solid.any():
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
    chroma = float(np.hypot(original.lab[1], original.lab[2]))
    if chroma >= CHROMA_GATE[0]:
        rim_lab = rgb_to_lab(_sample(foreground, rim))
        halo = float((rim_lab[:, 1:].mean(axis=0) - inner_lab[:, 1:].mean(axis=0)) @ (original.lab[1:] / chroma))
    return halo, _leakage(foreground, alpha, inner_lab, original, _REACH * scale)


def _leakage(foreground: RGB, alpha: Matte, inner_lab: Lab, original: BackgroundColor, reach: float) -> float | None:
    """Regress how far the rim lies from the subject's inner colour towards the background's on how near that is.

    1 − α is how near, and within ``reach`` of a hard contour the distance from it. A subject may well be of the
    background's colour at its rim, but only a mixture goes with alpha from pixel to pixel. Plain alpha blending of an
    exact alpha gives 1, an exact foreground about 0, and a mask that takes in a strip of background more than 1.
    """
    inner, outer = lab_to_linear(inner_lab).mean(axis=0), lab_to_linear(original.lab)
    span = outer - inner
    if float(span @ span) < _LEAST_SPAN:
        return None
    within = cv2.distanceTransform((alpha > _CONTOUR).astype(np.uint8), cv2.DIST_L2, 5)
    edge = (alpha > _FAINTEST) & ((alpha < 0.95) | (within > 0) & (within < 4 * reach + 1))
    light, within, alpha = srgb_to_linear(_sample(foreground, edge)), _sample(within, edge), _sample(alpha, edge)
    near = np.clip(1 - (within - np.float32(0.5)) / (2 * reach), 0, 1) * (within > 0)
    empty = np.maximum(1 - alpha, 0.5 * near)
    if len(light) < _FEWEST:
        return None
    along = (light - inner) @ span / float(span @ span)
    empty = empty - empty.mean()
    spread = float(empty @ empty)
    if spread < 1e-3 * len(empty):
        return None
    return float(np.clip(along @ empty / spread, 0, 4))


def _sample(plane: NDArray[Any], where: Area) -> NDArray[Any]:
    """Take at most 20,000 evenly spaced pixels of a region: enough for a mean, whatever the picture's size."""
    index = np.flatnonzero(where)
    return plane[np.divmod(index[:: max(1, -(-len(index) // _MOST_SAMPLES))], where.shape[1])]
