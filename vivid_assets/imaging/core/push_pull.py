"""Spread known colours into unknown places: a weighted pyramid, pulled up and pushed down ("push-pull").

Works at half the picture's size, since what it gives is a prior that varies slowly; the detail is put back from the
picture itself. Cells are areas, not samples, so an odd size is cut evenly and a mirrored picture gives a mirrored
answer (Gortler et al. 1996, "The lumigraph", section 3.4; Kraus 2009, "The pull-push algorithm revisited").
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numba
import numpy as np

from vivid_assets.imaging.core.arrays import Area, Indices, Planes, Vector
from vivid_assets.imaging.core.interpolate import cells_about
from vivid_assets.imaging.core.parallel_rows import parallel_rows


class View(NamedTuple):
    """Where a cut of a picture lies over the cells of a smaller one; all in pixels of the picture."""

    top: float
    """Of the cut, below the first of the cells."""
    left: float
    """Of the cut, to the right of it."""
    tall: float
    """What the cells cover, down."""
    wide: float
    """What they cover across."""


def whole(height: int, width: int) -> View:
    """Look at cells that cover the same as a picture of ``height`` × ``width``."""
    return View(0.0, 0.0, float(height), float(width))


_TAPS = 3
_COARSE_TRUST = 4.0
"""Below the finest level a cell stands for several pixels, so a quarter of it known is as good as all."""
_SMOOTHING = 0.02
"""Share of the coarser level in a fully known coarse cell."""


class HalfCells(NamedTuple):
    """How pixels along one side make half as many cells."""

    first: Indices
    """int64: each cell's first pixel."""
    weights: Vector
    """float32, cells × 3: how much that pixel and the two after it count in the cell."""


