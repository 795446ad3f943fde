"""Is this picture line art? Figures of the picture that cost milliseconds, and a small trained classifier.

The VividFlow article's three features (Canny edge density, unique colours relative to area, share of dark pixels) are
joined by five that tell a drawing's flat fills from a photograph's grain. A logistic regression over them is trained by
``training/line_art.py``; its weights lie beside this file.
"""

import json
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import RGB8, Vector
from vivid_assets.imaging.core.color import color_cells, color_codes
from vivid_assets.imaging.core.resize import fitted_size

MEASURED_AT = 384
"""Long side, in pixels, at which the figures are taken."""
_WEIGHTS = Path(__file__).with_name("line_art_weights.json")


@dataclass(frozen=True)
class LineArtFigures:
    """What is measured; each a share in 0..1. The first three are the VividFlow article's."""

    edge_density: float
    """Share of pixels that Canny (50, 150) marks."""
    unique_colors: float
    """Different colours over pixels."""
    dark_share: float
    """Share of pixels with luminance under 50 of 255."""
    flat_share: float
    """Share of pixels that differ from their right and lower neighbours by at most 1 of 255."""
    flat_fills: float
    """The same, among pixels outside the fullest cell of the colour histogram: the background is flat in photographs
    too."""
    grain: float
    """Median size of the small differences (1..12 of 255) between neighbours, over 12."""
    common_colors: float
    """Share of pixels in the eight fullest cells of a 16×16×16 colour histogram."""
    hard_edges: float
    """Share of edge pixels (gradient over 24 of 255) whose step is over 80."""


@dataclass(frozen=True)
class LineArtVerdict:
    """The detector's answer."""

    probability: float
    """0..1."""
    figures: LineArtFigures


def line_art_figures(image: RGB8) -> LineArtFigures:
    """Measure a picture: uint8 H×W×3 sRGB, any size from 1×1."""
    small = _measured(image)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    packed = color_codes(small)
    cell = color_cells(packed)
    cells = np.bincount(cell.ravel())
    value = grey.astype(np.int16)
    right = np.abs(np.diff(value, axis=1, append=value[:, -1:]))
    below = np.abs(np.diff(value, axis=0, append=value[-1:]))
    step = np.maximum(right, below)
    slight = step[(step >= 1) & (step <= 12)]
    edges = int((step > 24).sum())
    off_background = cell != cells.argmax()
    return LineArtFigures(
        edge_density=float((cv2.Canny(grey, 50, 150) > 0).mean()),
        unique_colors=np.unique(packed).size / packed.size,
        dark_share=float((grey < 50).mean()),
        flat_share=float((step <= 1).mean()),
        flat_fills=float((step[off_background] <= 1).mean()) if off_background.any() else 1.0,
        grain=float(np.median(slight)) / 12.0 if slight.size else 0.0,
        common_colors=float(np.sort(cells)[-8:].sum()) / packed.size,
        hard_edges=float((step > 80).sum()) / edges if edges else 0.0,
    )


def detect_line_art(image: RGB8) -> LineArtVerdict:
    """Give the probability that a picture (uint8 H×W×3 sRGB) is a drawing of lines and flat fills.

    >>> photograph = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    >>> detect_line_art(photograph).probability < 0.5
    True
    """
    figures = line_art_figures(image)
    return LineArtVerdict(classify(figures), figures)


def classify(figures: LineArtFigures) -> float:
    """Apply the trained logistic regression; 0..1."""
    mean, deviation, weights, bias = _trained()
    score = float(((inputs(figures) - mean) / deviation) @ weights + bias)
    return float(1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0))))


def inputs(figures: LineArtFigures) -> Vector:
    """Turn the figures into the classifier's inputs, float64: each figure and its square root."""
    values = np.array(astuple(figures), dtype=np.float64)
    # The root spreads the small shares, where drawings and photographs differ most.
    return np.concatenate([values, np.sqrt(values)])


@cache
def _trained() -> tuple[Vector, Vector, Vector, float]:
    stored = json.loads(_WEIGHTS.read_text())
    return np.array(stored["mean"]), np.array(stored["deviation"]), np.array(stored["weights"]), float(stored["bias"])


def _measured(image: RGB8) -> RGB8:
    height, width = image.shape[:2]
    size = fitted_size(width, height, MEASURED_AT)
    if size == (width, height):
        return image
    # Nearest, because averaging would invent the in-between colours that the second figure counts.
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
