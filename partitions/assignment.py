"""Which picture belongs to which shard.

Append-only: a new picture, and one whose content changed, goes into the newest shard until that is full, and then into
new ones; the old row of a changed or removed picture is retired; an unchanged picture never moves. So changes are
dense: ten thousand changes in a million are twenty full shards, and not two thousand shards with five pictures each;
and pictures that arrive one by one make no shard each.

What was there before goes back to where its results are: a picture that returns takes its retired row back, and one
that only changed its name, or its folder, goes into the shard where it was under the old one.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from partitions.shards import ordinal_of, shard_key

IDENTITY = pa.schema([("size", pa.int64()), ("stamp", pa.string()), ("content", pa.string())])
"""The identity of a picture's state.

``size`` in bytes and ``stamp`` (modification time or entity tag) are cheap and decide whether to look closer;
``content`` is the digest of the file, and alone decides whether the picture changed.
"""

REQUEST = pa.schema(
    [
        ("prompt", pa.string()),
        ("negative_prompt", pa.string()),
        ("seed", pa.int64()),
        ("background", pa.string()),
        ("background_content", pa.string()),
        ("mask", pa.string()),
        ("mask_content", pa.string()),
        ("tier", pa.string()),
        ("box", pa.string()),
        ("renditions", pa.string()),
    ]
)
"""The request for a picture, and where its renditions differ from it (``catalogue.renditions``).

A change reruns the stages that read it and moves no picture.
"""

FOUND = pa.schema([("picture", pa.string()), *IDENTITY, *REQUEST])
"""The result of a scan: one row per picture. No column has nulls; absent text is empty."""

LEDGER = pa.schema([*FOUND, ("shard", pa.string()), ("retired", pa.string()), ("returns", pa.int64())])
"""Every picture ever seen.

``retired`` is empty for a live row, else ``changed``, ``removed``, ``renamed`` or ``moved`` (to another shard; see
``partitions.compaction``). ``returns`` says how often the row has come back, so that its shard is seen to have work
again.
"""

MOVED = "moved"

NO_FILE = "missing"
"""The content of a requested picture whose file is missing."""


@dataclass(frozen=True)
class Assignment:
    """The ledger after a scan and what became of the pictures."""

    ledger: pa.Table
    new_shards: list[str]
    touched_shards: list[str]
    """Existing shards with a picture that is new there, or whose request changed."""
    new: int
    changed: int
    removed: int
    rerequested: int
    unchanged: int
    returned: int
    """Of the new and changed ones those that take back the row that they had."""
    renamed: int
    """Of the new ones those that are where they were under another name."""

    @property
    def shards_to_run(self) -> list[str]:
        return sorted({*self.new_shards, *self.touched_shards})


def assign(ledger: pa.Table, found: pa.Table, *, catalogue: str, shard_size: int) -> Assignment:
    """Bring ``ledger`` (schema LEDGER) up to date with ``found`` (schema FOUND, a row per picture).

    Raises ValueError when a picture occurs twice in ``found`` or ``shard_size`` is below 1.
    """
    if shard_size < 1:
        raise ValueError(f"shard_size must be at least 1, not {shard_size}")
    _refuse_duplicates(found)
    if _is_as_before(ledger, found):
        return Assignment(ledger, [], [], 0, 0, 0, 0, unchanged=len(found), returned=0, renamed=0)

    live = pc.equal(ledger["retired"], "")
    active, archive = ledger.filter(live), ledger.filter(pc.invert(live))

    is_known = pc.is_in(found["picture"], value_set=active["picture"])
    is_found = pc.is_in(active["picture"], value_set=found["picture"])
    new = found.filter(pc.invert(is_known))
    removed = active.filter(pc.invert(is_found))

    # The same pictures in the same order on both sides, so that columns compare element by element.
    before = active.filter(is_found).sort_by("picture")
    after = found.filter(is_known).sort_by("picture")
    same_content = pc.equal(before["content"], after["content"])
    changed_before, changed = before.filter(pc.invert(same_content)), after.filter(pc.invert(same_content))
    rerequested = before.select(["shard"]).filter(pc.and_(same_content, _differs(before, after, REQUEST.names)))
    kept, kept_places = after.filter(same_content), before.select(["shard", "returns"]).filter(same_content)
    # A million pictures take some hundred megabytes in each of these.
    del active, before, after

    archive = pa.concat_tables(
        [archive, _placed(changed_before, changed_before, "changed"), _placed(removed, removed, "removed")]
    )
    archive, returning, entering = _take_back(archive, pa.concat_tables([new, changed]))
    archive, moved, entering = _renamed(archive, entering)
    entering = entering.sort_by("picture")
    settled = pa.concat_tables([_placed(kept, kept_places, ""), returning, moved])
    shards = places_for(len(entering), ledger, settled, catalogue=catalogue, shard_size=shard_size)
    filled = {*shards} & {*pc.unique(ledger["shard"]).to_pylist()}
    places = pa.table({"shard": pa.array(shards, pa.string()), "returns": pa.array([0] * len(shards), pa.int64())})

    rows = pa.concat_tables([archive, settled, _placed(entering, places, "")])
    touched = pa.concat_tables([rerequested, returning.select(["shard"]), moved.select(["shard"])])
    return Assignment(
        ledger=sorted_ledger(rows),
        new_shards=sorted({*shards} - filled),
        touched_shards=sorted({*pc.unique(touched["shard"]).to_pylist()} | filled),
        new=len(new),
        changed=len(changed),
        removed=len(removed),
        rerequested=len(rerequested),
        unchanged=len(kept) - len(rerequested),
        returned=len(returning),
        renamed=len(moved),
    )


def places_for(count: int, ledger: pa.Table, settled: pa.Table, *, catalogue: str, shard_size: int) -> list[str]:
    """The shards of so many pictures that come: the newest of the ``ledger`` until it is full, then new ones.

    ``settled`` are the rows that live where they are.
    """
    newest = max((ordinal_of(shard) for shard in pc.unique(ledger["shard"]).to_pylist()), default=0)
    held = pc.sum(pc.equal(settled["shard"], shard_key(catalogue, newest))).as_py() or 0
    # A shard with more pictures than the current limit counts as full.
    first = newest * shard_size + min(held, shard_size)
    return [shard_key(catalogue, (first + position) // shard_size) for position in range(count)]


def sorted_ledger(rows: pa.Table) -> pa.Table:
    """The rows in a ledger's order."""
    return rows.sort_by([("shard", "ascending"), ("picture", "ascending"), ("content", "ascending")])


