"""A shadow's layer as a file from which it is read again: a PNG of 16 bits a channel."""

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import LinearRGB
from vivid_assets.imaging.io.unreadable import UnreadablePicture

_STEPS = 4096.0
"""Of the light that nothing is taken from: a step is a thirtieth of one of 8 bits there, and shadows stay smooth."""


def encode_layer(layer: LinearRGB) -> bytes:
    """A layer (float32 h×w×3, 0..1.12: the share of light that is left) as a PNG; exactly 1 stays so.

    >>> decode_layer(encode_layer(np.float32([[[1, 0.5, 0]]]))).tolist()
    [[[1.0, 0.5, 0.0]]]
    """
    levels = np.rint(np.clip(layer, 0, 2) * np.float32(_STEPS)).astype(np.uint16)
    _, data = cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    return data.tobytes()


def decode_layer(data: bytes) -> LinearRGB:
    """The layer of such a file. Raises UnreadablePicture when it is damaged."""
    levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if levels is None or levels.dtype != np.uint16 or levels.ndim != 3:
        raise UnreadablePicture("The file of a shadow's layer is damaged.")
    return np.asarray(levels, np.float32) / np.float32(_STEPS)
