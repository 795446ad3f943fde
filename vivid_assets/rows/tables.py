"""A stage's table for one shard in the store, and the journal of a run that has not finished.

``tables/<stage>/<shard>.parquet`` is the table. While a run works, finished rows go to small files under
``tables/<stage>/<shard>.journal/``, so that a killed run's successor takes them over; the finished table
replaces the old one in a single write and the journal is removed.

``tables/<stage>/<shard>.shelf.parquet`` has rows that stood in the table before, the latest first: of pictures that are
gone, and of what was asked for once. What comes back takes its row from there, as long as its files are kept.
"""

import json
import logging
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from resources.errors import DamagedTable
from resources.store.store import Store
from vivid_assets.rows.stage import Stage

_FLUSH_SECONDS = 2.0
_SHELVED = 1024
"""Rows on a shelf, at most."""
_MADE_WITH = b"vivid_made_with"

_log = logging.getLogger(__name__)


def table_path(stage: Stage, shard: str) -> str:
    return f"tables/{stage.name}/{shard}.parquet"


def shelf_path(stage: Stage, shard: str) -> str:
    return f"tables/{stage.name}/{shard}.shelf.parquet"


def shards_with_tables(store: Store, stage: Stage) -> list[str]:
    """The shards of all catalogues of which the stage has a table."""
    names = store.names(f"tables/{stage.name}")
    return [name.removesuffix(".parquet") for name in names if name.count(".") == 1 and name.endswith(".parquet")]


def read_rows(store: Store, stage: Stage, shard: str) -> dict[str, dict[str, Any]]:
    """The shard's rows of ``stage`` by picture; empty when it was never materialised, or the table is damaged.

    So is a table of an earlier version with other columns: its rows are stale.
    """
    table = _read(store, table_path(stage, shard))
    return {row["picture"]: row for row in table.to_pylist()} if table is not None and _fits(table, stage) else {}


def read_shelf(store: Store, stage: Stage, shard: str) -> dict[str, dict[str, Any]]:
    """Earlier rows of the shard by their key."""
    table = _read(store, shelf_path(stage, shard))
    return {row["key"]: row for row in table.to_pylist()} if table is not None and _fits(table, stage) else {}


def shelve(store: Store, stage: Stage, shard: str, rows: Iterable[dict[str, Any]]) -> None:
    """Keep ``rows``, which stand in the table no longer, on its shelf."""
    if fresh := {row["key"]: row for row in rows}:
        kept = [*fresh.values(), *(row for key, row in read_shelf(store, stage, shard).items() if key not in fresh)]
        store.write_table(shelf_path(stage, shard), as_table(stage, kept[:_SHELVED]))


def read_statuses(store: Store, stage: str, shard: str) -> dict[str, str]:
    """The status of each of the shard's pictures in the stage of that name; empty as with ``read_rows``."""
    table = _read(store, f"tables/{stage}/{shard}.parquet")
    return {} if table is None else dict(zip(*(table[name].to_pylist() for name in ("picture", "status")), strict=True))


def write_rows(
    store: Store,
    stage: Stage,
    shard: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    made_with: Mapping[str, Any] | None = None,
) -> pa.Table:
    """Replace the shard's table by ``rows`` and return it. ``made_with`` goes into the file's own metadata."""
    table = as_table(stage, rows)
    noted = table.replace_schema_metadata({_MADE_WITH: json.dumps(dict(made_with or {}), sort_keys=True)})
    store.write_table(table_path(stage, shard), noted)
    return table


def read_made_with(store: Store, stage: Stage, shard: str) -> dict[str, Any]:
    """The settings and the models' revision that every good row of the table was made with; empty if unknown."""
    table = _read(store, table_path(stage, shard))
    metadata = (table.schema.metadata or {}) if table is not None else {}
    made_with: dict[str, Any] = json.loads(metadata.get(_MADE_WITH, b"{}"))
    return made_with


def as_table(stage: Stage, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of the stage's schema; a column that a failed row lacks is null."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=stage.schema)


class Journal:
    """The finished rows of a run under way."""

    def __init__(self, store: Store, stage: Stage, shard: str):
        self._store, self._stage = store, stage
        self._folder = f"tables/{stage.name}/{shard}.journal"
        self._run = uuid.uuid4().hex
        self._pending: list[Mapping[str, Any]] = []
        self._flushes = 0
        self._flushed_at = time.monotonic()

    def earlier(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The rows that earlier, unfinished runs left here, and the paths of their files."""
        paths = [f"{self._folder}/{name}" for name in self._store.names(self._folder)]
        tables = [_read(self._store, path) for path in paths]
        rows = [row for table in tables if table is not None and _fits(table, self._stage) for row in table.to_pylist()]
        return rows, paths

    def append(self, row: Mapping[str, Any]) -> None:
        """Keep ``row``; it is on the disk at the latest after two seconds' further rows, or with ``flush``."""
        self._pending.append(row)
        if time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            path = f"{self._folder}/{self._run}-{self._flushes:05d}.parquet"
            self._store.write_table(path, as_table(self._stage, self._pending))
            self._pending, self._flushes = [], self._flushes + 1
        self._flushed_at = time.monotonic()

    def clear(self, earlier: Iterable[str] = ()) -> None:
        """Remove this run's files and those of ``earlier`` runs, once the table holds their rows."""
        own = [f"{self._folder}/{self._run}-{number:05d}.parquet" for number in range(self._flushes)]
        self._store.remove([*own, *earlier])


def _read(store: Store, path: str) -> pa.Table | None:
    """The table, or None where there is none that can be read: its rows are then made anew."""
    try:
        return store.read_table(path)
    except DamagedTable as error:
        _log.error("%s Its rows count as missing; the next run of the stage computes them again.", error)
        return None


def _fits(table: pa.Table, stage: Stage) -> bool:
    return bool(table.schema.names == stage.schema.names)
