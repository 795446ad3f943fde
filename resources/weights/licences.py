"""Licences of weights: what a model's card says, and which licences forbid commercial use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from resources.errors import ModelUnavailable

if TYPE_CHECKING:
    from resources.weights.hub import Weights

UNKNOWN = "see its publisher"
_APACHE, _STABILITY, _BRIA = "Apache-2.0", "Stability AI Community License", "CC BY-NC 4.0"
_FLUX_DEV = "FLUX.1 [dev] Non-Commercial License"
ON_THE_HUB = {
    "black-forest-labs/FLUX.1-schnell": _APACHE,
    "black-forest-labs/FLUX.1-dev": _FLUX_DEV,
    "black-forest-labs/FLUX.1-Krea-dev": _FLUX_DEV,
    "stabilityai/stable-diffusion-3.5-large": _STABILITY,
    "stabilityai/stable-diffusion-3.5-medium": _STABILITY,
    "stabilityai/stable-diffusion-3.5-large-turbo": _STABILITY,
    "stabilityai/sdxl-turbo": "Stability AI Non-Commercial Community License",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "CreativeML OpenRAIL-M",
    "Tongyi-MAI/Z-Image-Turbo": _APACHE,
    "Qwen/Qwen-Image": _APACHE,
    "briaai/RMBG-2.0": _BRIA,
}
"""Of weights, by hub name, as their publishers state them, for those whose card is not here yet."""
OF_REMBG = {
    **dict.fromkeys(("u2net", "u2netp", "u2net_human_seg", "silueta", "isnet-general-use", "isnet-anime"), _APACHE),
    "u2net_cloth_seg": "MIT",
    **dict.fromkeys(
        (
            "birefnet-general",
            "birefnet-general-lite",
            "birefnet-general-fp16",
            "birefnet-portrait",
            "birefnet-dis",
            "birefnet-hrsod",
            "birefnet-cod",
            "birefnet-massive",
        ),
        "MIT",
    ),
    "bria-rmbg": _BRIA,
}
"""Of the weights that rembg fetches, by its names."""

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


def licence_at(files: Weights) -> str:
    """The licence of a model on the hub, or in a folder: as known by its name, else as its card says."""
    if known := ON_THE_HUB.get(files.source):
        return known
    try:
        return licence_of(files.folder()) or UNKNOWN
    except ModelUnavailable:
        return UNKNOWN


def without_consent(model: str, licence: str, table: str, *, non_commercial: bool) -> str | None:
    """Why a model is not used, in a sentence: a licence that forbids commercial use, and no consent to it.

    Args:
        model: what it is called.
        licence: the name of its licence.
        table: of the settings, that has the consent.
        non_commercial: the consent.
    """
    if non_commercial or not forbids_commerce(licence):
        return None
    return (
        f"The licence of {model} ({licence}) forbids commercial use: consent with non_commercial = true under "
        f"[{table}] in the settings, or take another."
    )
