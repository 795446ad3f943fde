"""Put a cut-out subject before a new background, without the old one's colour at its edge.

Everything is mixed in linear light, where light adds up. Three modes:

``unmix``    the default: foreground and old background are estimated at every soft pixel and taken apart;
``article``  the published method: Lab chroma deprojection of edge pixels that look like the old wall;
``alpha``    plain gamma-correct alpha compositing, for masks that come with clean colours.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.color import lab_to_linear, linear_to_lab, linear_to_uint8, srgb_to_linear
from vivid_assets.imaging.deprojection import Falloff, deproject_lab
from vivid_assets.imaging.foreground import blur_fusion
from vivid_assets.imaging.measures import Measures, measure

Array = NDArray[Any]
Mode = Literal["unmix", "article", "alpha"]


@dataclass(frozen=True)
class Blend:
    """A finished composite and what it was made of; all of the source's size."""

    composite: Array  # HxWx3 sRGB, uint8 or uint16 as the source
    foreground: Array  # HxWx3 sRGB, straight (not multiplied by alpha): with alpha, the cut-out
    alpha: Array  # HxW float32, 0..1, as used
    measures: Measures


def blend(
    image: Array,
    alpha: Array,
    background: Array,
    *,
    mode: Mode = "unmix",
    strength: float = 0.85,
    limit: float = 18.0,
    falloff: Falloff = "linear",
) -> Blend:
    """Composite the subject of ``image`` over ``background``.

    ``image`` and ``background`` are uint8 HxWx3 sRGB, ``alpha`` is float HxW, 0..1. ``strength``, ``limit`` and
    ``falloff`` belong to mode ``article``. Raises ValueError with a sentence when sizes, dtypes or the mode do not fit.
    """
    _check(image, alpha, background)
    matte = np.clip(np.nan_to_num(alpha.astype(np.float32)), 0, 1)
    source = srgb_to_linear(image)
    front = source
    soft = (matte > 0) & (matte < 1)
    if mode == "unmix":
        front = blur_fusion(source, matte)
    elif mode == "article":
        front = source.copy()
        wall = source[matte < 0.05].mean(axis=0) if (matte < 0.05).any() else np.ones(3, np.float32)
        lab = deproject_lab(
            linear_to_lab(source[soft]), linear_to_lab(wall), strength=strength, limit=limit, falloff=falloff
        )
        front[soft] = np.clip(lab_to_linear(lab), 0, 1)
    elif mode != "alpha":
        raise ValueError(f"The mode is unmix, article or alpha, not {mode!r}.")
    weight = matte[..., None]
    composite = linear_to_uint8(weight * front + (1 - weight) * srgb_to_linear(background))
    foreground = linear_to_uint8(front)
    foreground[~soft] = image[~soft]
    composite[matte >= 1] = image[matte >= 1]
    return Blend(composite, foreground, matte, measure(image, foreground, matte))


def _check(image: Array, alpha: Array, background: Array) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or background.ndim != 3 or background.shape[2] != 3:
        raise ValueError(f"Image and background are HxWx3, not {image.shape} and {background.shape}.")
    if not image.shape[:2] == alpha.shape == background.shape[:2]:
        sizes = ", ".join(
            f"{name} {plane.shape[1]}x{plane.shape[0]}" if plane.ndim > 1 else f"{name} {plane.shape}"
            for name, plane in (("image", image), ("mask", alpha), ("background", background))
        )
        raise ValueError(f"Image, mask and background are of one size, but these are: {sizes}.")
    if image.dtype != np.uint8 or background.dtype != np.uint8:
        raise ValueError(f"Image and background are uint8, not {image.dtype} and {background.dtype}.")
