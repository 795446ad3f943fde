"""What a prompt says about a studio backdrop: its paper's colour, the colour of the light, its strength and side."""

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vivid_assets.imaging.backdrop.paper_words import COLORS, MODIFIERS, THINGS, TONES, Color
from vivid_assets.imaging.backdrop.words import (
    ARTICLES,
    BEHIND,
    BOUNDARIES,
    FILLERS,
    GROUNDS,
    LIGHTS,
    LINKS,
    NEGATIONS,
    PLACES,
    SHONE,
    SIDES,
    SURFACES,
    UNDER,
    WALLS,
)
from vivid_assets.imaging.core.color import lab_to_rgb, rgb_to_lab, to_uint8
from vivid_assets.imaging.core.key_light import KeyLight

_WORD = re.compile(r"\w+(?:['’]\w+)*|[,.;:!?]")
_READ = 4096
"""Characters of a prompt that are looked at."""
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
        unused_words: Its words that a paper sweep cannot show (things, places, materials), in order.

    """

    paper: Color = _DEFAULT_PAPER
    kelvin: float | None = None
    brightness: float = 1.0
    contrast: float = 0.4
    key_light: KeyLight = "left"
    glow: float = 0.25
    window: float = 0.0
    unused_words: tuple[str, ...] = ()


def read_prompt(prompt: str) -> BackdropLook:
    """Read a backdrop's look from a prompt in English; whatever is not understood is in ``unused_words``.

    >>> look = read_prompt("a cup on navy paper, light from the right, a forest")
    >>> look.paper, look.key_light, look.unused_words
    ((36, 47, 78), 'right', ('cup', 'forest'))
    """
    read = prompt if len(prompt) <= _READ else prompt[:_READ].rpartition(" ")[0]
    words = _without_commas_of_lists([match.group().casefold() for match in _WORD.finditer(read)])
    phrases = _relations(words)
    used = _refused(words)
    paper = _paper(words, used, phrases)
    kelvin, brightness, contrast, glow, window = _light(words, used)
    sides = [i for i, word in enumerate(words) if word in SIDES and i not in used and i not in phrases]
    used.update(sides)
    said = used | phrases.keys()
    rest = [i for i, word in enumerate(words) if i not in said and word not in FILLERS and word[0].isalnum()]
    return BackdropLook(
        paper=paper,
        kelvin=kelvin,
        brightness=brightness,
        contrast=contrast,
        key_light=SIDES[words[sides[0]]] if sides else "left",
        glow=glow,
        window=window,
        unused_words=tuple(dict.fromkeys(words[i] for i in rest)),
    )


def _without_commas_of_lists(words: list[str]) -> list[str]:
    """“a deep, rich burgundy” is one phrase."""
    opens = ARTICLES - {"the"} | BEHIND | UNDER
    return [
        word
        for i, word in enumerate(words)
        if not (
            word == ","
            and 1 < i < len(words) - 1
            and words[i - 1] in MODIFIERS
            and words[i - 2] in opens
            and (words[i + 1] in MODIFIERS or words[i + 1] in COLORS)
        )
    ]


def _refused(words: list[str]) -> set[int]:
    """Where a negation and what it denies stand: “no warm shadows, white wall”, “neither red nor blue but white”.

    It denies the words up to the first noun, what “or” adds to them, and the colour that “and” adds to a colour.
    """
    refused: set[int] = set()
    i = 0
    while i < len(words):
        length = next((n for n in (2, 1) if " ".join(words[i : i + n]) in NEGATIONS), 0)
        if not length:
            i += 1
            continue
        stop = i + length
        while stop < len(words) and words[stop] in BOUNDARIES - {"but"}:  # "not on blue"
            stop += 1
        stop = _noun_phrase_end(words, stop)
        while stop < len(words) and (words[stop] == "or" or (words[stop] == "and" and words[stop - 1] in COLORS)):
            stop = _noun_phrase_end(words, stop + 1)
        refused.update(range(i, stop))
        i = stop
    return refused


def _noun_phrase_end(words: list[str], start: int) -> int:
    """Where the noun phrase that begins at ``start`` ends: after its first noun."""
    i = start
    while i < len(words) and words[i][0].isalnum() and words[i] not in BOUNDARIES:
        if " ".join(words[i : i + 2]) in COLORS:
            i += 2
            continue
        i += 1
        word = words[i - 1]
        if word in NEGATIONS:
            return i - 1
        if word in SHONE or not (word in MODIFIERS or word in LIGHTS or word in COLORS or word in FILLERS - SURFACES):
            break
    return i


def _relations(words: list[str]) -> dict[int, range]:
    """“on”, “against”, “in front of”: after which comes what is below or behind the subject. By place, the phrase."""
    found: dict[int, range] = {}
    i = 0
    while i < len(words):
        length = next((n for n in (3, 2, 1) if " ".join(words[i : i + n]) in BEHIND | UNDER), 0)
        if length:
            found.update(dict.fromkeys(range(i, i + length), range(i, i + length)))
        i += length or 1
    return found


def _names_in(words: list[str], table: Container[str], used: set[int]) -> list[range]:
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


_COLOR, _THING, _TONE = range(3)
_NOWHERE = 99
"""The rank of what is not the paper's at all."""


