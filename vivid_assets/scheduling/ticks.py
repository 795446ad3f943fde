"""Scheduled runs: the sensor ``arrivals`` and the schedule ``nightly`` scan, and request runs for stale shards.

Which shards are stale is derived from the ledger and from the stages' records (``catalogue.progress``), never from the
result of a scan: if a tick dies after its scan was committed, or a run fails, the next tick finds the same shards.
"""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import dagster as dg
from dagster import DagsterRunStatus as Status

from resources.alerts import Alerts
from resources.errors import MachineFault
from resources.models import own_models
from resources.resource import Resource
from resources.spelling import counted
from resources.store.store import Store
from vivid_assets.assets.export import EXPORTED, PUBLISH
from vivid_assets.catalogue.outcomes import record_outcome, send_outcome
from vivid_assets.catalogue.progress import EXPORT, StaleShard, State, state_of
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import Catalogue, each_registered
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.pipeline import Pipeline
from vivid_assets.rows.keys import digest
from vivid_assets.scheduling.jobs import CATALOGUE
from vivid_assets.scheduling.lost_runs import at_work, close_lost_runs
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.out_of_date import asked_for, standings

ATTEMPT = "vivid/attempt"
"""The run's tag with the state for which it was requested; a shard is not requested twice for the same state."""

_PARTITION = "dagster/partition"
_AGAIN_AFTER = timedelta(hours=20)
_ASKED_FOR = timedelta(hours=1)
"""How long the sensor ``updates`` is trusted to request what was asked for: it may be off."""


class _Log(Protocol):
    def info(self, message: str, *arguments: object) -> None: ...
    def error(self, message: str, *arguments: object) -> None: ...


@dataclass(frozen=True)
class TickPlan:
    """What a tick found, and the runs that it requests."""

    requests: list[dg.RunRequest]
    new_partitions: list[str]
    waiting: int
    """Stale shards beyond the limit of requests per tick."""
    faults: list[str]
    """An error message for each catalogue that could not be scanned."""
    catalogues: list[str]
    """The names of all registered catalogues."""

    def __str__(self) -> str:
        summary = (
            f"{counted(len(self.requests), 'run')} requested, {counted(self.waiting, 'shard')} left for the next tick"
        )
        return "; ".join([summary, *(f"not scanned: {fault}" for fault in self.faults)])

    def assert_any_scanned(self) -> None:
        """Raises ValueError when no catalogue could be scanned, which is this tick's failure."""
        if self.faults and len(self.faults) == len(self.catalogues):
            raise ValueError("; ".join(self.faults))


def plan_tick(
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    store: Store,
    settings: SettingsFile,
    *,
    night: str | None,
    now: datetime,
    log: _Log,
    models: Mapping[str, Resource] | None = None,
) -> TickPlan:
    """Scan all catalogues and choose the shards to run.

    For the schedule (``night`` names its night) a shard whose run failed, or with pictures that are worth another try,
    is requested again, once a night. For the sensor (None) a shard is requested when it has something new, and after a
    failed run only when 20 hours have passed. ``models`` are those that runs are given, by name: with others than these
    a shard would seem to be made with other settings.
    """
    states: dict[str, State] = {}
    faults: list[str] = []
    names: list[str] = []
    before = _shards_at_work(pipeline, instance)
    for name, catalogue in each_registered(store):
        names.append(name)
        try:
            states[name] = _look_at(store, catalogue, log)
        except Exception as fault:
            # Whatever the error is, it must not stop the other catalogues.
            faults.append(f"{name}: {fault}")
            is_foreseen = isinstance(fault, ValueError | OSError | MachineFault)
            log.error("%s could not be scanned: %s", name, fault if is_foreseen else traceback.format_exc())
            if isinstance(catalogue, ValueError):
                record_outcome(store, name, fault=str(fault))
    nights = settings.read().nights
    if night and nights.changed_settings:
        states = {name: _with_other_settings(store, settings, models, name, state) for name, state in states.items()}
    if not any(state.stale or state.unpublished for state in states.values()):
        return TickPlan([], [], 0, faults, names)
    close_lost_runs(pipeline, instance, store, now)
    taken = _taken(pipeline, instance, now, night, before)
    taken |= {(shard, "") for shard in asked_for(store, since=now - _ASKED_FOR)}
    wanted = [one for state in states.values() for one in _wanted(state, night, taken)]
    shards = {one.shard for state in states.values() for one in state.stale if night or not one.is_retry}
    shards |= {one.shard for one in wanted}
    known = {*instance.get_dynamic_partitions(pipeline.shards_name)}
    chosen = wanted[: nights.runs_per_tick]
    return TickPlan(
        requests=[
            dg.RunRequest(
                run_key=f"{one.shard}:{one.attempt}:{now:%Y-%m-%dT%H}",
                partition_key=one.shard,
                tags={ATTEMPT: one.attempt} | ({PUBLISH: "all"} if one.publishes else {}),
                asset_selection=[pipeline.key(EXPORT)] if one.publishes else None,
            )
            for one in chosen
        ],
        new_partitions=sorted(shards - known),
        waiting=len(wanted) - len(chosen),
        faults=faults,
        catalogues=names,
    )


