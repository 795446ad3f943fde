"""Foreground and old background at every soft pixel, in linear light."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def blur_fusion(image: Array, alpha: Array, radii: tuple[int, int] = (45, 3)) -> Array:
    """Estimate the foreground (float32 HxWx3) by two rounds of blurred averages (Forte 2021, "blur fusion").

    ``image`` is linear light, ``alpha`` 0..1.
    """
    a = alpha[..., None].astype(np.float32)
    front, back = image, image
    for radius in radii:
        size = (2 * radius + 1,) * 2
        blurred_a = cv2.blur(alpha.astype(np.float32), size)[..., None]
        mean_front = cv2.blur(front * a, size) / (blurred_a + 1e-5)
        back = cv2.blur(back * (1 - a), size) / (1 - blurred_a + 1e-5)
        front = np.clip(mean_front + a * (image - a * mean_front - (1 - a) * back), 0, 1)
    return front.astype(np.float32)
