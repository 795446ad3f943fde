"""A mask as somebody else saved it: grey or colour, 8 or 16 bits, or the alpha of a cut-out."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.unreadable import UnreadablePicture

Array = NDArray[Any]

_TINTED = 0.02  # mean difference between channels above which a mask looks like a photograph


def read_mask(data: bytes) -> tuple[Array, tuple[str, ...]]:
    """Read a mask file's alpha (float32 HxW, 0..1; white is subject) and what was noticed on the way.

    A picture whose alpha channel says something is taken by that channel; a coloured one by its mean, for a mask
    has no colours that matter. Values are coverage, not light, so no gamma is undone. Raises UnreadablePicture.
    """
    pixels: Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if pixels is None:
        raise UnreadablePicture("The mask cannot be read: a PNG, TIFF, JPEG or WebP picture is expected.")
    if pixels.dtype not in (np.uint8, np.uint16):
        unit: Array = np.clip(np.nan_to_num(pixels.astype(np.float32)), 0, 1)
    else:
        unit = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if unit.ndim == 2:
        return unit, ()
    if unit.shape[2] == 4 and unit[..., 3].min() < 1:
        return np.ascontiguousarray(unit[..., 3]), ("the mask's alpha channel was used",)
    colors = unit[..., :3]
    notes: tuple[str, ...] = ()
    if float((colors.max(axis=2) - colors.min(axis=2)).mean()) > _TINTED:
        notes = ("the mask has colours; its brightness was used",)
    return colors.mean(axis=2), notes
