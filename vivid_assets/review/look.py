"""Which pictures need review, and why."""

from collections.abc import Mapping
from typing import Any

from vivid_assets.imaging.matte.quality import AGREED, GOOD, OVERRIDE
from vivid_assets.rows.stage import FAILED, OK, SKIPPED

TO_DO = "to do"

FAILURE, DOUBT, HALO, DEGRADED, FINE = range(5)
"""Ranks: how urgently a picture needs review; the page shows them in this order."""

_FLOW = ("prepared_images", "enhanced_prompts", "backgrounds", "masks", "composites")


def outcome_of(read: Mapping[str, Mapping[str, Any]]) -> tuple[str, str | None]:
    """``ok``, ``failed`` or ``to do``, and the message that names the stage and the reason."""
    for stage in _FLOW:
        status, error = read[stage]["status"], read[stage]["error"]
        if status is None:
            return TO_DO, f"{stage} has not run for this picture yet."
        if status == FAILED:
            return FAILED, f"{stage} failed: {error}"
        if status == SKIPPED:
            # The error of a skipped row names the stage that failed.
            return FAILED, error
    return OK, None


def judge_look(read: Mapping[str, Mapping[str, Any]], *, high_leakage: float) -> dict[str, Any]:
    """``outcome``, ``rank`` and ``why`` (sentences, the gravest first; none where all is well).

    ``read`` has, by stage, the status and error of a picture's rows, its mask's verdict and its composite's leakage.
    """
    outcome, failure = outcome_of(read)
    mask, leakage = read["masks"], read["composites"]["leakage"]
    found: list[tuple[int, str]] = []
    if failure:
        found.append((FAILURE, failure))
    # A good mask is marked for review too if a better tier could not answer: the reason follows below, once.
    if mask["review"] and mask["verdict"] not in (GOOD, AGREED, OVERRIDE):
        found.append((DOUBT, f"The mask is {(mask['verdict'] or '').replace('_', ' ')}: {mask['reason']}."))
    if leakage is not None and leakage > high_leakage:
        found.append(
            (
                HALO,
                f"A halo of the original background: leakage {leakage:.2f}, over {high_leakage:.2f}.",
            )
        )
    found += [(DEGRADED, read[stage]["degraded"]) for stage in ("masks", "backgrounds") if read[stage]["degraded"]]
    return {
        "outcome": outcome,
        "rank": found[0][0] if found else FINE,
        "why": [sentence for _, sentence in found],
    }
