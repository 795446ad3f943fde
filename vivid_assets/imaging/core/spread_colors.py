"""F and B spread about the soft pixels of a picture, at half its size: where they are solid and empty, they are seen.

F spreads out of the solid and B out of the empty pixels; what a soft pixel shows of either joins in by its alpha, twice
over. What is spread is the prior of ``blend.foreground`` and of the alpha solvers.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numba
import numpy as np

from vivid_assets.imaging.core.areas import dilated
from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane, Planes
from vivid_assets.imaging.core.interpolate import bilinear, cells_about, smoothstep_of
from vivid_assets.imaging.core.noise import NOISE, noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import HalfCells, Pyramid, View, half_cells, halved_area

_TINY = np.float32(1e-6)
_PLATE_LEVEL = 2
"""Cells of 8 pixels, taken 3 by 3: the window in which the background's variance is measured."""


@dataclass(frozen=True)
class Colors:
    """Foreground and background at half size, which ``estimate_foreground`` and the alpha solver interpolate."""

    fields: Planes
    """float32 h×w×6: F and B, linear light; defined in and around the soft band."""
    plate: LinearRGB
    """float32 h×w×3: the background extrapolated from empty pixels alone."""
    plate_variance: Plane
    """float32, small: local variance of the background, linear light squared."""
    soft: Area
    """bool h×w: cells that hold a soft pixel."""
    pyramid: Pyramid
    """What the fields are spread from."""
    is_known: bool = False
    """Whether B is known, and F alone was spread."""


class Seen(NamedTuple):
    """A picture and its alpha."""

    image: LinearRGB
    alpha: Matte


class Cells(NamedTuple):
    """The half-size cells that are worked on."""

    rows: HalfCells
    columns: HalfCells
    chosen: Area


class _Turn(NamedTuple):
    """What is known of F and B when their evidence is summed."""

    fields: Planes
    """F and B of the last turn."""
    nearly: np.float32
    """Weight of a nearly empty pixel's colour for B."""
    again: bool
    """Whether there was a turn, so that soft pixels can be taken apart."""
    sides: tuple[int, ...]
    """Two, or one where F alone is summed: its length is a constant to the compiler."""


@numba.njit(inline="always")
def _weights(k, a, nearly, again):  # type: ignore[no-untyped-def]
    """What a soft pixel of alpha ``a`` and weight ``k`` counts for F and for B, as it is or, ``again``, taken apart."""
    b = np.float32(1.0) - a
    if again:
        wf = a * a * smoothstep_of(a, np.float32(0.0), np.float32(0.9)) + _TINY * a
        wb = b * b * smoothstep_of(b, np.float32(0.0), np.float32(0.9)) + _TINY * b
    else:
        wf = smoothstep_of(a, np.float32(0.9), np.float32(0.98)) + _TINY * a
        wb = nearly * smoothstep_of(b, np.float32(0.9), np.float32(0.98)) + _TINY * b
    return k * wf, k * wb


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gather(seen, cells, turn, known, square, first, end):  # type: ignore[no-untyped-def]
    """Sum a half-size cell's evidence of F and B (four channels: of F); the second time take soft pixels apart."""
    image, alpha = seen
    (y0, wy), (x0, wx), chosen = cells
    fields, nearly, again, sides = turn
    rows, columns = known.shape[0], known.shape[1]
    sy, sx = np.float32(rows / alpha.shape[0]), np.float32(columns / alpha.shape[1])
    one, low = np.float32(1.0), np.float32(0.05)
    both = len(sides) == 2
    sums = np.empty(8, np.float32)
    for cy in range(first, end):
        for cx in range(columns):
            if not chosen[cy, cx]:
                continue
            sums[:] = 0.0
            squares = np.float32(0.0)
            for i in range(3):
                for j in range(3):
                    k = wy[cy, i] * wx[cx, j]
                    if k <= 0.0:
                        continue
                    # Unsigned, as in ``cells_about``.
                    y, x = np.uintp(y0[cy] + i), np.uintp(x0[cx] + j)
                    a = alpha[y, x]
                    if a >= one:
                        for c in range(3):
                            sums[c] += k * image[y, x, c]
                        sums[3] += k
                        continue
                    if a <= 0.0:
                        if both:
                            for c in range(3):
                                sums[4 + c] += k * image[y, x, c]
                                squares += k * image[y, x, c] * image[y, x, c]
                            sums[7] += k
                        continue
                    b = one - a
                    over_a, over_b = one / max(a, low), one / max(b, low)
                    wf, wb = _weights(k, a, nearly, again)
                    y1, y2, ty = cells_about(y, sy, rows)
                    x1, x2, tx = cells_about(x, sx, columns)
                    for c in range(3):
                        front = back = image[y, x, c]
                        if again:
                            g = bilinear(fields, y1, y2, ty, x1, x2, tx, 3 + c)
                            front = min(max((image[y, x, c] - b * g) * over_a, np.float32(0.0)), one)
                            if both:
                                f = bilinear(fields, y1, y2, ty, x1, x2, tx, c)
                                back = min(max((image[y, x, c] - a * f) * over_b, np.float32(0.0)), one)
                        sums[c] += wf * front
                        if both:
                            sums[4 + c] += wb * back
                            squares += wb * back * back
                    sums[3] += wf
                    sums[7] += wb
            for c in range(4 * len(sides)):
                known[cy, cx, c] = sums[c]
            if both and not again:
                square[cy, cx] = squares * np.float32(1 / 3)


