"""Alphas that are given: when a picture's own transparency is a cut-out, and what a person should look at again."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.verdict import Figures, Thresholds, Verdict, measure

Array = NDArray[Any]

_RECTANGLE = 0.98  # share of its bounding box that a padded photograph fills
_NOTHING = 1e-4  # share of solid pixels under which an alpha shows no picture
_SOLID = 0.98  # alpha that counts as solid, where what is clear is only packaging


def packaging(alpha: Array) -> str | None:
    """Say why a picture's own transparency (float H×W, 0..1) cannot be a cut-out; None where it can.

    Rounded corners, bars, a stray clear pixel, 254 for 255 and the unused fourth byte of an XRGB file are packaging:
    the old wall is still there, or nothing is.
    """
    solid = alpha > 0.5
    if solid.mean() < _NOTHING:
        return "nothing is solid"
    figures, limits = measure(alpha), Thresholds()
    if figures.coverage > limits.max_coverage:
        return f"{figures.coverage:.0%} of the picture is solid"
    if figures.border > limits.max_border:
        return f"{figures.border:.0%} of the frame is solid"
    # What shows at all counts, so that a rectangle with a soft side or a glow is a cut-out.
    top, bottom, left, right = _box(alpha > _NOTHING)
    if alpha[top:bottom, left:right].mean() > _RECTANGLE:
        return "the solid part is a rectangle"
    return None


def visible_part(alpha: Array) -> Array:
    """What of a picture is to be seen (float32 H×W, 0..1), where its transparency is only packaging."""
    if (alpha > 0.5).mean() < _NOTHING:
        return np.ones_like(alpha)
    return np.clip(alpha / np.float32(_SOLID), 0, 1)


def shown_alpha(alpha: Array) -> Array:
    """What of a picture with transparency is to be seen: a cut-out as it is, else all but what is surely clear."""
    return alpha if packaging(alpha) is None else visible_part(alpha)


def solid_box(alpha: Array) -> tuple[int, int, int, int]:
    """The rectangle that holds every solid pixel: top, bottom, left, right; the whole where there is none."""
    return _box(alpha > 0.5)


def _box(where: Array) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    if not len(rows):
        return 0, where.shape[0], 0, where.shape[1]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def judge_given(figures: Figures, thresholds: Thresholds, name: str, reason: str) -> Verdict:
    """Judge an alpha that is used as it is: ``name`` unless a person should look whether it is what was meant."""
    if figures.coverage < thresholds.min_coverage:
        return Verdict("empty", f"{reason} shows next to nothing: coverage {figures.coverage:.4f}")
    if figures.coverage > thresholds.max_coverage:
        return Verdict("covers_all", f"{reason} covers {figures.coverage:.0%} of the picture")
    if figures.border > thresholds.max_border:
        return Verdict("inverted", f"{reason} looks inverted: {figures.border:.0%} of the frame is subject")
    return Verdict(name, reason)
