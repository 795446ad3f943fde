"""Whether doubtful masks are as rare as they always were in a catalogue."""

from math import sqrt

from resources.spelling import counted
from vivid_assets.checks.check import Check, Context, Judged, named, share
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK

LEAST_HISTORY = 100
"""Pictures of earlier shards without which there is nothing to compare with."""


def judge_verdicts(outcome: Outcome, context: Context) -> Judged:
    """Whether doubtful masks are as rare as they always were in this catalogue.

    The expected share is that of the earlier shards with one success and one failure added (Laplace's rule), so that a
    spotless history does not make the first doubtful mask an alarm.
    """
    rows = outcome.with_status(OK)
    doubtful = [row for row in rows if row["review"]]
    earlier = context.earlier()
    pictures = sum(entry["pictures"] for entry in earlier)
    figures = {"pictures": len(rows), "doubtful": len(doubtful)}
    if pictures < LEAST_HISTORY or not rows:
        return Judged(
            True, f"{len(doubtful)} of {counted(len(rows), 'mask')} doubtful; there is no history yet", figures
        )
    expected, most = by_history(sum(entry["doubtful"] for entry in earlier), pictures, len(rows), context)
    return Judged(
        passed=share(doubtful, rows) <= most,
        sentence=(
            f"{share(doubtful, rows):.1%} of the masks are doubtful; {expected:.1%} in the "
            f"{counted(len(earlier), 'shard')} before (up to {most:.1%} would be chance){named('doubtful', doubtful)}"
        ),
        figures=figures,
    )


def by_history(count: float, pictures: int, now: int, context: Context) -> tuple[float, float]:
    """The share expected by ``count`` of the ``pictures`` before, and the most that is chance among ``now``."""
    expected = (count + 1) / (pictures + 2)
    spread = sqrt(expected * (1 - expected) * (1 / now + 1 / pictures))
    return expected, expected + context.limits.verdict_sigmas * spread


VERDICTS = Check("verdicts", "Doubtful masks are as rare as in the catalogue's earlier shards.", judge_verdicts)
