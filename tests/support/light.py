"""Light as pixels."""

import numpy as np

from vivid_assets.imaging.core.color import linear_to_srgb, to_uint8


def linear_to_uint8(linear: np.ndarray) -> np.ndarray:
    """Linear light of any shape as 8-bit sRGB."""
    return to_uint8(linear_to_srgb(linear))
