"""What a frame before a plain background knows of its subject better than a network.

The network fills in the opening of a handle, and misses a cable, or a dark shirt for seconds. What it says of a frame
is corrected before it is smoothed over time.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.alpha import fit_alpha
from vivid_assets.imaging.core.areas import dilated, eroded, grown, joined
from vivid_assets.imaging.core.arrays import RGB8, Area, LinearRGB, Matte
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.core.noise import capture_noise
from vivid_assets.imaging.core.resize import REFERENCE, shrink
from vivid_assets.imaging.plate.known_plate import solve_known_plate

_BARE = 0.1
"""Alpha up to which the photograph is sure of its background."""
_WIDE = 0.004
"""Half the width of a gap, as a share of the longer side, at least: finer ones are left to the edge's own solving."""
_FOUND = 0.6
"""Alpha from which it is sure of a subject, however thin, that the network has missed."""
_BLACK = 0.06
"""Share of the background's light that a shadow leaves at least, but for the line at which a thing stands."""
_BROAD = 0.01
"""Half the width of what is darker, as a share of the longer side, for it to be no such line."""
_BESIDE = 0.04
"""Share of the longer side within which it is the subject's: between a shirt and a face there is a collar."""


def seen_on_plain(image: RGB8, probability: Matte, side: int) -> Matte:
    """Correct a network's probability by what a frame shows before a plain background.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1.
        side: the longer side at which both are compared.

    Returns:
        float32 H×W, 0..1; as it was where the background is busy, or looks like the subject.
    """
    small = shrink(image, side)
    network = fit_alpha(probability, *small.shape[:2])
    known = solve_known_plate(srgb_to_linear(small), network, capture_noise(small, network), solve=True)
    if known is None or known.alpha is None:
        return probability
    reach = max(1, round(_WIDE * side))
    bare: Area = dilated(eroded((known.alpha < _BARE) & (network > 0.5), reach), reach)
    missed = np.where((known.alpha > _FOUND) & (network < 0.5), known.alpha, 0)
    missed[_too_dark(known.layer, network > 0.5)] = 1
    left, least = (
        np.asarray(cv2.resize(plane, probability.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        for plane in (1 - bare.astype(np.float32), missed.astype(np.float32))
    )
    return np.asarray(np.maximum(probability * left, least), np.float32)


def _too_dark(layer: LinearRGB, subject: Area) -> Area:
    """What is beside the subject, and too dark and too broad for a shadow."""
    reach = max(1, round(_BROAD * max(subject.shape)))
    black = fit_alpha(layer.mean(axis=2), *subject.shape) < _BLACK
    broad: Area = dilated(eroded(black, reach), reach)
    return joined(broad, grown(subject, _BESIDE * max(subject.shape))) & ~subject


def shadow_on_plain(image: RGB8, alpha: Matte) -> LinearRGB | None:
    """Measure the shadow that a frame's subject casts on a plain background.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float32 h×w, 0..1, of any size of the same aspect.

    Returns:
        float32 h×w×3, small: the share of light that is left, 1 where no shadow is. None where the background is busy.
    """
    small = shrink(image, REFERENCE)
    fitted = fit_alpha(alpha, *small.shape[:2])
    known = solve_known_plate(srgb_to_linear(small), fitted, capture_noise(small, fitted), solve=False)
    return None if known is None else known.layer
