"""What becomes of shards of which little is left: their pictures move together, and what is gone is forgotten.

Every change of a picture leaves a retired row behind, so a shard empties as its pictures change and are removed; but a
run of a shard costs the same however few there are.
"""

from collections import defaultdict
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from partitions.assignment import LEDGER, MOVED, places_for, sorted_ledger
from partitions.shards import ordinal_of

_QUARTER = 4


@dataclass(frozen=True)
class Compaction:
    """The ledger with the pictures of sparse shards where new pictures go."""

    ledger: pa.Table
    moves: dict[tuple[str, str], list[str]]
    """By the shards from and to: the pictures that move."""


def compact(ledger: pa.Table, *, catalogue: str, shard_size: int) -> Compaction | None:
    """Move the pictures of shards that are a quarter full or less to where new pictures go; None if none becomes empty.

    Their old rows are retired, so that what is published of them is found. The newest shard stays.
    """
    sparse = [shard for shard, (live, _) in _counts(ledger).items() if 0 < _QUARTER * live <= shard_size]
    sparse = [shard for shard in sparse if shard != _newest(ledger)]
    is_live = pc.equal(ledger["retired"], "")
    goes = pc.and_(is_live, pc.is_in(ledger["shard"], value_set=pa.array(sparse, pa.string())))
    moving, staying = ledger.filter(goes).sort_by("picture"), ledger.filter(pc.and_not(is_live, goes))
    places = places_for(len(moving), ledger, staying, catalogue=catalogue, shard_size=shard_size)
    if len({*places} - {*pc.unique(staying["shard"]).to_pylist()}) >= len(sparse):
        return None
    moves: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for picture, old, new in zip(moving["picture"].to_pylist(), moving["shard"].to_pylist(), places, strict=True):
        moves[old, new].append(picture)
    here = _with(moving, "shard", pa.array(places, pa.string()))
    retired = _with(moving, "retired", pa.array([MOVED] * len(moving), pa.string()))
    return Compaction(sorted_ledger(pa.concat_tables([ledger.filter(pc.invert(goes)), here, retired])), dict(moves))


def without_the_gone(ledger: pa.Table) -> tuple[pa.Table, list[str]]:
    """The ledger without the retired rows of shards that have more of these than of others, and these shards.

    So it has at most twice as many rows as pictures. A shard without any picture is forgotten, except for the newest:
    its number would be given again.
    """
    counts = _counts(ledger)
    gone = [shard for shard, (live, every) in counts.items() if live < every - live]
    gone = [shard for shard in gone if counts[shard][0] or shard != _newest(ledger)]
    drops = pc.and_(
        pc.not_equal(ledger["retired"], ""), pc.is_in(ledger["shard"], value_set=pa.array(gone, pa.string()))
    )
    return ledger.filter(pc.invert(drops)), gone


def _newest(ledger: pa.Table) -> str:
    return max(pc.unique(ledger["shard"]).to_pylist(), key=ordinal_of, default="")


def _counts(ledger: pa.Table) -> dict[str, tuple[int, int]]:
    """By shard: how many of its rows are live, and how many there are."""
    rows = pa.table({"shard": ledger["shard"], "live": pc.cast(pc.equal(ledger["retired"], ""), pa.int64())})
    grouped = rows.group_by("shard").aggregate([("live", "sum"), ("live", "count")]).sort_by("shard")
    return {one["shard"]: (one["live_sum"], one["live_count"]) for one in grouped.to_pylist()}


def _with(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return rows.set_column(LEDGER.get_field_index(name), LEDGER.field(name), values)
