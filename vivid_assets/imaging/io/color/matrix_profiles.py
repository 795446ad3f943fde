"""Matrix profiles at full depth: three curves to light, a matrix to CIE XYZ under D50 (ICC.1:2022, F.3).

Display P3, Adobe RGB, ProPhoto and every camera's and screen's profile without tables are of this kind. LittleCMS can
be reached at 8 bits only, which is too few for what a picture with 16 was made for.
"""

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.io.color.icc import srgb_profile
from vivid_assets.imaging.io.color.linear_colors import LinearColors

Floats = NDArray[np.float64]

_PARAMETERS = (1, 3, 4, 5, 7)
"""Exponent, then what stands for a, b, c, d, e, f in each type of parametric curve (10.18)."""
_TABLES = {b"A2B0", b"A2B1", b"A2B2", b"D2B0", b"D2B1", b"D2B2", b"D2B3"}
"""Tables to or from XYZ or Lab: where a profile has them, they go before its matrix."""


@lru_cache(maxsize=32)
def matrix_colors(profile: bytes) -> LinearColors | None:
    """What the profile says of its samples; None where it is no matrix profile, or is damaged.

    Of a grey profile, its curve. A profile whose black gives light is left to LittleCMS too, which takes that off.
    """
    try:
        return _read(profile)
    except (struct.error, ValueError, KeyError, IndexError, np.linalg.LinAlgError):
        return None


def _read(profile: bytes) -> LinearColors | None:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * index) for index in range(min(count, 200)))
    tags = {name: profile[start : start + length] for name, start, length in entries}
    space, connection = profile[16:20], profile[20:24]
    if _TABLES & tags.keys() or connection not in (b"XYZ ", b"Lab "):
        return None
    steps = np.linspace(0, 1, 65_536)
    if space == b"GRAY":
        # Its curve is that of light in XYZ, and of lightness in Lab.
        if connection != b"XYZ ":
            return None
        curves, matrix = [_curve(tags[b"kTRC"], steps)] * 3, np.eye(3)
    elif space == b"RGB " and connection == b"XYZ ":
        curves = [_curve(tags[name], steps) for name in (b"rTRC", b"gTRC", b"bTRC")]
        matrix = np.linalg.inv(_colorants(_tags_of_srgb())) @ _colorants(tags)
    else:
        return None
    light = np.stack(curves, axis=1)
    if not (np.isfinite(light).all() and np.isfinite(matrix).all()) or np.abs(matrix).max() > 100:
        return None
    return None if light[0].max() > 1e-4 else LinearColors(light.clip(0, 1), matrix)


def _tags_of_srgb() -> dict[bytes, bytes]:
    profile = srgb_profile()
    entries = struct.iter_unpack(">4sII", profile[132 : 132 + 12 * struct.unpack_from(">I", profile, 128)[0]])
    return {name: profile[start : start + length] for name, start, length in entries}


def _colorants(tags: dict[bytes, bytes]) -> Floats:
    """XYZ of full red, green and blue, one a column."""
    return np.stack([_fixed(tags[name], 8, 3) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)


def _fixed(tag: bytes, start: int, count: int) -> Floats:
    """Numbers of 16 bits before and after the point."""
    return np.array(struct.unpack_from(f">{count}i", tag, start)) / 65_536


def _curve(tag: bytes, steps: Floats) -> Floats:
    """Light at each of ``steps``."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return steps
        values = np.array(struct.unpack_from(f">{count}H", tag, 12))
        if count == 1:
            return np.asarray(steps ** (values[0] / 256))
        return np.interp(steps, np.linspace(0, 1, count), values / 65_535)
    if tag[:4] != b"para":
        raise ValueError("no curve")
    (kind,) = struct.unpack_from(">H", tag, 8)
    g, a, b, c, d, e, f = np.pad(_fixed(tag, 12, _PARAMETERS[kind]), (0, 7 - _PARAMETERS[kind]))
    if kind == 0:
        return np.asarray(steps**g)
    if kind in (1, 2):
        # Below the root of ax + b there is c (of type 1: nothing).
        raised = np.maximum(a * steps + b, 0) ** g
        return np.where(a * steps + b >= 0, raised, 0) + (c if kind == 2 else 0)
    raised = np.maximum(a * steps + b, 0) ** g + e
    return np.asarray(np.where(steps >= d, raised, c * steps + f))
