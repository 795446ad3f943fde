"""The soft shadow under a subject that stands on the floor, without which a cut-out seems to float."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.arrays import Plane
from vivid_assets.imaging.core.key_light import KeyLight

_TOUCHES, _SHADES = 0.012, 0.1
"""Heights above the floor, as shares of the subject's, over which its two shadows fade."""
_STRENGTH = 0.6
"""0 (none) … 1 (the floor is black under the feet)."""
_LEAN = {"left": 1.0, "right": -1.0, "above": 0.0, "behind": 0.0}
"""The shadow falls away from the key light."""


def contact_shadow(alpha: NDArray[np.uint8], *, key_light: KeyLight) -> Plane:
    """Compute the share of the floor's light that a standing subject leaves.

    Two shadows: a narrow dark one where the subject touches the floor, and a broad faint one that leans away from
    the key light. A subject that the frame's lower edge cuts stands on nothing that is seen and gets none.

    Args:
        alpha: uint8 H×W, the subject's opacity.
        key_light: Where the key light stands.

    Returns:
        float32 H×W, 0..1: multiply the background by it, in linear light, before the subject is laid over it.

    Raises:
        ValueError: another shape or type of alpha.

    >>> alpha = np.zeros((40, 40), np.uint8)
    >>> alpha[10:30, 15:25] = 255
    >>> bool(contact_shadow(alpha, key_light="above")[30, 20] < 0.7)
    True
    """
    if alpha.ndim != 2 or alpha.dtype != np.uint8 or alpha.size == 0:
        raise ValueError(f"Alpha must be uint8 H×W and not empty, not {alpha.dtype} {alpha.shape}.")
    height, width = alpha.shape
    rows = np.flatnonzero((alpha > 127).any(axis=1))
    if rows.size == 0 or rows[-1] >= height - 1 - height // 100:
        return np.ones((height, width), np.float32)
    base, tall = int(rows[-1]), int(rows[-1] - rows[0] + 1)
    solid = alpha > 127
    lowest = height - 1 - np.argmax(solid[::-1], axis=0)
    gap = np.where(solid.any(axis=0), base - lowest, np.inf).astype(np.float32)  # to the floor, per column
    # The floor is seen from a little above, so the subject's depth shows as a few rows.
    thick = max(1.0, 0.025 * max(float((gap < 0.1 * tall).sum()), 0.4 * tall))
    tight = _spread(np.exp(-gap / (_TOUCHES * tall)), 0.7 * thick, 0.0)
    broad = _spread(np.exp(-gap / (_SHADES * tall)), 4.0 * thick, _LEAN[key_light] * 4.0 * thick)
    y = np.arange(height, dtype=np.float32)[:, None] - base
    darkness = 0.8 * np.exp(-((y / thick) ** 2)) * tight + 0.6 * np.exp(-(((y - thick) / (3.5 * thick)) ** 2)) * broad
    return np.asarray(1 - _STRENGTH * np.clip(darkness, 0, 1), np.float32)


def _spread(foot: Plane, sigma: float, shift: float) -> Plane:
    """The foot's profile along the floor, blurred and moved sideways; (1, width)."""
    move = np.array([[1, 0, shift], [0, 1, 0]], np.float32)
    moved = cv2.warpAffine(foot[None, :], move, (foot.size, 1), flags=cv2.INTER_LINEAR)
    reach = int(3 * sigma) | 1  # zeros beyond the frame: there is no subject there
    padded = cv2.copyMakeBorder(moved.reshape(1, -1), 0, 0, reach, reach, cv2.BORDER_CONSTANT, value=0)
    blurred = cv2.GaussianBlur(padded, (2 * reach + 1, 1), sigma)
    return np.asarray(blurred.reshape(1, -1)[:, reach : reach + foot.size], np.float32)
