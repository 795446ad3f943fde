"""The ledger: every picture that a catalogue ever had, its shard, and what is asked for it.

One Parquet file per generation, sorted by shard, so that a stage reads only its own shard's rows. A scan commits
the next generation in a single exclusive write: two scans at once cannot both win, and a killed one changes nothing.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from partitions.assignment import LEDGER
from partitions.shards import catalogue_of
from resources.store import Store, table_bytes

_KEPT_GENERATIONS = 3


def read_ledger(store: Store, catalogue: str) -> tuple[pa.Table, int]:
    """The newest ledger (schema LEDGER) and its generation; empty and 0 before the first scan."""
    generation = _newest(store, catalogue)
    if generation == 0:
        return LEDGER.empty_table(), 0
    table = store.read_table(_path(catalogue, generation))
    return (LEDGER.empty_table(), 0) if table is None else (table, generation)


def commit_ledger(store: Store, catalogue: str, ledger: pa.Table, *, after: int) -> bool:
    """Make ``ledger`` the one that follows generation ``after``; False when another scan did so first."""
    if not store.create(_path(catalogue, after + 1), table_bytes(ledger, rows_per_group=512)):
        return False
    store.remove([_path(catalogue, old) for old in _generations(store, catalogue) if old <= after - _KEPT_GENERATIONS])
    return True


def live_pictures(store: Store, shard: str) -> list[dict[str, Any]]:
    """The shard's pictures that are neither changed since nor removed, by name."""
    catalogue = catalogue_of(shard)
    generation = _newest(store, catalogue)
    if generation == 0:
        return []
    rows = store.read_table(_path(catalogue, generation), filters=[("shard", "=", shard), ("retired", "=", "")])
    return [] if rows is None else rows.sort_by("picture").to_pylist()


def shards_of(store: Store, catalogue: str) -> list[str]:
    """The shards of a catalogue that have live pictures, oldest first."""
    ledger, _ = read_ledger(store, catalogue)
    return sorted(pc.unique(ledger.filter(pc.equal(ledger["retired"], ""))["shard"]).to_pylist())


def _newest(store: Store, catalogue: str) -> int:
    return max(_generations(store, catalogue), default=0)


def _generations(store: Store, catalogue: str) -> list[int]:
    names = store.names(f"catalogues/{catalogue}/ledger")
    return [int(name.removesuffix(".parquet")) for name in names if name.endswith(".parquet")]


def _path(catalogue: str, generation: int) -> str:
    return f"catalogues/{catalogue}/ledger/{generation:08d}.parquet"
