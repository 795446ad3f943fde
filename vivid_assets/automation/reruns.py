"""Rerun failed: one job that finds every shard with failed pictures, and has each of them run again."""

import dagster as dg
from pydantic import Field

from resources.errors import DamagedTable
from resources.store import Store
from vivid_assets.automation.jobs import retry_job
from vivid_assets.catalogue.ledger import shards_of
from vivid_assets.catalogue.progress import shards_with_failures
from vivid_assets.catalogue.source import find, registered

_SHARDS = "vivid/shards_to_rerun"


class RerunConfig(dg.Config):
    """Where to look for failed pictures."""

    catalogue: str = Field("", description="A catalogue's name; empty: all catalogues.")


@dg.op
def find_failed_pictures(context: dg.OpExecutionContext, config: RerunConfig, store: dg.ResourceParam[Store]) -> None:
    """The shards in which a picture failed, by what their last runs noted."""
    catalogues = [find(store, config.catalogue)] if config.catalogue else registered(store)
    shards: list[str] = []
    for catalogue in catalogues:
        try:
            shards += shards_with_failures(store, shards_of(store, catalogue.name))
        except DamagedTable as error:
            if config.catalogue:
                raise
            context.log.error("%s is left out: %s", catalogue.name, error)
    context.log.info("Shards with failed pictures: %s", ", ".join(shards) or "none")
    context.instance.add_run_tags(context.run_id, {_SHARDS: " ".join(shards)})


@dg.job(description="Tries every failed picture again, those too that failed for good: a run for each of their shards.")
def rerun_failed() -> None:
    find_failed_pictures()


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[rerun_failed],
    request_job=retry_job,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=5,
    description="Requests the runs of the shards that the job rerun_failed has found.",
)
def rerun_failed_shards(context: dg.RunStatusSensorContext) -> dg.SensorResult:
    run = context.instance.get_run_by_id(context.dagster_run.run_id)
    shards = run.tags.get(_SHARDS, "").split() if run else []
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=f"{context.dagster_run.run_id}:{shard}", partition_key=shard) for shard in shards
        ]
    )
