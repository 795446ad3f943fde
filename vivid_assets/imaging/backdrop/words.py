"""Words for the light in a studio."""

from typing import NamedTuple

from vivid_assets.imaging.core.key_light import KeyLight


class LightWord(NamedTuple):
    """What a word does to the light, as in ``BackdropLook``; None leaves it as it is, ``brightness`` is a factor."""

    kelvin: float | None = None
    brightness: float = 1.0
    contrast: float | None = None
    glow: float | None = None
    window: float | None = None


LIGHTS: dict[str, LightWord] = {
    "morning": LightWord(5000, window=0.55),
    "dawn": LightWord(4700, 0.88),
    "sunrise": LightWord(4200, 0.95, window=0.7),
    "noon": LightWord(6000, 1.05, 0.3),
    "midday": LightWord(6000, 1.05, 0.3),
    "afternoon": LightWord(5000, window=0.55),
    "evening": LightWord(4200, 0.85, 0.5),
    "sunset": LightWord(3600, 0.9, 0.45, window=0.9),
    "dusk": LightWord(8200, 0.75, 0.5),
    "twilight": LightWord(8800, 0.7, 0.5),
    "night": LightWord(8500, 0.6, 0.75),
    "midnight": LightWord(9500, 0.55, 0.8),
    "golden hour": LightWord(3900, 1.0, 0.4, window=0.8),
    "blue hour": LightWord(9500, 0.75, 0.45),
    "daylight": LightWord(6300, 1.05, 0.25),
    "candlelight": LightWord(2600, 0.7, 0.75),
    "candle": LightWord(2600, 0.7, 0.75),
    "candlelit": LightWord(2600, 0.7, 0.75),
    "white light": LightWord(6500),
    "white lighting": LightWord(6500),
    "tungsten": LightWord(3300),
    "fireplace": LightWord(2800, 0.7, 0.7),
    "lamp": LightWord(3500, 0.85, 0.6),
    "sun": LightWord(5200, 1.05, window=0.8),
    "sunny": LightWord(5200, 1.05, window=0.8),
    "sunlight": LightWord(5200, 1.05, window=0.9),
    "sunlit": LightWord(5200, 1.05, window=0.9),
    "sunshine": LightWord(5200, 1.05, window=0.9),
    "overcast": LightWord(7000, 0.95, 0.1, window=0.0),
    "cloudy": LightWord(7000, 0.95, 0.12, window=0.0),
    "moonlight": LightWord(9500, 0.6, 0.7, window=0.8),
    "window": LightWord(5800, window=0.9),
    "warm": LightWord(4600),
    "cosy": LightWord(4200, 0.88, 0.55),
    "cozy": LightWord(4200, 0.88, 0.55),
    "cool": LightWord(8000),
    "cold": LightWord(8600),
    "neutral": LightWord(6500),
    "bright": LightWord(None, 1.1, 0.2),
    "airy": LightWord(None, 1.12, 0.12),
    "high key": LightWord(None, 1.2, 0.05, 0.5),
    "dark": LightWord(None, 0.7, 0.7),
    "moody": LightWord(None, 0.75, 0.8),
    "dramatic": LightWord(None, 0.9, 0.9),
    "low key": LightWord(None, 0.7, 0.9),
    "dim": LightWord(None, 0.7, 0.6),
    "soft": LightWord(None, 1.0, 0.15),
    "diffused": LightWord(None, 1.0, 0.1, window=0.0),
    "even": LightWord(None, 1.0, 0.05, 0.1, window=0.0),
    "flat": LightWord(None, 1.0, 0.0, 0.0, window=0.0),
    "hard": LightWord(None, 1.0, 0.8),
    "harsh": LightWord(None, 1.0, 0.85),
    "spotlight": LightWord(None, 0.95, 1.0, 0.3),
    "glow": LightWord(glow=0.9),
    "glowing": LightWord(glow=0.9),
    "halo": LightWord(glow=1.0),
    "shadows": LightWord(None, 0.97, 0.6),
}

SIDES: dict[str, KeyLight] = {
    "left": "left",
    "right": "right",
    "above": "above",
    "overhead": "above",
    "top": "above",
    "behind": "behind",
    "backlit": "behind",
    "backlight": "behind",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WALLS = _words("backdrop backdrops background backgrounds bg cyclorama cyc")
"""What a colour's name stands before when it is the background's: "a red apple on a white table" is white."""
SURFACES = _words(
    "wall walls paper studio seamless sweep floor table tables tabletop counter countertop surface room cloth canvas "
    "muslin fabric interior kitchen shelf desk"
)
GROUNDS = _words(
    "tablecloth plinth pedestal podium platform slab board boards plank planks tile tiles tiled rug carpet mat ground "
    "sheet bedding bedspread blanket curtain curtains drape drapes screen panel card cardboard acrylic plexiglass "
    "mirror glass ledge windowsill sill bench worktop gradient fur wool felt satin silk cotton burlap suede foam "
    "parquet tarmac asphalt pavement metal steel aluminium aluminum"
)
"""What else a subject stands on or before. Alone such a word may be the subject: "a red blanket"."""

BEHIND = frozenset({"against", "before", "in front of"})
"""What is behind the subject follows these, and what is below it those."""
UNDER = frozenset({"on", "over", "upon", "onto", "atop", "on top of"})
PLACES = _words("in at by near inside amid beside within")
"""The places that a subject is in follow these."""
BOUNDARIES = PLACES | _words(
    "with from to for under and or but while through between of as behind around against before on over upon onto atop"
)
"""A phrase ends before these."""
LINKS = _words("is are in of be should painted coloured colored colour color tone : a an the very all")
"""What may stand between a surface and its colour: "the wall is painted in sage"."""
ARTICLES = _words("a an the some its my our this that very")
SHONE = _words("light lights lighting lit glow glowing shadow shadows rim lamp lamps candle candles highlights halo")
"""What a colour before it is not the paper's."""

NEGATIONS = _words("no not without never non avoid avoiding except excluding neither nor isn't don't") | frozenset(
    {"instead of", "rather than", "anything but", "other than", "free of"}
)

FILLERS = _words(
    "a an the and or but of on in at with from to for by is are be its it this that some very my our all just only any "
    "use using used too so nothing isolated placed painted light lights lighting lit backdrop background bg wall walls "
    "floor studio seamless paper sweep photo photograph photography picture image shot product portrait professional "
    "clean simple minimal minimalist plain high quality detailed sharp focus photorealistic elegant color colour "
    "coloured colored tone tones shade gentle side key ambient hour day time setting scene surface"
)
"""Words that ask for nothing, or for what a studio sweep is anyway."""
