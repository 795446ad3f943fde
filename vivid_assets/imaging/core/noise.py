"""How much a picture's pixels vary by themselves: by the sensor's noise, or the film's grain."""

import numba
import numpy as np

from vivid_assets.imaging.core.arrays import RGB, Matte, Vector

NOISE = 1.2
"""A good capture's noise at 8 bits, standard deviation in levels of sRGB; the least that is assumed."""
_LEAST_NOISE = 0.4
"""Levels of 8 bits: what is left of a capture's noise in a reduced picture, at least."""

_BLOCK = 16
_MOST_BLOCKS = 400
_STEPS = 1024


def capture_noise(image: RGB, alpha: Matte) -> float:
    """Measure the standard deviation of a capture's noise where it is empty.

    A background's texture is no noise, so the quietest quarter of its blocks counts. Immerkær 1996, "Fast noise
    variance estimation", equation 4.

    Args:
        image: H×W×3 sRGB, uint8 or uint16.
        alpha: H×W, 0..1: what is below 0.02 is empty.

    Returns:
        Levels of 8-bit sRGB, at least ``NOISE``.

    >>> capture_noise(np.full((64, 64, 3), 200, np.uint8), np.zeros((64, 64), np.float32))
    1.2
    """
    rows, cells = alpha.shape[0] // _BLOCK, alpha.shape[1] // _BLOCK
    # From every corner, where the picture is no whole number of blocks: a mirrored one has the same noise.
    corners = [(top, left) for top in {0, alpha.shape[0] % _BLOCK} for left in {0, alpha.shape[1] % _BLOCK}]
    found = []
    for top, left in corners:
        cut = slice(top, top + rows * _BLOCK), slice(left, left + cells * _BLOCK)
        found.append(_responses(image[cut], alpha[cut], rows, cells, _MOST_BLOCKS // len(corners)))
    responses = np.concatenate(found)
    if not len(responses):
        return NOISE
    scale = 1.0 if image.dtype == np.uint8 else 1 / 257
    return max(NOISE, scale * float(np.percentile(responses, 25)))


def _responses(image: RGB, alpha: Matte, rows: int, cells: int, most: int) -> Vector:
    """Give the noise of about ``most`` of the blocks that are background, chosen alike from all sides."""
    columns = alpha.reshape(rows, _BLOCK, cells * _BLOCK).max(axis=1, initial=0)
    empty = columns.reshape(rows, cells, _BLOCK).max(axis=2, initial=0) < 0.02
    row, cell = np.nonzero(empty)
    every = max(1, len(row) // most)
    chosen = (np.minimum(row, rows - 1 - row) + np.minimum(cell, cells - 1 - cell)) % every == 0
    blocks = image.reshape(rows, _BLOCK, cells, _BLOCK, 3)[row[chosen], :, cell[chosen]].astype(np.float32)
    bend = blocks[:, :-2] - 2 * blocks[:, 1:-1] + blocks[:, 2:]
    bend = bend[:, :, :-2] - 2 * bend[:, :, 1:-1] + bend[:, :, 2:]
    return np.asarray(np.abs(bend).mean(axis=(1, 2, 3)) * ((np.pi / 2) ** 0.5 / 6))


def noise_variances(noise: float = NOISE) -> Vector:
    """Tabulate the variance of linear light that ``noise`` levels of 8-bit sRGB make, by light in 1/1023."""
    light = np.maximum(np.arange(_STEPS) / (_STEPS - 1), 0.0031308)
    return ((noise / 255) ** 2 * (2.4 / 1.055) ** 2 * light ** (2.8 / 2.4)).astype(np.float32)


def reduced_noise(noise: float, longest: int, of: int) -> float:
    """What is left of a capture's noise in a picture that was reduced to ``longest`` pixels from ``of``."""
    return max(noise * longest / of, _LEAST_NOISE)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def noise_variance(grain, light):  # type: ignore[no-untyped-def]
    """Look a light's variance up in a ``noise_variances``."""
    return grain[np.uint32(min(max(light, np.float32(0.0)), np.float32(1.0)) * np.float32(_STEPS - 1))]