class _Candidate(NamedTuple):
    """A colour or a thing that the paper may take its colour from; the least is taken."""

    rank: int
    kind: int
    """_COLOR, _THING or _TONE."""
    start: int
    place: range


def _paper(words: list[str], used: set[int], relations: dict[int, range]) -> Color:
    """The paper's colour, and its words into ``used``.

    Taken is, in this order: a background's colour by name; what follows “against” or “before”; what follows “on” or
    “over”, where that is a surface, a material or nothing but the colour; a wall's or a table's colour; a colour with a
    clause of its own; what else follows “on”; a colour that ends its clause; the place that the subject is in; the
    first colour; the first thing. A tone ("dark background") counts where it is said of a background or a surface.
    """
    # "golden hour" is a light, and so is "red light".
    lights = {i for place in _names_in(words, LIGHTS, set()) if len(place) > 1 for i in place}
    colors = [c for c in _names_in(words, COLORS, used | lights) if not _is_a_lights(words, c)]
    taken = {i for c in colors for i in c}
    things = _names_in(words, THINGS, used | lights | taken)
    tones = _names_in(words, TONES, used | lights | taken)
    found = [
        _Candidate(_rank(words, place, relations, used, kind), kind, place.start, place)
        for kind, places in ((_COLOR, _chains(words, colors)), (_THING, things), (_TONE, tones))
        for place in places
    ]
    best = min(found, default=None)
    if best is None or best.rank == _NOWHERE:
        return _DEFAULT_PAPER
    if best.kind == _TONE:
        used.update(best.place)
        return TONES[_name(words, best.place)]
    if best.kind == _THING:  # a thing lends its colour only, so its name stays unused
        return _modified(THINGS[_name(words, best.place)], words, best.start, used)
    chosen = next(c for c in colors if c.start == best.start)  # "charcoal grey": the first says more
    used.update(best.place)
    return _modified(COLORS[_name(words, chosen)], words, chosen.start, used)


def _chains(words: list[str], places: list[range]) -> list[range]:
    """Names that stand side by side, as one: “navy blue”; but “pastel blue” is a blue."""
    joined: list[range] = []
    for place in places:
        if joined and joined[-1].stop == place.start:
            joined[-1] = place if _name(words, joined[-1]) in MODIFIERS else range(joined[-1].start, place.stop)
        else:
            joined.append(place)
    return joined


