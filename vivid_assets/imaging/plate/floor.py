"""Where a floor or table ends: what whole rows of a picture show at both sides of its frame.

What a row lacks there is the plate's and no shadow. The small picture takes it into the plate before anything is
separated.
"""

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import Area, LinearRGB, Plane
from vivid_assets.imaging.plate.neighbours import mean_of_channels

_SIDE = 0.02
"""Share of the width on either side at which a line across the picture is looked for."""
_STEP, _ENDS = 3, 0.06
"""Rows within which light changes where a floor ends, and the least change of its logarithm."""


def rows_of_plate(share: Plane, bare: Area) -> Plane:
    """Tell (float32 h×1) what a whole row lacks of the plate's light, such as the line where a floor meets its wall.

    It is there at both sides of the frame, where a shadow seldom is. ``share`` (float32 h×w) is what each pixel has of
    the plate's light, ``bare`` (bool h×w) where no subject is.
    """
    ends = np.maximum(*(np.median(strip, axis=1) for strip in _sides(share)))
    left, right = _sides(bare)
    seen = left.all(axis=1) & right.all(axis=1)
    return np.where(seen, np.clip(ends, 0.05, 1), 1)[:, None].astype(np.float32)


def floor_line(light: LinearRGB) -> Area:
    """Mark (bool h×w) the rows in which the light changes at both sides of the picture: where a floor or table ends.

    A shadow or a subject seldom reaches to both sides, and never in one row.
    """
    changed = []
    for strip in _sides(np.log(np.maximum(mean_of_channels(light), 1e-3))):
        row = np.median(strip, axis=1)
        wide = np.pad(row, _STEP, mode="edge")
        above, below = wide[: -2 * _STEP], wide[2 * _STEP :]
        step, line = np.abs(below - above), np.abs(row - (above + below) / 2)
        changed.append(cv2.dilate((np.maximum(step, line) > _ENDS).astype(np.uint8), np.ones((5, 1), np.uint8)))
    both = np.minimum(*changed)
    rows = np.asarray(cv2.dilate(both, np.ones((3, 1), np.uint8))).ravel() > 0
    return np.repeat(rows[:, None], light.shape[1], axis=1)


def _sides(plane: Plane | Area) -> tuple[Plane | Area, Plane | Area]:
    """The strips at the left and at the right of the frame, where a whole row is told from what stands in it."""
    side = max(2, round(_SIDE * plane.shape[1]))
    return plane[:, :side], plane[:, -side:]
