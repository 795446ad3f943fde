"""Whether doubtful masks are as rare as they always were in a catalogue."""

from math import sqrt

from vivid_assets.checks.check import Check, Context, Judged, named, share
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK

_LEAST_HISTORY = 100


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
    if pictures < _LEAST_HISTORY or not rows:
        return Judged(True, f"{len(doubtful)} of {len(rows)} masks are in doubt; no history to compare with", figures)
    expected = (sum(entry["doubtful"] for entry in earlier) + 1) / (pictures + 2)
    spread = sqrt(expected * (1 - expected) * (1 / len(rows) + 1 / pictures))
    most = expected + context.limits.verdict_sigmas * spread
    return Judged(
        passed=share(doubtful, rows) <= most,
        sentence=(
            f"{share(doubtful, rows):.1%} of the masks are in doubt; {expected:.1%} in the {len(earlier)} shards "
            f"before (at most {most:.1%} would be chance){named('in doubt', doubtful)}"
        ),
        figures=figures,
    )


VERDICTS = Check("verdicts", "Doubtful masks are as rare as in the catalogue's earlier shards.", judge_verdicts)
