"""Whether enough pictures succeeded in a stage; every stage has this check."""

from resources.spelling import counted
from vivid_assets.checks.check import Check, Context, Judged, named
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import FAILED, OK, SKIPPED


def judge_completeness(outcome: Outcome, context: Context) -> Judged:
    """Whether enough pictures succeeded for the stages that follow."""
    limits = context.limits
    total, good, failed = len(outcome.table), len(outcome.with_status(OK)), outcome.with_status(FAILED)
    tolerated = max(limits.tolerated_pictures, limits.tolerated_share * total)
    # Whatever the shard's size: one corrupt picture that comes alone is no more than one among five hundred.
    # If nothing succeeded since an earlier stage has not run, nothing can follow.
    waiting = [row for row in outcome.with_status(SKIPPED) if row["transient"]]
    stopping = len(failed) > tolerated or bool(waiting and not good)
    return Judged(
        passed=not failed and not stopping,
        sentence=f"{good} of {counted(total, 'picture')} succeeded{named('failed', failed)}",
        figures={"failed": len(failed), "tolerated": int(tolerated), "stopped": int(stopping)},
        severity="error" if stopping else "warn",
    )


COMPLETE = Check(
    "complete",
    "Warns if pictures failed in this stage. Above the tolerated number it is an error, which stops the run.",
    judge_completeness,
    blocking=True,
)
