"""Small pictures for the review page."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vivid_assets.imaging.io.codec import resize_to_fit

LONGEST_TO_JUDGE = 640
"""Pixels of a picture that needs review: an edge can be judged by it."""
LONGEST_TO_SEE = 384
"""Pixels of the others: enough to see that all is well, at half the bytes."""

_QUALITY = 76


def thumbnail(pixels: NDArray[np.uint8], longest: int) -> bytes:
    """``pixels`` (H×W×3 sRGB, or a mask's H×W) as WebP, the longer side at most ``longest``."""
    stream = BytesIO()
    # Method 2 is half as long as the default for files a few per cent larger.
    Image.fromarray(resize_to_fit(pixels, longest)).convert("RGB").save(stream, "WEBP", quality=_QUALITY, method=2)
    return stream.getvalue()
