"""A studio backdrop: a seamless paper sweep, lit and photographed, for machines that cannot generate a background.

Light on paper is smooth, so the studio is computed on a coarse grid and brought to size by cubic B-splines, which
have no kinks for the eye to find. Grain and a dither follow at full size, so that 8 bits show no bands.

The grid is rounded to whole 1024ths of a level, and all that follows is whole numbers: no CPU's arithmetic, number of
threads or order of rows changes a byte. (The last bits of the grid itself do differ between CPUs' libraries. They are
a billionth of a step, so that one of them crosses a rounding once in tens of thousands of pictures.)
"""

import json
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.backdrop.read_prompt import BackdropLook, read_prompt
from vivid_assets.imaging.backdrop.studio import horizon_for, photograph, sweep_seen
from vivid_assets.imaging.core.arrays import RGB8
from vivid_assets.imaging.core.color import linear_to_srgb, srgb_to_linear
from vivid_assets.imaging.core.light import Temperature
from vivid_assets.imaging.core.parallel_rows import parallel_rows

__all__ = ["BackdropLook", "look_of", "read_prompt", "recipe", "render"]

_CELLS = 160
"""Of the coarse grid, along the longer side."""
_LEVEL = 10
"""Bits of a level's 1024 parts."""
_WEIGHT = 14
"""Bits of a spline's weights."""
_GRAIN = 0.7
"""Standard deviation of the grain in 8-bit levels."""
_GRAIN_STEP = round(_GRAIN * (1 << _LEVEL) * 256 / (4 * (256**2 - 1) / 12) ** 0.5)
"""256ths, for a sum of four bytes."""
_KELVIN: dict[Temperature, float] = {"warm": 4900.0, "neutral": 6500.0, "cool": 7900.0}


def recipe(look: BackdropLook, temperature: Temperature | None = None) -> str:
    """Write down all of a look that its picture depends on, as JSON; beside a seed and a size, that is everything.

    ``temperature`` is the subject's light, used where the look names no colour of light.
    """
    shown = {
        "paper": list(look.paper),
        "kelvin": look.kelvin or _KELVIN[temperature or "neutral"],
        "brightness": look.brightness,
        "contrast": look.contrast,
        "key_light": look.key_light,
        "glow": look.glow,
        "window": look.window,
    }
    return json.dumps(shown)


def look_of(written: str) -> BackdropLook:
    """Read a ``recipe``."""
    shown: dict[str, Any] = json.loads(written)
    red, green, blue = shown.pop("paper")
    return BackdropLook(paper=(red, green, blue), **shown)


def render(
    look: BackdropLook,
    height: int,
    width: int,
    *,
    seed: int,
    temperature: Temperature | None = None,
    foot: float = 1.0,
) -> RGB8:
    """Photograph the paper sweep that ``look`` describes.

    Args:
        look: See ``read_prompt``.
        height: Of the picture in pixels, at least 1.
        width: Likewise.
        seed: Of the grain and the set's small irregularities; the same seed gives the same bytes.
        temperature: The subject's light, used where the look names no colour of light.
        foot: Where the subject ends below, as a share of the height; the floor reaches up to there, and beyond.

    Returns:
        uint8 H×W×3 sRGB.

    Raises:
        ValueError: A size below 1.

    >>> render(read_prompt("sage paper"), 20, 30, seed=1).shape
    (20, 30, 3)
    """
    if height < 1 or width < 1:
        raise ValueError(f"A backdrop is at least 1 pixel high and wide, not {width} x {height}.")
    longer = max(height, width)
    rows, columns = _knots(height, longer), _knots(width, longer)
    sweep = sweep_seen(rows, columns, height, width, horizon_for(foot, height, width))
    light = photograph(
        sweep,
        srgb_to_linear(np.array(look.paper, np.uint8)).astype(np.float64),
        look,
        look.key_light,
        look.kelvin or _KELVIN[temperature or "neutral"],
        abs(seed),
    )
    coarse = np.rint(linear_to_srgb(light).astype(np.float64) * (255 << _LEVEL)).astype(np.int64)
    out = np.empty((height, width, 3), np.uint8)
    key = np.random.SeedSequence(abs(seed)).generate_state(1, np.uint64)[0]
    down, across = _spline(height, coarse.shape[0]), _spline(width, coarse.shape[1])
    parallel_rows(_enlarge_rows, height, coarse, down, across, key, out)
    return out


