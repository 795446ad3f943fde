"""From samples to sRGB through linear light: a curve for each channel, a matrix to sRGB's primaries, sRGB's curve."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_OUTSIDE = 0.002
"""Light of 1 by which a colour must miss sRGB's cube to count as outside: what 8 bits could show at the dark end."""
_SAMPLE = 256
"""Rows and columns that are looked at for that."""


@dataclass(frozen=True, eq=False)
class LinearColors:
    """What samples mean.

    Attributes:
        light: 65,536 × 3, linear light 0–1 at even steps of each channel.
        matrix: 3 × 3, from that light to linear sRGB.
    """

    light: Floats
    matrix: Floats

    def convert(self, values: NDArray[Any]) -> NDArray[Any]:
        """uint8 or uint16 H×W×3 to sRGB as the same type; what lies outside sRGB is clipped."""
        most = np.iinfo(values.dtype).max
        light = self._table(most)
        # A fine table in the root of light, which is as even as the eye: no step of 16 bits is lost by more than one.
        fine = np.arange(65_536) / 65_535
        encoded = np.rint(light_to_srgb(fine**2) * most).astype(values.dtype)
        changed = np.empty_like(values)
        for top in range(0, len(values), 256):
            linear = self._linear(values[top : top + 256], light).clip(0, 1)
            changed[top : top + 256] = encoded[np.rint(np.sqrt(linear) * 65_535).astype(np.uint16)]
        return changed

    def share_outside(self, values: NDArray[Any]) -> float:
        """Which part of the pixels (a sample of them) has a colour that sRGB lacks."""
        rows, columns = (max(1, length // _SAMPLE) for length in values.shape[:2])
        linear = self._linear(values[::rows, ::columns], self._table(np.iinfo(values.dtype).max))
        return float(((linear < -_OUTSIDE) | (linear > 1 + _OUTSIDE)).any(axis=-1).mean())

    def _table(self, most: int) -> NDArray[np.float32]:
        return self.light[:: 65_535 // most].astype(np.float32)

    def _linear(self, values: NDArray[Any], light: NDArray[np.float32]) -> NDArray[np.float32]:
        channels = np.stack([light[:, c][values[..., c]] for c in range(3)], axis=-1)
        return channels @ self.matrix.T.astype(np.float32)


def srgb_to_light(values: Floats) -> Floats:
    """IEC 61966-2-1, of any numbers."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def light_to_srgb(light: Floats) -> Floats:
    """The way back."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
