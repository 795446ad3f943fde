"""Nights: a sensor for arriving pictures and a nightly schedule, which scan and request runs for what has work.

What has work is derived from the ledger and from what the stages noted (``catalogue.progress``), never from what a scan
has just found: a scan that committed before its tick died, and a run that failed, are both still due at the next look.
"""

import os
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import dagster as dg
from dagster import DagsterRunStatus as Status

from partitions.definition import SHARDS
from resources.alerts import Alerts
from resources.errors import MachineFault
from resources.store.store import Store
from vivid_assets.assets.export import EXPORTED, PUBLISH
from vivid_assets.catalogue.outcomes import note_outcome, tell_outcome
from vivid_assets.catalogue.progress import EXPORT, State, state_of
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import Catalogue, each_registered
from vivid_assets.rows.stage import digest
from vivid_assets.scheduling.jobs import STAGE_NAMES, catalogue_job
from vivid_assets.scheduling.lost_runs import AT_WORK, close_lost_runs
from vivid_assets.settings import SettingsFile

ATTEMPT = "vivid/attempt"
"""The run's tag that says for what it was requested; the same shard is not requested twice for the same."""

_PARTITION = "dagster/partition"
_AGAIN_AFTER = timedelta(hours=20)


class _Log(Protocol):
    def info(self, message: str, *arguments: object) -> None: ...
    def error(self, message: str, *arguments: object) -> None: ...


@dataclass(frozen=True)
class Night:
    """What one look found."""

    requests: list[dg.RunRequest]
    new_partitions: list[str]
    waiting: int
    """Shards with work beyond what may be requested at a time."""
    faults: list[str]
    """A sentence for each catalogue that could not be scanned."""
    catalogues: list[str]
    """All that were looked at."""

    def __str__(self) -> str:
        said = f"{len(self.requests)} runs requested, {self.waiting} shards wait for the next tick"
        return "; ".join([said, *(f"not scanned: {fault}" for fault in self.faults)])

    def assert_any_scanned(self) -> None:
        """Raises ValueError when no catalogue could be scanned, which is this tick's failure."""
        if self.faults and len(self.faults) == len(self.catalogues):
            raise ValueError("; ".join(self.faults))


def look(
    instance: dg.DagsterInstance,
    store: Store,
    settings: SettingsFile,
    *,
    night: str | None,
    now: datetime,
    log: _Log,
) -> Night:
    """Scan all catalogues and choose the shards to run.

    By night (``night`` names it) a shard whose run failed is requested again, and so is one with pictures that are
    worth another try, once a night. By day (None) a shard is requested when it has something new, and after a failed
    run only when 20 hours have passed.
    """
    states: dict[str, State] = {}
    faults: list[str] = []
    names: list[str] = []
    for name, catalogue in each_registered(store):
        names.append(name)
        try:
            states[name] = _look_at(store, catalogue, log)
        except Exception as fault:
            # Whatever it is, one catalogue's trouble must not stop the others' night.
            faults.append(f"{name}: {fault}")
            is_foreseen = isinstance(fault, ValueError | OSError | MachineFault)
            log.error("%s could not be scanned: %s", name, fault if is_foreseen else traceback.format_exc())
            if isinstance(catalogue, ValueError):
                note_outcome(store, name, fault=str(fault))
    if not any(state.due or state.unpublished for state in states.values()):
        return Night([], [], 0, faults, names)
    close_lost_runs(instance, store, now)
    taken = _taken(instance, now)
    wanted = [one for state in states.values() for one in _wanted(state, night, taken)]
    shards = {one.shard for state in states.values() for one in state.due if night or not one.is_retry}
    shards |= {one.shard for one in wanted}
    known = {*instance.get_dynamic_partitions(str(SHARDS.name))}
    chosen = wanted[: settings.read().nights.runs_per_tick]
    return Night(
        requests=[
            dg.RunRequest(
                run_key=f"{one.shard}:{one.attempt}:{now:%Y-%m-%dT%H}",
                partition_key=one.shard,
                tags={ATTEMPT: one.attempt} | ({PUBLISH: "all"} if one.publishes else {}),
                asset_selection=[dg.AssetKey(EXPORT)] if one.publishes else None,
            )
            for one in chosen
        ],
        new_partitions=sorted(shards - known),
        waiting=len(wanted) - len(chosen),
        faults=faults,
        catalogues=names,
    )


def tell(store: Store, night: Night, alerts: Alerts, log: _Log) -> None:
    """Alert people of each catalogue whose scan came to something else than they were told last."""
    for name in night.catalogues:
        try:
            tell_outcome(store, name, alerts.send)
        except (OSError, MachineFault) as error:
            # They are told at the next tick. One webhook takes all: the others would not be told either.
            log.error("The alert about %s could not be sent: %s", name, error)
            return


