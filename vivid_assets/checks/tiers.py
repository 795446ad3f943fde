"""Whether the good tiers did most of the masks."""

import json
from collections import Counter
from typing import Any

from resources.masks.tiers import MASK_TIERS
from resources.registry import family
from vivid_assets.checks.check import Check, Context, Judged, share
from vivid_assets.masking.mask import UNAVAILABLE
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK


def judge_tiers(outcome: Outcome, context: Context) -> Judged:
    """Whether the good tiers did most of the masks: of those that are installed, which is all that a shard can do."""
    rows = outcome.with_status(OK)
    plain = {name for name, tier in MASK_TIERS.working().items() if not tier.is_network}
    networks = {*MASK_TIERS.names()} - plain
    poor = [
        row for row in rows if row["degraded"] or (family(row["tier"]) in plain and not _had_no_other(row, networks))
    ]
    tiers = ", ".join(f"{tier} {number}" for tier, number in Counter(row["tier"] for row in rows).most_common())
    broken = next((row["degraded"] for row in poor if row["degraded"]), "")
    return Judged(
        passed=len(poor) <= context.limits.last_tier_share * len(rows),
        sentence=f"Masks by {tiers or 'no tier'}" + (f"; {broken}" if broken else ""),
        figures={"last_tier_share": share(poor, rows)},
    )


def _had_no_other(row: dict[str, Any], networks: set[str]) -> bool:
    """Whether none of the ``networks`` could be asked for this mask."""
    asked = {family(tried["tier"]) for tried in json.loads(row["tried"] or "[]") if tried["verdict"] != UNAVAILABLE}
    return bool(asked) and asked.isdisjoint(networks)


TIERS = Check("tiers", "Few masks are by the last tier although others were requested, or degraded.", judge_tiers)
