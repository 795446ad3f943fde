"""Whether the original background's colour is gone from the edges."""

from resources.spelling import counted
from vivid_assets.checks.check import Check, Context, Judged, named, share
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK


def judge_halo(outcome: Outcome, context: Context) -> Judged:
    """Whether the original background's colour is gone from the edges."""
    limits, rows = context.limits, outcome.with_status(OK)
    visible = [row for row in rows if row["leakage"] is not None and row["leakage"] > limits.leakage]
    such = named("such as", visible)
    return Judged(
        passed=len(visible) <= limits.halo_share * len(rows),
        sentence=(
            f"{len(visible)} of {counted(len(rows), 'composite')} with the original background in the edges "
            f"(leakage over {limits.leakage:g}){such}"
        ),
        figures={"halo_share": share(visible, rows)},
    )


HALO = Check("halo", "The original background's colour is gone from the edges.", judge_halo)
