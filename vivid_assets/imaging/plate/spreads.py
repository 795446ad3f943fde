"""How far F and B may be from what they are taken to be, and whether they can be told apart at all.

Both solutions of alpha, in the small picture and at the picture's own size, go by these variances.
"""

from dataclasses import astuple, dataclass

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Planes, Vector
from vivid_assets.imaging.plate.fill import spread

_SEPARABLE = 9.0
"""Squared distance of F from B, in their spreads, from which they can be separated."""


@dataclass(frozen=True)
class Spreads:
    """What else than alpha may explain a pixel's colour, as variances of shares of light."""

    front: float
    """Of F, each channel by itself."""
    front_light: float
    """Of F's brightness."""
    back: float
    """Of B, each channel by itself."""
    back_light: float
    """Of B's brightness where there is no shadow."""
    shadow_light: float
    """Of B's brightness in the deepest shadow, beyond that; a standard deviation."""
    measured: float
    """How much of the variance of F that is measured about a pixel counts."""
    mixed: float
    """Cost of alpha one half."""
    prior: float
    """Pull of the network's alpha."""


SMALL = Spreads(0.003, 0.0, 0.0001, 0.015**2, 0.4, 1.0, 4.0, 1.0)
"""In the small picture. Tuned on photographs of renders and drawn fur (``benchmarks/quality/plain.py``); 20 per cent
more or less of any moves the mean over the band by less than 0.1."""
FULL = Spreads(0.002, 0.15, 0.0001, 0.012**2, 0.15, 0.3, 1.0, 4.0)
"""At the picture's own size."""


def as_array(spreads: Spreads) -> Vector:
    """As the compiled solvers take them."""
    return np.array(astuple(spreads), np.float32)


def spread_of(light: LinearRGB, sure: Area) -> tuple[LinearRGB, Planes]:
    """Spread F and the variance about it from where it is seen (bool h×w), at half the size: float32 h/2×w/2×3 each.

    ``light`` is float32 h×w×3, linear light; the variance is its square's.
    """
    height, width = sure.shape
    size = (-(-width // 2), -(-height // 2))
    known = sure.astype(np.float32)
    light = light * cv2.merge([known] * 3)
    first, second, weight = (
        np.asarray(cv2.blur(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), (3, 3)), np.float32)
        for plane in (light, light * light, known)
    )
    out = spread(np.dstack([first, second]) / np.maximum(weight, 1e-4)[..., None], weight)
    front = np.ascontiguousarray(out[..., :3])
    return front, np.ascontiguousarray(np.maximum(out[..., 3:] - front * front, 0))


def are_alike(front: LinearRGB, variance: Planes, back: LinearRGB, trimap: Matte, table: Vector) -> bool:
    """Whether F and B can hardly be separated along most of the edge: white on white, black on black.

    Args:
        front: float32, linear light, of any size, as ``variance``.
        variance: of F.
        back: float32 h×w×3: B.
        trimap: float32 h×w: 0, ½ at the edge, 1.
        table: the noise's variances.
    """
    size = trimap.shape[::-1]
    front, variance = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.float32) for plane in (front, variance)
    )
    edge = trimap == 0.5
    if not edge.any():
        return False
    f, b, v = front[edge], back[edge], variance[edge]
    grain = table[np.clip(f * (len(table) - 1), 0, len(table) - 1).astype(np.int64)]
    own = FULL.measured * v + FULL.front * f * f + grain
    # The brightness of F is a guess of its own.
    apart = (f - b) ** 2 / (own + FULL.front_light * 0.1 * f * f + 1e-6)
    return float((apart.max(axis=1) < _SEPARABLE).mean()) > 0.5