def _take_back(archive: pa.Table, entering: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """The archive without the rows that live again, these rows, and what of ``entering`` (schema FOUND) is left."""
    if not len(entering) or not len(archive):
        return archive, LEDGER.empty_table(), entering
    # A row that moved stands for the one at its new place, which is retired itself by now.
    moved = archive.filter(pc.equal(archive["retired"], MOVED))
    archive = archive.filter(pc.not_equal(archive["retired"], MOVED))
    position = pc.index_in(_identity(entering), _identity(archive))
    is_back = pc.is_valid(position)
    places = archive.take(position.filter(is_back))
    returning = _placed(entering.filter(is_back), _once_more(places), "")
    stays = pc.invert(pc.is_in(_identity(archive), value_set=_identity(returning)))
    return pa.concat_tables([archive.filter(stays), moved]), returning, entering.filter(pc.invert(is_back))


def _renamed(archive: pa.Table, entering: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """As ``_take_back``: pictures whose content was here under a name that is gone, each in that one's shard."""
    by_content: dict[str, list[int]] = {}
    if len(entering):
        elsewhere = pc.is_in(archive["retired"], value_set=pa.array(["renamed", MOVED]))
        free = pc.and_(pc.invert(elsewhere), pc.not_equal(archive["content"], NO_FILE))
        wanted = pc.and_(free, pc.is_in(archive["content"], value_set=entering["content"]))
        for index in np.flatnonzero(wanted.to_numpy(zero_copy_only=False)).tolist():
            by_content.setdefault(archive["content"][index].as_py(), []).append(index)
    if not by_content:
        return archive, LEDGER.empty_table(), entering
    contents = entering["content"].to_pylist()
    pairs = [(row, by_content[content].pop()) for row, content in enumerate(contents) if by_content.get(content)]
    rows, places = [row for row, _ in pairs], [place for _, place in pairs]
    is_moved, is_place = np.isin(np.arange(len(entering)), rows), np.isin(np.arange(len(archive)), places)
    moved = _placed(entering.take(rows), _once_more(archive.take(places)), "")
    retired = pc.if_else(pa.array(is_place), "renamed", archive["retired"])
    archive = archive.set_column(archive.schema.get_field_index("retired"), LEDGER.field("retired"), retired)
    return archive, moved, entering.filter(pa.array(~is_moved))


def _identity(rows: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(rows["picture"], rows["content"], "\x1f")


def _once_more(places: pa.Table) -> pa.Table:
    return pa.table({"shard": places["shard"], "returns": pc.add(places["returns"], 1)})


def _is_as_before(ledger: pa.Table, found: pa.Table) -> bool:
    """Whether the live rows equal the scan's result: the usual case, which needs no further work."""
    live = ledger.filter(pc.equal(ledger["retired"], "")).select(FOUND.names).sort_by("picture")
    return bool(live.equals(found.sort_by("picture")))


def _placed(rows: pa.Table, places: pa.Table, retired: str) -> pa.Table:
    """Rows of FOUND as rows of the ledger; ``places`` has the shard and the returns of each."""
    why = pa.array([retired] * len(rows), pa.string())
    columns = [*(rows[name] for name in FOUND.names), places["shard"], why, places["returns"]]
    return pa.table(columns, schema=LEDGER)


def _differs(before: pa.Table, after: pa.Table, names: list[str]) -> pa.ChunkedArray:
    differs = pa.chunked_array([pa.array([False] * len(before), pa.bool_())])
    for name in names:
        differs = pc.or_(differs, pc.not_equal(before[name], after[name]))
    return differs


def _refuse_duplicates(found: pa.Table) -> None:
    counts = pc.value_counts(found["picture"])
    twice = (
        [entry["values"].as_py() for entry in counts if entry["counts"].as_py() > 1] if len(counts) < len(found) else []
    )
    if twice:
        raise ValueError(f"Pictures are listed more than once: {len(twice)}, such as {twice[0]!r}.")
