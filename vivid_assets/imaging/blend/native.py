"""Blending at the source's own size with a mask and a background of the models' size."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.composite import Blend, blend_any
from vivid_assets.imaging.core.alpha import GIVEN, Alpha, fit_alpha
from vivid_assets.imaging.core.resize import cover


def blend_native(
    image: NDArray[Any],
    alpha: Alpha,
    background: NDArray[Any],
    *,
    visible: NDArray[np.float32] | None = None,
    refine: bool = True,
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
        refine: whether the photograph may correct a network's alpha.
        options: passed on to ``blend_any``.
    """
    height, width = image.shape[:2]
    behind: NDArray[Any] = cover(background, height, width)
    if image.dtype == np.uint16:
        behind = behind if behind.dtype == np.uint16 else behind.astype(np.uint16) * 257
    given = alpha.origin in GIVEN
    values = fit_alpha(alpha.values, height, width) if given else alpha.values
    return blend_any(
        image, values, behind, origin=alpha.origin, visible=visible, refine=refine and not given, **options
    )
