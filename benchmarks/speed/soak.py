"""Thousands of pictures through every CPU stage in one process: do memory, open files or speed drift?

    python -m benchmarks.speed.soak --pictures 10000

A row of the table is a shard. On a machine that others use, wall time says little; the CPU time of this process per
picture says whether the work itself slows down. The verdicts compare the first and the last tenth of the shards,
without the very first, in which libraries load and compile.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.speed.drawn_catalogue import DrawnCatalogue, quiet


@dataclass
class Reading:
    """The process after a shard."""

    pictures: int
    per_second: float
    cpu_ms: float
    megabytes: float
    handles: int
    threads: int

    def __str__(self) -> str:
        return (
            f"| {self.pictures:7,} | {self.per_second:10.1f} | {self.cpu_ms:14.2f} | {self.megabytes:8.0f} "
            f"| {self.handles:7} | {self.threads:7} |"
        )


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def soak(root: Path, pictures: int, size: int, shard_size: int) -> list[Reading]:
    catalogue = DrawnCatalogue.drawn(root, pictures, size=size, shard_size=shard_size)
    catalogue.scan()
    print("| pictures | pictures/s | CPU ms/picture | RSS, MB | handles | threads |\n|---|---|---|---|---|---|")
    readings: list[Reading] = []
    done = 0
    for shard in catalogue.shards():
        wall, cpu = time.perf_counter(), time.process_time()
        with quiet():
            (run,) = catalogue.run([shard])
        count = run.computed["composites"]
        done += count
        readings.append(
            Reading(
                done,
                count / (time.perf_counter() - wall),
                (time.process_time() - cpu) / count * 1e3,
                resident_megabytes(),
                len(os.listdir("/proc/self/fd")),  # noqa: PTH208
                threading.active_count(),
            )
        )
        print(readings[-1], flush=True)
    return readings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=160, help="pixels a side")
    parser.add_argument("--shard-size", type=int, default=250)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        readings = soak(Path(root), arguments.pictures, arguments.size, arguments.shard_size)
    tenth = max(1, len(readings) // 10)
    first, last = readings[1 : 1 + tenth], readings[-tenth:]
    for what in ("per_second", "cpu_ms", "megabytes", "handles"):
        before = fmean(getattr(reading, what) for reading in first)
        after = fmean(getattr(reading, what) for reading in last)
        print(f"{what}: {before:.2f} in the first tenth, {after:.2f} in the last ({after / before - 1:+.1%})")


if __name__ == "__main__":
    main()
