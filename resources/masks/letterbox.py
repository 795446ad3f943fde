"""A picture of any size into the rectangle that a network takes, and its answer back."""

import cv2
import numpy as np

# ImageNet's mean in sRGB: what is filled up with it is 0 after normalisation.
_FILL = (124, 116, 104)


def fitted(image: np.ndarray, shape: tuple[int, int], *, keep_aspect: bool) -> np.ndarray:
    """``image`` (uint8 H×W×3) at ``shape``: scaled to fit with the right or bottom filled up, or stretched."""
    height, width = inner(image.shape[:2], shape) if keep_aspect else shape
    shrinks = height < image.shape[0] or width < image.shape[1]
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    if (height, width) == shape:
        return scaled
    canvas = np.full((*shape, 3), _FILL, np.uint8)
    canvas[:height, :width] = scaled
    return canvas


def unfitted(mask: np.ndarray, size: tuple[int, int], *, keep_aspect: bool) -> np.ndarray:
    """The network's answer (float32, 0..1) cut and scaled back to a picture of ``size`` (height, width)."""
    height, width = inner(size, (mask.shape[0], mask.shape[1])) if keep_aspect else mask.shape
    back = cv2.resize(mask[:height, :width], (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.clip(back, 0.0, 1.0).astype(np.float32)


def inner(size: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width, at least 1, of a picture of ``size`` scaled to fit into ``shape``."""
    scale = min(shape[0] / size[0], shape[1] / size[1])
    return (
        min(shape[0], max(1, round(size[0] * scale))),
        min(shape[1], max(1, round(size[1] * scale))),
    )
