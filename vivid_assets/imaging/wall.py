"""The wall behind a product: its colour as a smooth surface, and how plain it is.

A studio wall is one colour that the light shades slowly, so a quadratic in x and y per Lab channel, fitted
robustly to the frame's outermost pixels, says what the wall would look like behind the subject too.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Wall:
    """A wall-colour model of one picture."""

    colour: np.ndarray
    """float32 H×W×3, CIE Lab (L 0..100): the wall as it would be at each pixel."""
    noise: float
    """Robust standard deviation of the frame's wall pixels around the model, in ΔE (CIE 1976)."""
    share: float
    """Share of the frame's pixels that the model explains, 0..1."""


def to_lab(image: np.ndarray) -> np.ndarray:
    """uint8 H×W×3 sRGB to float32 CIE Lab (L 0..100, a and b about -128..127)."""
    return cv2.cvtColor(image.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)


def fit_wall(lab: np.ndarray, band: float = 0.02, rounds: int = 8) -> Wall:
    """Fit the wall to the frame's outermost pixels.

    Starts from the frame's most common colour, so a subject that is cut by the frame does not bend the
    surface, then alternates between choosing the pixels that fit and fitting to them.

    Args:
        lab: float32 H×W×3 CIE Lab.
        band: width of the frame looked at, as a share of the shorter side.
        rounds: of choosing and fitting.

    Returns:
        The wall. On a busy picture ``share`` is low or ``noise`` high; nothing is raised.

    """
    height, width = lab.shape[:2]
    rows, columns = _frame(height, width, max(1, round(band * min(height, width))))
    samples = lab[rows, columns]
    basis = _basis(rows, columns, height, width)
    centre = _mode(samples)
    residual = np.linalg.norm(samples - centre, axis=1)
    tolerance = 8.0
    coefficients = np.zeros((basis.shape[1], 3), dtype=np.float32)
    coefficients[0] = centre
    for step in range(rounds):
        chosen = residual < tolerance
        terms = 1 if step < 1 else 3 if step < 4 else 6
        if chosen.sum() < 8 * terms:
            break
        coefficients[:] = 0
        coefficients[:terms] = np.linalg.lstsq(basis[chosen, :terms], samples[chosen], rcond=None)[0]
        residual = np.linalg.norm(samples - basis @ coefficients, axis=1)
        # 1.4826·MAD is the standard deviation of a normal distribution.
        spread = 1.4826 * float(np.median(residual[chosen]))
        tolerance = float(np.clip(3.0 * spread, 2.0, 8.0))
    chosen = residual < tolerance
    every_row, every_column = np.mgrid[:height, :width]
    surface = _basis(every_row.ravel(), every_column.ravel(), height, width) @ coefficients
    noise = float(np.sqrt(np.mean(residual[chosen] ** 2))) if chosen.any() else float("inf")
    return Wall(surface.reshape(height, width, 3).astype(np.float32), noise, float(chosen.mean()))


def _frame(height: int, width: int, band: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:height, :width]
    outer = (rows < band) | (rows >= height - band) | (columns < band) | (columns >= width - band)
    return rows[outer], columns[outer]


def _basis(rows: np.ndarray, columns: np.ndarray, height: int, width: int) -> np.ndarray:
    y = (2.0 * rows / max(height - 1, 1) - 1.0).astype(np.float32)
    x = (2.0 * columns / max(width - 1, 1) - 1.0).astype(np.float32)
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1)


def _mode(samples: np.ndarray) -> np.ndarray:
    """Find the most common colour: the fullest 6×6×6 ΔE cell's median."""
    cells = np.floor(samples / 6.0).astype(np.int64)
    _, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    return np.median(samples[inverse.ravel() == counts.argmax()], axis=0)
