"""Rerun failed: one job that finds every shard with failed pictures, and has each of them run again."""

import json
from typing import Any

import dagster as dg
from pydantic import Field

from resources.errors import DamagedTable
from resources.store.store import Store
from vivid_assets.catalogue.ledger import shards_of
from vivid_assets.catalogue.progress import shards_with_failures
from vivid_assets.catalogue.source import find, registered
from vivid_assets.pipeline import Pipeline

_FOLDER = "reruns"
_AT_ONCE = 100
"""Runs requested at a time: a sensor's tick has a minute."""


class RerunConfig(dg.Config):
    """Which catalogues to search for failed pictures."""

    catalogue: str = Field("", description="A catalogue's name; empty: all catalogues.")


def rerun_failed_job(pipeline: Pipeline) -> dg.JobDefinition:
    """The job that finds the shards."""

    @dg.op(
        name=pipeline.named("find_failed_pictures"),
        description="The shards with a failed picture, by their last runs' records.",
        required_resource_keys={pipeline.named("store")},
    )
    def find_failed_pictures(context: dg.OpExecutionContext, config: RerunConfig) -> None:
        store: Store = pipeline.resource(context, "store")
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
        # In the store: a run's tag holds a few thousand characters on PostgreSQL.
        store.write(f"{_FOLDER}/{context.run_id}.json", json.dumps(shards).encode(), durable=True)

    @dg.job(
        name=pipeline.named("rerun_failed"),
        description="Tries every failed picture again, including those that failed for good: one run per shard.",
        tags=pipeline.tags,
        executor_def=dg.in_process_executor,
    )
    def rerun_failed() -> None:
        find_failed_pictures()

    return rerun_failed


def rerun_failed_shards_sensor(
    pipeline: Pipeline, retry_job: Any, status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """The sensor that requests the runs of ``retry_job`` for them."""

    @dg.sensor(
        name=pipeline.named("rerun_failed_shards"),
        job=retry_job,
        default_status=status,
        minimum_interval_seconds=5,
        description="Requests runs of the shards that the job rerun_failed has found, some at a time.",
        required_resource_keys={pipeline.named("store")},
    )
    def rerun_failed_shards(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        store: Store = pipeline.resource(context, "store")
        # The cursor moves with the requests, the list goes at the tick after: a tick that dies between repeats nothing.
        name, _, done = (context.cursor or "").partition(":")
        waiting = store.names(_FOLDER)
        if not waiting:
            return dg.SkipReason("There is no shard to rerun.")
        first = waiting[0]
        position = int(done) if name == first else 0
        shards = json.loads(store.read(f"{_FOLDER}/{first}"))[position : position + _AT_ONCE]
        if not shards:
            store.remove([f"{_FOLDER}/{first}"])
            return dg.SkipReason("All have been requested.")
        run = first.removesuffix(".json")
        unknown = sorted({*shards} - {*context.instance.get_dynamic_partitions(pipeline.shards_name)})
        return dg.SensorResult(
            dynamic_partitions_requests=[pipeline.shards.build_add_request(unknown)] if unknown else [],
            run_requests=[dg.RunRequest(run_key=f"{run}:{shard}", partition_key=shard) for shard in shards],
            cursor=f"{first}:{position + len(shards)}",
        )

    return rerun_failed_shards
