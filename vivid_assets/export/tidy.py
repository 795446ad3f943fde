"""Tidying a catalogue: shards of which little is left are merged, and the ledger forgets what nothing is kept of.

Rows move to the table of the shard that has their picture then, so nothing is computed again. Shards are merged the
first time; the next time, once the runs are through that publish the pictures from their new place, the empty ones go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from partitions.compaction import Compaction, compact, without_the_gone
from resources.store.locks import Claims
from resources.store.store import Store
from vivid_assets.catalogue.ledger import commit_ledger, read_ledger
from vivid_assets.catalogue.progress import asked_by_shard, note_progress, progress_path, read_progress, state_of
from vivid_assets.catalogue.source import Catalogue
from vivid_assets.export.publish import names_path, part_path
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.rows.stage import Stage
from vivid_assets.rows.tables import read_made_with, read_numbered, read_rows, shelf_path, table_folders, write_rows


@dataclass(frozen=True)
class Tidied:
    """What tidying a catalogue comes to."""

    merged: list[str] = field(default_factory=list)
    """Shards whose pictures are in others now."""
    forgotten: list[str] = field(default_factory=list)
    """Shards that had no picture any more."""
    files: dict[str, int] = field(default_factory=dict)
    """The files of these, and their sizes in bytes."""
    retired: int = 0
    """Rows that the ledger forgets."""
    why_not: str = ""
    """Why nothing was done, in a sentence."""


def tidy(
    store: Store, catalogue: Catalogue, stages: Sequence[Stage], exported: Sequence[Stage], *, change: bool
) -> Tidied:
    """Merge shards that are a quarter full or less, or else forget those that are empty.

    Args:
        store: where.
        catalogue: which.
        stages: all that there are.
        exported: those whose rows the dataset has.
        change: whether to do it, or only to find out.
    """
    state = state_of(store, catalogue.name, STAGE_NAMES, [stage.name for stage in exported])
    if state.unpublished or not all(one.is_retry for one in state.stale):
        return Tidied(why_not="Its shards are left as they are while it has runs to come.")
    ledger, generation = read_ledger(store, catalogue.name)
    try:
        shard_size = catalogue.read_file().shard_size
    except (OSError, ValueError) as error:
        return Tidied(why_not=f"Its shards are left as they are: {error}")
    compaction = compact(ledger, catalogue=catalogue.name, shard_size=shard_size)
    if compaction:
        if change:
            _carry(store, stages, compaction)
            if not commit_ledger(store, catalogue.name, compaction.ledger, after=generation):
                return Tidied(why_not="Its shards are left as they are: a scan came in between.")
        return Tidied(merged=sorted({old for old, _ in compaction.moves}))
    tidied, gone = without_the_gone(ledger)
    living = {*pc.unique(tidied["shard"]).to_pylist()}
    forgotten = [shard for shard in gone if shard not in living]
    files = {path: size for shard in forgotten for path, size in _files_of(store, shard, stages).items()}
    if change and gone:
        if not commit_ledger(store, catalogue.name, tidied, after=generation):
            return Tidied(why_not="Its shards are left as they are: a scan came in between.")
        _note_again(store, ledger, tidied, [shard for shard in gone if shard in living])
        store.remove(files)
    return Tidied(forgotten=forgotten, files=files, retired=len(ledger) - len(tidied))


def _carry(store: Store, stages: Sequence[Stage], compaction: Compaction) -> None:
    """Have the rows of the pictures that move in the tables of their new shards, before a run looks there."""
    for target in sorted({new for _, new in compaction.moves}):
        sources = {old: {*names} for (old, new), names in compaction.moves.items() if new == target}
        for stage in stages:
            with Claims(store, f"claims/{stage.name}").held(target):
                rows, number = read_numbered(store, stage, target)
                made_with = [read_made_with(store, stage, target)] if number else []
                for old, pictures in sources.items():
                    rows |= {
                        name: row for name, row in read_rows(store, stage, old).items() if row["picture"] in pictures
                    }
                    made_with.append(read_made_with(store, stage, old))
                ordered = sorted(rows.values(), key=lambda row: (row["picture"], row["rendition"]))
                write_rows(store, stage, target, ordered, after=number, made_with=_common(made_with))


def _common(made_with: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of what tables were made with that which holds for the rows of all of them."""
    first = made_with[0]
    return {
        part: {name: one for name, one in given.items() if all(of.get(part, {}).get(name) == one for of in made_with)}
        for part, given in first.items()
    }


def _note_again(store: Store, before: pa.Table, after: pa.Table, shards: Sequence[str]) -> None:
    """Have what these shards' stages processed counted as what is asked now: they have lost nothing that lives."""
    asked, asks = (
        asked_by_shard(ledger.filter(pc.is_in(ledger["shard"], value_set=pa.array(shards, pa.string()))))
        for ledger in (before, after)
    )
    progress = read_progress(store, shards)
    for shard in shards:
        for stage, entry in progress[shard].items():
            if entry.get("asked") == asked[shard]:
                note_progress(store, shard, stage, entry | {"asked": asks[shard]})


def _files_of(store: Store, shard: str, stages: Sequence[Stage]) -> dict[str, int]:
    """The files that are a shard's own: tables and records, and what is published of it."""
    found: dict[str, int] = {}
    for folder in (folder for stage in stages for folder in table_folders(stage, shard)):
        found |= store.files_below(folder)
    single = [progress_path(shard), names_path(shard), part_path(shard), f"review/{shard}.html"]
    return found | store.sizes([*single, *(shelf_path(stage, shard) for stage in stages)])
