"""Whether every row was made with all that was wanted."""

from resources.spelling import counted
from vivid_assets.checks.check import Check, Context, Judged
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK


def judge_whole(outcome: Outcome, context: Context) -> Judged:
    """Whether every row was made with all that was wanted."""
    column = context.stage.degraded or ""
    poor = [row for row in outcome.with_status(OK) if row[column]]
    why = f"; {poor[0][column]}" if poor else ""
    return Judged(
        passed=not poor,
        sentence=f"{counted(len(poor), 'degraded picture')}{why}",
        figures={"degraded": len(poor)},
    )


WHOLE = Check("whole", "Every row was made with the models that the deployment has.", judge_whole)
