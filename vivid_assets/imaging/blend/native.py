"""Blending at the source's own size with a mask and a background of the models' size."""

from typing import Any

from vivid_assets.imaging.blend.composite import Blend, compose
from vivid_assets.imaging.blend.options import BlendOptions
from vivid_assets.imaging.blend.separate import separate
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.arrays import RGB, Matte
from vivid_assets.imaging.core.key_light import KeyLight


def blend_native(
    image: RGB,
    alpha: Alpha,
    background: RGB,
    *,
    visible: Matte | None = None,
    floor: KeyLight | None = None,
    noise: float | None = None,
    threads: int | None = None,
    **options: Any,
) -> Blend:
    """Blend ``image`` before ``background``, both masks and backgrounds of any size.

    Args:
        image: uint8 or uint16 H×W×3 sRGB, the source.
        alpha: of the same aspect. A given one is used as it is, interpolated where its size is another; a network's is
            corrected at its own size and brought up with the image as guide.
        background: uint8 sRGB, or uint16 as the image, of any size and aspect; scaled to cover the image and cut to
            its middle.
        visible: float32 H×W, 0..1: what of the image is to be seen at all, where ``alpha`` is not its own transparency.
        floor: the key light of a new background that has a floor to stand on.
        noise: the capture's, in levels of 8 bits; measured where it is not given.
        threads: the most to use.
        options: see ``BlendOptions``.

    Raises:
        ValueError: a mode that there is not, or a given alpha of another aspect.
        TypeError: an option that there is not.

    >>> import numpy as np
    >>> photograph = np.full((8, 12, 3), 200, np.uint8)
    >>> alpha = Alpha(np.zeros((8, 12), np.float32), "person")
    >>> blend_native(photograph, alpha, np.zeros((4, 6, 3), np.uint8)).composite.max().item()
    0
    """
    chosen = BlendOptions(**options).for_alpha(alpha.origin)
    cut = separate(image, alpha, chosen, visible=visible, noise=noise, threads=threads)
    return compose(cut, background, shadow=chosen.shadow, floor=floor, threads=threads)
