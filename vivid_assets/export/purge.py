"""Purging: what a store keeps of pictures that are not in a catalogue any more, and how it is deleted.

Kept it is so that a picture that returns costs nothing: rows in tables and on shelves, and the files that they name.
Deleted is only what no live row names, and no row of a run under way; with it go files that no row ever named, or none
names any more (``rows.orphans``).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from partitions.shards import catalogue_of
from resources.store.locks import Claims
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures, places_of, read_ledger
from vivid_assets.catalogue.renditions import each_rendition
from vivid_assets.review.page import review_page
from vivid_assets.rows.orphans import every_row, files_of, find_orphans
from vivid_assets.rows.stage import OK, Stage
from vivid_assets.rows.tables import (
    Journal,
    read_made_with,
    read_numbered,
    read_rows,
    read_shelf,
    shards_with_rows,
    shelf_path,
    shelve,
    write_rows,
)

_SCENES = "scenes/"


@dataclass
class Rubbish:
    """What may go."""

    pictures: set[str] = field(default_factory=set)
    """Whose rows there still are, though the catalogue has them no more, or not with that content."""
    tables: list[tuple[Stage, str]] = field(default_factory=list)
    """Stages and shards whose table or shelf has such rows."""
    files: dict[str, int] = field(default_factory=dict)
    """Paths in the store and their sizes in bytes."""
    orphans: dict[str, int] = field(default_factory=dict)
    """As ``files``: those that no row names at all."""


def find_rubbish(store: Store, catalogue: str, stages: Sequence[Stage], only: Collection[str] = ()) -> Rubbish:
    """The stored results of pictures that are no longer in the catalogue, or of those of them named in ``only``.

    Raises ValueError where one of these is in the catalogue, or never was.
    """
    _assert_gone(store, catalogue, only)
    found = Rubbish()
    named: set[str] = set()
    dead: set[str] = set()
    ledger, _ = read_ledger(store, catalogue)
    shards = sorted({*ledger["shard"].to_pylist()})
    for shard in shards:
        pictures = each_rendition(live_pictures(store, shard))
        for stage in stages:
            live = {stage.name_for(one) for one in pictures}
            stay, go = _apart(store, stage, shard, live, only)
            named |= {*files_of(stage, stay)}
            dead |= {*files_of(stage, go)}
            if go:
                found.tables.append((stage, shard))
                found.pictures |= {row["picture"] for row in go}
    candidates = dead - named
    if any(path.startswith(_SCENES) for path in candidates):
        candidates -= {*_scenes_of_others(store, catalogue, stages)}
    found.files = store.sizes(sorted(candidates))
    if not only:
        found.orphans = find_orphans(store, catalogue, shards, stages, now=datetime.now(UTC))
    return found


def delete_rubbish(store: Store, rubbish: Rubbish, review: Stage, only: Collection[str] = ()) -> None:
    """Delete it: rows first, so that none names a file that is gone. ``review`` is the stage whose pages show rows."""
    for stage, shard in rubbish.tables:
        with Claims(store, f"claims/{stage.name}").held(shard):
            live = {stage.name_for(one) for one in each_rendition(live_pictures(store, shard))}
            made_with, (rows, number) = read_made_with(store, stage, shard), read_numbered(store, stage, shard)
            stay = [row for name, row in rows.items() if name in live or not _goes(row["picture"], only)]
            if len(stay) < len(rows):
                write_rows(store, stage, shard, stay, after=number, made_with=made_with)
            shelf = [row for row in read_shelf(store, stage, shard).values() if not _goes(row["picture"], only)]
            store.remove([shelf_path(stage, shard)])
            shelve(store, stage, shard, shelf)
        if stage is review:
            page = f"review/{shard}.html"
            if store.exists(page):
                store.write(page, review_page(shard, [row for row in stay if row["status"] == OK]))
    store.remove([*rubbish.files, *rubbish.orphans])


def _assert_gone(store: Store, catalogue: str, pictures: Collection[str]) -> None:
    if living := sorted(places_of(store, catalogue, pictures)):
        raise ValueError(
            f"{living[0]!r} is in {catalogue}: remove it from the folder, or from the manifest, and scan first "
            f"(vivid catalogue scan {catalogue})."
        )
    once = places_of(store, catalogue, pictures, retired=True)
    if unknown := sorted({*pictures} - once.keys()):
        raise ValueError(f"{unknown[0]!r} was never in {catalogue}: give its name relative to the folder.")


def _apart(
    store: Store, stage: Stage, shard: str, live: Collection[str], only: Collection[str]
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The rows that stay, and those that go."""
    stay: list[Mapping[str, Any]] = [*Journal(store, stage, shard).earlier()[0]]
    go: list[Mapping[str, Any]] = []
    for name, row in read_rows(store, stage, shard).items():
        (stay if name in live or not _goes(row["picture"], only) else go).append(row)
    for row in read_shelf(store, stage, shard).values():
        (go if _goes(row["picture"], only) else stay).append(row)
    return stay, go


def _goes(picture: str, only: Collection[str]) -> bool:
    return not only or picture in only


def _scenes_of_others(store: Store, catalogue: str, stages: Sequence[Stage]) -> Iterator[str]:
    """The scenes that rows of other catalogues name, those of unfinished runs too: the cache is for all."""
    for stage in stages:
        for shard in shards_with_rows(store, stage):
            if catalogue_of(shard) != catalogue:
                named = files_of(stage, every_row(store, stage, shard))
                yield from (path for path in named if path.startswith(_SCENES))
