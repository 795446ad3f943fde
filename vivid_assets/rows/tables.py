"""A stage's table for one shard in the store, and the journal of a run that has not finished.

``tables/<stage>/<shard>/`` has the table, a file whose number is one higher than that of the table before it. It is
committed by one exclusive create, so that a run that was taken over while it stood still cannot write over what its
successor wrote, however late its request reaches the store.

While a run works, finished rows go to small files under ``tables/<stage>/<shard>.journal/``, so that a killed run's
successor takes them over; once the table is there the journal is removed.

``tables/<stage>/<shard>.shelf.parquet`` has rows that stood in the table before, the latest first: of pictures that are
gone, and of what was asked for once. What comes back takes its row from there, as long as its files are kept.
"""

import json
import logging
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import DamagedTable, MachineFault
from resources.store.store import Store, table_bytes
from vivid_assets.rows.stage import OK, Stage, name_of

_FLUSH_SECONDS = 2.0
_SHELVED = 1024
"""Rows on a shelf, at most."""
_MADE_WITH = b"vivid_made_with"

_log = logging.getLogger(__name__)


def table_path(stage: str, shard: str, number: int) -> str:
    """Where the shard's table of that number is in the store."""
    return f"{_folder(stage, shard)}/{number:08d}.parquet"


def newest_number(store: Store, stage: str, shard: str) -> int:
    """The number of the shard's table of the stage of that name; 0 where there is none yet."""
    numbers = [name.removesuffix(".parquet") for name in store.names(_folder(stage, shard))]
    return max((int(number) for number in numbers if number.isdigit()), default=0)


def shelf_path(stage: Stage, shard: str) -> str:
    return f"tables/{stage.name}/{shard}.shelf.parquet"


def table_folders(stage: Stage, shard: str) -> tuple[str, str]:
    """The folders of the shard's tables, and of its journal."""
    return _folder(stage.name, shard), f"{_folder(stage.name, shard)}.journal"


def shards_with_rows(store: Store, stage: Stage) -> list[str]:
    """The shards of all catalogues of which the stage has rows: in a table, on a shelf, in the journal of a run."""
    return sorted({name.partition(".")[0] for name in store.names(f"tables/{stage.name}")})


def read_rows(store: Store, stage: Stage, shard: str, *, only_whether: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The shard's rows of ``stage`` by their names; empty when it was never materialised, or the table is damaged.

    So is a table of an earlier version with other columns: its rows are stale. Of the columns ``only_whether`` a row
    has only whether there is a value.
    """
    return read_numbered(store, stage, shard, only_whether=only_whether)[0]


def read_numbered(
    store: Store, stage: Stage, shard: str, *, only_whether: Sequence[str] = ()
) -> tuple[dict[str, dict[str, Any]], int]:
    """As ``read_rows``, and the number of the table."""
    table, number = _read_newest(store, stage.name, shard)
    if table is None or not _fits(table, stage):
        return {}, number
    for column in only_whether:
        table = table.set_column(table.column_names.index(column), column, pc.is_valid(table[column]))
    return {name_of(row): row for row in table.to_pylist()}, number


def read_value(store: Store, stage: Stage, shard: str, picture: str, name: str, column: str) -> Any:
    """One value of the picture's row of that name, without reading the rest; None where there is no such row."""
    few = {"filters": [("picture", "=", picture)], "columns": ["picture", "rendition", column]}
    table, _ = _read_newest(store, stage.name, shard, **few)
    rows = table.to_pylist() if table is not None and column in table.column_names else []
    return next((row[column] for row in rows if name_of(row) == name), None)


def read_columns(store: Store, stage: Stage, shard: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Some columns of the shard's rows that came out well, without reading the rest; empty where there is no table."""
    part = {"filters": [("status", "=", OK)], "columns": ["picture", "rendition", *columns]}
    table, _ = _read_newest(store, stage.name, shard, **part)
    return table.to_pylist() if table is not None and {*columns} <= {*table.column_names} else []


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
    """The status of each of the shard's rows in the stage of that name; empty as with ``read_rows``."""
    table, _ = _read_newest(store, stage, shard)
    if table is None or not {"picture", "rendition", "status"} <= {*table.column_names}:
        return {}
    return {name_of(row): row["status"] for row in table.select(["picture", "rendition", "status"]).to_pylist()}


def write_rows(
    store: Store,
    stage: Stage,
    shard: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    after: int,
    made_with: Mapping[str, Any] | None = None,
) -> None:
    """Have ``rows`` as the table that follows the one with the number ``after``.

    ``made_with`` goes into the file's own metadata. Raises MachineFault where another run did so first.
    """
    table = as_table(stage, rows)
    noted = table.replace_schema_metadata({_MADE_WITH: json.dumps(dict(made_with or {}), sort_keys=True)})
    if not store.create(table_path(stage.name, shard, after + 1), table_bytes(noted)):
        raise MachineFault(f"Another run took over {stage.name} of {shard} while this one stood still.")
    folder = _folder(stage.name, shard)
    kept = f"{after + 1:08d}.parquet"
    store.remove([f"{folder}/{name}" for name in store.names(folder) if name < kept])


def read_made_with(store: Store, stage: Stage, shard: str) -> dict[str, Any]:
    """The settings and the models' revision that every good row of the table was made with; empty if unknown."""
    table, _ = _read_newest(store, stage.name, shard)
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
        _, self._folder = table_folders(stage, shard)
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


def _folder(stage: str, shard: str) -> str:
    return f"tables/{stage}/{shard}"


def _read_newest(store: Store, stage: str, shard: str, **part: Any) -> tuple[pa.Table | None, int]:
    """The table of the stage of that name, or None where there is none that can be read, and its number.

    ``part`` is what of it is read (``Store.read_table``).
    """
    number = newest_number(store, stage, shard)
    while number:
        table = _read(store, table_path(stage, shard, number), **part)
        # What is listed and not there has been cleared away by a run that wrote the next one meanwhile.
        if table is not None or (newest := newest_number(store, stage, shard)) == number:
            return table, number
        number = newest
    return None, 0


def _read(store: Store, path: str, **part: Any) -> pa.Table | None:
    """The table, or None where there is none that can be read: its rows are then made anew."""
    try:
        return store.read_table(path, **part)
    except DamagedTable as error:
        _log.error("%s Its rows count as missing; the next run of the stage computes them again.", error)
        return None


def _fits(table: pa.Table, stage: Stage) -> bool:
    return bool(table.schema.names == stage.schema.names)
