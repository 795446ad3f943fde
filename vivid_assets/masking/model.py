"""What a tier of the ladder is: known by its name and revision, loaded when the first picture needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from resources.masks.tier import MaskModel
from vivid_assets.imaging.core.alpha import Origin


@dataclass(frozen=True)
class Tier:
    """A tier: known by name and revision without loading anything, loaded when the first picture needs it."""

    name: str
    load: Callable[[], MaskModel]
    """Makes the model, once per ladder. Raises ``resources.errors.ModelUnavailable`` where it cannot."""
    revision: str = ""
    """As the model's own, known before it is loaded, so that a row's key costs no model."""
    answers: Origin = "probability"
    """``matte`` where the model's answer is an alpha, soft where the subject is, and is to be left alone."""
    missing: str | None = None
    """What is not installed here, in a sentence: such a tier is not asked, and the others are what there is."""
    is_network: bool = True
    """As ``MaskTier.is_network``."""
    at_once: int = 1
    """As ``MaskTier.at_once``."""
