"""What a prompt says about a studio backdrop: its paper's colour, the colour of the light, its strength and side."""

import re
from dataclasses import dataclass

import numpy as np

from vivid_assets.imaging.color import lab_to_rgb, rgb_to_lab, to_uint8
from vivid_assets.imaging.paper_colors import COLORS, MODIFIERS, THINGS, Color
from vivid_assets.imaging.studio_words import FILLERS, LIGHTS, NEGATIONS, SIDES, SURFACES, KeyLight

_WORD = re.compile(r"\w+(?:['’]\w+)*|[,.;:!?]")
_READ = 4096  # characters of a prompt that are looked at
_DEFAULT_PAPER = (205, 204, 201)


@dataclass(frozen=True)
class BackdropLook:
    """A studio paper sweep and its light.

    Attributes:
        paper: sRGB colour of the paper under white light, 0..255 each.
        kelvin: Correlated colour temperature of the light: 6500 is white, less is warm; None: not said.
        brightness: Exposure; 1 shows the paper in its own colour.
        contrast: 0 (soft, even) … 1 (one narrow key light in a dark room).
        key_light: Where the key light stands.
        glow: Strength of the lamp on the wall behind the subject, 0..1.
        window: Strength of sunlight that falls through a window, 0 (none) … 1.
        used_words: The prompt's words that shaped the look, in order.
        unused_words: Its words that a paper sweep cannot show (things, places, materials), in order.

    """

    paper: Color = _DEFAULT_PAPER
    kelvin: float | None = None
    brightness: float = 1.0
    contrast: float = 0.4
    key_light: KeyLight = "left"
    glow: float = 0.25
    window: float = 0.0
    used_words: tuple[str, ...] = ()
    unused_words: tuple[str, ...] = ()


def read_prompt(prompt: str) -> BackdropLook:
    """Read a backdrop's look from a prompt in English; whatever is not understood is in ``unused_words``."""
    read = prompt if len(prompt) <= _READ else prompt[:_READ].rpartition(" ")[0]
    words = [match.group().casefold() for match in _WORD.finditer(read)]
    used = {i for i, word in enumerate(words) if word in NEGATIONS or _negated(words, i)}
    refused = set(used)
    paper = _paper(words, used)
    kelvin, brightness, contrast, glow, window = _light(words, used)
    sides = [i for i, word in enumerate(words) if word in SIDES and i not in used]
    used.update(sides)
    rest = [i for i, word in enumerate(words) if i not in used and word not in FILLERS and word[0].isalnum()]
    return BackdropLook(
        paper=paper,
        kelvin=kelvin,
        brightness=brightness,
        contrast=contrast,
        key_light=SIDES[words[sides[0]]] if sides else "left",
        glow=glow,
        window=window,
        used_words=tuple(words[i] for i in sorted(used - refused)),
        unused_words=tuple(dict.fromkeys(words[i] for i in rest)),
    )


def _negated(words: list[str], i: int) -> bool:
    """Whether a negation stands one or two words before, in the same clause: “no warm shadows, white wall”."""
    before = words[max(0, i - 2) : i]
    if before and not before[-1].isalnum():
        return False
    return any(word in NEGATIONS for word in before)


def _names_in(words: list[str], table: dict, used: set[int]) -> list[range]:
    """Where names of ``table``, of two words or one, stand among words not used yet; the longer name wins."""
    found: list[range] = []
    i = 0
    while i < len(words):
        for length in (2, 1):
            place = range(i, i + length)
            if i + length <= len(words) and " ".join(words[i : i + length]) in table and not used & set(place):
                found.append(place)
                break
        else:
            length = 1
        i += length
    return found


def _paper(words: list[str], used: set[int]) -> Color:
    """The colour that stands before a surface's name, else the first colour, else the first thing's."""
    phrases = {i for place in _names_in(words, LIGHTS, set()) if len(place) > 1 for i in place}  # "golden hour"
    colors = _names_in(words, COLORS, used | phrases)
    if colors:
        chosen = next((c for c in colors if _is_of_surface(words, c)), colors[0])
        chosen = next((c for c in colors if c.stop == chosen.start), chosen)  # "charcoal grey": the first says more
        used.update(chosen, *(c for c in colors if c.start == chosen.stop))
        return _modified(COLORS[_name(words, chosen)], words, chosen.start, used)
    things = _names_in(words, THINGS, used)
    if things:  # a thing lends its colour only, so its name stays unused
        return _modified(THINGS[_name(words, things[0])], words, things[0].start, used)
    return _DEFAULT_PAPER


def _is_of_surface(words: list[str], color: range) -> bool:
    """Whether a surface's name follows within two words of the same clause: “white marble counter”."""
    following = words[color.stop : color.stop + 2]
    return any(word in SURFACES and (i == 0 or following[0].isalnum()) for i, word in enumerate(following))


def _name(words: list[str], place: range) -> str:
    return " ".join(words[place.start : place.stop])


def _modified(color: Color, words: list[str], position: int, used: set[int]) -> Color:
    """Apply the modifiers that stand directly before a colour's name, in Lab."""
    lightness, a, b = rgb_to_lab(np.array(color, np.uint8)).tolist()
    for i in range(position - 1, -1, -1):
        if words[i] not in MODIFIERS or i in used:
            break
        towards, chroma, warmth = MODIFIERS[words[i]]
        lightness += towards * (100 - lightness if towards > 0 else lightness)
        a, b = a * chroma, b * chroma + warmth
        used.add(i)
    red, green, blue = to_uint8(lab_to_rgb(np.array([lightness, a, b]))).tolist()
    return red, green, blue


def _light(words: list[str], used: set[int]) -> tuple[float | None, float, float, float, float]:
    """Kelvin, brightness, contrast, glow and window by the words for light, a later word over an earlier one."""
    kelvin, brightness, contrast, glow, window = None, 1.0, 0.4, 0.25, 0.0
    for place in _names_in(words, LIGHTS, used):
        word = LIGHTS[_name(words, place)]
        kelvin = word.kelvin or kelvin
        brightness *= word.brightness
        contrast = contrast if word.contrast is None else word.contrast
        glow = glow if word.glow is None else word.glow
        window = window if word.window is None else word.window
        used.update(place)
    return kelvin, min(max(brightness, 0.45), 1.2), contrast, glow, window
