"""What is out of date, by catalogue, shard and stage: from the stages' records, without reading a table.

A stage records with each shard the pictures and requests that it processed and what it was made with: settings, model
revisions, version. Compared with what would hold now, this shows which shards would compute something. It is exact by
shard; within a shard only its run knows which pictures change, so a shard counts with all of them.
"""

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from partitions.shards import catalogue_of
from resources.errors import MachineFault
from resources.resource import Resource
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures
from vivid_assets.catalogue.progress import has_others, read_progress, summary_of
from vivid_assets.catalogue.scan import catalogue_settings
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.settings import Settings, SettingsFile
from vivid_assets.stages.stage import PipelineStage, Shard, StageWork, all_stages

STALE, WAITING, FAILED, DEGRADED = "stale", "waiting", "failed", "degraded"
KINDS = (STALE, WAITING, FAILED, DEGRADED)

WAITING_UPDATES = "updates"
"""The folder of the store with lists of runs that are to be requested: by the sensor ``updates``, some at a time."""

_log = logging.getLogger(f"{__name__}.quiet")
_log.disabled = True
"""A stage that is only asked what it would be made with has nothing to report."""


@dataclass(frozen=True)
class Standing:
    """How one stage stands in one shard, in pictures: in renditions of them, where a stage makes those."""

    shard: str
    stage: str
    pictures: int
    stale: int = 0
    """Made of other pictures, requests or settings, or of what is."""
    waiting: int = 0
    """Not made yet."""
    failed: int = 0
    degraded: int = 0
    """Made without a model that the deployment has."""
    seconds_each: float | None = None
    """Seconds that a picture took the last time; None if it was never measured."""

    def of(self, kinds: Collection[str]) -> int:
        """The pictures that are so."""
        return min(self.pictures, sum(int(getattr(self, kind)) for kind in kinds))


_Work = StageWork[Any, Any, Any]


def standings(
    store: Store, catalogue: str, settings: SettingsFile, models: Mapping[str, Resource] | None = None
) -> list[Standing]:
    """How each stage stands in each shard that has pictures, in the order of the flow.

    Args:
        store: where the catalogue is.
        catalogue: its name.
        settings: ``vivid.toml``.
        models: those that runs are given, by name.

    Raises:
        ValueError: the settings cannot be read.
    """
    shards = {name: wanted for name, wanted in summary_of(store, catalogue).items() if wanted.pictures}
    if not shards:
        return []
    stages = all_stages()
    holds = settings.read(catalogue_settings(store, catalogue))
    now = _works_now(store, next(iter(shards)), holds, models or {})
    progress = read_progress(store, shards)
    found: list[Standing] = []
    for shard, wanted in shards.items():
        before: dict[str, Standing] = {}
        for stage in stages:
            entry = progress[shard].get(stage.name, {})
            standing = _standing(shard, stage, entry, wanted.rows(stage.name), wanted.asked, now[stage.name])
            earlier = [before[reads.stage.name] for reads in stage.reads]
            if not standing.waiting and any(one.stale or one.waiting for one in earlier):
                standing = replace(standing, stale=standing.pictures)
            before[stage.name] = standing
        found += before.values()
    return found


def _standing(
    shard: str, stage: PipelineStage, entry: Mapping[str, Any], pictures: int, asked: str, work: _Work | None
) -> Standing:
    if not entry:
        return Standing(shard, stage.name, pictures, waiting=pictures)
    is_current = (
        entry.get("asked") == asked
        and (work is None or entry.get("made_with") == work.made_with(entry.get("uses")))
        and not has_others(entry, pictures)
    )
    counts = entry.get("counts", {})
    return Standing(
        shard,
        stage.name,
        pictures,
        stale=0 if is_current else pictures,
        waiting=entry.get("waiting", 0) if is_current else 0,
        failed=counts.get("failed", 0),
        degraded=entry.get("degraded", 0),
        seconds_each=entry.get("seconds_each"),
    )


def _works_now(store: Store, shard: str, settings: Settings, models: Mapping[str, Resource]) -> dict[str, _Work | None]:
    """By stage: its work, which tells what rows would be made with now; None where it could not run here to tell."""
    return {stage.name: _work_now(stage, Shard(shard, store, settings, _log, models)) for stage in all_stages()}


def _work_now(stage: PipelineStage, shard: Shard) -> _Work | None:
    try:
        with stage.at_work(shard) as work:
            return work
    except (ValueError, MachineFault):
        # A model that has to be there and is not: the runs stop with the message, and a machine that has it knows.
        return None


def made_otherwise(store: Store, stage: PipelineStage, shards: Collection[str], settings: Settings) -> set[str] | None:
    """Those of ``shards`` whose rows of the stage another version made, or other settings or models than hold now.

    None where that cannot be known: a model that the settings ask for is not on this machine.
    """
    if not shards:
        return set()
    work = _work_now(stage, Shard(next(iter(shards)), store, settings, _log))
    if work is None:
        return None
    entries = {shard: found[stage.name] for shard, found in read_progress(store, shards).items() if stage.name in found}
    return {shard for shard, one in entries.items() if one.get("made_with") != work.made_with(one.get("uses"))}


