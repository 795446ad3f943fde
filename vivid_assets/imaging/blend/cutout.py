"""Cut-outs that hold their subject and nothing of the room that it was taken from."""

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import box_of
from vivid_assets.imaging.core.arrays import RGB, Matte
from vivid_assets.imaging.core.resize import REFERENCE

_RIM = 8
"""Pixels about the subject, in a picture of 1,024, that get its rim's colours: programs that scale a cut-out mix the
colours of clear pixels in, whose alpha they should have looked at."""
_FAINT = 1 / 16
"""What is fainter has a colour that is mostly noise."""


def emptied(rgb: RGB, alpha: Matte) -> RGB:
    """The cut-out with other colours where it is clear: its rim's nearby, black further out.

    Args:
        rgb: uint8 or uint16 H×W×3, straight colours (not multiplied by alpha).
        alpha: H×W, 0–1; what rounds to 0 at the depth of ``rgb`` is clear.

    >>> emptied(np.full((1, 9, 3), 7, np.uint8), np.array([[1.0] + 8 * [0.0]], np.float32))[0, :, 0].tolist()
    [7, 7, 7, 7, 7, 7, 7, 7, 7]
    """
    clear = alpha * np.iinfo(rgb.dtype).max < 0.5
    out = rgb.copy()
    out[clear] = 0
    seen = box_of(~clear)
    if not clear.any() or seen is None:
        return out
    reach = max(_RIM, round(_RIM * max(alpha.shape) / REFERENCE))
    top, bottom, left, right = seen
    box = slice(max(top - reach, 0), bottom + reach), slice(max(left - reach, 0), right + reach)
    firm = alpha[box] >= min(_FAINT, float(alpha.max()))
    distance, nearest = cv2.distanceTransformWithLabels(
        (~firm).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place_of = np.zeros(int(nearest.max()) + 1, np.intp)
    place_of[nearest[firm]] = np.flatnonzero(firm)
    rim = clear[box] & (distance <= reach)
    out[box][rim] = rgb[box].reshape(-1, 3)[place_of[nearest[rim]]]
    return out