def _rank(words: list[str], place: range, relations: dict[int, range], used: set[int], kind: int) -> int:
    noun = _noun_after(words, place)
    said_of = _said_of(words, place)
    relation = _relation_before(words, place, relations)
    if kind == _TONE and place.start and words[place.start - 1] == "the":  # "against the light"
        relation = None
    if noun in WALLS or said_of in WALLS:
        return 0
    if relation is not None and (noun is None or kind != _TONE) and _name(words, relation) in BEHIND:
        return 1
    if relation is not None and (noun is None or noun in SURFACES or noun in GROUNDS):
        return 2
    if noun in SURFACES or said_of in SURFACES:
        return 3
    if kind == _TONE:
        return _NOWHERE
    first, stop = _clause(words, place)
    around = [words[i] for i in range(first, stop) if i not in place and i not in used]
    if kind == _COLOR and all(
        word in FILLERS or word in MODIFIERS or word in LIGHTS or word in SIDES for word in around
    ):
        return 4
    if relation is not None:
        return 5
    if kind == _COLOR:
        return 6 if place.stop == stop else 8
    before = [word for word in words[first : place.start] if word not in MODIFIERS and word not in ARTICLES]
    return 7 if noun is None and before and before[-1] in PLACES else 9


def _noun_after(words: list[str], place: range) -> str | None:
    """What a colour or a thing is said of: the last of the nouns that follow it in its phrase.

    “white marble counter”: a counter; “white paper cup”: a cup. A surface among the first two counts, and so does a
    material, unless another noun follows that is none.
    """
    last: str | None = None
    for count, word in enumerate(words[place.stop : place.stop + 4]):
        if not word[0].isalnum() or word in BOUNDARIES or word in NEGATIONS or word in BEHIND | UNDER | LINKS:
            break
        if word in WALLS | SURFACES | GROUNDS:
            last = word
        elif word in LIGHTS or word in SIDES or word in FILLERS:
            if last is not None:
                break
        elif word in THINGS or word in COLORS:
            last = last or "material"
        elif word not in MODIFIERS:
            if last in WALLS or (count and last is None):
                break
            last = word
    return None if last == "material" else last


def _said_of(words: list[str], place: range) -> str | None:
    """The surface that a colour after it is said of: “background: deep green”, “wall painted in sage”."""
    for i in range(place.start - 1, max(-1, place.start - 6), -1):
        if words[i] in WALLS | SURFACES:
            return words[i]
        if words[i] not in LINKS and words[i] not in MODIFIERS:
            return None
    return None


def _relation_before(words: list[str], place: range, relations: dict[int, range]) -> range | None:
    """“on”, “against” and the like, where the colour stands in what follows it."""
    for i in range(place.start - 1, -1, -1):
        if i in relations:
            return relations[i]
        if not words[i][0].isalnum() or (words[i] in BOUNDARIES and words[i] != "of"):
            return None
    return None


def _clause(words: list[str], place: range) -> tuple[int, int]:
    """Where the clause that a name stands in begins and ends."""
    first, stop = place.start, place.stop
    while first > 0 and words[first - 1][0].isalnum():
        first -= 1
    while stop < len(words) and words[stop][0].isalnum():
        stop += 1
    return first, stop


def _is_a_lights(words: list[str], place: range) -> bool:
    """Whether a colour is said of a light: “red light from the left”."""
    return place.stop < len(words) and words[place.stop] in SHONE


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
    for place in _names_in(words, LIGHTS, used | _of_the_subject(words, used)):
        word = LIGHTS[_name(words, place)]
        kelvin = word.kelvin or kelvin
        brightness *= word.brightness
        contrast = contrast if word.contrast is None else word.contrast
        glow = glow if word.glow is None else word.glow
        window = window if word.window is None else word.window
        used.update(place)
    return kelvin, min(max(brightness, 0.45), 1.2), contrast, glow, window


def _of_the_subject(words: list[str], used: set[int]) -> set[int]:
    """Where modifiers of what is not the paper's stand: “a dark green sofa” asks for no darkness."""
    found: set[int] = set()
    for place in (*_names_in(words, COLORS, used), *_names_in(words, THINGS, used)):
        if _is_a_lights(words, place):
            continue
        i = place.start - 1
        while i >= 0 and words[i] in MODIFIERS and i not in used:
            found.add(i)
            i -= 1
    return found