def is_up_to_date(store: Store, shard: str, settings: SettingsFile) -> bool:
    """Whether a run of the shard would do nothing at all: by its tables and files, which are looked at.

    Raises:
        ValueError: the settings cannot be read, or a stage could not run here. So may a run.
        MachineFault: as a run does.
    """
    holds = settings.read(catalogue_settings(store, catalogue_of(shard)))
    pictures = live_pictures(store, shard)
    for stage in all_stages():
        with stage.at_work(Shard(shard, store, holds, _log)) as work:
            if not work.is_up_to_date(pictures):
                return False
    return True


@dataclass(frozen=True)
class ShardUpdate:
    """The stages that one shard has to run for what was asked."""

    shard: str
    stages: tuple[str, ...]
    """In the order of the flow, with those that follow."""
    pictures: int
    seconds: float | None
    """Expected; None where a stage has never been measured in this catalogue."""
    retries: bool = False
    """Whether pictures that failed for good are tried again."""


def updates(found: Collection[Standing], kinds: Collection[str], stages: Collection[str] = ()) -> list[ShardUpdate]:
    """What to run for the pictures that are of ``kinds``.

    Args:
        found: how the stages stand.
        kinds: of ``KINDS``.
        stages: only these; with none, all that are so and all that follow them.
    """
    each = _mean_seconds(found)
    by_shard: dict[str, dict[str, Standing]] = {}
    for one in found:
        by_shard.setdefault(one.shard, {})[one.stage] = one
    wanted = []
    for shard, standing in by_shard.items():
        first = {name for name, one in standing.items() if one.of(kinds) and (not stages or name in stages)}
        if not first:
            continue
        chosen = first if stages else first | _following(first)
        in_order = tuple(name for name in STAGE_NAMES if name in chosen)
        # A stage that only follows computes what has changed, at most as much as those before it.
        most = max(standing[name].of(kinds) for name in first)
        times = [each(standing[name], standing[name].of(kinds) or most) for name in in_order]
        seconds = None if None in times else sum(time for time in times if time is not None)
        wanted.append(ShardUpdate(shard, in_order, most, seconds, retries=FAILED in kinds))
    return wanted


def _following(first: Collection[str]) -> set[str]:
    """The stages that read one of them, or what reads one."""
    following: set[str] = set()
    for stage in all_stages():
        if {reads.stage.name for reads in stage.reads} & (following | {*first}):
            following.add(stage.name)
    return following


def _mean_seconds(found: Collection[Standing]) -> Callable[[Standing, int], float | None]:
    """Expected seconds of a stage for so many pictures: by the shard's own last measure, or the catalogue's mean."""
    measured: dict[str, list[float]] = {}
    for one in found:
        if one.seconds_each is not None:
            measured.setdefault(one.stage, []).append(one.seconds_each)

    def seconds(one: Standing, pictures: int) -> float | None:
        if one.seconds_each is not None:
            return pictures * one.seconds_each
        known = measured.get(one.stage)
        return pictures * sum(known) / len(known) if known else None

    return seconds


def ask_for(store: Store, name: str, wanted: Collection[ShardUpdate]) -> None:
    """Have these runs requested, under a ``name`` of the caller's."""
    # In the store: a run's tag holds a few thousand characters on PostgreSQL.
    runs = [[one.shard, [*one.stages], one.retries] for one in wanted]
    store.write(f"{WAITING_UPDATES}/{name}.json", json.dumps(runs).encode(), durable=True)


def asked_for(store: Store, since: datetime) -> set[str]:
    """The shards whose runs were asked for since then and are not all requested yet."""
    lists = {f"{WAITING_UPDATES}/{name}" for name in store.names(WAITING_UPDATES)}
    found: set[str] = set()
    for one in lists - store.written_before(WAITING_UPDATES, since).keys() if lists else lists:
        # The sensor may be done with it meanwhile: then its runs are there.
        with suppress(FileNotFoundError):
            found |= {shard for shard, _, _ in json.loads(store.read(one))}
    return found


def counts_by_stage(found: Collection[Standing]) -> dict[str, dict[str, int]]:
    """By stage: the pictures of each kind."""
    counts = {stage: dict.fromkeys(KINDS, 0) for stage in STAGE_NAMES}
    for one in found:
        for kind in KINDS:
            counts[one.stage][kind] += getattr(one, kind)
    return counts


def sentence(counts: Mapping[str, int]) -> str:
    """``12 stale, 3 failed``; ``up to date`` for none."""
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number) or "up to date"


def each_standing(
    store: Store, settings: SettingsFile, catalogues: Collection[str], models: Mapping[str, Resource] | None = None
) -> Iterator[tuple[str, list[Standing] | str]]:
    """By catalogue: how it stands, or why that cannot be known, which is no fault of the others'."""
    for name in catalogues:
        try:
            yield name, standings(store, name, settings, models)
        except (ValueError, MachineFault) as error:
            yield name, str(error)
