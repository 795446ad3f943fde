"""The rungs that a ladder can be built from, by name."""

from collections.abc import Sequence

from resources.u2net import U2Net, revision
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.model import MaskModel, Tier

TIER_NAMES = ("birefnet", "u2net", "u2netp", "gradients")


def make_tiers(names: Sequence[str], birefnet: MaskModel) -> list[Tier]:
    """Tiers in the order of ``names``; no weights are loaded. ``birefnet`` is a leased BiRefNet."""
    return [_tier(name, birefnet) for name in names]


def _tier(name: str, birefnet: MaskModel) -> Tier:
    if name == "birefnet":
        return Tier(name, lambda: birefnet, birefnet.revision)
    if name in ("u2net", "u2netp"):
        return Tier(name, lambda: U2Net(name), revision(name))
    if name == "gradients":
        return gradient_tier()
    raise ValueError(f"There is no mask tier {name!r}; there are {', '.join(TIER_NAMES)}.")
