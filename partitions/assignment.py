"""Which picture belongs to which shard.

Append-only: a new picture, and one whose content changed, goes into new shards; the old row of a changed or
removed picture is retired; an unchanged picture never moves. So a night's work is dense: ten thousand changes
in a million are twenty full shards, and not two thousand shards with five pictures each.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from partitions.shards import ordinal_of, shard_key

IDENTITY = pa.schema([("size", pa.int64()), ("stamp", pa.string()), ("content", pa.string())])
"""What tells one state of a picture from another.

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
    ]
)
"""What the user asks for a picture. A change here reruns the stages that read it and moves nothing."""

FOUND = pa.schema([("picture", pa.string()), *IDENTITY, *REQUEST])
"""What a scan found: a row per picture. No column holds nulls; absent text is empty."""

LEDGER = pa.schema([*FOUND, ("shard", pa.string()), ("retired", pa.string())])
"""Every picture ever seen. ``retired`` is empty for a live row, else ``changed`` or ``removed``."""


@dataclass(frozen=True)
class Assignment:
    """The ledger after a scan and what became of the pictures."""

    ledger: pa.Table
    new_shards: list[str]
    touched_shards: list[str]
    """Existing shards with a picture whose request changed."""
    new: int
    changed: int
    removed: int
    rerequested: int
    unchanged: int

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
        return Assignment(ledger, [], [], new=0, changed=0, removed=0, rerequested=0, unchanged=len(found))

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
    rerequested = before["shard"].filter(pc.and_(same_content, _differs(before, after, REQUEST.names)))
    kept, kept_shards = after.filter(same_content), before["shard"].filter(same_content)
    # A million pictures take some hundred megabytes in each of these.
    del active, before, after

    entering = pa.concat_tables([new, changed]).sort_by("picture")
    first = 1 + max((ordinal_of(shard) for shard in pc.unique(ledger["shard"]).to_pylist()), default=-1)
    shards = [shard_key(catalogue, first + position // shard_size) for position in range(len(entering))]

    rows = pa.concat_tables(
        [
            archive,
            _placed(changed_before, changed_before["shard"], "changed"),
            _placed(removed, removed["shard"], "removed"),
            _placed(kept, kept_shards, ""),
            _placed(entering, pa.chunked_array([shards], pa.string()), ""),
        ]
    )
    return Assignment(
        ledger=rows.sort_by([("shard", "ascending"), ("picture", "ascending"), ("content", "ascending")]),
        new_shards=sorted(set(shards)),
        touched_shards=sorted(pc.unique(rerequested).to_pylist()),
        new=len(new),
        changed=len(changed),
        removed=len(removed),
        rerequested=len(rerequested),
        unchanged=len(kept) - len(rerequested),
    )


def _is_as_before(ledger: pa.Table, found: pa.Table) -> bool:
    """Whether the live rows are what was found: the usual night, which need not be taken apart."""
    live = ledger.filter(pc.equal(ledger["retired"], "")).select(FOUND.names).sort_by("picture")
    return live.equals(found.sort_by("picture"))


def _placed(rows: pa.Table, shards: pa.ChunkedArray, retired: str) -> pa.Table:
    columns = [*(rows[name] for name in FOUND.names), shards, pa.array([retired] * len(rows), pa.string())]
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
        raise ValueError(f"{len(twice)} pictures are listed more than once, such as {twice[0]!r}.")
