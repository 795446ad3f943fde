"""A mask from gradients alone: the tier that needs no model and always answers.

Two ways, chosen by the frame. Against a plain background, the background's colour is modelled and flooded from the
border. Elsewhere, Sobel and Laplacian edges are closed and filled. The image-guided filter follows in both.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import parts_of, without_small_parts
from vivid_assets.imaging.core.arrays import RGB8, Area, Lab, Matte
from vivid_assets.imaging.core.color import opencv_lab
from vivid_assets.imaging.core.guided_filter import guided_filter
from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.matte.from_background import (
    background_distance,
    edge_alpha,
    enclosed_holes,
    flood_background,
    lightness_slope,
)
from vivid_assets.imaging.matte.plain_background import BackgroundModel, fit_background

WORKING_SIDE = 512
"""Long side, in pixels, at which the contour is found; the guided filter brings it to the picture's own size."""
MOST_NOISE, LEAST_SHARE = 2.0, 0.78
"""Noise in ΔE up to which, and share of the frame explained from which, a background is flooded."""
SHADOW = 25.0
"""How much darker than the background, in L, a soft shadow on it may be."""


@dataclass(frozen=True)
class GradientMask:
    """The gradient tier's answer."""

    alpha: Matte
    """float32 H×W, 0..1."""
    is_plain: bool
    """Whether the background-colour flood gave it; if not, closed contours did, which is far less certain."""


def gradient_mask(image: RGB8) -> GradientMask:
    """Separate the subject without a model. Never raises for a picture from 1×1 up; deterministic and finite.

    Args:
        image: uint8 H×W×3, sRGB.

    Returns:
        The mask. All zero where nothing differs from the background.

    Raises:
        ValueError: not uint8 H×W×3, or no pixel at all.

    >>> picture = np.full((60, 60, 3), 240, np.uint8)
    >>> picture[20:40, 20:40] = (40, 90, 160)
    >>> mask = gradient_mask(picture)
    >>> mask.is_plain, mask.alpha[30, 30].item(), mask.alpha[5, 5].item()
    (True, 1.0, 0.0)
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"need uint8 H×W×3 with at least one pixel, not {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = shrink(image, WORKING_SIDE)
    lab = opencv_lab(small)
    model = fit_background(lab)
    plain = model.noise <= MOST_NOISE and model.share >= LEAST_SHARE
    mask = cut_from_background(small, lab, model) if plain else fill_contours(small)
    alpha = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) if scale < 1 else mask
    radius = max(1, round(2 / scale))
    if mask.any() and min(height, width) > 2 * radius and (scale < 1 or not plain):
        alpha = guided_filter(image, alpha.astype(np.float32), radius, 1e-4)
    alpha = np.clip(np.nan_to_num(alpha), 0.0, 1.0).astype(np.float32)
    return GradientMask(alpha, plain)


def cut_from_background(image: RGB8, lab: Lab, model: BackgroundModel) -> Matte:
    """Take as subject what the background's colour does not reach from the border, with soft edges.

    A soft shadow on the background is background too: darker by up to ``SHADOW`` in L, of the same hue, without an
    edge.

    Args:
        image: uint8 H×W×3 sRGB.
        lab: float32 H×W×3, the same picture in CIE Lab.
        model: its background's.

    Returns:
        float32 H×W, 0..1.

    """
    near = max(3.0, 3.0 * model.noise)
    distance = background_distance(lab, model)
    offset = lab - model.lab
    hue = np.hypot(offset[..., 1], offset[..., 2])
    shadow = (offset[..., 0] < 0) & (offset[..., 0] > -SHADOW) & (hue < near) & (lightness_slope(lab) < 0.6)
    background = flood_background(np.where(shadow, 0.0, distance), near)
    area = int((~background).sum())
    background |= enclosed_holes(distance, background, near, max(16, area // 500)) > 0
    subject = without_specks(~background)
    return edge_alpha(image, model.rgb, ~subject)


def fill_contours(image: RGB8) -> Matte:
    """Sobel and Laplacian edges, closed, and the largest closed contours filled.

    Args:
        image: uint8 H×W×3 sRGB.

    Returns:
        float32 H×W of 0 and 1; all zero on a picture without edges.

    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    sobel = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    edges = 0.7 * sobel + 0.3 * np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    strong = (edges > max(20.0, float(np.percentile(edges, 80)))).astype(np.uint8)
    side = max(3, round(0.02 * max(grey.shape)) | 1)
    closed = cv2.morphologyEx(strong, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(grey.shape, dtype=np.uint8)
    if contours:
        largest = max(cv2.contourArea(contour) for contour in contours)
        kept = [contour for contour in contours if cv2.contourArea(contour) >= 0.2 * largest]
        cv2.drawContours(filled, kept, -1, 1, thickness=cv2.FILLED)
    return filled.astype(np.float32)


def without_specks(subject: Area) -> Area:
    """Drop parts smaller than 1 % of the largest; bool H×W in and out."""
    sizes = parts_of(subject).sizes
    return without_small_parts(subject, 0.01 * sizes[1:].max()) if len(sizes) > 1 else subject
