"""The last tier: gradients as a mask model. Needs no weights and answers for every picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

import numpy as np

from resources.masks.tier import MaskModel, MaskTier
from vivid_assets.imaging.matte.gradients import gradient_mask
from vivid_assets.masking.model import Tier

GRADIENTS = "gradients"
"""The tier's name."""
#: Raised when the algorithm changes what it answers.
REVISION = "1"


class GradientModel:
    """``MaskModel`` over ``gradient_mask``."""

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See ``MaskModel``. Before a busy wall the contrast is halved: gradients are a guess there."""
        answers = []
        for image in images:
            found = gradient_mask(image)
            answers.append(found.alpha if found.is_plain else (0.5 + 0.5 * (found.alpha - 0.5)).astype(np.float32))
        return answers


class Gradients(MaskTier):
    """The picture's own colours and edges."""

    purpose: ClassVar[str] = "masks without any weights"
    is_network: ClassVar[bool] = False

    @property
    def revision(self) -> str:
        """The algorithm's number."""
        return REVISION

    def lease(self) -> AbstractContextManager[MaskModel]:
        """There is nothing to load."""
        return nullcontext(GradientModel())


def gradient_tier() -> Tier:
    """Make the tier for ``Ladder``."""
    return Tier(GRADIENTS, GradientModel, REVISION, is_network=False)
