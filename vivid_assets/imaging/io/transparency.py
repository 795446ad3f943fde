"""What is shown of a picture that is transparent in parts, where transparency cannot be seen."""

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.own_alpha import shown_alpha
from vivid_assets.imaging.io.decode import Picture

NOTE_OVER_WHITE = "the background is transparent in parts, which are shown white"


def over_white(rgb: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """``rgb`` (uint8 H×W×3) before white, mixed as image viewers do, for what cannot see transparency.

    >>> over_white(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.float32)).tolist()
    [[[255, 255, 255]]]
    """
    opacity = alpha[..., None]
    return np.asarray(np.rint(rgb * opacity + 255 * (1 - opacity))).astype(np.uint8)


def opaque(picture: Picture) -> NDArray[np.uint8]:
    """The picture's colours, over white where it is transparent.

    Where its transparency cannot be a cut-out, what is behind it is shown as far as there is anything.
    """
    return picture.rgb if picture.alpha is None else over_white(picture.rgb, shown_alpha(picture.alpha))
