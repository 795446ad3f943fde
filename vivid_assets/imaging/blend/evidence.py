"""How an alpha compares with the photograph: as sharp, blurred by a measurable σ, or neither."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vivid_assets.imaging.blend.projection import project
from vivid_assets.imaging.core.areas import dilated
from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane, Vector
from vivid_assets.imaging.core.interpolate import smoothstep
from vivid_assets.imaging.core.noise import NOISE
from vivid_assets.imaging.core.sparse_blur import sparse_blur
from vivid_assets.imaging.core.spread_colors import Colors

Verdict = Literal["exact", "blurred", "coarse", "unheard"]

SIGMAS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Blurs that are tried, pixels."""
SHARP = (0.45, 0.58)
"""Sharpness from which an alpha begins to be, and that from which it is, left alone."""
_LEAST_TRUST = 0.02
"""Mean trust in the photograph's own alpha under which it has no say."""
_ENOUGH_PIXELS = 40_000
"""Soft pixels that the evidence is taken from in a larger picture."""


@dataclass(frozen=True)
class Evidence:
    """How an alpha compares with the photograph's own."""

    sharpness: float
    """Fine detail of the alpha relative to the photograph's own alpha; 1: as sharp."""
    agreement: float
    """Correlation of the two details, -1..1; near 0 the photograph has no say."""
    sigma: float
    """The blur, in pixels, that makes the photograph's alpha most like this one; 0 for a sharp one."""
    misfit: float
    """What is left at that blur, relative to no blur, 0..1; near 1 no blur explains it."""

    @property
    def amount(self) -> float:
        """How far to go from the given alpha to the photograph's, 0..1."""
        # A mask many times enlarged has no fine detail to agree in; that a blur explains it shows as much.
        heard = max(smoothstep(self.agreement, 0.2, 0.36), smoothstep(1 - self.misfit, 0.25, 0.45))
        return float((1 - smoothstep(self.sharpness, *SHARP)) * heard)

    @property
    def verdict(self) -> Verdict:
        """Which of the cases this is."""
        if self.sharpness >= SHARP[1]:
            return "exact"
        if self.amount == 0:
            return "unheard"
        explained = self.misfit < 0.25 and self.sigma >= 0.8
        return "blurred" if explained or (self.sharpness < 0.33 and self.misfit < 0.7) else "coarse"


def assess_alpha(
    image: LinearRGB, alpha: Matte, colors: Colors, *, noise: float = NOISE, threads: int | None = None
) -> Evidence:
    """Compare an alpha with the photograph's own, F and B from solid and empty pixels only.

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        colors: F and B.
        noise: the capture's, in levels of 8 bits.
        threads: the most to use.
    """
    band = (alpha > 0.02) & (alpha < 0.98)
    if not band.any():
        return Evidence(1.0, 1.0, 0.0, 1.0)
    band &= _sampled_rows(int(band.sum()), len(alpha))[:, None]
    wide = dilated(band, 4)
    own, weight = project(image, alpha, colors.fields, wide, noise=noise, threads=threads)
    places = np.flatnonzero(band)
    given, trust = alpha.ravel()[places], weight.ravel()[places]

    def blurred(plane: Plane, sigma: float) -> Vector:
        return np.asarray(sparse_blur(plane, sigma, band, threads).ravel()[places])

    detail, own_detail = given - blurred(alpha, 1.0), own.ravel()[places] - blurred(own, 1.0)
    power, own_power = float(trust @ detail**2), float(trust @ own_detail**2)
    if own_power < 1e-9 or float(trust.mean()) < _LEAST_TRUST:
        return Evidence(0.0, 0.0, 0.0, 1.0)
    power = max(power, 1e-12)
    sharpness = (power / own_power) ** 0.5
    agreement = float(trust @ (detail * own_detail)) / (power * own_power) ** 0.5
    if sharpness >= SHARP[1]:
        return Evidence(sharpness, agreement, 0.0, 1.0)
    misfits = np.array([float(trust @ np.abs(blurred(own, sigma) - given)) for sigma in SIGMAS])
    sigma, least = _lowest(misfits)
    return Evidence(sharpness, agreement, sigma, float(least / max(misfits[0], 1e-9)))


def _sampled_rows(pixels: int, height: int) -> Area:
    """Choose stripes of 32 rows that hold enough of the soft pixels; the same ones in a picture upside down."""
    every = max(1, pixels // _ENOUGH_PIXELS)
    row = np.arange(height)
    stripe = np.minimum(row, height - 1 - row) // 32
    return np.asarray(stripe % every == (every - 1) // 2)


def _lowest(misfits: Vector) -> tuple[float, float]:
    """Find the blur of the least misfit, between the tried ones by the two straight lines that meet there."""
    best = int(misfits.argmin())
    if not 0 < best < len(SIGMAS) - 1:
        return SIGMAS[best], float(misfits[best])
    left, here, right = misfits[best - 1], misfits[best], misfits[best + 1]
    # The misfit is a V about the true blur: move towards the lower neighbour by how much the slopes differ.
    below, above = SIGMAS[best] - SIGMAS[best - 1], SIGMAS[best + 1] - SIGMAS[best]
    fall, rise = (left - here) / below, (right - here) / above
    steep = max(fall, rise)
    shift = (rise - fall) / (2 * steep) * (below if rise > fall else above) if steep > 0 else 0.0
    return float(SIGMAS[best] - shift * 0.5), float(here)
