"""Whether clips' masks stand still where nothing moves, and have their subject."""

from typing import Any

from resources.spelling import counted
from vivid_assets.checks.check import Check, Context, Judged, named
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK


def _clips(outcome: Outcome) -> list[dict[str, Any]]:
    return [row for row in outcome.with_status(OK) if row["frames_file"]]


def judge_flicker(outcome: Outcome, context: Context) -> Judged:
    """Whether clips' subjects neither come nor go between two frames where nothing moves them."""
    clips, most = _clips(outcome), context.limits.flicker
    flickering = [row for row in clips if (row["flicker"] or 0) > most]
    such = named("such as", flickering)
    return Judged(
        passed=not flickering,
        sentence=(
            f"{len(flickering)} of {counted(len(clips), 'clip')} with flicker "
            f"(by more than {most:.1%} of the subject){such}"
        ),
        figures={"flickering": len(flickering)},
    )


def judge_lost(outcome: Outcome, context: Context) -> Judged:
    """Whether the subject was found in most frames of each clip."""
    clips, most = _clips(outcome), context.limits.lost_share
    lost = [row for row in clips if row["lost_share"] > most]
    such = named("such as", lost)
    return Judged(
        passed=not lost,
        sentence=(
            f"{len(lost)} of {counted(len(clips), 'clip')} without the subject "
            f"in more than {most:.0%} of the frames{such}"
        ),
        figures={"losing": len(lost)},
    )


FLICKER = Check("flicker", "The masks of clips stand still where nothing moves.", judge_flicker)
LOST = Check("lost", "The subject of each clip is found in most of its frames.", judge_lost)
