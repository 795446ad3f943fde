"""A catalogue of drawn products in a folder, and runs over it in this process, for the benchmarks of the pipeline."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import dagster as dg
import numpy as np

from resources.store.store import Store
from vivid_assets.catalogue.ledger import shards_of
from vivid_assets.catalogue.scan import Scan, scan
from vivid_assets.catalogue.source import find, register

STAGES = ("prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks", "composites")


@dataclass
class Run:
    """One shard's run: seconds in all, and by stage the rows computed and the seconds they took."""

    shard: str
    seconds: float
    computed: dict[str, int]
    stage_seconds: dict[str, float]


class DrawnCatalogue:
    """A folder of drawn products below ``root``, and its store."""

    def __init__(self, root: Path, *, size: int = 0) -> None:
        self.folder, self.size = root / "pictures", size
        os.environ |= {
            "VIVID_STORE": str(root / "store"),
            "VIVID_SETTINGS": str(root / "vivid.toml"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }
        self.store = Store(root=str(root / "store"))

    @classmethod
    def drawn(cls, root: Path, count: int, *, size: int, shard_size: int, tiers: str = '"gradients"') -> DrawnCatalogue:
        """``count`` pictures of ``size`` pixels, every one another; to be cut into shards of ``shard_size``."""
        catalogue = cls(root, size=size)
        catalogue.folder.mkdir(parents=True)
        (root / "vivid.toml").write_text(f'[masks]\ntiers = [{tiers}]\n[backgrounds]\ngenerator = "backdrop"\n')
        (catalogue.folder / "catalogue.toml").write_text(f'prompt = "sage green paper"\nshard_size = {shard_size}\n')
        for number in range(count):
            catalogue.draw(number)
        register(catalogue.store, "drawn", str(catalogue.folder))
        return catalogue

    def draw(self, number: int, version: int = 0) -> None:
        """A product whose place, colour and size follow from its number."""
        dice = np.random.default_rng([number, version])
        size = self.size
        background = np.full((size, size, 3), dice.integers(190, 235, 3), np.float32)
        background += np.linspace(-6, 6, size)[None, :, None]
        color = [int(value) for value in dice.integers(10, 170, 3)]
        middle = [int(value) for value in dice.integers(int(0.4 * size), int(0.6 * size), 2)]
        cv2.circle(background, middle, int(size * dice.uniform(0.2, 0.35)), color, -1, cv2.LINE_AA)
        background += dice.normal(0, 1.5, background.shape)
        cv2.imwrite(str(self.folder / f"{number:06d}.jpg"), np.clip(background, 0, 255).astype(np.uint8))

    def scan(self) -> Scan:
        return scan(self.store, find(self.store, "drawn"))

    def shards(self) -> list[str]:
        return shards_of(self.store, "drawn")

    def run(self, shards: Sequence[str], selection: Sequence[str] = STAGES) -> Iterator[Run]:
        """One run a shard, as the command line does it, recorded in an instance in memory."""
        # Imported here: the definitions read where the store is.
        from vivid_assets.definitions import PIPELINE, defs

        job = defs.resolve_job_def("vivid_catalogue")
        assets = [PIPELINE.key(name) for name in selection]
        for shard in shards:
            with dg.DagsterInstance.ephemeral() as instance:
                instance.add_dynamic_partitions("vivid_shards", [shard])
                started = time.perf_counter()
                result = job.execute_in_process(instance=instance, partition_key=shard, asset_selection=assets)
                seconds = time.perf_counter() - started
                events = result.get_asset_materialization_events()
            metadata: dict[str, Any] = {e.asset_key.path[-1]: e.materialization.metadata for e in events}
            yield Run(
                shard,
                seconds,
                {name: entries["computed"].value for name, entries in metadata.items()},
                {name: entries["seconds"].value for name, entries in metadata.items()},
            )


@contextmanager
def quiet() -> Iterator[None]:
    """Standard error to nowhere: Dagster tells every event."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
