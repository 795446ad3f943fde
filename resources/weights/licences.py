"""Licences of weights: what a model's card says, and which licences forbid commercial use."""

import re
from pathlib import Path

CARD = "README.md"
"""The card's name in a repository; it begins with what programs can read."""
_FORBIDS = re.compile(r"\bnc\b|non-?commercial", re.IGNORECASE)


def licence_of(place: Path) -> str:
    """The licence that the card of a model's folder names; empty without a card, or where that names none."""
    from huggingface_hub import metadata_load

    try:
        said = metadata_load(place / CARD) or {}
    except (OSError, ValueError):
        return ""
    named = said.get("license_name") if said.get("license") in ("other", None) else said["license"]
    return str(named or said.get("license") or "")


def forbids_commerce(licence: str) -> bool:
    """Whether a licence forbids commercial use, by its name.

    >>> forbids_commerce("flux-1-dev-non-commercial-license"), forbids_commerce("cc-by-nc-4.0")
    (True, True)
    >>> forbids_commerce("apache-2.0")
    False
    """
    return bool(_FORBIDS.search(licence))
