"""Runs of killed commands: a run in a command's own process ends with it, without a record in Dagster.

Such a run would stay STARTED forever: its shard would never be requested again, and it would count as one of the
concurrent runs. So a tag of the run names the command's process, and the command holds a lock while it works.
"""

import hashlib
import json
from datetime import datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus as Status

from resources.store.locks import Claims
from resources.store.processes import is_gone
from resources.store.store import Store
from vivid_assets.pipeline import Pipeline

PROCESS = "vivid/process"
"""The tag of a run that is executed in the process of a command, with that process."""

AT_WORK = [Status.QUEUED, Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING]
_FOLDER = "claims/commands"
_ASLEEP = timedelta(minutes=30)
_SILENT = timedelta(minutes=15)
"""A command on another machine counts as dead after this time without a sign of life, due every half minute."""


def command_locks(store: Store) -> Claims:
    """The locks of the runs that commands execute, by the run's id."""
    return Claims(store, _FOLDER)


def at_work(pipeline: Pipeline, instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The pipeline's own runs that have not ended: another pipeline's have their locks in another store."""
    return [run for run in instance.get_runs(dg.RunsFilter(statuses=AT_WORK)) if pipeline.owns(run)]


def close_lost_runs(pipeline: Pipeline, instance: dg.DagsterInstance, store: Store, now: datetime) -> list[str]:
    """Mark the runs of ended commands as failed; returns their ids."""
    lost = []
    runs = at_work(pipeline, instance)
    for run in runs:
        process = run.tags.get(PROCESS)
        if process and (is_gone(process) or _is_silent(store, run.run_id, now)):
            instance.report_run_failed(run, "The command that executed this run was killed.")
            # Dagster's daemon also frees pool slots, a minute later; a command may have no daemon.
            if instance.event_log_storage.supports_global_concurrency_limits:
                instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            store.remove([f"{_FOLDER}/{run.run_id}.0.claim"])
            lost.append(run.run_id)
    still = {_seen_path(run.run_id) for run in runs if run.run_id not in lost}
    seen = {f"{_FOLDER}/{name}" for name in store.names(_FOLDER) if name.endswith(".seen")}
    store.remove(sorted(seen - still))
    return lost


def _is_silent(store: Store, run_id: str, now: datetime) -> bool:
    """Whether the command has given no sign of life for long, by the observer's own clock over repeated calls."""
    try:
        sign = hashlib.blake2b(store.read(f"{_FOLDER}/{run_id}.0.claim"), digest_size=16).hexdigest()
    except FileNotFoundError:
        return True
    path = _seen_path(run_id)
    seen = store.read_json(path) or {}
    # After a long time without a call this machine may have slept, and the command with it.
    is_same = seen.get("sign") == sign and now - datetime.fromisoformat(seen["looked"]) < _ASLEEP
    since = seen["since"] if is_same else now.isoformat()
    store.write(path, json.dumps({"sign": sign, "since": since, "looked": now.isoformat()}).encode())
    return now - datetime.fromisoformat(since) > _SILENT


def _seen_path(run_id: str) -> str:
    return f"{_FOLDER}/{run_id}.seen"


def lost_runs_sensor(pipeline: Pipeline, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor that closes what killed commands left."""

    @dg.sensor(
        name=pipeline.named("lost_runs"),
        minimum_interval_seconds=60,
        default_status=status,
        description="Closes the records of runs whose command was killed, so that their shards can run again.",
        required_resource_keys=pipeline.keys("store"),
    )
    def lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        store, now = pipeline.resource(context, "store"), datetime.now().astimezone()
        lost = close_lost_runs(pipeline, context.instance, store, now)
        return dg.SkipReason(f"Closed: {', '.join(lost)}" if lost else "No run was lost.")

    return lost_runs
