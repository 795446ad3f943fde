"""The rungs that a ladder can be built from, by name."""

from collections.abc import Sequence

from resources.errors import ModelUnavailable
from resources.masks.u2net import U2Net, revision
from resources.runtime.warm import kept_warm
from resources.weights import pull as weights
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.model import MaskModel, Tier

TIER_NAMES = ("birefnet", "u2net", "u2netp", "gradients")


def make_tiers(names: Sequence[str], birefnet: MaskModel, birefnet_missing: str | None) -> list[Tier]:
    """Tiers in the order of ``names``; no weights are loaded.

    ``birefnet`` is a leased BiRefNet, and ``birefnet_missing`` what of it is not installed here, if anything.
    A tier that is not here has another revision than one that is: once it is, rows that did without are stale.
    """
    return [_tier(name, birefnet, birefnet_missing) for name in names]


def _tier(name: str, birefnet: MaskModel, birefnet_missing: str | None) -> Tier:
    if name == "birefnet":
        known = "none" if birefnet_missing else birefnet.revision
        return Tier(name, lambda: birefnet, known, answers="matte", missing=birefnet_missing)
    if name in ("u2net", "u2netp"):
        known = revision(name) if weights.available(name) else "none"
        return Tier(name, lambda: kept_warm(U2Net(name)), known, missing=_missing(name))
    if name == "gradients":
        return gradient_tier()
    raise ValueError(f"There is no mask tier {name!r}; there are {', '.join(TIER_NAMES)}.")


def _missing(name: str) -> str | None:
    """Weights that are here but damaged are not missing: loading them says what is wrong."""
    try:
        weights.path(name)
    except ModelUnavailable as error:
        return str(error)
    return None
