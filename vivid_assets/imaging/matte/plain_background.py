"""The original background behind a product: its colour as a smooth surface, and how plain it is.

A studio wall is one colour that the light shades slowly, so a quadratic in x and y per Lab channel, fitted
robustly to the frame's outermost pixels, gives the background behind the subject too.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vivid_assets.imaging.core.arrays import Indices, Lab, Planes, Vector
from vivid_assets.imaging.core.color import opencv_lab_to_rgb

_BAND = 0.02
"""Width of the frame that is fitted, as a share of the shorter side."""
_ROUNDS = 8
"""Of choosing the pixels that fit and fitting to them."""


@dataclass(frozen=True)
class BackgroundModel:
    """A picture's original background, as it would be behind the subject too."""

    lab: Lab
    """float32 H×W×3, CIE Lab (L 0..100): the background as it would be at each pixel."""
    noise: float
    """Robust standard deviation of the frame's background pixels around the model, in ΔE (CIE 1976)."""
    share: float
    """Share of the frame's pixels that the model explains, 0..1."""

    @cached_property
    def rgb(self) -> Planes:
        """float32 H×W×3, 0..255: the same as sRGB."""
        return opencv_lab_to_rgb(self.lab)

    @property
    def chroma(self) -> float:
        """How colourful it is on the whole, in Lab."""
        return float(np.hypot(*np.median(self.lab[..., 1:], axis=(0, 1))))

    @property
    def lightness(self) -> float:
        """Its median L, 0..100."""
        return float(np.median(self.lab[..., 0]))

    @property
    def is_plain(self) -> bool:
        """Whether it is one surface of next to no noise; JPEG leaves a little."""
        return self.noise <= 2.5 and self.share >= 0.6


def fit_background(lab: Lab) -> BackgroundModel:
    """Fit the background to the frame's outermost pixels.

    Starts from the frame's most common colour, so a subject that is cut by the frame does not bend the
    surface, then alternates between choosing the pixels that fit and fitting to them.

    Args:
        lab: float32 H×W×3 CIE Lab.

    Returns:
        The background. On a busy picture ``share`` is low or ``noise`` high; nothing is raised.

    >>> fit_background(np.full((30, 40, 3), (60.0, 0.0, 20.0), np.float32)).is_plain
    True
    """
    height, width = lab.shape[:2]
    rows, columns = _frame(height, width, max(1, round(_BAND * min(height, width))))
    samples = lab[rows, columns]
    basis = _basis(rows, columns, height, width)
    centre = _mode(samples)
    residual = np.linalg.norm(samples - centre, axis=1)
    tolerance = 8.0
    coefficients = np.zeros((basis.shape[1], 3), dtype=np.float32)
    coefficients[0] = centre
    for step in range(_ROUNDS):
        chosen = residual < tolerance
        terms = 1 if step < 1 else 3 if step < 4 else 6
        if chosen.sum() < 8 * terms:
            break
        coefficients[:] = 0
        # The normal equations: six unknowns, so that the frame's many pixels cost one product.
        used = basis[chosen, :terms].astype(np.float64)
        coefficients[:terms] = np.linalg.lstsq(used.T @ used, used.T @ samples[chosen], rcond=None)[0]
        offset = samples - basis @ coefficients
        residual = np.sqrt(np.einsum("ij,ij->i", offset, offset))
        # 1.4826·MAD is the standard deviation of a normal distribution.
        spread = 1.4826 * float(np.median(residual[chosen]))
        tolerance = float(np.clip(3.0 * spread, 2.0, 8.0))
    chosen = residual < tolerance
    y, x = _unit(np.arange(height), height)[:, None, None], _unit(np.arange(width), width)[None, :, None]
    one, along, down, both, along2, down2 = coefficients
    surface = (one + down * y + down2 * y * y) + (along + both * y) * x + along2 * (x * x)
    noise = float(np.sqrt(np.mean(residual[chosen] ** 2))) if chosen.any() else float("inf")
    return BackgroundModel(surface.astype(np.float32), noise, float(chosen.mean()))


def _frame(height: int, width: int, band: int) -> tuple[Indices, Indices]:
    outer = np.ones((height, width), dtype=bool)
    outer[band : max(band, height - band), band : max(band, width - band)] = False
    rows, columns = np.nonzero(outer)
    return rows, columns


def _basis(rows: Indices, columns: Indices, height: int, width: int) -> Vector:
    y, x = _unit(rows, height), _unit(columns, width)
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1)


def _unit(position: Indices, length: int) -> Vector:
    """0…length − 1 to −1…1, float32."""
    return (2.0 * position / max(length - 1, 1) - 1.0).astype(np.float32)


def _mode(samples: Lab) -> Vector:
    """Find the most common colour: the fullest 6×6×6 ΔE cell's median."""
    cells = np.floor(samples / 6.0).astype(np.int64)
    # Lab spans fewer than 64 cells either way.
    _, inverse, counts = np.unique((cells + 32) @ (4096, 64, 1), return_inverse=True, return_counts=True)
    return np.asarray(np.median(samples[inverse.ravel() == counts.argmax()], axis=0))