def estimate_colors(
    image: LinearRGB,
    alpha: Matte,
    *,
    rounds: int = 2,
    soft: Area | None = None,
    back: LinearRGB | None = None,
    noise: float = NOISE,
    threads: int | None = None,
) -> Colors:
    """Estimate F and B around the soft pixels of a picture.

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        rounds: of ``update_colors``.
        soft: bool H×W: the pixels that may become soft in later updates, where that is more than are now.
        back: float32 h×w×3, half the size: B, where it is known and F alone is to be estimated.
        noise: the capture's, in levels of 8 bits.
        threads: the most to use.
    """
    known, square = _first_evidence(image, alpha, back is None, threads)
    cells = halved_area((alpha > 0) & (alpha < 1) if soft is None else soft, threads)
    pyramid = Pyramid(known, dilated(cells, 3), cells, threads)
    fields = pyramid.fields(back)
    if back is None:
        plate, variance = fields[..., 3:].copy(), _plate_variance(square, pyramid.levels, noise, threads)
    else:
        plate, variance = back, np.zeros((1, 1), np.float32)
    colors = Colors(fields, plate, variance, cells, pyramid, back is not None)
    for _ in range(rounds):
        colors = update_colors(image, alpha, colors, threads=threads)
    return colors


def known_colors(
    light: LinearRGB, alpha: Matte, back: LinearRGB, view: View, noise: float, threads: int | None
) -> Colors:
    """Estimate F about the soft pixels of ``alpha`` (float32 H×W), a cut of the picture, where B is known.

    ``back`` (float32 h×w×3) is the whole picture's background, of any size; ``view`` says where the cut lies in it.
    """
    rows, columns = (half_cells(size).first.size for size in alpha.shape)
    # The half-size cells' centres, in cells of the background.
    down, across = back.shape[0] / view.tall, back.shape[1] / view.wide
    y = ((np.arange(rows) + 0.5) * alpha.shape[0] / rows + view.top) * down - 0.5
    x = ((np.arange(columns) + 0.5) * alpha.shape[1] / columns + view.left) * across - 0.5
    right, low = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    behind = np.asarray(cv2.remap(back, right, low, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
    return estimate_colors(light, alpha, back=behind, noise=noise, threads=threads)


def spread_front(image: LinearRGB, alpha: Matte, soft: Area, threads: int | None = None) -> LinearRGB:
    """Spread F (float32 h×w×3, half the size) out of what is solid, about the pixels that are ``soft`` (bool H×W)."""
    known, _ = _first_evidence(image, alpha, False, threads)
    cells = halved_area(soft, threads)
    return Pyramid(known, dilated(cells, 3), cells, threads).fields()


def _first_evidence(image: LinearRGB, alpha: Matte, both: bool, threads: int | None) -> tuple[Planes, Plane]:
    """Sum what the half-size cells show of F, or of F and B, and B's mean square."""
    rows, columns = half_cells(alpha.shape[0]), half_cells(alpha.shape[1])
    shape = (len(rows.first), len(columns.first))
    sides = (0, 0) if both else (0,)
    known = np.empty((*shape, 4 * len(sides)), np.float32)
    square = np.empty(shape if both else (1, 1), np.float32)
    everywhere = Cells(rows, columns, np.ones(shape, np.bool_))
    # A background seen through one percent of subject is not the background's colour when the background is dark: where
    # a picture has truly empty pixels, nearly empty ones only help out.
    nearly = np.float32(1e-3 if both and np.count_nonzero(alpha <= 0) > 0.01 * alpha.size else 1.0)
    turn = _Turn(np.zeros((1, 1, 6), np.float32), nearly, False, sides)
    parallel_rows(_gather, shape[0], Seen(image, alpha), everywhere, turn, known, square, threads=threads)
    return known, square


def update_colors(image: LinearRGB, alpha: Matte, colors: Colors, *, threads: int | None = None) -> Colors:
    """Estimate F and B once more, with what the soft pixels show of them.

    The pyramid is written to; the older ``colors`` must not be updated again.

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        colors: the last estimate.
        threads: the most to use.
    """
    # Solid and empty cells stay as they are.
    known, square = colors.pyramid.levels[0], np.empty((1, 1), np.float32)
    cells = Cells(half_cells(alpha.shape[0]), half_cells(alpha.shape[1]), colors.soft)
    turn = _Turn(colors.fields, np.float32(1), True, (0,) if colors.is_known else (0, 0))
    parallel_rows(_gather, len(known), Seen(image, alpha), cells, turn, known, square, threads=threads)
    colors.pyramid.update()
    return replace(colors, fields=colors.pyramid.fields(colors.plate if colors.is_known else None))


def _halved(plane: Plane, axis: int) -> Plane:
    """Average a plane into half as many cells along one axis."""
    first, weights = half_cells(plane.shape[axis])
    pixels = (plane.take(np.minimum(first + i, plane.shape[axis] - 1), axis) for i in range(3))
    by = weights[:, None] if axis == 0 else weights[None]
    terms = [pixel * by[..., i] for i, pixel in enumerate(pixels)]
    return np.asarray(terms[0] + terms[1] + terms[2])


def _plate_variance(square: Plane, levels: list[Planes], noise: float, threads: int | None) -> Plane:
    """Measure the plate's variance over about 24 pixels, its noise taken off, spread to where no plate is seen."""
    for _ in range(min(_PLATE_LEVEL, len(levels) - 1)):
        square = _halved(_halved(square, 0), 1)
    cells = levels[min(_PLATE_LEVEL, len(levels) - 1)][..., 4:]
    sums = cv2.blur(np.dstack([cells, square]).astype(np.float32), (3, 3), borderType=cv2.BORDER_REFLECT)
    weight = np.maximum(sums[..., 3], 1e-9)
    mean = sums[..., :3] / weight[..., None]
    table = noise_variances(noise)
    grain = table[np.clip(mean * (len(table) - 1), 0, len(table) - 1).astype(np.int64)]
    spread_out = np.maximum(sums[..., 4] / weight - (mean**2).mean(axis=2) - grain.mean(axis=2), 0)
    seen = (sums[..., 3] > 0.02).astype(np.float32)
    filled = np.zeros((*seen.shape, 8), np.float32)
    filled[..., 0], filled[..., 3] = spread_out * seen, seen
    every = np.ones(seen.shape, np.bool_)
    return np.ascontiguousarray(Pyramid(filled, every, every, threads).fields()[..., 0])
