"""Asset checks: whether a shard's rows are good enough for what follows."""

import warnings

import dagster as dg

from partitions.shards import SHARDS
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import FAILED, OK, Stage

TOLERATED_SHARE = 0.05
TOLERATED_PICTURES = 10

_NAMED = 10


def complete_check(stage: Stage) -> dg.AssetCheckSpec:
    """The check that stops what follows when too many of a shard's pictures failed.

    Partitioned: otherwise the next good shard would hide a bad one.
    """
    with warnings.catch_warnings():
        # Dagster calls partitions on checks a preview; what we rely on is pinned and tested.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name="complete",
            asset=stage.name,
            blocking=True,
            partitions_def=SHARDS,
            description=(
                f"Warns when pictures failed in this stage; an error, which stops the run, above "
                f"{TOLERATED_SHARE:.0%} of the shard and {TOLERATED_PICTURES} pictures, or when none came through."
            ),
        )


def judge_completeness(stage: Stage, outcome: Outcome) -> dg.AssetCheckResult:
    """The result of ``complete_check`` for a shard."""
    total, good, failed = len(outcome.table), len(outcome.with_status(OK)), outcome.with_status(FAILED)
    tolerated = max(TOLERATED_PICTURES, TOLERATED_SHARE * total)
    stopping = total > 0 and (good == 0 or len(failed) > tolerated)
    named = ", ".join(row["picture"] for row in failed[:_NAMED]) + (" …" if len(failed) > _NAMED else "")
    return dg.AssetCheckResult(
        check_name="complete",
        asset_key=stage.name,
        passed=not failed and not stopping,
        severity=dg.AssetCheckSeverity.ERROR if stopping else dg.AssetCheckSeverity.WARN,
        description=f"{good} of {total} pictures came through" + (f"; failed: {named}" if failed else ""),
        metadata={"failed": len(failed), "tolerated": int(tolerated)},
    )
