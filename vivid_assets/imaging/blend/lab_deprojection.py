"""The published Lab chroma deprojection: the original background's hue is taken out of edge pixels that look like it.

C is a pixel's (a, b), B the original background's, B̂ = B/|B|: C' = C − S·max(0, C·B̂)·B̂, lightness untouched, with
S = strength · falloff(ΔE / limit). Two guards are ours: the clamp at 0, without which a colour opposite to the
background's hue gains colour, and the gate on |B|, since the hue of a nearly neutral background is noise.
"""

import numpy as np

from vivid_assets.imaging.blend.options import Falloff
from vivid_assets.imaging.core.arrays import Lab, Vector
from vivid_assets.imaging.core.interpolate import smoothstep

CHROMA_GATE = (4.0, 12.0)
"""|B| below which the background has no hue to remove, and above which it is trusted."""


def strength_by_distance(delta_e: Vector, strength: float, limit: float, falloff: Falloff) -> Vector:
    """Give S for Euclidean Lab distances from the background: ``strength`` at 0, zero from ``limit`` on.

    ``linear`` is the published 0.85·max(0, 1 − ΔE/18); the two others reach zero without a kink.

    Args:
        delta_e: distances, of any shape.
        strength: 0..1.
        limit: Lab units.
        falloff: how S falls.

    Raises:
        ValueError: a falloff that there is not.

    >>> strength_by_distance(np.array([0.0, 9.0, 20.0]), 0.8, 18, "linear").tolist()
    [0.8, 0.4, 0.0]
    """
    nearness: Vector = np.clip(1 - np.asarray(delta_e) / limit, 0, 1)
    if falloff == "smoothstep":
        nearness = smoothstep(nearness)
    elif falloff == "double-smoothstep":
        nearness = smoothstep(smoothstep(nearness))
    elif falloff != "linear":
        raise ValueError(f"The falloff is linear, smoothstep or double-smoothstep, not {falloff!r}.")
    return np.asarray(strength * nearness)


def deproject(chroma: Vector, background_chroma: Vector, strength: Vector | float) -> Vector:
    """Take ``strength`` of the background's hue out of a chroma.

    Args:
        chroma: ``(..., 2)``, Lab (a, b).
        background_chroma: likewise, one or one for each.
        strength: 0..1, one or one for each.

    >>> deproject(np.array([[30.0, 5.0]]), np.array([20.0, 0.0]), 1.0).tolist()
    [[0.0, 5.0]]
    """
    background = np.asarray(background_chroma, np.float32)
    length = np.linalg.norm(background, axis=-1, keepdims=True)
    direction = background / np.maximum(length, 1e-6)
    along = np.maximum((chroma * direction).sum(axis=-1, keepdims=True), 0)
    amount = np.asarray(strength, np.float32)[..., None] * smoothstep(length, *CHROMA_GATE)
    return np.asarray(chroma - amount * along * direction, np.float32)


def deproject_lab(lab: Lab, background: Lab, *, strength: float, limit: float, falloff: Falloff) -> Lab:
    """Deproject the Lab colours of edge pixels; lightness stays.

    Args:
        lab: ``(..., 3)``.
        background: its Lab colour, one or one for each.
        strength: as for ``strength_by_distance``.
        limit: as for ``strength_by_distance``.
        falloff: as for ``strength_by_distance``.
    """
    delta_e = np.linalg.norm(np.asarray(lab, np.float32) - background, axis=-1)
    amount = strength_by_distance(delta_e, strength, limit, falloff)
    out = np.array(lab, np.float32)
    out[..., 1:] = deproject(out[..., 1:], np.asarray(background, np.float32)[..., 1:], amount)
    return out
