"""What a check is: whether a shard's rows are good enough for what follows, and as good as its catalogue's always."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from partitions.shards import catalogue_of
from resources.store.store import Store
from vivid_assets.catalogue.progress import read_progress, shards_noted
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import Stage, name_of
from vivid_assets.settings import ChecksSettings

_NAMED = 10
_AT_ONCE = 20
"""Shards whose notes are read at a time."""


@dataclass(frozen=True)
class Judged:
    """What a check says of a shard, and the figures that later shards are compared with."""

    passed: bool
    sentence: str
    figures: Mapping[str, float]
    severity: Literal["warn", "error"] | None = None
    """None: as the settings say."""


@dataclass(frozen=True)
class Check:
    """A check of one stage's shards."""

    name: str
    description: str
    judge: Callable[[Outcome, "Context"], Judged]
    blocking: bool = False


@dataclass(frozen=True)
class Context:
    """What a check may look at besides the rows."""

    store: Store
    stage: Stage
    shard: str
    limits: ChecksSettings

    def noted(self) -> dict[str, Any]:
        """What was noted of this stage and shard the last time."""
        return read_progress(self.store, [self.shard])[self.shard].get(self.stage.name, {})

    def earlier(self) -> list[dict[str, Any]]:
        """What was noted of this stage in the catalogue's shards before this one, back to ``history`` pictures."""
        shards = [shard for shard in shards_noted(self.store, catalogue_of(self.shard)) if shard < self.shard]
        found: list[dict[str, Any]] = []
        while shards and sum(entry["pictures"] for entry in found) < self.limits.history:
            shards, latest = shards[:-_AT_ONCE], shards[-_AT_ONCE:]
            progress = read_progress(self.store, latest).values()
            found += [stages[self.stage.name] for stages in progress if self.stage.name in stages]
        return found


def share(some: list[Any], rows: list[Any]) -> float:
    return round(len(some) / len(rows), 4) if rows else 0.0


def named(label: str, rows: list[dict[str, Any]]) -> str:
    names = ", ".join(name_of(row) for row in rows[:_NAMED])
    return f"; {label}: {names}" + (" …" if len(rows) > _NAMED else "") if rows else ""
