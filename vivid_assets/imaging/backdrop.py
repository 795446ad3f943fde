"""A studio backdrop: a seamless paper sweep, lit and photographed, for machines that cannot generate a background.

Light on paper is smooth, so the studio is computed on a coarse grid and brought to size by cubic B-splines, which
have no kinks for the eye to find. Grain and a dither follow at full size, so that 8 bits show no bands.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.backdrop_words import BackdropLook, KeyLight, read_prompt
from vivid_assets.imaging.color import linear_to_srgb, srgb_to_linear
from vivid_assets.imaging.studio import photograph, sweep_seen

__all__ = ["BackdropLook", "backdrop", "read_prompt", "render"]

_CELLS = 160  # of the coarse grid, along the longer side
_ROWS = 128  # of a strip brought to size at once, which bounds the memory of an 8k picture
_MAX_SIDE = 16384
_GRAIN = 0.7  # standard deviation of the grain in 8-bit levels
_KELVIN = {"warm": 4900.0, "neutral": 6500.0, "cool": 7900.0}


def backdrop(
    prompt: str,
    height: int,
    width: int,
    *,
    seed: int,
    temperature: Literal["warm", "neutral", "cool"] | None = None,
    key_light: KeyLight | None = None,
) -> NDArray[np.uint8]:
    """Photograph a paper sweep as a prompt describes it.

    Args:
        prompt: English words; see ``read_prompt`` for what is understood.
        height: Of the picture, 1..16384 pixels.
        width: Likewise.
        seed: Of the grain and the set's small irregularities; the same seed gives the same bytes.
        temperature: The subject's light, used where the prompt names no colour of light.
        key_light: Where the key light stands; None leaves it to the prompt.

    Returns:
        uint8 HxWx3 sRGB.

    Raises:
        ValueError: A size out of range.

    """
    return render(read_prompt(prompt), height, width, seed=seed, temperature=temperature, key_light=key_light)


def render(
    look: BackdropLook,
    height: int,
    width: int,
    *,
    seed: int,
    temperature: Literal["warm", "neutral", "cool"] | None = None,
    key_light: KeyLight | None = None,
) -> NDArray[np.uint8]:
    """Photograph the sweep that ``look`` describes; arguments, result and errors as ``backdrop``'s."""
    if not (1 <= height <= _MAX_SIDE and 1 <= width <= _MAX_SIDE):
        raise ValueError(f"A backdrop is 1 to {_MAX_SIDE} pixels high and wide, not {width} x {height}.")
    longer = max(height, width)
    sweep = sweep_seen(_knots(height, longer), _knots(width, longer), height, width)
    light = photograph(
        sweep,
        srgb_to_linear(np.array(look.paper, np.uint8)).astype(np.float64),
        look,
        key_light or look.key_light,
        look.kelvin or _KELVIN[temperature or "neutral"],
        abs(seed),
    )
    return _enlarge(255 * linear_to_srgb(light), height, width, abs(seed))


def _knots(size: int, longer: int) -> NDArray[np.float64]:
    """Pixel positions of the coarse grid's rows or columns: one before the edge, one beyond it on the far side."""
    cells = max(1, round(_CELLS * size / longer))
    return np.arange(-1, cells + 2, dtype=np.float64) * (size / cells)


def _enlarge(coarse: NDArray[np.float32], height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Bring (rows, columns, 3) of 0..255 to size, with grain, and round with a dither of one level."""
    across = np.matmul(_spline(width, coarse.shape[1]), coarse).reshape(coarse.shape[0], width * 3)
    down = _spline(height, coarse.shape[0])
    out = np.empty((height, width, 3), np.uint8)
    for first in range(0, height, _ROWS):
        part = down[first : first + _ROWS]
        used = np.flatnonzero(part.any(axis=0))
        strip = (part[:, used] @ across[used]).reshape(len(part), width, 3)
        rng = np.random.default_rng([seed, first])
        strip += _GRAIN * rng.standard_normal((len(part), width, 1), np.float32)
        strip += rng.random(strip.shape, np.float32)
        out[first : first + _ROWS] = np.clip(strip, 0, 255)
    return out


def _spline(size: int, knots: int) -> NDArray[np.float32]:
    """Weights (size, knots) of the uniform cubic B-spline at the pixels' centres; each row sums to 1."""
    place = (np.arange(size) + 0.5) * (knots - 3) / size
    cell = np.minimum(place.astype(int), knots - 4)
    f = place - cell
    basis = [(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3]
    weights = np.zeros((size, knots), np.float32)
    for k, values in enumerate(basis):
        weights[np.arange(size), cell + k] = values / 6
    return weights