@lru_cache(maxsize=256)
def half_cells(size: int) -> HalfCells:
    """Cut ``size`` pixels into ``(size + 1) // 2`` equal cells.

    >>> half_cells(4).first.tolist(), half_cells(4).weights[0].tolist()
    ([0, 2], [0.5, 0.5, 0.0])
    """
    cells = (size + 1) // 2
    edges = np.arange(cells + 1) * (size / cells)
    first = np.minimum(np.floor(edges[:-1] + 1e-9).astype(np.int64), size - 1)
    pixel = first[:, None] + np.arange(_TAPS)
    overlap = np.minimum(pixel + 1, edges[1:, None]) - np.maximum(pixel, edges[:-1, None])
    weights = np.where(pixel < size, np.maximum(overlap, 0), 0)
    return HalfCells(first, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _hold(area, rows, columns, out, first, end):  # type: ignore[no-untyped-def]
    """Mark the cells that hold a pixel of an area."""
    (y0, wy), (x0, wx) = rows, columns
    for cy in range(first, end):
        for i in range(_TAPS):
            if wy[cy, i] <= 0.0:
                continue
            y = np.uintp(y0[cy] + i)
            for cx in range(out.shape[1]):
                x = np.uintp(x0[cx])
                found = wx[cx, 0] > 0.0 and area[y, x]
                for j in range(1, _TAPS):
                    if wx[cx, j] > 0.0 and area[y, x + np.uintp(j)]:
                        found = True
                if found:
                    out[cy, cx] = True


def halved_area(area: Area, threads: int | None = None) -> Area:
    """Mark the half-size cells (bool) that hold a pixel of ``area`` (bool H×W)."""
    rows, columns = half_cells(area.shape[0]), half_cells(area.shape[1])
    out = np.zeros((len(rows.first), len(columns.first)), np.bool_)
    parallel_rows(_hold, len(out), np.ascontiguousarray(area), rows, columns, out, threads=threads)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _down(fine, coarse, chosen, rows, columns, colors, first, end):  # type: ignore[no-untyped-def]
    """Average ``fine`` into the chosen cells of ``coarse``; ``colors`` is as long as there are (a constant so)."""
    (y0, wy), (x0, wx) = rows, columns
    for y in range(first, end):
        for x in range(coarse.shape[1]):
            if not chosen[y, x]:
                continue
            for c in range(4 * len(colors)):
                coarse[y, x, c] = 0.0
            for i in range(_TAPS):
                if wy[y, i] == 0.0:
                    continue
                for j in range(_TAPS):
                    w = wy[y, i] * wx[x, j]
                    if w > 0.0:
                        for c in range(4 * len(colors)):
                            coarse[y, x, c] += w * fine[np.uintp(y0[y] + i), np.uintp(x0[x] + j), c]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill(known, coarse, out, needed, mix, colors, first, end):  # type: ignore[no-untyped-def]
    """Mix each cell's known colour with the coarser level's, by how much of the cell is known.

    ``mix``: what the known counts for, and the least that the coarser counts for.
    """
    trust, floor = mix
    height, width = known.shape[0], known.shape[1]
    rows, columns = coarse.shape[0], coarse.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    for y in range(first, end):
        y1, y2, ty = cells_about(y, sy, rows)
        for x in range(width):
            if not needed[y, x]:
                continue
            x1, x2, tx = cells_about(x, sx, columns)
            for g in range(len(colors)):
                w = known[y, x, 4 * g + 3] * trust
                rest = max(np.float32(1.0) - w, floor)
                scale = np.float32(1.0) / (w + rest)
                for c in range(3):
                    top = coarse[y1, x1, 3 * g + c] * (1 - tx) + coarse[y1, x2, 3 * g + c] * tx
                    low = coarse[y2, x1, 3 * g + c] * (1 - tx) + coarse[y2, x2, 3 * g + c] * tx
                    above = top * (1 - ty) + low * ty
                    out[y, x, 3 * g + c] = (known[y, x, 4 * g + c] * trust + rest * above) * scale


class Pyramid:
    """One or two colour fields that are known in places, from fine to coarse.

    After a change of ``known`` only what stands over changed cells is computed anew, and only what is needed is
    filled in: for a product on a plain background a few percent of the cells.

    Attributes:
        levels: float32 h×w×4 or h×w×8 each, the first one being ``known``: red, green and blue times weight, and the
            weight (0..1), for each field.

    """

    def __init__(self, known: Planes, needed: Area, changing: Area, threads: int | None = None) -> None:
        """Take what is known, the cells whose fields are needed and those that may change (both bool h×w)."""
        self.levels = [known]
        self._colors = (0,) * (known.shape[2] // 4)
        self._needed, self._changing = [needed], [changing]
        self._threads = threads
        while max(self.levels[-1].shape[:2]) > 1:
            height, width = self.levels[-1].shape[:2]
            shape = ((height + 1) // 2, (width + 1) // 2)
            self.levels.append(np.empty((*shape, known.shape[2]), np.float32))
            self._average(len(self.levels) - 1, np.ones(shape, np.bool_))
            # A cell is interpolated from the coarser ones about it.
            around = cv2.dilate(halved_area(self._needed[-1]).astype(np.uint8), np.ones((3, 3), np.uint8))
            self._needed.append(around > 0)
            self._changing.append(halved_area(self._changing[-1]))

    def update(self) -> None:
        """Take in that ``known`` was written to in the changing cells."""
        for level in range(1, len(self.levels)):
            self._average(level, self._changing[level])

    def fields(self, beside: Planes | None = None) -> Planes:
        """Fill the colours in.

        Args:
            beside: float32 h×w×3: a second colour that is known everywhere, where the pyramid has one.

        Returns:
            float32 h×w×3 or h×w×6, one colour after the other; what was filled in is undefined where not needed.
        """
        count = len(self._colors)
        top = self.levels[-1][0, 0]
        filled = np.concatenate([top[4 * g : 4 * g + 3] / max(float(top[4 * g + 3]), 1e-12) for g in range(count)])
        filled = filled.reshape(1, 1, 3 * count).astype(np.float32)
        for level in range(len(self.levels) - 2, -1, -1):
            here = self.levels[level]
            out = np.empty((*here.shape[:2], 3 * count + (3 if level == 0 and beside is not None else 0)), np.float32)
            mix = (1.0, 0.0) if level == 0 else (_COARSE_TRUST, _SMOOTHING)
            inputs = here, filled, out, self._needed[level], (np.float32(mix[0]), np.float32(mix[1])), self._colors
            parallel_rows(_fill, len(here), *inputs, threads=self._threads)
            filled = out
        if beside is not None:
            filled[..., 3:] = beside
        return filled

    def _average(self, level: int, chosen: Area) -> None:
        fine, coarse = self.levels[level - 1], self.levels[level]
        rows, columns = half_cells(fine.shape[0]), half_cells(fine.shape[1])
        parallel_rows(_down, len(coarse), fine, coarse, chosen, rows, columns, self._colors, threads=self._threads)
