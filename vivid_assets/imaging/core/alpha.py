"""An alpha with where it comes from: what may be done to it depends on who made it."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import Matte

Origin = Literal["own", "person", "matte", "probability", "drawing"]
"""The source's own transparency, a person's mask, a network's matte, a network's probability, or a drawing's."""

NOTHING = 0.00197
"""Alpha under which an estimated pixel shows nothing: what rounds to 0 of 255."""

GIVEN: tuple[Origin, ...] = ("own", "person")
"""The origins that are used as they are."""


@dataclass(frozen=True, eq=False)
class Alpha:
    """How solid each pixel is, at the size at which it was made."""

    values: Matte
    """float32 H×W, 0..1."""
    origin: Origin
    notes: tuple[str, ...] = ()
    """What was noticed when it was read, each a phrase."""


def fit_alpha(values: Matte, height: int, width: int) -> Matte:
    """Interpolate an alpha to another size of the same aspect; nothing is guessed from a picture.

    Args:
        values: float32 h×w, 0..1.
        height: of the result, pixels.
        width: of the result, pixels.

    Raises:
        ValueError: another aspect; the message has both sizes.

    >>> fit_alpha(np.array([[0.0, 1.0]], np.float32), 2, 4).tolist()[0]
    [0.0, 0.25, 0.75, 1.0]
    """
    rows, columns = values.shape
    if (rows, columns) == (height, width):
        return values
    scale = max(height, width) / max(rows, columns)
    rounded = abs(rows * scale - height) <= 1 and abs(columns * scale - width) <= 1
    if not rounded and abs(columns * height - width * rows) > 0.02 * width * rows:
        raise ValueError(f"The mask is {columns}×{rows}, the picture {width}×{height}: another aspect.")
    shrinking = rows > height or columns > width
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (width, height), interpolation=method), np.float32).clip(0, 1)
