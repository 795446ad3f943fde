"""A background of a few repeating colours (stripes, checks, tiles): distance from it, its colour near the subject."""

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import RGB8, Area, Lab, Plane, Planes, Vector

_CELL = 6.0
"""Cell of the colour histogram and reach of a palette colour, in ΔE."""

_MOST = 4
"""Colours of a pattern."""
_LEAST_SHARE = 0.93
"""Share of the frame that these colours, and mixtures of two along an edge, must explain."""
_BAND = 0.05
"""Width of that frame, as a share of the shorter side."""


def fit_palette(lab: Lab) -> Lab | None:
    """Find the few colours that make up the picture's frame.

    Args:
        lab: float32 H×W×3 CIE Lab.

    Returns:
        float32 K×3 Lab colours, or ``None`` where the frame is not made of so few.

    """
    height, width = lab.shape[:2]
    thick = max(1, round(_BAND * min(height, width)))
    frame = np.concatenate(
        [part.reshape(-1, 3) for part in (lab[:thick], lab[-thick:], lab[:, :thick], lab[:, -thick:])]
    )
    colors: list[Vector] = []
    left = frame
    while len(left) > 0.03 * len(frame) and len(colors) < _MOST:
        cells = np.floor(left / _CELL).astype(np.int64)
        _, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
        if counts.max() < 0.03 * len(frame):
            break
        color = np.median(left[inverse.ravel() == counts.argmax()], axis=0)
        colors.append(color)
        left = left[np.linalg.norm(left - color, axis=1) > _CELL]
    if not colors:
        return None
    palette = np.array(colors, dtype=np.float32)
    pure = np.min([np.linalg.norm(frame - color, axis=1) for color in palette], axis=0) < _CELL / 2
    explained = palette_distance(frame[None], palette)[0] < _CELL
    # A photograph fills the space between its colours; a pattern only crosses it along its edges.
    return palette if pure.mean() >= 0.7 and explained.mean() >= _LEAST_SHARE else None


def palette_distance(lab: Lab, palette: Lab) -> Plane:
    """ΔE to the nearest palette colour or to a mixture of two of them; float32 H×W."""
    nearest = np.full(lab.shape[:2], np.inf, dtype=np.float32)
    for index, one in enumerate(palette):
        nearest = np.minimum(nearest, np.linalg.norm(lab - one, axis=2))
        for other in palette[index + 1 :]:
            along = other - one
            t = np.clip(((lab - one) @ along) / max(float(along @ along), 1e-6), 0.0, 1.0)
            nearest = np.minimum(nearest, np.linalg.norm(lab - one - t[..., None] * along, axis=2))
    return nearest


def extend_background(image: RGB8, background: Area) -> Planes:
    """Carry the background's colour under the subject from the nearest background pixel; float32 H×W×3, 0..255."""
    if not background.any():
        return image.astype(np.float32)
    _, labels = cv2.distanceTransformWithLabels(
        (~background).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((int(labels.max()) + 1, 3), dtype=np.float32)
    colors[labels[background]] = image[background]
    return np.asarray(colors[labels])
