"""A small network that tells what of a picture is drawn: figure in a drawing, wall in whatever lies behind it.

Salient-object networks are trained on photographs. Before a busy wall they take a part of the photograph for the
subject and leave a part of the drawing. This one (U-Net, Ronneberger et al. 2015, 0.67 million weights) sees what
they answer, the picture, and what no small copy shows: how exact the full picture's steps are, which in a drawing's
fills are none or even and in a photograph carry grain. ``training/drawing_net.py`` trains it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numba
import numpy as np

#: Side, in pixels, of the square that the network sees.
SIDE = 448
WEIGHTS = Path(__file__).with_name("drawing_net.onnx")


def drawn_probability(image: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Give how surely each pixel belongs to the drawn figure.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, a salient-object network's raw answer.

    Returns:
        float32 H×W, 0..1; near zero all over in a photograph.

    """
    logit = _session().run(None, {"x": drawing_inputs(image, probability)[None]})[0][0, 0]
    answer = 1.0 / (1.0 + np.exp(-np.clip(logit, -20.0, 20.0)))
    full = cv2.resize(answer, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(full, 0.0, 1.0), np.float32)


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Each picture has a thread of its own already.
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(WEIGHTS, options, providers=["CPUExecutionProvider"])


def drawing_inputs(image: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Colour, the other network's answer and four measures of the full picture's steps, averaged into the square.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1.

    Returns:
        float32 8×448×448, each −0.5..0.5.

    """
    step, bend = _steps(image.astype(np.int16))
    planes = [
        *cv2.split(image),
        np.uint8(np.rint(np.clip(probability, 0.0, 1.0) * 255)),
        np.uint8(step == 0) * 255,
        np.uint8(step <= 1) * 255,
        np.uint8(bend <= 1) * 255,
        np.minimum(step, 32) * 7,
    ]
    return np.stack([_square(plane) for plane in planes]).astype(np.float32) / 255.0 - 0.5


def _square(plane: np.ndarray) -> np.ndarray:
    smaller = plane.shape[0] > SIDE or plane.shape[1] > SIDE
    return cv2.resize(plane, (SIDE, SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


@numba.njit(cache=True, nogil=True)
def _steps(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second differences to the right and below, the largest of directions and channels; uint8 H×W each.

    ``image`` is int16, since numba subtracts unsigned numbers without a sign.
    """
    height, width = image.shape[:2]
    step = np.zeros((height, width), np.uint8)
    bend = np.zeros((height, width), np.uint8)
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            first = second = 0
            for c in range(3):
                here = int(image[y, x, c])
                across, down = int(image[y, right, c]) - here, int(image[below, x, c]) - here
                first = max(first, abs(across), abs(down))
                second = max(second, abs(across + int(image[y, left, c]) - here))
                second = max(second, abs(down + int(image[above, x, c]) - here))
            step[y, x] = first
            bend[y, x] = min(second, 255)
    return step, bend
