"""Which names pictures may have, so that results can be kept on every system and named in every table.

A name is a POSIX path below the catalogue's folder. What is refused here is refused with a reason and left where it is;
renaming the file is all it takes.
"""

import re
from collections.abc import Iterable, Mapping

from resources.spelling import plain

_LONGEST_PART = 200
"""Bytes. File systems take 255; results append to the name, and temporary names to these."""

_DEVICES = r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])"

NOT_BELOW = "is not a path below the catalogue's folder"
LEADS_OUT = "leads out of the catalogue's folder"

_RULES = [
    (re.compile(r"^([/\\~]|[A-Za-z]:|[A-Za-z0-9+.-]+:)"), NOT_BELOW),
    (re.compile(r"(^|[/\\])\.\.([/\\]|$)"), LEADS_OUT),
    (re.compile(r'[<>:"|?*\\]'), 'has one of the characters < > : " | ? * \\, which other systems do not allow'),
    (re.compile(r"[. ](/|$)|(^|/) "), "has a part that ends with a dot or space or starts with a space"),
    (re.compile(rf"(^|/){_DEVICES}[ ]*(\.[^/]*)?(/|$)", re.IGNORECASE), "has a part that names a device on Windows"),
    (re.compile(r"^([=+@]|-[^|(]*[|(])"), "starts like a formula, which a spreadsheet would run"),
]


_APPENDED = frozenset({".jpg", ".mov", ".mp4", ".png", ".webm", ".webp", ".zip"})


def why_refused(name: str) -> str | None:
    """Why a picture cannot have this name, as the end of a message; None if it can."""
    if not name.isprintable():
        return "has control characters in its name"
    for pattern, why in _RULES:
        if pattern.search(name):
            return why
    if len(name) > _LONGEST_PART // 4 and any(len(part.encode()) > _LONGEST_PART for part in name.split("/")):
        return f"has a part of more than {_LONGEST_PART} bytes"
    return None


def collisions(names: Iterable[str]) -> dict[str, str]:
    """Those of the sorted ``names`` whose results could overwrite another's, each with that other's name.

    Names that differ only in case or Unicode form are one name on many systems. A result that changes its format has
    a suffix appended, so ``cup.jpg`` may become ``cup.jpg.png``, and ``cup`` may become ``cup.jpg``, which another
    picture, or a folder of pictures, must not have as its name.
    """
    first: dict[str, str] = {}
    refused = {}
    for name in names:
        other = first.setdefault(plain(name), name)
        if other != name:
            refused[name] = other
    for spelt, name in first.items():
        stem, dot, suffix = spelt.rpartition(".")
        if dot and dot + suffix in _APPENDED and stem in first:
            longer, shorter = name, first[stem]
            # Of these the name with a suffix stays.
            has_suffix = "." in stem.rpartition("/")[2]
            refused |= {longer: shorter} if has_suffix else {shorter: longer}
    return refused | _named_like_folders(first)


def _named_like_folders(first: Mapping[str, str]) -> dict[str, str]:
    """Of names by their spelling those whose result could have the path of a folder, each with a name in that."""
    inside: dict[str, str] = {}
    for spelt, name in first.items():
        folder = spelt.rpartition("/")[0]
        while folder and folder not in inside:
            inside[folder] = name
            folder = folder.rpartition("/")[0]
    return {
        first[spelt]: name
        for folder, name in inside.items()
        for spelt in (folder, *(folder.removesuffix(suffix) for suffix in _APPENDED if folder.endswith(suffix)))
        if spelt in first
    }
