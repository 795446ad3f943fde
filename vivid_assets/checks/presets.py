"""Whether composites are what their presets are for."""

from vivid_assets.checks.check import Check, Context, Judged, share
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK

_NAMED = 5


def judge_presets(outcome: Outcome, context: Context) -> Judged:  # noqa: ARG001
    """Whether the composites of each rendition keep the rules of its preset."""
    rows = outcome.with_status(OK)
    broken = [row for row in rows if row["broken_rules"]]
    parts = []
    for rendition in dict.fromkeys(row["rendition"] for row in broken):
        mine = [row for row in broken if row["rendition"] == rendition]
        total = sum(row["rendition"] == rendition for row in rows)
        such = "; ".join(f"{row['picture']}: {', '.join(row['broken_rules'])}" for row in mine[:_NAMED])
        such += "; …" if len(mine) > _NAMED else ""
        parts.append(f"{rendition}: {len(mine)} of {total} break its rules ({such})")
    return Judged(
        passed=not broken,
        sentence=". ".join(parts) or "no composite breaks its preset's rules",
        figures={"broken_rules": share(broken, rows)},
    )


PRESETS = Check("presets", "Composites keep the rules of their renditions' presets.", judge_presets)
