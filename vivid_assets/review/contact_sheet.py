"""A contact sheet: many small pictures in one, to look at in the UI."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.io.codec import encode

_GAP = 6
_PAPER = 245


def contact_sheet(
    groups: Sequence[Sequence[NDArray[np.uint8]]], *, columns: int = 6, tile: int = 80
) -> NDArray[np.uint8]:
    """Lay out groups of pictures (such as before, mask, after), each group a block in the grid.

    Args:
        groups: pictures uint8 H×W×3 or H×W; every group has the same number.
        columns: tiles in a row of the sheet; rounded down to whole groups, at least one.
        tile: pixels a side of a tile.

    Returns:
        uint8 H×W×3. A picture keeps its aspect within a square tile.
    """
    per_group = max(len(group) for group in groups)
    across = max(1, columns // per_group)
    rows = -(-len(groups) // across)
    step = tile + _GAP
    width = min(across, len(groups)) * (per_group * step + _GAP) + _GAP
    sheet = np.full((rows * step + _GAP, width, 3), _PAPER, np.uint8)
    for index, group in enumerate(groups):
        top = _GAP + (index // across) * step
        left = _GAP + (index % across) * (per_group * step + _GAP)
        for position, picture in enumerate(group):
            small = _fitted(picture, tile)
            y = top + (tile - small.shape[0]) // 2
            x = left + position * step + (tile - small.shape[1]) // 2
            sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
    return sheet


def as_markdown(sheet: NDArray[np.uint8], caption: str) -> str:
    """The sheet as Markdown with the picture (WebP) inline, which needs no server to show it."""
    data = base64.b64encode(encode(sheet, format="webp", quality=40)).decode()
    return f"![{caption}](data:image/webp;base64,{data})"


def _fitted(picture: NDArray[np.uint8], tile: int) -> NDArray[np.uint8]:
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    scale = tile / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
