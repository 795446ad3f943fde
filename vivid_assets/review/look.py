"""Which pictures need review, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vivid_assets.imaging.matte.quality import AGREED, GOOD, OVERRIDE
from vivid_assets.rows.stage import FAILED, OK, SKIPPED, WhateverBecame

TO_DO = "to do"

FAILURE, DOUBT, HALO, RULES, DEGRADED, FINE = range(6)
"""Ranks: how urgently a picture needs review; the page shows them in this order."""


class _Degradable(Protocol):
    @property
    def degraded(self) -> str | None: ...


class _Composite(Protocol):
    @property
    def leakage(self) -> float | None: ...
    @property
    def broken_rules(self) -> Sequence[str] | None: ...


class _Mask(_Degradable, Protocol):
    @property
    def verdict(self) -> str | None: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def review(self) -> bool | None: ...


@dataclass(frozen=True)
class Look:
    """Whether a picture needs review."""

    outcome: str
    """``ok``, ``failed`` or ``to do``."""
    rank: int
    why: Sequence[str]
    """Messages, the most serious first; none if all is well."""


def outcome_of(stages: Mapping[str, WhateverBecame]) -> tuple[str, str | None]:
    """``ok``, ``failed`` or ``to do``, and the message that names the stage and the reason.

    ``stages`` has the result of each stage for a picture, in the order of the flow.
    """
    for stage, became in stages.items():
        if became.status is None:
            return TO_DO, f"{stage} has not run for this picture yet."
        if became.status == FAILED:
            return FAILED, f"{stage} failed: {became.error}"
        if became.status == SKIPPED:
            # The error of a skipped row names the stage that failed.
            return FAILED, became.error
    return OK, None


def judge_look(
    stages: Mapping[str, WhateverBecame],
    mask: _Mask,
    background: _Degradable,
    composite: _Composite,
    *,
    high_leakage: float,
) -> Look:
    """Judge a picture by what became of it in the stages, its mask's verdict, its composite's edge and its preset."""
    outcome, failure = outcome_of(stages)
    found: list[tuple[int, str]] = []
    if failure:
        found.append((FAILURE, failure))
    # A good mask is marked for review too if a better tier could not answer: the reason follows below, once.
    if mask.review and mask.verdict not in (GOOD, AGREED, OVERRIDE):
        found.append((DOUBT, f"The mask is {(mask.verdict or '').replace('_', ' ')}: {mask.reason}."))
    leakage = composite.leakage
    if leakage is not None and leakage > high_leakage:
        found.append(
            (
                HALO,
                f"A halo of the original background: leakage {leakage:.2f}, over {high_leakage:.2f}.",
            )
        )
    if composite.broken_rules:
        found.append((RULES, f"It breaks its preset's rules: {'; '.join(composite.broken_rules)}."))
    found += [(DEGRADED, one.degraded) for one in (mask, background) if one.degraded]
    return Look(outcome, found[0][0] if found else FINE, [sentence for _, sentence in found])
