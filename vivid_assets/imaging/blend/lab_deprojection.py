"""The article's Lab chroma deprojection: take the old wall's hue out of edge pixels that look like the wall.

C is a pixel's (a, b), B the old wall's, B̂ = B/|B|: C' = C − S·max(0, C·B̂)·B̂, lightness untouched, with
S = strength · falloff(ΔE / limit). Two guards are ours: the clamp at 0, without which a colour opposite to the
wall's hue gains colour, and the gate on |B|, since the hue of a nearly neutral wall is noise.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.interpolate import smoothstep

Array = NDArray[Any]
Falloff = Literal["linear", "smoothstep", "double-smoothstep"]

CHROMA_GATE = (4.0, 12.0)  # |B| below which the wall has no hue to remove, and above which it is trusted


def strength_by_distance(
    delta_e: Array, strength: float = 0.85, limit: float = 18.0, falloff: Falloff = "linear"
) -> Array:
    """Give S for Euclidean Lab distances from the wall: ``strength`` at 0, zero from ``limit`` on.

    ``linear`` is the article's 0.85·max(0, 1 − ΔE/18); the two others reach zero without a kink.
    """
    nearness: Array = np.clip(1 - np.asarray(delta_e) / limit, 0, 1)
    if falloff == "smoothstep":
        nearness = smoothstep(nearness)
    elif falloff == "double-smoothstep":
        nearness = smoothstep(smoothstep(nearness))
    elif falloff != "linear":
        raise ValueError(f"The falloff is linear, smoothstep or double-smoothstep, not {falloff!r}.")
    return strength * nearness


def deproject(chroma: Array, wall_chroma: Array, strength: Array | float) -> Array:
    """Take ``strength`` of the wall's hue out of ``chroma``; both are ``(..., 2)`` Lab (a, b)."""
    wall = np.asarray(wall_chroma, np.float32)
    length = np.linalg.norm(wall, axis=-1, keepdims=True)
    direction = wall / np.maximum(length, 1e-6)
    along = np.maximum((chroma * direction).sum(axis=-1, keepdims=True), 0)
    amount = np.asarray(strength, np.float32)[..., None] * smoothstep(length, *CHROMA_GATE)
    return (chroma - amount * along * direction).astype(np.float32)


def deproject_lab(
    lab: Array,
    wall: Array,
    *,
    strength: float = 0.85,
    limit: float = 18.0,
    falloff: Falloff = "linear",
) -> Array:
    """Deproject Lab colours ``(..., 3)`` of edge pixels against the wall's Lab colour, one or one per pixel."""
    delta_e = np.linalg.norm(np.asarray(lab, np.float32) - wall, axis=-1)
    amount = strength_by_distance(delta_e, strength, limit, falloff)
    out = np.array(lab, np.float32)
    out[..., 1:] = deproject(out[..., 1:], np.asarray(wall, np.float32)[..., 1:], amount)
    return out
