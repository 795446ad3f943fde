"""What a prompt says about a studio backdrop: its paper's colour, the colour of the light, its strength and side."""

import re
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

from vivid_assets.imaging.paper_colors import (
    COLORS,
    DESCRIBING,
    FILLERS,
    LIGHTS,
    MODIFIERS,
    SIDES,
)

KeyLight = Literal["left", "right", "above", "behind"]

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_READ = 4096  # characters of a prompt that are looked at
DEFAULT_PAPER = (205, 204, 201)


@dataclass(frozen=True)
class BackdropLook:
    """A studio paper sweep and its light.

    Attributes:
        paper: sRGB colour of the paper under white light, 0..255 each.
        kelvin: Correlated colour temperature of the light: 6500 is white, less is warm; None: not said.
        brightness: Exposure, 1 is an evenly lit studio, 0.35 a dark one.
        contrast: 0 (soft, even) … 1 (one hard key light in a dark room).
        key_light: Where the key light stands.
        glow: Strength of the light thrown on the wall behind the subject, 0..1.
        used_words: The prompt's words that shaped the look, with what they did.
        unused_words: The prompt's words that a paper sweep cannot show (things, places, materials), in order.

    """

    paper: tuple[int, int, int] = DEFAULT_PAPER
    kelvin: float | None = None
    brightness: float = 1.0
    contrast: float = 0.4
    key_light: KeyLight = "left"
    glow: float = 0.45
    used_words: tuple[str, ...] = field(default=())
    unused_words: tuple[str, ...] = field(default=())


def read_prompt(prompt: str) -> BackdropLook:
    """Read a backdrop's look from a prompt in English; whatever is not understood is in ``unused_words``."""
    words = [match.group().casefold() for match in _WORD.finditer(prompt[:_READ])]
    used: set[int] = set()
    paper = _paper(words, used)
    kelvin, brightness, contrast, glow = _light(words, used)
    key = _key_light(words, used)
    return BackdropLook(
        paper=paper,
        kelvin=kelvin,
        brightness=brightness,
        contrast=contrast,
        key_light=key,
        glow=glow,
        used_words=tuple(words[i] for i in sorted(used)),
        unused_words=tuple(
            dict.fromkeys(word for i, word in enumerate(words) if i not in used and word not in FILLERS)
        ),
    )


def _paper(words: list[str], used: set[int]) -> tuple[int, int, int]:
    """The first colour's name with the modifiers before it; else the first material's colour."""
    for table in (COLORS, DESCRIBING):
        for i in range(len(words)):
            for length in (2, 1):  # "sky blue" before "blue"
                name = " ".join(words[i : i + length])
                if len(words[i : i + length]) == length and name in table:
                    if table is COLORS:  # a material lends its colour only: its texture stays unused
                        used.update(range(i, i + length))
                    return _modified(table[name], words, i, used)
    return _modified(DEFAULT_PAPER, words, len(words), used) if words else DEFAULT_PAPER


def _modified(color: tuple[int, int, int], words: list[str], position: int, used: set[int]) -> tuple[int, int, int]:
    """Apply the modifiers that stand directly before a colour's name."""
    lightness, chroma, warmth = 0.0, 1.0, 0.0
    i = position - 1
    while i >= 0 and words[i] in MODIFIERS:
        step = MODIFIERS[words[i]]
        lightness, chroma, warmth = lightness + step[0], chroma * step[1], warmth + step[2]
        used.add(i)
        i -= 1
    if (lightness, chroma, warmth) == (0.0, 1.0, 0.0):
        return color
    rgb = np.array(color, np.float32).reshape(1, 1, 3) / 255
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    lab[..., 0] += lightness * (100 - lab[..., 0] if lightness > 0 else lab[..., 0])
    lab[..., 1:] *= chroma
    lab[..., 2] += warmth
    out = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)[0, 0] * 255 + 0.5, 0, 255).astype(int)
    return int(out[0]), int(out[1]), int(out[2])


def _light(words: list[str], used: set[int]) -> tuple[float | None, float, float, float]:
    kelvin, brightness, contrast, glow = None, 1.0, 0.4, 0.45
    for i in range(len(words)):
        for length in (2, 1):
            name = " ".join(words[i : i + length])
            if len(words[i : i + length]) == length and name in LIGHTS and i not in used:
                light = LIGHTS[name]
                kelvin = light.kelvin or kelvin
                brightness *= light.brightness
                contrast = light.contrast if light.contrast is not None else contrast
                glow = light.glow if light.glow is not None else glow
                used.update(range(i, i + length))
                break
    return kelvin, float(np.clip(brightness, 0.3, 1.25)), contrast, glow


def _key_light(words: list[str], used: set[int]) -> KeyLight:
    for i, word in enumerate(words):
        if word in SIDES:
            used.add(i)
            return SIDES[word]
    return "left"
