"""Shards of a folder of pictures, opened in this process without Dagster, for benchmarks of what stages do.

    python -m benchmarks.speed.shards FOLDER VIVID.TOML STORE

brings the folder through all stages and prints the process's peak memory in MB after each: run it in a process of its
own.
"""

from __future__ import annotations

import logging
import resource
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from resources.resource import Resource
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures, shards_of
from vivid_assets.catalogue.scan import catalogue_settings, scan
from vivid_assets.catalogue.source import register
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.rows.engine import Outcome
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.stage import PipelineStage, Shard, all_stages

CATALOGUE = "drawn"


def open_shards(
    store: Store, folder: Path, settings: Path, models: Mapping[str, Resource] | None = None
) -> list[Shard]:
    """Scan a folder as a catalogue; its shards, with the settings of a ``vivid.toml`` and the catalogue's on top.

    ``models`` stand in the place of the settings' own, by name.
    """
    scan(store, register(store, CATALOGUE, str(folder)))
    holds = SettingsFile(path=str(settings)).read(catalogue_settings(store, CATALOGUE))
    log = logging.getLogger("benchmark")
    return [Shard(name, store, holds, log, models or {}) for name in shards_of(store, CATALOGUE)]


def run_stage(stage: PipelineStage, shard: Shard) -> Outcome:
    """Bring one stage of a shard up to date."""
    with stage.at_work(shard) as work:
        return work.run(live_pictures(shard.store, shard.name))


def run_stages(shard: Shard, names: Collection[str] = STAGE_NAMES) -> int:
    """Bring stages of a shard up to date, in the flow's order; the rows that the last of them computed."""
    computed = 0
    for stage in all_stages():
        if stage.name in names:
            computed = run_stage(stage, shard).computed
    return computed


def main() -> None:
    folder, settings, store = sys.argv[1:]
    for shard in open_shards(Store(root=store), Path(folder), Path(settings)):
        for stage in all_stages():
            failed = run_stage(stage, shard).with_status("failed")
            assert not failed, failed[0]["error"]
            print(stage.name, round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), flush=True)


if __name__ == "__main__":
    main()
