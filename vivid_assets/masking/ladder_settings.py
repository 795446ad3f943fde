"""What a user may tune of the ladder."""

from __future__ import annotations

from dataclasses import dataclass, field

from vivid_assets.imaging.matte.quality import Thresholds
from vivid_assets.settings import MasksSettings

_DEFAULTS = MasksSettings()


@dataclass(frozen=True)
class LadderSettings:
    """What a user may tune; the defaults are those of the settings."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    refine: bool = _DEFAULTS.refine
    """Whether masks of photographs are brought to the picture's edges."""
    stretch_low: float = _DEFAULTS.stretch_low
    """Absolute probability that becomes alpha 0."""
    stretch_high: float = _DEFAULTS.stretch_high
    """Absolute probability that becomes alpha 1."""
    line_art_threshold: float = _DEFAULTS.line_art_threshold
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
