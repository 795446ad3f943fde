"""An alpha brought up to the photograph's size, along the photograph's edges."""

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import RGB8, LinearRGB, Matte
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.core.guided_filter import guided_upsample
from vivid_assets.imaging.core.interpolate import enlarge
from vivid_assets.imaging.core.noise import capture_noise, noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, whole

_UPSAMPLE_RADIUS = 4
"""Of the windows, in pixels of the small alpha."""
_MIDDLE_GREY = 220
"""Of 1023 in linear light."""


def upsample(
    alpha: Matte, light_small: LinearRGB, light: LinearRGB, view: View, noise: float, threads: int | None = None
) -> Matte:
    """Bring an alpha up to a photograph's size, or to a cut of it, along the photograph's edges.

    The fit is made at the small size and in linear light: there, averaging pixels averages alpha and colour alike, so
    that an alpha that fits the small photograph fits the full one. Fitting an enlarged alpha to the full photograph
    leaves four times the error.

    Args:
        alpha: float32 h×w, 0..1.
        light_small: float32 h×w×3, linear light: the whole photograph at alpha's size.
        light: float32 H×W×3, linear light: the photograph, or the cut, at its own.
        view: where the cut lies.
        noise: the capture's, in levels of 8 bits.
        threads: the most to use.

    Returns:
        float32 H×W, 0..1.
    """
    smooth = np.empty(light.shape[:2], np.float32)
    parallel_rows(enlarge, len(smooth), alpha, view, smooth, threads=threads)
    soft = (smooth > 0.002) & (smooth < 0.998)
    out = np.round(smooth)
    if not soft.any():
        return out
    # Grain would come out in alpha: a window flatter than its grain is no edge.
    grain = float(noise_variances(noise)[_MIDDLE_GREY])
    sharp = guided_upsample(light, alpha, light_small, _UPSAMPLE_RADIUS, 1e-4 + 4 * grain, soft, threads, view)
    out[soft] = np.clip(sharp[soft], 0, 1)
    return out


def upsample_alpha(alpha_small: Matte, photo_full: RGB8, threads: int | None = None) -> Matte:
    """Bring an alpha that was solved at a model's size up to the photograph's, along the photograph's edges.

    Args:
        alpha_small: float h×w, 0..1.
        photo_full: uint8 H×W×3 sRGB.
        threads: the most to use.

    Returns:
        float32 H×W, 0..1.

    >>> upsample_alpha(np.eye(4, dtype=np.float32), np.zeros((8, 8, 3), np.uint8)).shape
    (8, 8)
    """
    height, width = photo_full.shape[:2]
    small = np.clip(np.ascontiguousarray(alpha_small, np.float32), 0, 1)
    if small.shape == (height, width):
        return small
    smooth = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    light = srgb_to_linear(photo_full)
    light_small = np.asarray(cv2.resize(light, small.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    return upsample(small, light_small, light, whole(height, width), capture_noise(photo_full, smooth), threads)
