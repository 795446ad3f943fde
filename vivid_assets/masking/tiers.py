"""The tiers of a ladder, from the one list of mask tiers (``resources.masks.tiers``) and the settings."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from resources.errors import MachineFault, ModelUnavailable, first_line
from resources.masks.tier import MaskModel, MaskTier
from resources.masks.tiers import MASK_TIERS
from resources.registry import family
from vivid_assets.masking.model import Tier

_NOT_HERE = "none"
"""The revision of a tier that is not here: once it is, rows that did without are stale."""


def make_tiers(names: Sequence[str], find: Callable[[str], MaskTier], leases: ExitStack) -> list[Tier]:
    """Tiers in the order of ``names``; no weights are loaded.

    Args:
        names: of the tiers.
        find: the tier of a name, as the settings have it.
        leases: what is leased when a tier's first picture comes is let go with this.
    """
    return [_tier(name, find, leases) for name in names]


def _tier(name: str, find: Callable[[str], MaskTier], leases: ExitStack) -> Tier:
    try:
        tier = find(name)
        missing = tier.missing()
        revision = _NOT_HERE if missing else tier.revision
    except Exception as error:
        if family(name) in MASK_TIERS.own:
            raise
        # A package of somebody else's: the tiers that work are not to suffer for it.
        reason = str(error) if isinstance(error, MachineFault) else f"{type(error).__name__}: {first_line(error)}"
        return Tier(name, lambda: _unavailable(reason), _NOT_HERE, missing=reason)

    def load() -> MaskModel:
        try:
            return leases.enter_context(tier.lease())
        except MachineFault:
            raise
        except Exception as error:
            raise ModelUnavailable(f"{name} could not be loaded: {first_line(error)}") from error

    answers = "probability" if missing else tier.answers
    return Tier(name, load, revision, answers, missing, tier.is_network, tier.at_once)


def _unavailable(reason: str) -> MaskModel:
    raise ModelUnavailable(reason)