@dataclass(frozen=True)
class _Wanted:
    """A run that is wanted of a shard."""

    shard: str
    attempt: str
    publishes: bool = False
    """It does nothing else, and that for all the catalogue."""


def _wanted(state: State, night: str | None, taken: set[tuple[str, str]]) -> list[_Wanted]:
    """The runs that a catalogue wants, and that are neither at work nor were tried of late."""
    wanted = [_Wanted(one.shard, night or one.asked) for one in state.due if night or not one.is_retry]
    free = [one for one in wanted if not taken & {(one.shard, ""), (one.shard, one.attempt)}]
    # Where stages have work, their shards' runs publish what has moved to them; a removal waits for these.
    if free or not state.unpublished:
        return free
    attempt = f"publish {digest(state.unpublished)}"
    one = _Wanted(state.unpublished[0], attempt, publishes=True)
    return [] if taken & {(one.shard, ""), (one.shard, attempt)} else [one]


def _look_at(store: Store, catalogue: Catalogue | ValueError, log: _Log) -> State:
    if isinstance(catalogue, ValueError):
        raise catalogue
    found = scan(store, catalogue)
    log.info("%s", found)
    for sentence in found.refused[:20]:
        log.info("%s", sentence)
    if len(found.refused) > 20:
        log.info("and %d more (vivid catalogue scan %s)", len(found.refused) - 20, catalogue.name)
    return state_of(store, catalogue.name, STAGE_NAMES, [stage.name for stage in EXPORTED])


def _taken(instance: dg.DagsterInstance, now: datetime) -> set[tuple[str, str]]:
    """Shards that somebody works on, with "", and those requested of late, with what for.

    Of a shard's runs the last counts, whatever became of it, and of those before it such as failed since one went well:
    what was asked for, done, asked for differently and then asked for again is wanted again.
    """
    taken = {(run.tags.get(_PARTITION, ""), "") for run in instance.get_runs(dg.RunsFilter(statuses=AT_WORK))}
    done: set[str] = set()
    last: set[str] = set()
    # The newest come first.
    for run in instance.get_runs(dg.RunsFilter(job_name=catalogue_job.name, created_after=now - _AGAIN_AFTER)):
        shard = run.tags.get(_PARTITION, "")
        if shard not in last or (shard not in done and run.status != Status.SUCCESS):
            taken.add((shard, run.tags.get(ATTEMPT, "by hand")))
        last.add(shard)
        if run.status == Status.SUCCESS:
            done.add(shard)
    return taken


@dg.sensor(
    job=catalogue_job,
    minimum_interval_seconds=int(os.environ.get("VIVID_SENSOR_SECONDS", "300")),
    description="Finds pictures that arrived, changed or have new requests, and requests runs.",
)
def arrivals(
    context: dg.SensorEvaluationContext,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[SettingsFile],
    alerts: dg.ResourceParam[Alerts],
) -> dg.SensorResult | dg.SkipReason:
    found = look(context.instance, store, settings, night=None, now=datetime.now(UTC), log=context.log)
    tell(store, found, alerts, context.log)
    found.assert_any_scanned()
    if not found.requests and not found.new_partitions:
        return dg.SkipReason(" ".join(["Nothing new.", *(f"Not scanned: {fault}" for fault in found.faults)]))
    context.log.info("%s", found)
    return dg.SensorResult(
        run_requests=found.requests,
        dynamic_partitions_requests=[SHARDS.build_add_request(found.new_partitions)] if found.new_partitions else [],
    )


@dg.schedule(
    job=catalogue_job,
    # Several ticks a night: a tick requests a limited number of runs, the next ones the rest.
    cron_schedule=os.environ.get("VIVID_NIGHT_CRON", "*/10 1-5 * * *"),
    execution_timezone=os.environ.get("VIVID_TIMEZONE", "UTC"),
    description="Scans all catalogues; requests runs for new, changed and failed shards, and for pictures to retry.",
)
def nightly(
    context: dg.ScheduleEvaluationContext,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[SettingsFile],
    alerts: dg.ResourceParam[Alerts],
) -> list[dg.RunRequest] | dg.SkipReason:
    night = f"night {context.scheduled_execution_time:%Y-%m-%d}"
    found = look(context.instance, store, settings, night=night, now=datetime.now(UTC), log=context.log)
    tell(store, found, alerts, context.log)
    found.assert_any_scanned()
    if found.new_partitions:
        context.instance.add_dynamic_partitions(str(SHARDS.name), found.new_partitions)
    context.log.info("%s", found)
    return found.requests or dg.SkipReason(
        " ".join(["Nothing to do.", *(f"Not scanned: {fault}" for fault in found.faults)])
    )
