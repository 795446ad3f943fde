"""Is the time left that a run says near the truth? Looked at from the tenth picture of each stage on.

Photographs from a folder go through the stages in this process, without Dagster. Every fifth of a second the progress
is asked for the time left, and compared with what it took from there; looks in the last second do not count.

    python -m benchmarks.speed.time_left ~/photographs --count 30 --tiers u2net
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.speed.shards import open_shards, run_stage
from resources.runtime.rate import Progress
from resources.store.store import Store
from vivid_assets.stages.stage import PipelineStage, Shard, all_stages

EVERY, FROM, LEAST = 0.2, 10, 1.0


class Watched(Progress):
    """A progress that is found by whoever looks."""

    newest: Progress | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        Watched.newest = self


def looks_at(stage: PipelineStage, shard: Shard) -> tuple[int, list[tuple[float, float | None]]]:
    """Run a stage; how many rows it made, and of each look the true time left and what was said."""
    seen: list[tuple[float, float | None]] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(EVERY):
            if (progress := Watched.newest) and FROM <= progress.finished < progress.total:
                seen.append((time.monotonic(), progress.seconds_left))

    watcher = threading.Thread(target=look)
    watcher.start()
    computed = run_stage(stage, shard).computed
    end = time.monotonic()
    ended.set()
    watcher.join()
    Watched.newest = None
    return computed, [(end - at, said) for at, said in seen if end - at > LEAST]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--tiers", nargs="+", default=["u2net"])
    given = parser.parse_args()
    import vivid_assets.rows.engine as engine

    engine.Progress = Watched  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as place:
        root, folder = Path(place), Path(place, "pictures")
        folder.mkdir()
        for path in sorted(given.photographs.glob("*.jpg"))[: given.count]:
            shutil.copy(path, folder)
        (folder / "catalogue.toml").write_text('prompt = "sage green paper"\n')
        tiers = ", ".join(f'"{name}"' for name in given.tiers)
        (root / "vivid.toml").write_text(f'[masks]\ntiers = [{tiers}]\n[backgrounds]\ngenerator = "backdrop"\n')
        (shard,) = open_shards(Store(root=str(root / "store")), folder, root / "vivid.toml")
        print("| stage | pictures | looks | within a third |\n|---|---:|---:|---:|")
        for stage in all_stages():
            computed, seen = looks_at(stage, shard)
            near = sum(said is not None and abs(said - truth) <= truth / 3 for truth, said in seen)
            print(f"| {stage.name} | {computed} | {len(seen)} | {f'{near / len(seen):.0%}' if seen else '–'} |")


if __name__ == "__main__":
    main()
