"""What the ladder hands out: the mask and the record of how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vivid_assets.imaging.core.alpha import Alpha, Origin

SOURCE_ALPHA = "source_alpha"
"""The tier, and the verdict, of a picture whose own transparency is its mask."""
NO_ANSWER = "failed"
"""The verdict where no tier answered; the alpha is then empty."""
UNAVAILABLE = "unavailable"
"""In a ``TierRecord``: the tier is not installed, or could not be loaded."""


@dataclass(frozen=True)
class TierRecord:
    """One tier's try at one picture."""

    tier: str
    verdict: str
    """``good`` or the fault's name; ``unavailable`` where it is not installed or could not load, ``broke`` where it
    raised."""
    reason: str
    """One sentence: why the ladder stopped here or went on."""
    figures: Mapping[str, float]
    """See ``vivid_assets.imaging.matte.quality.Figures``; empty where the tier gave no mask."""
    seconds: float
    """This picture's share of the tier's time for the batch."""

    def as_dict(self) -> dict[str, Any]:
        """For a table's column."""
        return {
            "tier": self.tier,
            "verdict": self.verdict,
            "reason": self.reason,
            "figures": dict(self.figures),
            "seconds": round(self.seconds, 4),
        }


@dataclass(frozen=True)
class Mask:
    """A picture's alpha, which tier gave it, and what was tried before."""

    alpha: np.ndarray
    """float32 H×W, 0..1."""
    tier: str
    """Who answered: a tier's name, ``override`` for a user's mask, or ``source_alpha``."""
    verdict: str
    """The verdict on the tier's answer and on the alpha made of it; for a user's own mask ``override``, for the
    source's own transparency ``source_alpha``, or the fault that a person should look at;
    ``failed``, with an empty tier and an alpha of zeros, where no tier could answer."""
    reason: str
    figures: Mapping[str, float]
    tried: tuple[TierRecord, ...]
    """Every tier that was asked, in order; last the matting model, where one is asked for."""
    line_art: bool
    line_art_probability: float
    """0..1, from the detector that ran before the tiers."""
    degraded: str | None = None
    """A sentence where a tier that is installed could not load or broke; ``None`` when all did their work."""
    line_art_wall: str | None = None
    """For line art, the wall it was cut from: ``plain``, ``patterned`` or ``busy``."""
    origin: Origin = "probability"
    """Where the alpha comes from, and so what may be done to it."""
    notes: tuple[str, ...] = ()
    """What was noticed when a given mask was read."""
    right: float | None = None
    """Probability that the mask is right, 0..1; ``None`` for drawings and given masks, which are not estimated."""
    edge_right: float | None = None
    """Probability that its edge is right."""

    @property
    def review(self) -> bool:
        """Whether a person should look: the verdict is not good, or a tier broke."""
        return self.verdict not in ("good", "agreed", "override", SOURCE_ALPHA) or self.degraded is not None


@dataclass(frozen=True)
class MaskRequest:
    """What a user asked for one picture, beyond the settings."""

    tier: str | None = None
    """A tier that must answer, whatever its verdict."""
    box: tuple[float, float, float, float] | None = None
    """Subject box: left, top, right, bottom as shares of the picture, 0..1."""
    override: Alpha | None = field(default=None, repr=False)
    """The user's own mask, which is used as it is, or the source's own transparency, which is where it can be a
    cut-out; else the tiers are asked about what it leaves to be seen."""
