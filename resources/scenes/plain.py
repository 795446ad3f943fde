"""Backgrounds that need neither picture nor prompt: one colour, or none."""

import re

TRANSPARENT = "transparent"
"""No background: the composite is the cut-out."""
COLOR = "color"
"""In a row: a background of one colour."""
HOW_WRITTEN = f"A colour is written as #ffffff or #fff; none: {TRANSPARENT}."
"""For who has named something that is neither a picture nor plain."""

_COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def is_color(background: str) -> bool:
    """Whether it is a colour such as ``#ffffff`` or ``#fff``, and no file's name."""
    return _COLOR.fullmatch(background) is not None


def is_plain(background: str) -> bool:
    """Whether it is a colour, or none, and no file's name."""
    return background == TRANSPARENT or is_color(background)


def color_code(background: str) -> str:
    """A colour in its one spelling.

    >>> color_code("#FfF"), color_code("transparent")
    ('#ffffff', 'transparent')
    """
    if not is_color(background):
        return background
    digits = background[1:].lower()
    return f"#{digits if len(digits) == 6 else ''.join(2 * digit for digit in digits)}"


def rgb_of(color: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour, 0..255 sRGB."""
    digits = color_code(color)[1:]
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
