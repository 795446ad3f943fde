"""What a shard costs around its pictures: requests to an object store, and what Dagster records of a run.

    python -m benchmarks.speed.overhead [--pictures 12]

Requests are counted at the file system's interface, a call each: an S3 client makes one request of most, two of a
question for an object that is not there. Reads of the pictures' source are not in it. Of Dagster's event log the text
of the events is counted; a database adds indices, and SQLite keeps some of them twice.
"""

import argparse
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

from benchmarks.speed.drawn_catalogue import DrawnCatalogue, quiet
from benchmarks.speed.shards import open_shards
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_of, shard_rows
from vivid_assets.stages.stage import all_stages


class CountedFileSystem(MemoryFileSystem):
    """An object store in memory that counts what is asked of it, by kind."""

    protocol = "counted"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    calls: ClassVar[Counter[str]] = Counter()
    _inside = threading.local()


def _counted(name: str) -> Any:
    plain = getattr(MemoryFileSystem, name)

    def call(self: CountedFileSystem, *arguments: Any, **options: Any) -> Any:
        if getattr(self._inside, "call", False):
            return plain(self, *arguments, **options)
        self.calls[name] += 1
        self._inside.call = True
        try:
            return plain(self, *arguments, **options)
        finally:
            self._inside.call = False

    return call


for _name in ("cat_file", "cp_file", "exists", "find", "info", "ls", "open", "pipe_file", "rm"):
    setattr(CountedFileSystem, _name, _counted(_name))


def requests(root: Path, pictures: int) -> dict[str, list[int]]:
    """By stage: the requests of a shard's first run, and of one that finds nothing to do."""
    fsspec.register_implementation("counted", CountedFileSystem, clobber=True)
    CountedFileSystem.store.clear()
    drawn = DrawnCatalogue.drawn(root, pictures, size=64, shard_size=pictures)
    store = Store(root="counted://store")
    (shard,) = open_shards(store, drawn.folder, root / "vivid.toml")
    # As a step reads it: once for the shard's rows of the ledger.
    live = live_of(shard_rows(store, shard.name))
    counts: dict[str, list[int]] = {stage.name: [] for stage in all_stages()}
    for _ in range(2):
        for stage in all_stages():
            CountedFileSystem.calls.clear()
            with stage.at_work(shard) as work:
                work.run(live)
            counts[stage.name].append(CountedFileSystem.calls.total())
    return counts


def records(root: Path, pictures: int) -> dict[str, list[int]]:
    """How many events a run of one shard adds to Dagster's event log, and their bytes, by kind.

    With them, as ``of these metadata``, the bytes of what the stages tell; all else is Dagster's own.
    """
    import dagster as dg

    catalogue = DrawnCatalogue.drawn(root, pictures, size=160, shard_size=pictures)
    catalogue.scan()
    from vivid_assets.definitions import defs

    (shard,) = catalogue.shards()
    with quiet(), dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("vivid_shards", [shard])
        run = defs.resolve_job_def("vivid_catalogue").execute_in_process(instance=instance, partition_key=shard)
        entries = instance.all_logs(run.run_id)
    sizes: dict[str, list[int]] = {}
    for entry in entries:
        kind = entry.dagster_event_type.value if entry.dagster_event_type else "log messages"
        sizes.setdefault(kind, []).append(len(entry.to_json()))
    told = [one.materialization.metadata for one in run.get_asset_materialization_events()]
    return sizes | {"of these metadata": [len(dg.serialize_value(one)) for one in told]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=12)
    count = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        some, more = requests(Path(few), count), requests(Path(many), 2 * count)
    print("| stage | first run | a picture more | nothing to do | a picture more |\n|---|---|---|---|---|")
    for stage, (first, idle) in some.items():
        each = [(after - before) / count for after, before in zip(more[stage], (first, idle), strict=True)]
        print(f"| {stage} | {first} | {each[0]:.1f} | {idle} | {each[1]:.1f} |")
    with tempfile.TemporaryDirectory() as root:
        sizes = records(Path(root), count)
    print()
    metadata = sizes.pop("of these metadata")
    every = [one for each in sizes.values() for one in each]
    in_order = sorted(sizes.items(), key=lambda one: -sum(one[1]))
    for kind, those in [*in_order, ("all", every), ("of these metadata", metadata)]:
        print(f"{kind:32} {len(those):4} {sum(those) / 1e3:7.1f} kB")


if __name__ == "__main__":
    main()
