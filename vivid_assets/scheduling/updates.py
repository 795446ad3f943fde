"""The job ``update``: finds what is out of date and has just that run, or says what it would be.

The job writes the runs that are wanted into the store, and a sensor requests them some at a time: a step of a run
cannot launch runs, and a list in the store survives whatever happens to either.
"""

import json
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from resources.errors import MachineFault
from resources.models import own_models
from resources.runtime.rate import duration
from resources.spelling import counted, did_you_mean
from resources.store.store import Store
from vivid_assets.catalogue.progress import EXPORT
from vivid_assets.catalogue.source import find, registered
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.pipeline import Pipeline
from vivid_assets.scheduling.jobs import one_step, retry_failed
from vivid_assets.stages.out_of_date import (
    DEGRADED,
    FAILED,
    KINDS,
    STALE,
    WAITING,
    WAITING_UPDATES,
    ShardUpdate,
    ask_for,
    standings,
    updates,
)

UPDATE = "update"
_AT_ONCE = 100
"""Runs requested at a time: a sensor's tick has a minute."""
_SHOWN = 200


class What(Enum):
    """Which pictures an update is for."""

    STALE = "stale"
    FAILED = "failed"
    DEGRADED = "degraded"
    ALL = "all"


_KINDS = {
    What.STALE: (STALE, WAITING),
    What.FAILED: (FAILED,),
    What.DEGRADED: (DEGRADED,),
    What.ALL: KINDS,
}


class UpdateConfig(dg.Config):
    """What to bring up to date."""

    catalogue: str = Field("", description="A catalogue's name; empty: all catalogues.")
    what: What = Field(
        What.STALE,
        description="stale: made with other settings, requests or pictures, or not made yet. failed: pictures that "
        "failed, corrupt files too. degraded: made without a model that the deployment has. all: all of these.",
    )
    stages: list[str] = Field(
        [],
        description=f"Only these stages, of {', '.join(STAGE_NAMES)}. Empty: all, and those that follow.",
    )
    dry_run: bool = Field(False, description="Only say what would run: shards, pictures, expected time.")


def update_job(pipeline: Pipeline) -> dg.JobDefinition:
    """The job that finds what is out of date."""
    models = tuple(own_models())

    @dg.op(
        name=pipeline.named("find_updates"),
        description="What is out of date, by the stages' records: the runs that it takes.",
        required_resource_keys=pipeline.keys("store", "settings", *models),
    )
    def find_updates(context: dg.OpExecutionContext, config: UpdateConfig) -> None:
        store: Store = pipeline.resource(context, "store")
        settings = pipeline.resource(context, "settings")
        _check_stages(config.stages)
        catalogues = [find(store, config.catalogue)] if config.catalogue else registered(store)
        wanted: list[ShardUpdate] = []
        for catalogue in catalogues:
            try:
                given = pipeline.models(context, models)
                found = standings(store, catalogue.name, settings, given)
            except (ValueError, MachineFault) as error:
                if config.catalogue:
                    raise
                context.log.error("%s is left out: %s", catalogue.name, error)
                continue
            wanted += updates(found, _KINDS[config.what], config.stages)
        context.log.info("%s", summary(wanted, dry_run=config.dry_run))
        context.add_output_metadata({"what": summary(wanted, dry_run=config.dry_run), "shards": _as_table(wanted)})
        if wanted and not config.dry_run:
            ask_for(store, context.run_id, wanted)

    return one_step(
        pipeline,
        UPDATE,
        find_updates,
        "Brings up to date what is stale, failed or degraded, and nothing else: one run for each shard. With dry_run "
        "it only says what it would run.",
    )


def summary(wanted: list[ShardUpdate], *, dry_run: bool) -> str:
    """What will run, in a sentence."""
    if not wanted:
        return "Nothing is out of date."
    times = [one.seconds for one in wanted]
    known = [time for time in times if time is not None]
    expected = f"about {duration(sum(known))} of work" if len(known) == len(times) else "an unknown time"
    pictures = sum(one.pictures for one in wanted)
    verb = "would run" if dry_run else "will run"
    return f"{counted(len(wanted), 'shard')} {verb}, with up to {counted(pictures, 'picture')} to make, in {expected}."


def _as_table(wanted: list[ShardUpdate]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {
                "shard": one.shard,
                "pictures, at most": one.pictures,
                "stages": ", ".join(one.stages),
                "expected": "unknown" if one.seconds is None else duration(one.seconds),
            }
        )
        for one in wanted[:_SHOWN]
    ]
    columns = [dg.TableColumn(name, "string") for name in ("shard", "pictures, at most", "stages", "expected")]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _check_stages(stages: list[str]) -> None:
    for name in stages:
        if name not in STAGE_NAMES:
            meant = did_you_mean(name, STAGE_NAMES) or "."
            raise ValueError(f"There is no stage {name!r}{meant} There are {', '.join(STAGE_NAMES)}.")


def updates_sensor(pipeline: Pipeline, catalogue_job: Any, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor that requests the runs of ``catalogue_job`` for what an update found."""

    @dg.sensor(
        name=pipeline.named("updates"),
        job=catalogue_job,
        default_status=status,
        minimum_interval_seconds=5,
        description="Requests the runs that the job update has found, some at a time.",
        required_resource_keys=pipeline.keys("store"),
    )
    def requested_updates(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        store: Store = pipeline.resource(context, "store")
        # The cursor moves with the requests, the list goes at the tick after: a tick that dies between repeats nothing.
        name, _, done = (context.cursor or "").partition(":")
        waiting = store.names(WAITING_UPDATES)
        if not waiting:
            return dg.SkipReason("No update is waiting.")
        first = waiting[0]
        position = int(done) if name == first else 0
        runs = json.loads(store.read(f"{WAITING_UPDATES}/{first}"))[position : position + _AT_ONCE]
        if not runs:
            store.remove([f"{WAITING_UPDATES}/{first}"])
            return dg.SkipReason("All have been requested.")
        run = first.removesuffix(".json")
        known = {*context.instance.get_dynamic_partitions(pipeline.shards_name)}
        unknown = sorted({shard for shard, _, _ in runs} - known)
        return dg.SensorResult(
            dynamic_partitions_requests=[pipeline.shards.build_add_request(unknown)] if unknown else [],
            run_requests=[_request(pipeline, run, *one) for one in runs],
            cursor=f"{first}:{position + len(runs)}",
        )

    return requested_updates


def _request(pipeline: Pipeline, run: str, shard: str, stages: list[str], retries: bool) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{run}:{shard}",
        partition_key=shard,
        # What is published follows whatever was made.
        asset_selection=[pipeline.key(name) for name in (*stages, EXPORT)],
        run_config=retry_failed(pipeline, stages) if retries else {},
    )
