"""From the raw probability that won to the alpha that is written."""

from __future__ import annotations

import numpy as np

from vivid_assets.imaging.line_art_matte import line_art_matte
from vivid_assets.imaging.matte_refine import refine_matte
from vivid_assets.imaging.matte_stretch import keep_extremities, stretch
from vivid_assets.imaging.verdict import agreement


def finish_photo(image: np.ndarray, probability: np.ndarray, *, refine: bool, low: float, high: float) -> np.ndarray:
    """Keep thin parts, follow the picture's own edges, stretch.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, raw.
        refine: whether the mask is brought to the picture's edges.
        low: absolute probability that becomes 0.
        high: absolute probability that becomes 1.

    Returns:
        float32 H×W, 0..1.

    """
    p = keep_extremities(probability)
    return stretch(refine_matte(image, p) if refine else p, low, high)


def finish_line_art(
    image: np.ndarray, probability: np.ndarray, *, trusted: bool, low: float, high: float
) -> tuple[np.ndarray, str]:
    """Outlines joined, flat regions filled, holes kept; from the wall's colour where the wall allows it.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, raw.
        trusted: whether the tier's verdict was good. A good mask that contradicts the wall's flood (a drawn scene
            whose sky is plain) is kept; a refused one gives way.
        low: as for ``finish_photo``.
        high: as for ``finish_photo``.

    Returns:
        float32 H×W in 0..1, and the way it was read: ``plain``, ``patterned`` or ``busy``.

    """
    found = line_art_matte(image, probability)
    if found.wall != "busy":
        contradicted = trusted and agreement(found.alpha, probability) < 0.3
        empty = not (found.alpha > 0.5).any()
        if not contradicted and not empty:
            return found.alpha, found.wall
    return stretch(line_art_matte(image, probability, any_wall=True).alpha, low, high), "busy"
