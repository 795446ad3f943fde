"""From the raw probability that won to the alpha that is written."""

from __future__ import annotations

import numpy as np

from vivid_assets.imaging.flat_fills import flat_fill_matte
from vivid_assets.imaging.line_art_matte import line_art_matte, one_ink_matte
from vivid_assets.imaging.matte_refine import WORKING_SIDE, refine_matte
from vivid_assets.imaging.matte_stretch import keep_extremities, stretch
from vivid_assets.imaging.resizing import shrink
from vivid_assets.imaging.verdict import agreement
from vivid_assets.imaging.wall_matte import open_holes


def finish_photo(image: np.ndarray, probability: np.ndarray, *, refine: bool, low: float, high: float) -> np.ndarray:
    """Keep thin parts, follow the picture's own edges, stretch, open holes.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, raw.
        refine: whether the mask is brought to the picture's edges.
        low: absolute probability that becomes 0.
        high: absolute probability that becomes 1.

    Returns:
        float32 H×W, 0..1.

    """
    p = keep_extremities(shrink(probability, WORKING_SIDE) if refine else probability)
    return open_holes(image, stretch(refine_matte(image, p) if refine else p, low, high))


def finish_line_art(
    image: np.ndarray, probability: np.ndarray, *, trusted: bool, low: float, high: float
) -> tuple[np.ndarray, str]:
    """Outlines joined, flat regions filled, holes kept; from the wall's colour where the wall allows it.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, raw.
        trusted: whether the tier's verdict was good. A good mask that takes a part of what the wall's flood leaves
            (one figure in a drawn scene whose sky is plain) is kept; one that takes in the wall gives way.
        low: as for ``finish_photo``.
        high: as for ``finish_photo``.

    Returns:
        float32 H×W in 0..1, and the way it was read: ``plain``, ``patterned`` or ``busy``.

    """
    found = line_art_matte(image, probability)
    if found.wall != "busy":
        contradicted = trusted and agreement(found.alpha, probability) < 0.3 and _lies_within(probability, found.alpha)
        empty = not (found.alpha > 0.5).any()
        if not contradicted and not empty:
            return found.alpha, found.wall
    fills = flat_fill_matte(image, probability)
    if fills is not None:
        return fills, "busy"
    return stretch(line_art_matte(image, probability, any_wall=True).alpha, low, high), "busy"


def overlooked_drawing(image: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, str] | None:
    """Cut out a drawing that the detector, whose figures are the whole picture's, takes for a photograph.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, raw.

    Returns:
        As ``finish_line_art``, or ``None`` for a photograph: neither one ink on one colour nor flat fills.

    """
    ink = one_ink_matte(image)
    if ink is not None:
        return ink, "plain"
    fills = flat_fill_matte(image, probability)
    return None if fills is None else (fills, "busy")


def _lies_within(probability: np.ndarray, alpha: np.ndarray) -> bool:
    subject = probability > 0.5
    return bool((alpha[subject] > 0.5).mean() > 0.7) if subject.any() else False
