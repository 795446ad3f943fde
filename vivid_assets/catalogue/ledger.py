"""The ledger: every picture that a catalogue ever had, its shard, and its request.

One Parquet file per generation, sorted by shard, so that a stage reads only its own shard's rows. A scan commits
the next generation in a single exclusive write: two scans at once cannot both win, and a killed one changes nothing.
"""

import logging
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from partitions.assignment import LEDGER
from partitions.shards import catalogue_of
from resources.errors import DamagedTable, MachineFault
from resources.store.store import Store, table_bytes

_KEPT_GENERATIONS = 3

_log = logging.getLogger(__name__)


def read_ledger(store: Store, catalogue: str) -> tuple[pa.Table, int]:
    """The newest ledger (schema LEDGER) and its generation; empty and 0 before the first scan.

    Raises DamagedTable when it cannot be read; the next scan mends that (see ``last_sound_ledger``).
    """
    return _read_newest(store, catalogue)


def last_sound_ledger(store: Store, catalogue: str) -> tuple[pa.Table, int]:
    """The newest ledger that can be read, and the newest generation of all, which it is to be committed after.

    The scan finds what the damaged generations recorded again by comparing with the source.
    """
    generations = sorted(_generations(store, catalogue), reverse=True)
    for generation in generations:
        try:
            table = _read(store, catalogue, generation)
        except DamagedTable as error:
            _log.error("%s", error)
            continue
        if table is not None:
            _log.error("The ledger of %s is read from generation %d.", catalogue, generation)
            return table, generations[0]
    _log.error("No ledger of %s can be read: every picture counts as new.", catalogue)
    return LEDGER.empty_table(), generations[0]


def commit_ledger(store: Store, catalogue: str, ledger: pa.Table, *, after: int) -> bool:
    """Make ``ledger`` the one that follows generation ``after``; False when another scan did so first."""
    if not store.create(_path(catalogue, after + 1), table_bytes(ledger, rows_per_group=512)):
        return False
    store.remove([_path(catalogue, old) for old in _generations(store, catalogue) if old <= after - _KEPT_GENERATIONS])
    return True


def shard_rows(store: Store, shard: str) -> pa.Table:
    """The shard's rows of the newest ledger, retired ones too (schema LEDGER)."""
    rows, _ = _read_newest(store, catalogue_of(shard), filters=[("shard", "=", shard)])
    return rows


def live_pictures(store: Store, shard: str) -> list[dict[str, Any]]:
    """The shard's pictures that are neither changed since nor removed, by name."""
    return live_of(shard_rows(store, shard))


def live_of(rows: pa.Table) -> list[dict[str, Any]]:
    """Those of the ledger's ``rows`` that are not retired, by name."""
    live: list[dict[str, Any]] = rows.filter(pc.equal(rows["retired"], "")).sort_by("picture").to_pylist()
    return live


def shards_of(store: Store, catalogue: str) -> list[str]:
    """The shards of a catalogue that have live pictures, oldest first."""
    ledger, _ = read_ledger(store, catalogue)
    return sorted(pc.unique(ledger.filter(pc.equal(ledger["retired"], ""))["shard"]).to_pylist())


def places_of(
    store: Store, catalogue: str, pictures: Collection[str], *, retired: bool = False
) -> dict[str, list[str]]:
    """By picture: the shard where it lives, or those where it once did (``retired``); who never did is left out."""
    if not pictures:
        return {}
    # Groups of rows in which nothing was retired are not even read.
    rows, _ = _read_newest(store, catalogue, filters=[("retired", "!=" if retired else "=", "")])
    wanted = rows.filter(pc.is_in(rows["picture"], value_set=pa.array([*pictures], pa.string())))
    places: dict[str, list[str]] = {}
    for picture, shard in zip(wanted["picture"].to_pylist(), wanted["shard"].to_pylist(), strict=True):
        places.setdefault(picture, []).append(shard)
    return places


def _read_newest(store: Store, catalogue: str, filters: list[Any] | None = None) -> tuple[pa.Table, int]:
    """The rows of the newest ledger that meet ``filters``, and its generation; empty and 0 before the first scan.

    One that is listed and not there has been cleared away by a scan meanwhile: there is a newer one then.
    """
    for _ in range(_KEPT_GENERATIONS):
        generation = newest_generation(store, catalogue)
        if not generation:
            return LEDGER.empty_table(), 0
        table = _read(store, catalogue, generation, filters)
        if table is not None:
            return table, generation
    raise MachineFault(f"{store.path(_path(catalogue, generation))} is listed, but is not there.")


def _read(store: Store, catalogue: str, generation: int, filters: list[Any] | None = None) -> pa.Table | None:
    path = _path(catalogue, generation)
    try:
        table = store.read_table(path, filters=filters)
    except DamagedTable as error:
        raise DamagedTable(f"{error} It is {catalogue}'s ledger: scan the catalogue again to repair it.") from error
    if table is not None and table.schema.names != LEDGER.names:
        raise MachineFault(
            f"{store.path(path)} was written by another version of this program: use a new store (--store), "
            "and add the catalogue there again."
        )
    return table


def newest_generation(store: Store, catalogue: str) -> int:
    """The number of the newest ledger; 0 before the first scan."""
    return max(_generations(store, catalogue), default=0)


def _generations(store: Store, catalogue: str) -> list[int]:
    names = store.names(f"catalogues/{catalogue}/ledger")
    numbers = [name.removesuffix(".parquet") for name in names if name.endswith(".parquet")]
    return [int(number) for number in numbers if number.isdigit()]


def _path(catalogue: str, generation: int) -> str:
    return f"catalogues/{catalogue}/ledger/{generation:08d}.parquet"