def send_alerts(store: Store, plan: TickPlan, alerts: Alerts, log: _Log) -> None:
    """Send an alert for each catalogue whose scan had another outcome than the last alert reported."""
    for name in plan.catalogues:
        try:
            send_outcome(store, name, alerts.send)
        except (OSError, MachineFault) as error:
            # The next tick sends it again. All alerts use one webhook, so the others would fail too.
            log.error("The alert about %s could not be sent: %s", name, error)
            return


@dataclass(frozen=True)
class _Wanted:
    """A run that a shard needs."""

    shard: str
    attempt: str
    publishes: bool = False
    """It only publishes, for the whole catalogue."""


def _wanted(state: State, night: str | None, taken: set[tuple[str, str]]) -> list[_Wanted]:
    """The runs that a catalogue needs and that are neither running nor were tried recently."""
    wanted = [_Wanted(one.shard, night or one.asked) for one in state.stale if night or not one.is_retry]
    free = [one for one in wanted if not taken & {(one.shard, ""), (one.shard, one.attempt)}]
    # If stages have work, their runs publish what has moved to their shards; a removal waits for these.
    if free or not state.unpublished:
        return free
    attempt = f"publish {digest(state.unpublished)}"
    one = _Wanted(state.unpublished[0], attempt, publishes=True)
    return [] if taken & {(one.shard, ""), (one.shard, attempt)} else [one]


def _with_other_settings(
    store: Store, settings: SettingsFile, models: Mapping[str, Resource] | None, name: str, state: State
) -> State:
    """``state`` with the shards that were made with other settings than now; those it has already stay as they are."""
    known = {one.shard for one in state.stale}
    found = standings(store, name, settings, models)
    other = dict.fromkeys(one.shard for one in found if one.stale and one.shard not in known)
    return replace(state, stale=[*state.stale, *(StaleShard(shard, "other settings") for shard in other)])


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


def _shards_at_work(pipeline: Pipeline, instance: dg.DagsterInstance) -> dict[str, str]:
    """The shards that runs work on, by the runs' ids."""
    return {run.run_id: run.tags.get(_PARTITION, "") for run in at_work(pipeline, instance)}


