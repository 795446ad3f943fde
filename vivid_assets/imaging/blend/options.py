"""What may be chosen of a blend and of its canvas, and each default, once.

Nothing heavy is imported: settings are read everywhere.
"""

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from vivid_assets.imaging.core.alpha import Origin
    from vivid_assets.imaging.plate.cast_shadow import Choice

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

    def for_alpha(self, origin: "Origin") -> "BlendOptions":
        """The same for an alpha of that origin: a given one is used as it is."""
        return replace(self, refine=False) if origin in ("own", "person") else self


Fit = Literal["subject", "photograph"]
AlignX = Literal["left", "center", "right"]
AlignY = Literal["top", "center", "bottom"]
Align = Literal["center", "left", "right", "top", "bottom", "top-left", "top-right", "bottom-left", "bottom-right"]
ALIGNED: dict[Align, tuple[AlignX, AlignY]] = {
    "center": ("center", "center"),
    "left": ("left", "center"),
    "right": ("right", "center"),
    "top": ("center", "top"),
    "bottom": ("center", "bottom"),
    "top-left": ("left", "top"),
    "top-right": ("right", "top"),
    "bottom-left": ("left", "bottom"),
    "bottom-right": ("right", "bottom"),
}
"""Where a subject stands across and down, by the word for both."""


@dataclass(frozen=True)
class Padding:
    """The room about the subject: below 1 a share of the canvas's width or height, from 1 on pixels."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError: a padding is negative or no number, or two shares leave nothing between them."""
        for side in ("left", "top", "right", "bottom"):
            value = getattr(self, side)
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"The padding on the {side} is a share below 1 or pixels, not {value}.")
        for one, other in (("left", "right"), ("top", "bottom")):
            first, last = getattr(self, one), getattr(self, other)
            if first < 1 and last < 1 and first + last >= 1:
                raise ValueError(f"The padding leaves no room between {one} ({first:g}) and {other} ({last:g}).")

    @classmethod
    def all_round(cls, value: float) -> "Padding":
        """The same on every side."""
        return cls(value, value, value, value)

    def pixels(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in pixels of a canvas."""
        sizes = (width, height, width, height)
        given = (self.left, self.top, self.right, self.bottom)
        return tuple(value * size if value < 1 else float(value) for value, size in zip(given, sizes, strict=True))  # type: ignore[return-value]

    def room(self, width: int, height: int) -> tuple[float, float]:
        """Width and height that are left of a canvas.

        Raises:
            ValueError: less than a pixel is left; the message has the numbers.

        """
        left, top, right, bottom = self.pixels(width, height)
        across, down = width - left - right, height - top - bottom
        if across < 1 or down < 1:
            raise ValueError(
                f"The padding leaves no room: {left + right:g} of {width} pixels across, "
                f"{top + bottom:g} of {height} down."
            )
        return across, down


@dataclass(frozen=True)
class Placement:
    """What is asked for."""

    canvas: tuple[int, int] | None = None
    """Width and height in pixels; None for the photograph's own."""
    padding: Padding = Padding()
    fit: Fit = "photograph"
    """``subject``: the subject's box fills the canvas less its padding, in one direction at least; ``photograph``: the
    whole photograph does, and the subject stands where it stood."""
    align: tuple[AlignX, AlignY] = ("center", "center")
    """Where the subject, or the photograph, stands in what is left."""
    with_shadow: bool = False
    """Whether the box includes the shadow."""
    most_enlarged: float = 2.0
    """The largest factor by which a photograph is enlarged."""
    least_canvas: tuple[int, int] | None = None
    """How small the canvas may become, in its shape, where the photograph would have to be enlarged; None: it stays."""

    def reduced(self, canvas: tuple[int, int], by: float, photograph: float) -> "Placement":
        """The same on a smaller ``canvas``, reduced ``by`` a factor, for the photograph reduced by another."""
        sides = (self.padding.left, self.padding.top, self.padding.right, self.padding.bottom)
        # A share stays a share, and pixels are fewer; below 1 they would be a share.
        room = Padding(*(side if side < 1 else max(1.0, side * by) for side in sides))
        return replace(self, canvas=canvas, padding=room, most_enlarged=self.most_enlarged * by / photograph)

    @property
    def is_as_photographed(self) -> bool:
        """Whether nothing is to be placed."""
        return self.canvas is None and self.fit == "photograph" and self.padding == Padding()


@dataclass(frozen=True)
class Rules:
    """What a place demands of a picture and can be measured; None: it demands nothing of the kind."""

    border: str | None = None
    """The colour that every pixel of the frame has."""
    least_fill: float | None = None
    """The share of the canvas that the subject's box takes at least, in the direction in which it takes more."""
    most_fill: float | None = None
    """The share that it takes at most."""
    least_longest: int | None = None
    """Pixels that the longer side has at least."""
    most_enlarged: float | None = None
    """The largest factor by which the photograph is enlarged: pixels that it does not have are no detail."""
