"""How opaque a pixel can be before a background of a strong colour that its subject does not have.

Glow, smoke and what moves while the shutter is open have edges wider than any lens draws, so that a network and the
contour's own solving take them for solid. Before a green screen their green tells how much of it is seen through them:
the colour difference of Vlahos's keyers (Smith and Blinn 1996, "Blue screen matting").
"""

from collections.abc import Sequence

import numpy as np

from vivid_assets.imaging.core.arrays import RGB8, LinearRGB, Matte, Plane, Planes
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.core.interpolate import smoothstep

_STRONG = 0.05
"""Linear light by which the background's channel exceeds its others, at least, for it to tell anything."""
_SURE = 0.97
"""Probability from which a pixel is subject for sure."""
_HAS, _HARDLY = 0.3, 0.035
"""Share of the background's excess that the subject's own colours have, and share of its sure pixels that may have so
much: of an explosion .5 % have, of a black shoe before blue 3 %, of a microphone before yellow 13 %."""
_SPILL = 0.1
"""Share of the excess that the background may throw on a solid subject."""
_UNSURE = 0.85, 0.97
"""Probability up to which that counts, and from which the network alone does."""


def key_channel(frames: Sequence[RGB8], probabilities: Sequence[Matte], plate: Planes) -> int | None:
    """Find the channel of a background's colour that its subject does not have; None where it has it.

    Args:
        frames: uint8 H×W×3 sRGB each, of the scene.
        probabilities: float32 H×W each, 0..1: of the subject.
        plate: float32 H×W×3, levels of gamma-encoded sRGB.
    """
    light = srgb_to_linear(plate / np.float32(255))
    channel = int(np.argmax(light.reshape(-1, 3).mean(axis=0)))
    excess = _excess(light, channel)
    has = count = 0
    for frame, probability in zip(frames, probabilities, strict=True):
        sure = (probability > _SURE) & (excess > _STRONG)
        own = _excess(srgb_to_linear(frame[sure]), channel)
        has, count = has + int(np.count_nonzero(own > _HAS * excess[sure])), count + len(own)
    return channel if count and has <= _HARDLY * count else None


def most_alpha(seen: LinearRGB, back: LinearRGB, probability: Matte, channel: int) -> Plane:
    """Give the most alpha that a frame's pixels can have.

    Args:
        seen: float32 H×W×3: the frame, linear light.
        back: float32 H×W×3: its background.
        probability: float32 H×W, 0..1: of the subject.
        channel: as ``key_channel`` gave it.

    Returns:
        float32 H×W, 0..1.

    >>> green, smoke = np.float32([[[0.05, 0.35, 0.05]]]), np.float32([[[0.1, 0.05, 0.05]]])
    >>> unsure = np.full((1, 1), 0.5, np.float32)
    >>> seen = [green, 0.5 * green + 0.5 * smoke, smoke]
    >>> [round(float(most_alpha(one, green, unsure, 1)[0, 0]), 2) for one in seen]
    [0.0, 0.65, 1.0]
    """
    excess = _excess(back, channel)
    share = _excess(seen, channel) / np.maximum(excess, np.float32(_STRONG))
    most = np.clip((1 - share) / (1 - _SPILL), 0, 1)
    counts = (1 - smoothstep(probability, *_UNSURE)) * (excess > _STRONG)
    return np.asarray(1 - counts * (1 - most), np.float32)


def _excess(light: LinearRGB, channel: int) -> Plane:
    """By how much a channel exceeds the larger one of the others."""
    one, other = (light[..., at] for at in range(3) if at != channel)
    return np.asarray(light[..., channel] - np.maximum(one, other), np.float32)