def _knots(size: int, longer: int) -> NDArray[np.float64]:
    """Pixel positions of the coarse grid's rows or columns: one before the edge, one beyond it on the far side."""
    cells = max(1, round(_CELLS * size / longer))
    return np.arange(-1, cells + 2, dtype=np.float64) * (size / cells)


class _Spline(NamedTuple):
    """Where each pixel's centre lies on a uniform cubic B-spline."""

    first: NDArray[np.int64]
    """The first of its four knots."""
    weights: NDArray[np.int64]
    """pixels × 4: whole numbers, each four of which sum to 1 << _WEIGHT."""


def _spline(size: int, knots: int) -> _Spline:
    """Place ``size`` pixels on the spline of ``knots`` knots."""
    place = (np.arange(size) + 0.5) * (knots - 3) / size
    cell = np.minimum(place.astype(np.int64), knots - 4)
    f = place - cell
    g = 1 - f
    basis = [g * g * g, 3 * f * f * f - 6 * f * f + 4, -3 * f * f * f + 3 * f * f + 3 * f + 1, f * f * f]
    weights = np.rint(np.stack(basis, axis=1) * (1 << _WEIGHT) / 6).astype(np.int64)
    weights[:, 1] += (1 << _WEIGHT) - weights.sum(axis=1)
    return _Spline(cell, weights)


@numba.njit(cache=True, nogil=True)
def _mixed(value):  # type: ignore[no-untyped-def]
    """Scatter a counter over 64 random bits: SplitMix64 (Steele, Lea and Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _enlarge_rows(coarse, spline_down, spline_across, key, out, first, end):  # type: ignore[no-untyped-def]
    """Bring rows of ``coarse`` to size, with grain, and round with a dither of one level."""
    (first_row, down), (first_column, across) = spline_down, spline_across
    columns, width = coarse.shape[1], out.shape[1]
    row = np.empty((columns, 3), np.int64)
    step = np.uint64(0x9E3779B97F4A7C15)
    byte, ten = np.uint64(255), np.uint64((1 << _LEVEL) - 1)
    for y in range(first, end):
        top = first_row[y]
        for x in range(columns):
            for c in range(3):
                row[x, c] = (
                    coarse[top, x, c] * down[y, 0]
                    + coarse[top + 1, x, c] * down[y, 1]
                    + coarse[top + 2, x, c] * down[y, 2]
                    + coarse[top + 3, x, c] * down[y, 3]
                )
        counter = _mixed(key + step * np.uint64(y + 1))
        for x in range(width):
            counter += step
            bits = _mixed(counter)
            grain = np.int64(
                (bits & byte)
                + ((bits >> np.uint64(8)) & byte)
                + ((bits >> np.uint64(16)) & byte)
                + ((bits >> np.uint64(24)) & byte)
            )
            grain = ((grain - 510) * _GRAIN_STEP) >> 8
            bits >>= np.uint64(32)
            left = first_column[x]
            for c in range(3):
                smooth = (
                    row[left, c] * across[x, 0]
                    + row[left + 1, c] * across[x, 1]
                    + row[left + 2, c] * across[x, 2]
                    + row[left + 3, c] * across[x, 3]
                ) >> (2 * _WEIGHT)
                level = (smooth + grain + np.int64(bits & ten)) >> _LEVEL
                out[y, x, c] = min(max(level, 0), 255)
                bits >>= np.uint64(_LEVEL)
