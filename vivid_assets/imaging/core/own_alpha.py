"""A picture's own transparency: when it is a cut-out, and what of the picture it shows."""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import box_of, frame_of
from vivid_assets.imaging.core.arrays import RGB8, Area, Matte, Plane
from vivid_assets.imaging.core.color import opencv_lab
from vivid_assets.imaging.core.resize import JUDGED_AT, shrink

_MOST_COVERAGE = 0.9
"""Share of the picture that is solid in a cut-out."""
_MOST_BORDER = 0.7
"""Share of the frame that is."""
_RECTANGLE = 0.98
"""Share of its bounding box that a padded photograph fills."""
_NOTHING = 1e-4
"""Share of solid pixels under which an alpha shows no picture."""
_LEAST_DISC = 64
"""Pixels across, under which a disc is an icon."""
_DISC = 0.985
"""Overlap (IoU) of what is solid with the disc in its bounding box, from which it is one."""
_RIM = (0.9, 0.98)
"""Where a disc's rim is looked at, as shares of its radius."""
_SAME = 15.0
"""Distance in ΔE within which a rim's pixel has the rim's colour, shading aside."""
_OF_ONE_COLOR = 0.85
"""Share of such pixels in a round thing's rim: a ball, a plate, a coin. Fifteen portraits and scenes have .3 to .8."""
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


def uncut_circle(image: RGB8, alpha: Matte) -> RGB8 | None:
    """Continue a photograph that was cut to a circle beyond it, mirrored; None where the transparency is no such cut.

    A round thing has a rim of its own; what a circle cuts through is any part of a scene.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float32 H×W, 0..1, the picture's own transparency.
    """
    top, bottom, left, right = solid_box(alpha)
    height, width = bottom - top, right - left
    if abs(height - width) > max(2, 0.02 * width) or min(height, width) < _LEAST_DISC:
        return None
    rows, columns = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
    y, x = ((rows + 0.5 - top) / height - 0.5) * 2, ((columns + 0.5 - left) / width - 0.5) * 2
    radius = np.hypot(y, x)
    solid, disc = alpha > 0.5, radius < 1
    if (solid & disc).sum() < _DISC * (solid | disc).sum() or _has_rim(image, radius, np.arctan2(y, x)):
        return None
    # Within the outermost pixels the colour is mixed with what lies under the clear ones.
    inner = 1 - 3 / min(height, width)
    back = np.where(radius > inner, np.maximum(2 * inner - radius, 0.0) / np.maximum(radius, 1e-6), 1.0)
    across = np.asarray((x * back / 2 + 0.5) * width - 0.5 + left, np.float32)
    down = np.asarray((y * back / 2 + 0.5) * height - 0.5 + top, np.float32)
    return np.asarray(cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _has_rim(image: RGB8, radius: Plane, angle: Plane) -> bool:
    """Whether a disc's rim has one colour, which light from a side may shade."""
    rim = (radius > _RIM[0]) & (radius < _RIM[1])
    lab, turn = opencv_lab(image)[rim], angle[rim]
    basis = np.stack([np.ones_like(turn), np.cos(turn), np.sin(turn)], axis=1)
    alike = np.linalg.norm(lab - np.median(lab, axis=0), axis=1) < 2 * _SAME
    for _ in range(4):
        if alike.sum() < basis.shape[1]:
            return False
        shaded = basis @ np.linalg.lstsq(basis[alike], lab[alike], rcond=None)[0]
        alike = np.linalg.norm(lab - shaded, axis=1) < _SAME
    return bool(alike.mean() >= _OF_ONE_COLOR)


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
