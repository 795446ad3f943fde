"""A night over a million pictures: seconds and memory of an idle one, and of one with one per cent changed.

    python -m benchmarks.speed.nights [--pictures 1000000] [--shard-size 256]

The pictures are a Parquet manifest with digests, as a catalogue of that size has; none of the files exists, since a
night looks at none. Each look runs in a process of its own, so that the memory is its peak. What Dagster makes of so
many shards is measured by ``benchmarks.speed.instance``.
"""

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from resources.store.store import Store
from vivid_assets.assets.export import EXPORTED, publish
from vivid_assets.catalogue.progress import EXPORT, counts_of, made_of, summary_of
from vivid_assets.catalogue.source import register
from vivid_assets.pipeline import Pipeline
from vivid_assets.rows.stage import OK
from vivid_assets.scheduling.jobs import STAGE_NAMES
from vivid_assets.scheduling.ticks import plan_tick
from vivid_assets.settings import SettingsFile


def write_manifest(folder: Path, pictures: int, changed: int) -> None:
    """``pictures`` lines; the digests of ``changed`` of them, spread over the catalogue, are others than before."""
    digests = np.char.mod("%032x", np.arange(pictures))
    spread = np.random.default_rng(0).choice(pictures, changed, replace=False)
    digests[spread] = np.char.mod("f%031x", spread)
    names = np.char.add(np.char.mod("products/%07d", np.arange(pictures)), ".jpg")
    prompts = np.array([f"seamless paper, shade {number}" for number in range(50)])[np.arange(pictures) % 50]
    pq.write_table(pa.table({"image": names, "prompt": prompts, "digest": digests}), folder / "manifest.parquet")


def note_all_done(store: Store) -> int:
    """Note of every shard what its stages note at the end of a run."""
    done = {"transient": 0, "failed": 0, "stopped": 0}
    exported = [stage.name for stage in EXPORTED]
    shards = summary_of(store, "big")
    for shard, wanted in shards.items():
        entry = {"asked": wanted.asked, "version": wanted.asked, "counts": {OK: wanted.pictures}, **done}
        entries = dict.fromkeys(STAGE_NAMES, entry)
        entries[EXPORT] = {"live": wanted.live, "made_of": made_of(entries, exported)}
        path = Path(store.root) / "progress" / "big" / f"{shard}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(entries))
    return len(shards)


def one_look(root: str) -> None:
    """A tick's work; prints its figures as JSON."""
    import dagster as dg

    logging.basicConfig(level=logging.WARNING)
    with dg.DagsterInstance.ephemeral() as instance:
        started, cpu = time.perf_counter(), time.process_time()
        found = plan_tick(
            Pipeline(),
            instance,
            Store(root=f"{root}/store"),
            SettingsFile(path=""),
            night="night",
            now=datetime.now(UTC),
            log=logging.getLogger(),
        )
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    # Not getrusage: its maximum is handed down from the process that started this one.
    high_water = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    peak = int(high_water.split()[1]) / 2**20
    runs = len(found.requests) + found.waiting
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "runs": runs}))


def measured(root: Path, what: str) -> dict[str, float]:
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.nights", "--look", str(root)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    figures = json.loads(output.splitlines()[-1])
    seconds, cpu, peak, runs = figures.values()
    print(f"{what:28} {seconds:6.1f} s ({cpu:.1f} s of CPU)  {peak:5.2f} GiB  {runs:5} runs", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--shard-size", type=int, default=256)
    parser.add_argument("--look", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.look:
        one_look(arguments.look)
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        folder = root / "pictures"
        folder.mkdir()
        (folder / "catalogue.toml").write_text(f"shard_size = {arguments.shard_size}\n")
        store = Store(root=str(root / "store"))
        write_manifest(folder, arguments.pictures, changed=0)
        register(store, "big", str(folder))
        first = measured(root, f"first look, {arguments.pictures} new")
        shards = note_all_done(store)
        assert first["runs"] == shards
        started, cpu = time.perf_counter(), time.process_time()
        assert counts_of(store, "big", STAGE_NAMES)["masks"] == {OK: arguments.pictures}
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(f"vivid catalogue status       {seconds:6.1f} s ({cpu:.1f} s of CPU)", flush=True)
        for what in ("a shard published", "the same again"):
            started, cpu = time.perf_counter(), time.process_time()
            publish(store, f"big-{shards // 2:05d}")
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
            print(f"{what:28} {seconds:6.2f} s ({cpu:.2f} s of CPU)", flush=True)
        idle = measured(root, "idle night")
        assert idle["runs"] == 0
        changed = arguments.pictures // 100
        write_manifest(folder, arguments.pictures, changed=changed)
        night = measured(root, f"night with {changed} changed")
        # Shards that these fill, and after them those that have lost a picture to them, which are tidied.
        filled = -(-changed // arguments.shard_size)
        assert filled <= night["runs"] <= filled + 1 + min(changed, shards)


if __name__ == "__main__":
    main()
