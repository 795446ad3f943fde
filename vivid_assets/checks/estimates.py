"""Whether masks are as probably right as they always were in a catalogue."""

from resources.spelling import counted
from vivid_assets.checks.check import Check, Context, Judged, named
from vivid_assets.checks.verdicts import LEAST_HISTORY, by_history
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK


def judge_estimates(outcome: Outcome, context: Context) -> Judged:
    """Whether as few masks are expected to be wrong, by their estimates, as always were in this catalogue."""
    rows = [row for row in outcome.with_status(OK) if row["right"] is not None]
    wrong = round(sum(1 - row["right"] for row in rows), 2)
    earlier = [entry for entry in context.earlier() if "estimated" in entry]
    masks = sum(entry["estimated"] for entry in earlier)
    figures = {"estimated": len(rows), "expected_wrong": wrong}
    if masks < LEAST_HISTORY or not rows:
        sentence = f"{wrong:.1f} of {len(rows)} estimated masks are expected to be wrong; there is no history yet"
        return Judged(True, sentence, figures)
    # A sum of probabilities varies less than a count of as many would: this allows more than chance.
    expected, most = by_history(sum(entry["expected_wrong"] for entry in earlier), masks, len(rows), context)
    least = sorted(rows, key=lambda row: row["right"])
    return Judged(
        passed=wrong / len(rows) <= most,
        sentence=(
            f"{wrong / len(rows):.1%} of the masks are expected to be wrong; {expected:.1%} in the "
            f"{counted(len(earlier), 'shard')} before (up to {most:.1%} would be chance){named('least sure', least)}"
        ),
        figures=figures,
    )


ESTIMATES = Check("estimates", "Masks are as probably right as in the catalogue's earlier shards.", judge_estimates)
