"""A shard brought up to date by the stages alone: Dagster takes longer than the work on a few small pictures."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

import dagster as dg

from partitions.shards import catalogue_of
from resources.resource import Resource
from resources.store.store import Store
from vivid_assets.assets.export import publish
from vivid_assets.catalogue.scan import catalogue_settings
from vivid_assets.pipeline import Pipeline
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.shard_asset import materialize_shard
from vivid_assets.stages.stage import Shard, all_stages

PIPELINE = Pipeline()
LOG = logging.getLogger("shards")


def run_shard(
    store: Store,
    shard: str,
    settings_file: Path,
    *,
    selection: Collection[str] | None = None,
    models: Mapping[str, Resource] | None = None,
) -> dict[str, int]:
    """How many rows each stage computed, in the flow's order; as in Dagster an error of a check is an error.

    ``models`` are those that a deployment gives its runs, by name.
    """
    settings = SettingsFile(path=str(settings_file)).read(catalogue_settings(store, catalogue_of(shard)))
    counts = {}
    for stage in all_stages():
        if selection is None or stage.name in selection:
            with stage.at_work(Shard(shard, store, settings, LOG, models or {})) as work:
                result = materialize_shard(PIPELINE, stage, work, retry_failed=False, shows=False)
            refused = [one for one in result.check_results if not one.passed]
            assert not [one for one in refused if one.severity is dg.AssetCheckSeverity.ERROR], refused
            counts[stage.name] = result.metadata["computed"]
    if selection is None or "export" in selection:
        publish(store, shard)
    return counts
