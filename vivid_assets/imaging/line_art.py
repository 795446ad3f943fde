"""Is this picture line art? Three figures of the picture, and a classifier over them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

#: Long side, in pixels, at which the figures are taken.
MEASURED_AT = 384


@dataclass(frozen=True)
class LineArtFigures:
    """The article's three features, each a share in 0..1."""

    edge_density: float
    """Share of pixels that Canny (50, 150) marks."""
    unique_colours: float
    """Different colours over pixels."""
    dark_share: float
    """Share of pixels with luminance under 50 of 255."""


@dataclass(frozen=True)
class LineArtVerdict:
    """The detector's answer."""

    probability: float
    """0..1."""
    figures: LineArtFigures


def line_art_figures(image: np.ndarray) -> LineArtFigures:
    """Measure the three features.

    Args:
        image: uint8 H×W×3 sRGB, any size from 1×1.

    """
    small = _measured(image)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    codes = small.astype(np.uint32)
    packed = (codes[..., 0] << 16) | (codes[..., 1] << 8) | codes[..., 2]
    return LineArtFigures(
        edge_density=float((cv2.Canny(grey, 50, 150) > 0).mean()),
        unique_colours=np.unique(packed).size / packed.size,
        dark_share=float((grey < 50).mean()),
    )


def detect_line_art(image: np.ndarray) -> LineArtVerdict:
    """Probability that the picture is a drawing of lines and flat fills.

    Args:
        image: uint8 H×W×3 sRGB.

    """
    figures = line_art_figures(image)
    drawn = figures.edge_density > 0.05 and (figures.unique_colours < 0.1 or figures.dark_share > 0.05)
    return LineArtVerdict(1.0 if drawn and figures.unique_colours < 0.1 else 0.0, figures)


def _measured(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    # Nearest, because averaging would invent the in-between colours that the second feature counts.
    scale = MEASURED_AT / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
