"""Alerts: runs that failed, checks that do not pass, and their recovery.

Only changes are reported, and a cause once: a check that stops its run is told as the run's failure, and of several
shards of a catalogue that fail for one reason the first is told, and the last that succeeds again.

The last report is in the store, ``alerts/<catalogue>.json``; the sensor's cursor marks the last run that was read. Both
advance only when the webhook has accepted the alert, so a lost alert is sent again.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from partitions.shards import catalogue_of, is_shard
from resources.alerts import Alerts
from resources.store.store import Store
from vivid_assets.catalogue.ledger import shards_of
from vivid_assets.pipeline import Pipeline
from vivid_assets.stages.faults import reasons

_LONGEST = 3000
_AT_ONCE = 50
_OVERLAP = timedelta(seconds=2)
"""Runs that ended at the same moment may become visible one after the other."""
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def failures_sensor(pipeline: Pipeline, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor that reports the pipeline's own runs; those of others in the deployment are theirs to report."""

    @dg.sensor(
        name=pipeline.named("failures"),
        default_status=status,
        minimum_interval_seconds=15,
        description="Reports runs that failed and checks that did not pass, with shard, step and message, and their "
        "recovery. Each is reported once, until it changes.",
        required_resource_keys=pipeline.keys("store", "alerts"),
    )
    def failures(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if not context.cursor:
            # Failures from before the sensor was started are not reported.
            return dg.SensorResult(cursor=_cursor(datetime.now(UTC), []))
        seen = json.loads(context.cursor)
        after = datetime.fromisoformat(seen["after"])
        records = context.instance.get_run_records(
            dg.RunsFilter(statuses=_ENDED, updated_after=after - _OVERLAP),
            limit=_AT_ONCE,
            order_by="update_timestamp",
            ascending=True,
        )
        fresh = [record for record in records if record.dagster_run.run_id not in seen["runs"]]
        store, alerts = pipeline.resource(context, "store"), pipeline.resource(context, "alerts")
        for record in fresh:
            if pipeline.owns(record.dagster_run):
                report_run(context.instance, store, alerts, record.dagster_run)
        if not fresh:
            return dg.SkipReason("No run has ended.")
        latest = max(record.update_timestamp.replace(tzinfo=UTC) for record in fresh)
        return dg.SensorResult(cursor=_cursor(latest, [record.dagster_run.run_id for record in records]))

    return failures


def report_run(instance: dg.DagsterInstance, store: Store, alerts: Alerts, run: dg.DagsterRun) -> None:
    """Report what changed with a run that has ended. Raises OSError when an alert could not be sent."""
    last = _LastReport(store, run)
    for what, trouble in [*_checks(instance, run), (None, _reason(instance, run))]:
        if not last.is_news(what, trouble):
            continue
        if what is None and last.is_of_others(trouble):
            last.record(what, trouble)
            continue
        name = f"{what} of {last.shard}" if what else f"{run.job_name.strip('_').lower()} {last.shard}".strip()
        if what:
            title = f"Check not passed: {name}" if trouble else f"Check passes again: {name}"
        else:
            title = f"Run failed: {name}" if trouble else f"Run succeeds again: {name}"
        alerts.send(title, f"{(trouble or title)[:_LONGEST]}\n{alerts.run_named(run.run_id)}")
        last.record(what, trouble)


class _LastReport:
    """What was last reported of a shard, or of a job without one."""

    def __init__(self, store: Store, run: dg.DagsterRun) -> None:
        self.shard = run.tags.get("dagster/partition", "")
        self._store = store
        self._path = f"alerts/{catalogue_of(self.shard) if is_shard(self.shard) else 'jobs'}.json"
        self._of = self.shard or run.job_name

    def is_news(self, what: str | None, trouble: str) -> bool:
        return self._reported().get(f"{self._of} {what or 'run'}", "") != trouble

    def is_of_others(self, trouble: str) -> bool:
        """Whether other shards of the catalogue failed for the reason for which this one does, or did until now."""
        reported, own = self._reported(), f"{self._of} run"
        cause = trouble or reported.get(own, "")
        others = {name.removesuffix(" run") for name, text in reported.items() if text == cause and name != own}
        # One that has been merged or forgotten never succeeds again, and keeps nothing quiet.
        return bool(others and is_shard(self.shard) and others & {*shards_of(self._store, catalogue_of(self.shard))})

    def record(self, what: str | None, trouble: str) -> None:
        reported = self._reported() | {f"{self._of} {what or 'run'}": trouble}
        text = json.dumps({name: text for name, text in reported.items() if text}, indent=1, sort_keys=True)
        self._store.write(self._path, text.encode())

    def _reported(self) -> dict[str, str]:
        return self._store.read_json(self._path) or {}


def _reason(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Why the run failed; empty if it succeeded."""
    if run.status != dg.DagsterRunStatus.FAILURE:
        return ""
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id) if entry.dagster_event]
    lines = [f"{step}: {reason}" for step, reason in reasons(events)]
    ends = [event.message for event in events if event.event_type == dg.DagsterEventType.RUN_FAILURE]
    return "\n".join(lines) or "".join(filter(None, ends[:1])) or "no message"


def _checks(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[tuple[str, str]]:
    """Each check of the run, and what is wrong; empty where it passed. One that stopped the run is told with it."""
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    for one in (entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event):
        stopped = one.blocking and not one.passed and one.severity == dg.AssetCheckSeverity.ERROR
        if stopped and run.status == dg.DagsterRunStatus.FAILURE:
            continue
        wrong = "" if one.passed else f"{one.severity.value} {one.description}"
        yield f"{one.asset_key.path[-1]} {one.check_name}", wrong


def _cursor(after: datetime, runs: list[str]) -> str:
    return json.dumps({"after": after.isoformat(), "runs": runs})
