"""A shadow laid over a new background, or written for an image editor that does.

The last step: the layer is small, and is enlarged and multiplied in one pass.
"""

import numba
import numpy as np

from vivid_assets.imaging.core.arrays import RGB, RGB8, LinearRGB
from vivid_assets.imaging.core.color import (
    encode_deep,
    encode_one,
    encoding_tables,
    light_of_codes,
    linear_to_srgb,
    to_uint8,
)
from vivid_assets.imaging.core.interpolate import cells_about
from vivid_assets.imaging.core.parallel_rows import parallel_rows


def multiply_layer(layer: LinearRGB) -> RGB8:
    """Encode a shadow as a picture (uint8 h×w×3 sRGB) for a layer that an image editor multiplies; white is none."""
    return to_uint8(linear_to_srgb(layer))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _shade(layer, ends, codes, out, first, end):  # type: ignore[no-untyped-def]
    """Multiply the light of ``out`` by the layer, between the columns of each of the layer's rows that are not 1."""
    light, guess, thresholds = codes
    starts, stops = ends
    height, width = out.shape[0], out.shape[1]
    rows, columns = layer.shape[0], layer.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    line = np.empty((columns, 3), np.float32)
    one = np.float32(1.0)
    for y in range(first, end):
        y1, y2, ty = cells_about(y, sy, rows)
        start, stop = min(starts[y1], starts[y2]), max(stops[y1], stops[y2])
        if start >= stop:
            continue
        for x in range(columns):
            for c in range(3):
                line[x, c] = layer[y1, x, c] + (layer[y2, x, c] - layer[y1, x, c]) * ty
        # A cell has its say in the pixels up to the centres of those beside it.
        for x in range(max(int((start - 0.5) / sx) - 1, 0), min(int((stop + 0.5) / sx) + 2, width)):
            x1, x2, tx = cells_about(x, sx, columns)
            for c in range(3):
                share = line[x1, c] + (line[x2, c] - line[x1, c]) * tx
                if share != one:
                    left = light[out[y, x, c]] * share
                    out[y, x, c] = (
                        encode_one(left, guess, thresholds)
                        if len(light) == 256
                        else encode_deep(left, guess, thresholds)
                    )


def shaded(background: RGB, layer: LinearRGB, threads: int | None = None) -> RGB:
    """Lay a shadow over a background (H×W×3 sRGB, uint8 or uint16), which is copied; pixels without shadow stay."""
    out = background.copy()
    there = (layer != 1).any(axis=2)
    if not there.any():
        return out
    empty = ~there.any(axis=1)
    starts = np.where(empty, there.shape[1], there.argmax(axis=1))
    stops = np.where(empty, 0, there.shape[1] - there[:, ::-1].argmax(axis=1))
    deep = out.dtype == np.uint16
    codes = (light_of_codes(deep), *encoding_tables(deep))
    parallel_rows(_shade, len(out), np.ascontiguousarray(layer), (starts, stops), codes, out, threads=threads)
    return out
