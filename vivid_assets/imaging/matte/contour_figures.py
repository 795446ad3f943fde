"""Where along its contour a mask can be trusted: figures of each piece of contour, from the picture and the alpha.

An edge that the picture shows, steep in colour and in alpha, is mostly where a person would draw it; a contour where
the picture has no edge is a guess. A trained estimate makes a probability of it
(``vivid_assets.masking.estimate.edge_map``).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.areas import distance_to
from vivid_assets.imaging.core.arrays import RGB8, Indices, Lab, Matte, Plane, Vector
from vivid_assets.imaging.core.color import opencv_lab
from vivid_assets.imaging.core.resize import JUDGED_AT, shrink

CONTOUR_FIGURES = ("edge", "gradient", "difference", "differs", "steepness", "soft_about", "busy_about", "bends")
_WINDOW = 0.04
"""Width of what is about a pixel, as a share of the longer side."""


@dataclass(frozen=True)
class Contour:
    """A mask's contour and what speaks for each of its pixels."""

    shape: tuple[int, int]
    """Height and width that the contour was taken at: the longer side at most 320 pixels."""
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: Vector
    """float64 N×8, in the order of ``CONTOUR_FIGURES``."""


def contour_figures(image: RGB8, alpha: Matte) -> Contour:
    """Measure a mask's contour, without what lies on the picture's frame.

    Args:
        image: uint8 H×W×3 sRGB.
        alpha: float H×W, 0..1.

    Raises:
        ValueError: sizes differ.

    """
    if image.shape[:2] != alpha.shape:
        raise ValueError(f"sizes differ: {image.shape[:2]} and {alpha.shape}")
    small, a = shrink(image, JUDGED_AT), shrink(alpha.astype(np.float32), JUDGED_AT)
    inside = a > 0.5
    rim = inside & (distance_to(~inside) <= 1.0) if not inside.all() else np.zeros_like(inside)
    rim[[0, -1]] = rim[:, [0, -1]] = False
    rows, columns = np.nonzero(rim)
    if not len(rows):
        return Contour(a.shape, rows, columns, np.zeros((0, len(CONTOUR_FIGURES))))
    lab = np.asarray(cv2.GaussianBlur(opencv_lab(small), (0, 0), 0.8), np.float32)
    across, down = (cv2.Scharr(lab, cv2.CV_32F, *axis, scale=1 / 32) ** 2 for axis in ((1, 0), (0, 1)))
    gradient = np.sqrt((across + down).sum(axis=2))
    near = cv2.dilate(gradient, np.ones((5, 5), np.uint8))
    depth = cv2.GaussianBlur(distance_to(~inside) - distance_to(inside), (0, 0), 1.5)
    down, across = cv2.Sobel(depth, cv2.CV_32F, 0, 1), cv2.Sobel(depth, cv2.CV_32F, 1, 0)
    length = np.maximum(np.hypot(down, across), 1e-6)
    reach = max(2.0, 0.015 * max(a.shape))
    beside = [_at(lab, rows, columns, down / length * step, across / length * step) for step in (reach, -reach)]
    difference = np.linalg.norm(beside[0] - beside[1], axis=1)
    slope = np.hypot(cv2.Sobel(a, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(a, cv2.CV_32F, 0, 1, scale=1 / 8))
    size = 2 * round(_WINDOW * max(a.shape) / 2) + 1
    soft, busy = (cv2.blur(plane, (size, size)) for plane in (((a > 0.05) & (a < 0.95)).astype(np.float32), gradient))
    bends = np.abs(cv2.blur(inside.astype(np.float32), (size, size)) - 0.5)
    here = rows, columns
    values = (
        np.log((near[here] + 0.3) / (near.mean() + 0.3)),
        np.log(near[here] + 0.3),
        np.log(difference + 1.0),
        np.log((difference + 1.0) / (difference.mean() + 1.0)),
        slope[here] * reach,
        soft[here],
        np.log((near[here] + 0.3) / (busy[here] + 0.3)),
        bends[here],
    )
    return Contour(a.shape, rows, columns, np.stack(values, axis=1).astype(np.float64))


def _at(lab: Lab, rows: Indices, columns: Indices, down: Plane, across: Plane) -> Lab:
    """Colours at a step from each of the pixels; N×3."""
    y = np.clip(np.rint(rows + down[rows, columns]), 0, lab.shape[0] - 1).astype(np.intp)
    x = np.clip(np.rint(columns + across[rows, columns]), 0, lab.shape[1] - 1).astype(np.intp)
    return np.asarray(lab[y, x])
