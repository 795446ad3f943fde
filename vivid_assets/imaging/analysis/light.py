"""The light in a picture: colour temperature and brightness, of the subject and of its background apart.

The VividFlow article's program measured the whole picture, so an old yellow background made every subject warm. Here
the colours along the frame tell the background from the subject.
"""

from dataclasses import dataclass, replace

import numpy as np

from vivid_assets.imaging.core.arrays import RGB8, Lab, LinearRGB, Matte, Plane, Vector
from vivid_assets.imaging.core.color import RGB_TO_XYZ, linear_to_lab, srgb_to_linear
from vivid_assets.imaging.core.light import Temperature, Tone
from vivid_assets.imaging.core.own_alpha import packaging
from vivid_assets.imaging.core.resize import Pixels, shrink

WARM_B = 4.0
"""Mean Lab b from which light counts as warm, and below whose negative as cool: about two just noticeable steps, so
that a grey background's rounding does not choose. The article's program cut at 0."""

BRIGHT_L = 0.5
"""Mean Lab L / 100 from which a picture counts as bright: middle grey (119 of 255), as the eye judges it."""

_WORKING_SIDE = 256
"""Pixels of the longer side; means over a picture need no more."""
_FRAME = 0.06
"""Width of the frame that is taken for background, as a share of the shorter side."""
_LIKE_BACKGROUND = 12.0
"""Lab distance up to which a pixel may be background under uneven light."""
_CARD_CHROMA = 12.0
"""Up to which a background's colour may be the light's, whatever its hue."""
_LAMP_REACH = 0.012
"""How far from the colours of glowing bodies a lamp's or the sky's is, in u, v of CIE 1960; lamps may be .006 off by
norm, and some are more."""
_OUTSHINES = 1.15
"""What of a channel's light on a white card is surely more than the card sends back."""
_FEWEST = 0.01
"""Share of the picture under which a subject found by colour is not believed."""


@dataclass(frozen=True)
class RegionLight:
    """Light on one part of the picture.

    Attributes:
        warmth: Mean CIE Lab b (blue -110 … 95 yellow), averaged in linear light before it is read as Lab.
        brightness: Mean Lab L / 100 of its pixels, 0..1.
        chroma: Mean distance of its pixels from grey in Lab (a, b), 0..134.
        share: Its part of the picture, 0..1.

    """

    warmth: float
    brightness: float
    chroma: float
    share: float

    @property
    def temperature(self) -> Temperature:
        """``warm``, ``neutral`` or ``cool``, by ``WARM_B``."""
        if self.warmth >= WARM_B:
            return "warm"
        return "cool" if self.warmth <= -WARM_B else "neutral"

    @property
    def tone(self) -> Tone:
        """``bright`` or ``dark``, by ``BRIGHT_L``."""
        return "bright" if self.brightness >= BRIGHT_L else "dark"


@dataclass(frozen=True)
class Light:
    """Light on the subject and on the background behind it.

    Attributes:
        subject, background: See ``RegionLight``.
        background_flatness: Share of the frame's pixels of the background's colour, 0 (busy) … 1 (an even one).
        background_is_lit: Whether the background may be white or grey, its colour the light's.

    """

    subject: RegionLight
    background: RegionLight
    background_flatness: float
    background_is_lit: bool

    @property
    def temperature(self) -> Temperature:
        """The light's own colour.

        A bright, even background without paint shows it as a photographer's white card does; without one it is read
        from the subject, whose paint then counts as light: a red shirt is warm.
        """
        return self.background.temperature if self._background_is_a_white_card else self.subject.temperature

    @property
    def tone(self) -> Tone:
        """Whether the subject is bright or dark."""
        return self.subject.tone

    @property
    def _background_is_a_white_card(self) -> bool:
        return self.background_flatness >= 0.5 and self.background_is_lit and self.background.tone == "bright"


