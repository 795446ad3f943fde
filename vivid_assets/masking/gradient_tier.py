"""The last rung: gradients as a mask model. Needs no weights and answers for every picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vivid_assets.imaging.matte.gradients import gradient_mask
from vivid_assets.masking.model import Tier

GRADIENTS = "gradients"
"""The rung's name."""
#: Raised when the algorithm changes what it answers.
REVISION = "1"


class GradientModel:
    """``MaskModel`` over ``gradient_mask``."""

    name = GRADIENTS
    revision = REVISION

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See ``MaskModel``. Before a busy wall the contrast is halved: gradients are a guess there."""
        answers = []
        for image in images:
            found = gradient_mask(image)
            answers.append(found.alpha if found.is_plain else (0.5 + 0.5 * (found.alpha - 0.5)).astype(np.float32))
        return answers


def gradient_tier() -> Tier:
    """Make the rung for ``Ladder``."""
    return Tier(GRADIENTS, GradientModel, REVISION)
