"""A picture's own transparency: when it is a cut-out, and what of the picture it shows."""

import numpy as np

from vivid_assets.imaging.core.areas import box_of, frame_of
from vivid_assets.imaging.core.arrays import Area, Matte
from vivid_assets.imaging.core.resize import JUDGED_AT, shrink

_MOST_COVERAGE = 0.9
"""Share of the picture that is solid in a cut-out."""
_MOST_BORDER = 0.7
"""Share of the frame that is."""
_RECTANGLE = 0.98
"""Share of its bounding box that a padded photograph fills."""
_NOTHING = 1e-4
"""Share of solid pixels under which an alpha shows no picture."""
_SOLID = 0.98
"""Alpha that counts as solid, where what is clear is only packaging."""


def packaging(alpha: Matte) -> str | None:
    """Say why a picture's own transparency (float H×W, 0..1) cannot be a cut-out; None where it can.

    Rounded corners, bars, a stray clear pixel, 254 for 255 and the unused fourth byte of an XRGB file are packaging:
    the original background is still there, or nothing is.

    >>> packaging(np.ones((40, 40), np.float32))
    '100% of the picture is solid'
    """
    solid = alpha > 0.5
    if solid.mean() < _NOTHING:
        return "nothing is solid"
    small = shrink(alpha.astype(np.float32), JUDGED_AT) > 0.5
    coverage, border = float(small.mean()), float(frame_of(small).mean())
    if coverage > _MOST_COVERAGE:
        return f"{coverage:.0%} of the picture is solid"
    if border > _MOST_BORDER:
        return f"{border:.0%} of the frame is solid"
    # What shows at all counts, so that a rectangle with a soft side or a glow is a cut-out.
    top, bottom, left, right = _box(alpha > _NOTHING)
    if alpha[top:bottom, left:right].mean() > _RECTANGLE:
        return "the solid part is a rectangle"
    return None


def visible_part(alpha: Matte) -> Matte:
    """What of a picture is to be seen (float32 H×W, 0..1), where its transparency is only packaging."""
    if (alpha > 0.5).mean() < _NOTHING:
        return np.ones_like(alpha)
    return np.asarray(np.clip(alpha / np.float32(_SOLID), 0, 1))


def shown_alpha(alpha: Matte) -> Matte:
    """What of a picture with transparency is to be seen: a cut-out as it is, else all but what is surely clear."""
    return alpha if packaging(alpha) is None else visible_part(alpha)


def solid_box(alpha: Matte) -> tuple[int, int, int, int]:
    """The rectangle that holds every solid pixel: top, bottom, left, right; the whole where there is none."""
    return _box(alpha > 0.5)


def _box(where: Area) -> tuple[int, int, int, int]:
    return box_of(where) or (0, where.shape[0], 0, where.shape[1])