def measure_light(image: RGB8, alpha: Matte | None = None) -> Light:
    """Measure colour temperature and brightness of the subject and of the background.

    The subject is what differs from the frame's colours; of a cut-out it is what is solid, and there is no background:
    its figures are the subject's, and its share is 0.

    Args:
        image: uint8 H×W×3 sRGB, from 1x1.
        alpha: float32 H×W, 0..1, the picture's own transparency; counts where it can be a cut-out.

    Raises:
        ValueError: Another shape or type.

    >>> light = measure_light(np.full((20, 30, 3), (250, 240, 200), np.uint8))
    >>> light.temperature, light.tone
    ('warm', 'bright')
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"The picture must be uint8 H×W×3 and not empty, not {image.dtype} {image.shape}.")
    linear = shrink(srgb_to_linear(_sample(image)), _WORKING_SIDE)
    lab = linear_to_lab(linear)
    if alpha is not None and packaging(alpha) is None:
        solid = _region(linear, lab, shrink(_sample(alpha), _WORKING_SIDE))
        return Light(solid, replace(solid, share=0.0), background_flatness=0.0, background_is_lit=False)
    distance, flatness = _distance_to_frame(lab)
    like = _like_part(distance)
    background = _region(linear, lab, like)
    return Light(
        subject=_region(linear, lab, _differing_part(distance)),
        background=background,
        background_flatness=flatness,
        background_is_lit=background.chroma < _CARD_CHROMA or _is_lit_white(linear, like),
    )


def _is_lit_white(linear: LinearRGB, like: Plane) -> bool:
    """Whether the background's colour can be that of a lamp or of the sky on something white.

    It must be a colour that light has; and nothing may send back more of any primary than a white card does. Paint
    takes light away: a white or a blue thing before a beige wall is brighter than the wall in blue.
    """
    weight = like / max(float(like.sum()), 1e-6)
    card = np.einsum("hwc,hw->c", linear, weight, dtype=np.float64)
    if card.min() <= 0 or _distance_to_lamps(card) > _LAMP_REACH:
        return False
    return bool((linear > _OUTSHINES * card).any(axis=2).mean() < _FEWEST)


def _distance_to_lamps(light: Vector) -> float:
    """How far a colour (linear sRGB, 3) lies from those of glowing bodies of 1,500 to 15,000 kelvin, in CIE 1960 u, v.

    Their colours by Krystek 1985, "An algorithm to calculate correlated colour temperature".
    """
    x, y, z = RGB_TO_XYZ @ light
    u, v = np.array((4 * x, 6 * y)) / (x + 15 * y + 3 * z)
    t = np.geomspace(1500, 15000, 200)
    at_u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (1 + 8.42420235e-4 * t + 7.08145163e-7 * t**2)
    at_v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (1 - 2.89741816e-5 * t + 1.61456053e-7 * t**2)
    return float(np.hypot(at_u - u, at_v - v).min())


def _sample(pixels: Pixels) -> Pixels:
    """Every n-th pixel, so that a huge picture costs no more than one of four times the working size."""
    step = max(1, max(pixels.shape[:2]) // (4 * _WORKING_SIDE))
    return pixels[::step, ::step]


def _distance_to_frame(lab: Lab) -> tuple[Plane, float]:
    """Lab distance of every pixel to the frame's colour on its left and right, and how even the frame is.

    The frame's colour is a median per side, blended across the picture, so that a background lit from one side stays
    background.
    """
    height, width = lab.shape[:2]
    band = max(1, round(_FRAME * min(height, width)))
    sides = [
        np.median(np.concatenate([edge.reshape(-1, 3), top.reshape(-1, 3)]), axis=0)
        for edge, top in (
            (lab[:, :band], lab[:band, : max(1, width // 2)]),
            (lab[:, -band:], lab[:band, width // 2 :]),
        )
    ]
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    background = sides[0] * (1 - across) + sides[1] * across
    distance = np.linalg.norm(lab - background, axis=2).astype(np.float32)
    frame = np.ones((height, width), bool)
    frame[band:-band, band:-band] = False
    return distance, float(np.mean(distance[frame] < _LIKE_BACKGROUND))


def _differing_part(distance: Plane) -> Plane:
    """Weight of the subject: what differs from the background, more so the nearer to the middle it lies."""
    height, width = distance.shape
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None] if height > 1 else np.zeros((1, 1), np.float32)
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :] if width > 1 else np.zeros((1, 1), np.float32)
    middle = np.clip(1.25 - np.hypot(rows, columns), 0, 1)
    subject = np.asarray(np.clip(distance / _LIKE_BACKGROUND - 1, 0, 1) * middle, np.float32)
    return subject if subject.mean() >= _FEWEST else np.where(middle > 0.5, middle, np.float32(0))


def _like_part(distance: Plane) -> Plane:
    """Weight of the background: what has the frame's colour, wherever it lies (also in the hole of a handle)."""
    return np.asarray(np.clip(2 - distance / _LIKE_BACKGROUND, 0, 1))


def _region(linear: LinearRGB, lab: Lab, weight: Plane) -> RegionLight:
    share = float(weight.mean())
    if share < 1e-6:  # all of it is the other part: the picture as a whole is the best guess
        weight = np.ones_like(weight)
    weight = weight / weight.sum()
    mean_color = linear_to_lab(np.einsum("hwc,hw->c", linear, weight, dtype=np.float64))
    return RegionLight(
        warmth=float(mean_color[2]),
        brightness=float(np.clip((lab[..., 0] * weight).sum() / 100, 0, 1)),
        chroma=float((np.hypot(lab[..., 1], lab[..., 2]) * weight).sum()),
        share=share,
    )
