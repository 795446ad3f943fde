"""What may be chosen of a blend, and each default, once. Nothing heavy is imported: settings are read everywhere."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from vivid_assets.imaging.blend.cast_shadow import Choice

Mode = Literal["decontaminate", "lab-deprojection", "alpha"]
"""See ``composite``."""
Falloff = Literal["linear", "smoothstep", "double-smoothstep"]
"""See ``lab_deprojection``."""


@dataclass(frozen=True)
class BlendOptions:
    """How the original background leaves the edge, and which shadow goes with the subject.

    Raises:
        ValueError: a mode that there is not; the message lists them.

    """

    mode: Mode = "decontaminate"
    refine: bool = True
    """Whether the photograph may correct a network's alpha (mode ``decontaminate``)."""
    spill: bool = True
    """Whether reflected light is taken off the rim where it is found (mode ``decontaminate``)."""
    spill_reach: float | None = None
    """How deep it may go, in pixels; None: 12 in a picture of 1,024, more in a larger one."""
    spill_strength: float = 0.85
    """Share of it that is taken off, 0..1."""
    strength: float = 0.85
    """Of the deprojection, 0..1 (mode ``lab-deprojection``)."""
    limit: float = 18.0
    """Lab distance from the original background at which the deprojection ends."""
    falloff: Falloff = "linear"
    """How the deprojection falls with that distance."""
    shadow: "Choice" = "none"
    """See ``choose_shadow``."""

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"The mode is one of {', '.join(get_args(Mode))}, not {self.mode!r}.")
