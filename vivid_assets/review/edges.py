"""Where along its contour a mask is unsure, drawn for a person."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.matte.contour_figures import contour_figures
from vivid_assets.masking.estimate import contour_right

SURE, UNSURE = (70, 200, 120), (255, 60, 50)
_SURE_FROM, _UNSURE_FROM = 0.95, 0.7
"""Probabilities at which the two colours are full: nine of ten pixels of a good mask's contour are right."""
_DIMMED = 0.45


def edge_map(image: NDArray[np.uint8], alpha: NDArray[np.float32], longest: int) -> NDArray[np.uint8]:
    """The picture, dark and grey, with the mask's contour: green where it is sure, red where it is not.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float32 H×W, 0..1.
        longest: pixels of the longer side that is drawn, at most.

    Returns:
        uint8 h×w×3. Without a contour, such as for an empty mask, the picture alone.
    """
    small = shrink(image, longest)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    drawn = np.repeat(np.rint(_DIMMED * grey).astype(np.uint8)[..., None], 3, axis=2)
    contour = contour_figures(image, alpha)
    if not len(contour.rows):
        return drawn
    right = _along(contour.shape, contour.rows, contour.columns, contour_right(contour))
    unsure = np.clip((_SURE_FROM - right) / (_SURE_FROM - _UNSURE_FROM), 0, 1)
    colors = np.rint(np.outer(1 - unsure, SURE) + np.outer(unsure, UNSURE)).astype(np.uint8)
    scale = np.array(small.shape[:2]) / contour.shape
    radius = max(1, round(max(small.shape[:2]) / 320))
    # The doubtful last, so that nothing hides them.
    for index in np.argsort(unsure, kind="stable"):
        x, y = (contour.columns[index] + 0.5) * scale[1], (contour.rows[index] + 0.5) * scale[0]
        cv2.circle(drawn, (int(x), int(y)), radius, colors[index].tolist(), -1, cv2.LINE_AA)
    return drawn


def _along(
    shape: tuple[int, int], rows: NDArray[np.intp], columns: NDArray[np.intp], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Means over the neighbouring pieces of contour, so that stretches show and not grains."""
    size = 2 * round(0.02 * max(shape)) + 1
    planes = np.zeros((2, *shape), np.float32)
    planes[0, rows, columns], planes[1, rows, columns] = right, 1.0
    summed = [cv2.blur(plane, (size, size)) for plane in planes]
    return np.asarray(summed[0][rows, columns] / summed[1][rows, columns], np.float64)
