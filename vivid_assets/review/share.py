"""How many pictures a team can look at: the surely faulty ones, and of the others the least sure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vivid_assets.review.look import DOUBT, FINE
from vivid_assets.rows.stage import name_of

CERTAIN = ("empty", "covers_all", "inverted", "invalid")
"""Verdicts that leave no doubt: such a mask is looked at, however many there are."""


def shared_out(rows: Sequence[Mapping[str, Any]], share: float | None) -> list[Mapping[str, Any]]:
    """The review rows in the order in which they are looked at, their ``rank`` and ``why`` as ``share`` has it.

    Args:
        rows: with ``picture``, ``rank``, ``why``, ``verdict``, and the mask's ``right`` (``None``: not estimated).
        share: of the pictures that shall want a look, 0..1; ``None``: those that the verdicts name.

    Returns:
        The rows by rank, and within a rank the least sure mask first. With a share, failures, halos, broken rules,
        missing tiers and masks that are certainly faulty want a look as ever; the rest of the share goes to the least
        sure masks, whatever their verdict, and masks in doubt beyond it want none.
    """
    if share is None:
        return sorted(rows, key=_order)
    certain = [row for row in rows if row["rank"] not in (DOUBT, FINE) or row["verdict"] in CERTAIN]
    places = max(0, math.ceil(round(share * len(rows), 9)) - len(certain))
    chosen = {name_of(row) for row in certain}
    asked = {name_of(row) for row in sorted((r for r in rows if name_of(r) not in chosen), key=_unsure)[:places]}
    return sorted((_as_asked(row, name_of(row) in chosen, name_of(row) in asked) for row in rows), key=_order)


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["rank"], _unsure(row)


def _unsure(row: Mapping[str, Any]) -> tuple[float, str]:
    """The least sure first; what is not estimated goes by its verdict."""
    unknown = 0.0 if row["rank"] == DOUBT else 1.0
    return (unknown if row["right"] is None else row["right"]), name_of(row)


def _as_asked(row: Mapping[str, Any], is_certain: bool, is_asked: bool) -> Mapping[str, Any]:
    if is_certain:
        return row
    if not is_asked:
        return {**row, "rank": FINE}
    if row["rank"] == DOUBT:
        return row
    sure = "" if row["right"] is None else f": right with a probability of {row['right']:.2f}"
    return {**row, "rank": DOUBT, "why": [*row["why"], f"The mask is among the least sure{sure}."]}
