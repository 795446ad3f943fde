"""Rows of removed pictures leave the tables of their shards, without a run of each.

A run takes longer to start than this takes. Where nothing has to be computed the stages do just what they do in a run,
and what Dagster knows of the shard is brought up to date by events without one: rows, data versions, checks.
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack

import dagster as dg
from dagster._core.definitions.data_version import (
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG_PREFIX,
    INPUT_EVENT_POINTER_TAG_PREFIX,
)

from resources.errors import MachineFault
from resources.resource import Resource
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures
from vivid_assets.catalogue.progress import NEEDS_RUN, note_progress, read_progress, state_of
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.pipeline import Pipeline
from vivid_assets.settings import Settings
from vivid_assets.stages.shard_asset import materialize_shard
from vivid_assets.stages.stage import PipelineStage, Shard, StageWork, all_stages


def tidy_tables(
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    store: Store,
    catalogue: str,
    settings: Settings,
    models: Mapping[str, Resource],
    log: logging.Logger,
) -> None:
    """Take the rows of removed pictures out of the tables of the catalogue's shards that need no more than that.

    A shard of which something would be computed is left to a run of its own, which the night asks for.

    Args:
        pipeline: whose assets the stages are.
        instance: whose records are brought up to date.
        store: where the catalogue is.
        catalogue: its name.
        settings: those that hold for it.
        models: those that runs are given, by name.
        log: the run's.

    Raises:
        MachineFault: the store takes no file.

    """
    shown = [stage.name for stage in all_stages() if stage.work.show is not StageWork.show][-1]
    for shard in state_of(store, catalogue, STAGE_NAMES, []).thinned:
        with ExitStack() as leases:
            try:
                at_work = Shard(shard, store, settings, log, models)
                works = [(stage, leases.enter_context(stage.at_work(at_work))) for stage in all_stages()]
            except (ValueError, MachineFault) as error:
                _leave(store, shard, str(error), log)
                continue
            pictures = live_pictures(store, shard)
            if any(work.has_due(pictures) for _, work in works):
                _leave(store, shard, "that has pictures to make.", log)
                continue
            for stage, work in works:
                done = materialize_shard(pipeline, stage, work, retry_failed=False, shows=stage.name == shown)
                _report(pipeline, instance, stage, shard, done)


def _leave(store: Store, shard: str, why: str, log: logging.Logger) -> None:
    """Have the night ask for a run of the shard."""
    log.info("%s keeps rows of removed pictures until its next run: %s", shard, why)
    first = STAGE_NAMES[0]
    if entry := read_progress(store, [shard])[shard].get(first):
        note_progress(store, shard, first, entry | {NEEDS_RUN: True})


def _report(
    pipeline: Pipeline, instance: dg.DagsterInstance, stage: PipelineStage, shard: str, done: dg.MaterializeResult[None]
) -> None:
    """Have Dagster know the shard as it is now; where it has never been materialised nothing is known."""
    key = pipeline.key(stage.name)
    before = _latest(instance, key, shard)
    if before is None or before.asset_materialization is None or done.data_version is None:
        return
    tags = dict(before.asset_materialization.tags or {}) | {DATA_VERSION_TAG: done.data_version.value}
    # What it was made of is what the stages before it have been told to be.
    for name in [tag for tag in tags if tag.startswith(f"{INPUT_EVENT_POINTER_TAG_PREFIX}/")]:
        source = dg.AssetKey.from_user_string(name.removeprefix(f"{INPUT_EVENT_POINTER_TAG_PREFIX}/"))
        if source not in map(pipeline.key, STAGE_NAMES):
            continue
        latest = _latest(instance, source, shard)
        if latest is not None and latest.asset_materialization is not None:
            version = (latest.asset_materialization.tags or {}).get(DATA_VERSION_TAG, "")
            tags |= {
                name: str(latest.storage_id),
                f"{INPUT_DATA_VERSION_TAG_PREFIX}/{source.to_user_string()}": version,
            }
    materialization = dg.AssetMaterialization(key, metadata=done.metadata, partition=shard, tags=tags)
    instance.report_runless_asset_event(materialization)
    for one in done.check_results or ():
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=str(one.check_name),
                passed=one.passed,
                severity=one.severity,
                description=one.description,
                metadata=dict(one.metadata or {}),
                partition=shard,
            )
        )


def _latest(instance: dg.DagsterInstance, key: dg.AssetKey, shard: str) -> dg.EventLogRecord | None:
    wanted = dg.AssetRecordsFilter(key, asset_partitions=[shard])
    found = instance.fetch_materializations(wanted, limit=1).records
    return found[0] if found else None
