"""Alerts: failed runs, and checks that did not pass in runs that went well."""

import dagster as dg

from resources.alerts import Alerts
from vivid_assets.assets.faults import reasons

_LONGEST = 3000


# No monitored_jobs: runs from the UI, backfills among them, are __ASSET_JOB, which a list of jobs would leave out.
@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Tells of every failed run, with its shard, its step and its message.",
)
def failed_runs(context: dg.RunFailureSensorContext, alerts: dg.ResourceParam[Alerts]) -> None:
    errors = [f"{step}: {reason}" for step, reason in reasons(context.get_step_failure_events())]
    text = "\n".join([*(errors or [context.failure_event.message or "no message"]), *_failed_checks(context)])
    alerts.send(f"Run failed: {_what(context.dagster_run)}", text[:_LONGEST])


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Tells of checks that did not pass in runs that went well.",
)
def failed_checks(context: dg.RunStatusSensorContext, alerts: dg.ResourceParam[Alerts]) -> None:
    sentences = _failed_checks(context)
    if sentences:
        alerts.send(f"Checks not passed: {_what(context.dagster_run)}", "\n".join(sentences)[:_LONGEST])


def _failed_checks(context: dg.RunStatusSensorContext) -> list[str]:
    entries = context.instance.all_logs(context.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event]
    return [
        f"{one.severity.value} {one.asset_key.to_user_string()} {one.check_name}: {one.description}"
        for one in evaluations
        if not one.passed
    ]


def _what(run: dg.DagsterRun) -> str:
    shard = run.tags.get("dagster/partition")
    return " ".join(filter(None, (run.job_name.strip("_").lower(), shard, f"({run.run_id[:8]})")))
