"""The small picture against the shadow measured on it: where it has the shaded plate's light, where it is as dark.

The separation measures the shadow on what is surely background, and asks here what else is.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import grown
from vivid_assets.imaging.core.arrays import Area, LinearRGB, Plane
from vivid_assets.imaging.plate.neighbours import mean_of_channels, most_of_channels, window
from vivid_assets.imaging.plate.shadow_layer import measure_shadow
from vivid_assets.imaging.plate.small_picture import SHADED, SmallPicture

_DIM = 0.35
"""Share of a coloured plate's light under which a camera sees no hue."""
_DEEP = 0.55
"""Share of the plate's light up to which it may be a shadow's core."""
FLARE = 0.08
"""Share of the plate's light that lens and surroundings may add to a shadow, in another hue."""


def layer_of(small: SmallPicture, seen: Plane) -> LinearRGB:
    """Measure the shadow where the background is ``seen`` (float32 h×w, 0..1), by ``measure_shadow``: float32 h×w×3."""
    return measure_shadow(small.share, small.light, small.plate, seen, small.noise)


def plate_met(small: SmallPicture, layer: LinearRGB) -> Area:
    """Where the picture has the very light of the plate in its shadow (``layer``, float32 h×w×3): bool h×w."""
    return np.asarray(np.abs(small.share / np.maximum(mean_of_channels(layer), 0.05) - 1) < 0.05 + 2 * small.noise)


def as_dark(small: SmallPicture, layer: LinearRGB) -> Area:
    """Where the shadow (``layer``, float32 h×w×3) is so deep that a subject's own dark has its light: bool h×w."""
    return np.asarray(mean_of_channels(layer) <= np.where(small.colored > 0.3, _DIM, SHADED))


def deepest_shadow(small: SmallPicture, layer: LinearRGB) -> Area:
    """Where a shadow is so deep that the plate has lost its hue: what is dark there, and no subject to the network.

    It may be strange by no more than what lens and surroundings add. And it is of a piece: what is dark between hairs
    is hair. Bool h×w, for the shadow measured so far (``layer``, float32 h×w×3).
    """
    beside = np.abs(small.light - cv2.merge([small.share] * 3) * small.plate)
    strange = most_of_channels(beside) / most_of_channels(small.plate)
    found = (small.network < 0.5) & (small.share < _DEEP) & grown(mean_of_channels(layer) < SHADED, 3) & ~small.ray
    found &= strange < FLARE + 3 * small.noise
    return np.asarray(cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, window(7)) > 0)
