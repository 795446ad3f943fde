"""A catalogue under another name: its rows, files and records are taken along, so that nothing is computed again."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from partitions.assignment import LEDGER
from partitions.shards import ordinal_of, shard_key
from resources.store.locks import Claims
from resources.store.store import Store
from vivid_assets.catalogue.ledger import commit_ledger, read_ledger
from vivid_assets.catalogue.progress import EXPORT, note_progress, read_progress
from vivid_assets.catalogue.source import Catalogue, each_registered, find, register, take_off
from vivid_assets.export.outputs import outputs_of
from vivid_assets.review.page import review_page
from vivid_assets.rows.orphans import files_of
from vivid_assets.rows.stage import OK, Stage
from vivid_assets.rows.tables import newest_number, read_made_with, read_rows, read_shelf, shelve, write_rows

_RECORDS = ("settings.json", "digests.json")


def rename(store: Store, old: str, new: str, stages: Sequence[Stage], review: Stage) -> None:
    """Have the catalogue ``old`` under the name ``new``. What is published under it is published next.

    The old name goes last, so that one that was interrupted is simply repeated.

    Args:
        store: where.
        old: its name now.
        new: its new name.
        stages: all that there are.
        review: the one whose rows have a page.

    Raises:
        ValueError: there is no such catalogue, or the new name is taken.

    """
    catalogue = find(store, old)
    ledger, _ = read_ledger(store, old)
    shards = {shard: shard_key(new, ordinal_of(shard)) for shard in sorted({*ledger["shard"].to_pylist()})}
    places = pa.array([shards[shard] for shard in ledger["shard"].to_pylist()], pa.string())
    moved = ledger.set_column(ledger.schema.get_field_index("shard"), LEDGER.field("shard"), places)
    generation = _generation_before(store, catalogue, new, moved)
    for shard, named in shards.items():
        for stage in stages:
            with Claims(store, f"claims/{stage.name}").held(shard):
                _take_along(store, stage, shard, named, (f"artefacts/{old}/", f"artefacts/{new}/"))
        rows = [row for row in read_rows(store, review, named).values() if row["status"] == OK]
        if rows:
            store.write(f"review/{named}.html", review_page(named, rows))
        for stage_name, entry in read_progress(store, [shard])[shard].items():
            if stage_name != EXPORT:
                note_progress(store, named, stage_name, entry)
    kept = [f"catalogues/{old}/{name}" for name in _RECORDS]
    kept += [*store.files_below(f"desk/{old}"), f"judgements/{old}.jsonl"]
    for source in kept:
        if store.exists(source):
            folder, _, rest = source.partition(f"/{old}")
            store.write(f"{folder}/{new}{rest}", store.read(source))
    commit_ledger(store, new, moved, after=generation)
    register(store, new, catalogue.url)
    take_off(store, old)
    store.remove(outputs_of(store, old, stages))


def _generation_before(store: Store, catalogue: Catalogue, new: str, moved: pa.Table) -> int:
    """The generation of the ledger under the new name: 0, unless one that was interrupted has come that far."""
    there, generation = read_ledger(store, new)
    is_ours = bool(generation) and there.equals(moved) and new != catalogue.name
    known = dict(each_registered(store)).get(new)
    if known is not None and not (is_ours and known == Catalogue(name=new, url=catalogue.url)):
        raise ValueError(f"There is a catalogue {new!r} already: choose another name.")
    if generation and not is_ours:
        raise ValueError(
            f"The store has results of an earlier catalogue {new!r}: choose another name, or add it again and delete "
            f"them with: vivid catalogue remove {new} --files"
        )
    return generation


def _take_along(store: Store, stage: Stage, shard: str, named: str, folders: tuple[str, str]) -> None:
    """Bring a shard's rows of a stage, those on the shelf and the files of both to their new names."""
    for path in files_of(stage, [*read_rows(store, stage, shard).values(), *read_shelf(store, stage, shard).values()]):
        if path.startswith(folders[0]) and store.exists(path):
            store.link(path, path.replace(*folders, 1))
    shelf = [_elsewhere(row, folders) for row in read_shelf(store, stage, shard).values()]
    shelve(store, stage, named, shelf)
    rows = [_elsewhere(row, folders) for row in read_rows(store, stage, shard).values()]
    if rows:
        made_with = read_made_with(store, stage, shard)
        write_rows(store, stage, named, rows, after=newest_number(store, stage.name, named), made_with=made_with)


def _elsewhere(row: Mapping[str, Any], folders: tuple[str, str]) -> dict[str, Any]:
    return {
        name: value.replace(*folders, 1) if isinstance(value, str) and value.startswith(folders[0]) else value
        for name, value in row.items()
    }
