"""Reflected spill: the light of a coloured background on the opaque rim of the subject.

Foreground estimation cannot see it, since nothing shines through there. What can be seen is an *excess*: the rim is
more of the background's hue than the subject is further in. It is taken off only where the background is saturated and
the picture as a whole shows it, for a subject may well be greener at its edge than inside.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from vivid_assets.imaging.core.arrays import Area, Indices, Lab, LinearRGB, Matte, Plane
from vivid_assets.imaging.core.color import lab_to_linear, linear_to_lab
from vivid_assets.imaging.core.interpolate import smoothstep

SATURATED = (22.0, 38.0)
"""Chroma of a background that begins to, and that fully does, throw a visible colour."""
DETECTED = (1.5, 4.0)
"""Mean excess of the rim, Lab units, at which the stage starts and is fully on."""
_PROFILE = (0.4, 0.5)
"""Shares of the rim's excess that are left beyond half the reach: up to one it is spill, from the other the subject's
own. Light that is reflected leaves 0.3."""

_RIM = 3.0
"""Pixels of depth of the rim whose excess is looked at."""
_LATTICE = 12.0
"""Pixels of reach up to which every pixel of the inside is looked at."""
_LEAST_INSIDE = 0.02
"""Share of what is near that must lie deeper than spill, to compare a rim with."""


@dataclass(frozen=True)
class Spill:
    """What was found: the rim's mean excess towards the background's hue (Lab units) and the share of it taken off."""

    excess: float
    strength: float


def suppress_spill(
    front: LinearRGB, alpha: Matte, background_lab: Lab, *, reach: float, strength: float
) -> tuple[LinearRGB, Spill]:
    """Take the original background's hue off the subject's rim where spill is detected; lightness is not changed.

    Args:
        front: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        background_lab: the original background's colour, CIE Lab.
        reach: how deep spill may go, pixels.
        strength: share of the excess that is taken at the very edge, 0..1.

    Returns:
        The cleaned colours, ``front`` itself where nothing is detected; and what was found.
    """
    chroma = float(np.hypot(background_lab[1], background_lab[2]))
    saturated = float(smoothstep(np.asarray(chroma), *SATURATED))
    solid = alpha > 0.5
    if saturated == 0 or not solid.any():
        return front, Spill(0.0, 0.0)
    hue = np.asarray(background_lab[1:], np.float32) / np.float32(chroma)
    padded = cv2.copyMakeBorder(solid.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5), np.float32)[1:-1, 1:-1]

    found = _inside(front, (alpha > 0.02) & (depth < 2.5 * reach) & (depth > reach), hue, reach)
    if found is None:
        return front, Spill(0.0, 0.0)
    # Deeper pixels are compared with, and stay as they are.
    places = np.flatnonzero((alpha > 0.02) & (depth <= max(reach, _RIM)))
    lab = linear_to_lab(front.reshape(-1, 3)[places])
    inner, share = _read(found, places, alpha.shape[1])
    excess = lab[:, 1:] @ hue - inner
    at = depth.ravel()[places]
    # A leaf far from any body has no inside that its rim could exceed: it says nothing of spill.
    told = share > _LEAST_INSIDE
    deep, by = at[told], excess[told]
    rim = float(np.median(by[(deep > 0) & (deep <= _RIM)])) if ((deep > 0) & (deep <= _RIM)).any() else 0.0
    middle = (deep > reach / 2) & (deep <= reach)
    deeper = float(np.median(by[middle])) if middle.any() else 0.0
    detected = float(smoothstep(np.asarray(rim), *DETECTED))
    detected *= 1 - float(smoothstep(np.asarray(deeper / max(rim, 1e-6)), *_PROFILE))
    amount = strength * saturated * detected
    if amount == 0:
        return front, Spill(rim, 0.0)
    fade = 1 - smoothstep(at, 0.25 * reach, reach)
    lab[:, 1:] -= (amount * fade * np.maximum(excess, 0))[:, None] * hue
    cleaned = front.copy()
    changed = (fade > 0) & (excess > 0)
    cleaned.reshape(-1, 3)[places[changed]] = np.clip(lab_to_linear(lab[changed]), 0, 1)
    return cleaned, Spill(rim, amount)


class _Inside(NamedTuple):
    """What lies deeper than spill near each pixel, on a lattice."""

    along: Plane
    """How much it has of the background's hue, Lab units; of all of it where none is near."""
    share: Plane
    """Of what is near, 0..1."""
    corner: tuple[int, int]
    """Row and column of the lattice's first point."""
    step: int
    """Pixels from one point of the lattice to the next."""

    def nearest(self, at: Indices, axis: int) -> Indices:
        """The lattice's rows, or columns, nearest to those of the picture."""
        cells = (at - self.corner[axis] + self.step // 2) // self.step
        return np.asarray(np.clip(cells, 0, self.along.shape[axis] - 1))


def _inside(front: LinearRGB, inside: Area, hue: Plane, reach: float) -> _Inside | None:
    """Average how much of a hue the inside has near each pixel; None where there is no inside.

    On a lattice where the reach is more than a dozen pixels: an average over windows five times as wide loses nothing.
    """
    step = max(1, int(reach / _LATTICE))
    corner = (inside.shape[0] - 1) % step // 2, (inside.shape[1] - 1) % step // 2
    lattice = tuple(slice(first, None, step) for first in corner)
    inside, reach = np.ascontiguousarray(inside[lattice]), reach / step
    if not inside.any():
        return None
    values = np.zeros(inside.shape, np.float32)
    values[inside] = linear_to_lab(front[lattice][inside])[:, 1:] @ hue
    size = (2 * round(2.5 * reach) + 1,) * 2
    share = np.asarray(cv2.boxFilter(inside.astype(np.float32), -1, size, borderType=cv2.BORDER_REFLECT), np.float32)
    total = cv2.boxFilter(values, -1, size, borderType=cv2.BORDER_REFLECT)
    mean = np.float32(values[inside].mean())
    along = np.asarray((total + 1e-3 * mean) / (share + np.float32(1e-3)), np.float32)
    return _Inside(along, share, corner, step)


def _read(found: _Inside, places: Indices, width: int) -> tuple[Plane, Plane]:
    """Read the averages and the shares at places of a picture of that width."""
    y, x = np.divmod(places, width)
    at = found.nearest(y, 0) * found.along.shape[1] + found.nearest(x, 1)
    return np.asarray(found.along.ravel()[at]), np.asarray(found.share.ravel()[at])
