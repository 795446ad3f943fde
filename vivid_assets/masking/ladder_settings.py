"""What a user may tune of the ladder."""

from __future__ import annotations

from dataclasses import dataclass, field

from vivid_assets.imaging.matte.quality import Thresholds
from vivid_assets.settings import MasksSettings


@dataclass(frozen=True)
class LadderSettings:
    """What a user may tune."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    refine: bool = True
    """Whether masks of photographs are brought to the picture's edges."""
    stretch_low: float = 0.1
    """Absolute probability that becomes alpha 0."""
    stretch_high: float = 0.9
    """Absolute probability that becomes alpha 1."""
    line_art_threshold: float = 0.5
    """Detector probability from which a picture is treated as line art. 0..1."""


def ladder_settings(wanted: MasksSettings) -> LadderSettings:
    """The ladder's part of the masks' settings."""
    return LadderSettings(
        refine=wanted.refine,
        stretch_low=wanted.stretch_low,
        stretch_high=wanted.stretch_high,
        line_art_threshold=wanted.line_art_threshold,
        thresholds=Thresholds(**wanted.thresholds),
    )
