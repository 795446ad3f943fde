"""What a tier of the ladder is: a picture in, a raw probability out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vivid_assets.imaging.core.alpha import Origin


class MaskModel(Protocol):
    """Anything that says, for each pixel, how probably it belongs to the subject."""

    @property
    def name(self) -> str:
        """Short name, e.g. ``birefnet``; unique in a ladder."""

    @property
    def revision(self) -> str:
        """Digest or version of the weights. Part of each row's key: another revision makes another mask."""

    def probabilities(self, images: Sequence[np.ndarray]) -> Sequence[np.ndarray | Exception]:
        """Raw probabilities, before any stretching.

        Args:
            images: uint8 H×W×3 sRGB each; sizes may differ within a batch.

        Returns:
            One float32 H×W array in 0..1 per image, at the image's own size; an exception in place of one is that
            image's failure.

        Raises:
            resources.errors.MachineFault: no picture can be processed (memory at batch 1, a dead device).

        """


@dataclass(frozen=True)
class Tier:
    """A rung: known by name and revision without loading anything, loaded when the first picture needs it."""

    name: str
    load: Callable[[], MaskModel]
    """Makes the model, once per ladder. Raises ``resources.errors.ModelUnavailable`` where it cannot."""
    revision: str = ""
    """As the model's own, known before it is loaded, so that a row's key costs no model."""
    answers: Origin = "probability"
    """``matte`` where the model's answer is an alpha, soft where the subject is, and is to be left alone."""
    missing: str | None = None
    """What is not installed here, in a sentence: such a tier is not asked, and the others are what there is."""
