"""The colours that a subject has at its heart, by codes of 16 steps a channel.

What has such a colour is not doubted, though the plate has it as well.
"""

import numpy as np

from vivid_assets.imaging.core.arrays import Area, Indices, LinearRGB, Planes

_OWN_COLOR = 0.004
"""Share of the subject's inner pixels that a colour must have to be the subject's own."""


def own_colors(light: LinearRGB, heart: Area) -> Area:
    """Tell which colours the subject has at its heart (bool h×w): bool 4096, by their codes.

    ``light`` is float32 h×w×3, linear light.
    """
    count = np.bincount(color_codes(light[heart]), minlength=16**3)
    return np.asarray(count > _OWN_COLOR * count.sum())


def color_codes(light: Planes) -> Indices:
    """Number the colours (float32 …×3, linear light) on a scale of 16 steps a channel: int32 …, 0..4095."""
    cells = np.minimum((np.sqrt(np.clip(light, 0, 1)) * 16).astype(np.int32), 15)
    return np.asarray((cells[..., 0] * 16 + cells[..., 1]) * 16 + cells[..., 2])