def _taken(
    pipeline: Pipeline, instance: dg.DagsterInstance, now: datetime, night: str | None, before: Mapping[str, str]
) -> set[tuple[str, str]]:
    """Shards with an active run, with "", and those requested recently, with the state for which they were.

    Of a shard's runs the last counts, whatever its result, and of the earlier ones those that failed after the last
    success: a request that was changed and changed back is made again. ``before`` are the runs that were active when
    this tick began: what one of them has finished since may have been looked at half done.
    """
    active = _shards_at_work(pipeline, instance)
    taken = {(shard, "") for shard in active.values()}
    if ended := [run for run in before if run not in active]:
        finished = instance.get_runs(dg.RunsFilter(run_ids=ended, statuses=[Status.SUCCESS]))
        taken |= {(before[run.run_id], "") for run in finished}
    done: set[str] = set()
    last: set[str] = set()
    # The newest come first.
    recent = dg.RunsFilter(job_name=pipeline.named(CATALOGUE), created_after=now - _AGAIN_AFTER)
    for run in instance.get_runs(recent):
        if run.status == Status.CANCELED and night:
            # Whoever cancelled it wanted it off the machine; the work is still asked for.
            continue
        shard = run.tags.get(_PARTITION, "")
        if shard not in last or (shard not in done and run.status != Status.SUCCESS):
            taken.add((shard, run.tags.get(ATTEMPT, "by hand")))
        last.add(shard)
        if run.status == Status.SUCCESS:
            done.add(shard)
    return taken


def arrivals_sensor(
    pipeline: Pipeline, catalogue_job: Any, status: dg.DefaultSensorStatus, seconds: int
) -> dg.SensorDefinition:
    """The sensor that looks for pictures by day, every so many ``seconds``."""

    @dg.sensor(
        name=pipeline.named("arrivals"),
        job=catalogue_job,
        default_status=status,
        minimum_interval_seconds=seconds,
        description="Finds pictures that arrived, changed or have new requests, and requests runs.",
        required_resource_keys=pipeline.keys("store", "settings", "alerts"),
    )
    def arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        store, settings = pipeline.resource(context, "store"), pipeline.resource(context, "settings")
        found = plan_tick(
            pipeline, context.instance, store, settings, night=None, now=datetime.now(UTC), log=context.log
        )
        send_alerts(store, found, pipeline.resource(context, "alerts"), context.log)
        found.assert_any_scanned()
        if not found.requests and not found.new_partitions:
            return dg.SkipReason(" ".join(["Nothing new.", *(f"Not scanned: {fault}" for fault in found.faults)]))
        context.log.info("%s", found)
        new = [pipeline.shards.build_add_request(found.new_partitions)] if found.new_partitions else []
        return dg.SensorResult(run_requests=found.requests, dynamic_partitions_requests=new)

    return arrivals


def nightly_schedule(
    pipeline: Pipeline, catalogue_job: Any, status: dg.DefaultScheduleStatus, cron: str, timezone: str
) -> dg.ScheduleDefinition:
    """The schedule that brings everything up to date by night.

    Several ticks a night: a tick requests a limited number of runs, later ticks the rest.
    """

    @dg.schedule(
        name=pipeline.named("nightly"),
        job=catalogue_job,
        default_status=status,
        cron_schedule=cron,
        execution_timezone=timezone,
        description="Scans all catalogues; requests runs for new, changed and failed shards, and for pictures to "
        "retry.",
        required_resource_keys=pipeline.keys("store", "settings", "alerts", *own_models()),
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        store, settings = pipeline.resource(context, "store"), pipeline.resource(context, "settings")
        found = plan_tick(
            pipeline,
            context.instance,
            store,
            settings,
            night=f"night {context.scheduled_execution_time:%Y-%m-%d}",
            now=datetime.now(UTC),
            log=context.log,
            models=pipeline.models(context, own_models()),
        )
        send_alerts(store, found, pipeline.resource(context, "alerts"), context.log)
        found.assert_any_scanned()
        if found.new_partitions:
            context.instance.add_dynamic_partitions(pipeline.shards_name, found.new_partitions)
        context.log.info("%s", found)
        return found.requests or dg.SkipReason(
            " ".join(["Nothing to do.", *(f"Not scanned: {fault}" for fault in found.faults)])
        )

    return nightly
