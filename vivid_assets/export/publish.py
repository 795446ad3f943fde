"""Publishing: what people see of a catalogue, made from its live ledger in one step that one run at a time takes.

Stages leave files that are named by what they depend on. Here composites get the names of their pictures,
``composites/<catalogue>/<picture>``, or ``composites/<catalogue>/<rendition>/<picture>``, and the dataset in
``export/<catalogue>/`` its rows; what is gone from the catalogue loses both. ``published/<catalogue>/<shard>.json`` has
the names that a shard's pictures have.

While a picture is computed again it keeps its old composite; one that failed, or is gone, has none.
"""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from partitions.shards import catalogue_of
from resources.errors import TakenOver
from resources.store.locks import Claims
from resources.store.store import Store, table_bytes
from vivid_assets.catalogue.ledger import live_of, places_of, shard_rows
from vivid_assets.catalogue.progress import EXPORT, live_digest, made_of, note_progress, read_progress
from vivid_assets.catalogue.renditions import each_rendition
from vivid_assets.export.card import dataset_card
from vivid_assets.export.part import Rows, export_part
from vivid_assets.rows.stage import FAILED, OK, Stage, name_of
from vivid_assets.rows.tables import read_made_with, read_rows

_log = logging.getLogger(__name__)

COMPOSITES = "composites"
_SIDE_BY_SIDE = 16


@dataclass(frozen=True)
class Published:
    """What publishing a shard came to."""

    part: pa.Table
    """The shard's rows of the dataset."""
    changed: bool
    """Whether the dataset's file of the shard was written."""
    named: int
    """Composites that got their name, or another content under it."""
    taken_away: int
    """Names that are no more."""
    also: list[str]
    """Other shards that were published, since pictures of theirs have moved here."""


def publish_shard(store: Store, shard: str, stages: Sequence[Stage]) -> Published:
    """Publish a shard as its ledger and its tables are now. Nothing is written where all is as it was.

    Who stood still meanwhile, and was taken over, may have given names or taken some away where the other run had done
    its own. It puts that right.

    Args:
        store: where.
        shard: the partition.
        stages: those whose rows the dataset has, the composites among them.

    Raises:
        MachineFault: the store takes no file.

    """
    catalogue = catalogue_of(shard)
    claims = Claims(store, "claims/publish")
    late: set[tuple[str, str]] = set()
    while True:
        with claims.held(catalogue) as claim:
            publisher = _Publisher(store, catalogue, stages, partial(claims.assert_held, claim))
            try:
                found, others = publisher.publish(shard)
                also = sorted((others | publisher.shards_of(late)) - {shard})
                for other in also:
                    publisher.publish(other)
                publisher.take_back(late, [shard, *also])
                publisher.write_card()
                claims.assert_held(claim)
                return Published(*found, also)
            except TakenOver as error:
                _log.warning("%s It publishes once more.", error)
                late |= publisher.touched


def published_name(catalogue: str, picture: str, file: str, rendition: str = "") -> str:
    """The published name of a picture's composite, or of one of its renditions, which is stored as ``file``.

    One in its source's format has its source's name. Otherwise a suffix is appended and none replaced, so that
    ``cup.jpg`` and ``cup.png`` stay two files.
    """
    own, made = PurePosixPath(picture).suffix.lower(), PurePosixPath(file).suffix
    is_same = own in (".jpg", ".jpeg") if made == ".jpg" else own == made
    folder = f"{catalogue}/{rendition}" if rendition else catalogue
    return f"{COMPOSITES}/{folder}/{picture}{'' if is_same else made}"


@dataclass(frozen=True)
class _Publisher:
    store: Store
    catalogue: str
    stages: Sequence[Stage]
    assert_held: Callable[[], None]
    touched: set[tuple[str, str]] = field(default_factory=set)
    """The names that were given or taken away: whose (``_key``), and which."""

    def publish(self, shard: str) -> tuple[tuple[pa.Table, bool, int, int], set[str]]:
        """Part, whether it was written, names given and taken away; and the shards that names came from."""
        # Noted before anything is read: what is made meanwhile is published once more.
        made = made_of(read_progress(self.store, [shard])[shard], [stage.name for stage in self.stages])
        ledger = shard_rows(self.store, shard)
        live = {_key(one): one for one in each_rendition(live_of(ledger))}
        rows = {stage.name: read_rows(self.store, stage, shard) for stage in self.stages}
        before = self._names(shard)
        others = self._take_over(shard, live, before)
        wanted = {key: self._wanted(one, rows) for key, one in live.items()}
        fresh = self._unlinked({picture: one for picture, one in wanted.items() if one is not None})
        if fresh:
            # First where they will be, so that whoever comes after a killed run knows every name that there may be.
            may_be = {picture: sorted({*before.get(picture, []), name}) for picture, (name, _) in fresh.items()}
            self._keep(shard, before | may_be)
        self.touched.update((picture, name) for picture, (name, _) in fresh.items())
        without = self._link(fresh)
        named = {picture: [one[0]] for picture, one in wanted.items() if one is not None and picture not in without}
        staying = (self._kept(live, rows, before) | without.keys()) - named.keys()
        kept = {picture: before[picture] for picture in staying & before.keys()}
        part, changed = self._write_part(shard, live, rows, named, without)
        gone = _all(before) - _all(named | kept)
        gone -= self._of_others(shard, gone, live, before)
        self.touched.update((picture, name) for picture, names in before.items() for name in gone & {*names})
        for name in sorted(gone):
            self.assert_held()
            self.store.remove([name])
        self._keep(shard, named | kept)
        for other, names in others.items():
            self._keep(other, names)
        note_progress(self.store, shard, EXPORT, {"live": live_digest(ledger), "made_of": made})
        return (part, changed, len(fresh), len(gone)), {*others}

    def shards_of(self, late: Collection[tuple[str, str]]) -> set[str]:
        """The shards where the pictures live whose names somebody touched too late."""
        places = places_of(self.store, self.catalogue, {_picture(key) for key, _ in late})
        return {shard for shards in places.values() for shard in shards}

    def take_back(self, late: Collection[tuple[str, str]], shards: Collection[str]) -> None:
        """Take away those of the names that somebody gave too late, and none of the ``shards`` has."""
        if unknown := {name for _, name in late} - {name for shard in shards for name in _all(self._names(shard))}:
            self.assert_held()
            self.store.remove(sorted(unknown))

    def _unlinked(self, wanted: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
        """The names and files, by picture, that are not linked yet; checked in parallel, since a store may be far."""
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            linked = pool.map(lambda one: self.store.is_linked(one[1], one[0]), wanted.values())
            return {picture: wanted[picture] for picture, is_one in zip(wanted, linked, strict=True) if not is_one}

    def _link(self, wanted: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        """Give the names. By picture: why it has none; empty where its file is lost, which its stage makes again."""

        def link(one: tuple[str, tuple[str, str]]) -> tuple[str, str] | None:
            picture, (name, file) = one
            try:
                self.store.link(file, name)
            except FileNotFoundError:
                return picture, ""
            except ValueError as error:
                return picture, str(error)
            return None

        without: dict[str, str] = {}
        waiting = iter(wanted.items())
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            while some := list(islice(waiting, 2 * _SIDE_BY_SIDE)):
                self.assert_held()
                without.update(one for one in pool.map(link, some) if one)
        return without

    def _wanted(self, one: Mapping[str, Any], rows: Mapping[str, Rows]) -> tuple[str, str] | None:
        """The name that the composite of a picture, or of a rendition, is to have, and its file."""
        row = rows[COMPOSITES].get(name_of(one))
        if row is None or row["status"] != OK:
            return None
        return published_name(self.catalogue, one["picture"], row["file"], one["rendition"]), row["file"]

    def _kept(self, live: "Live", rows: Mapping[str, Rows], before: Mapping[str, Any]) -> set[str]:
        """Those that keep their old files: not computed again yet, failing for now, or of another shard now."""
        waiting = set()
        for key, one in live.items():
            found = [rows[stage.name].get(stage.name_for(one)) for stage in self.stages]
            if name_of(one) not in rows[COMPOSITES] or any(row["transient"] for row in found if row):
                waiting.add(key)
        gone = {_picture(key) for key in before.keys() - live.keys()} - {_picture(key) for key in live}
        elsewhere = places_of(self.store, self.catalogue, gone) if gone else {}
        return {key for key in before if key in waiting or _picture(key) in elsewhere}

    def _take_over(self, shard: str, live: "Live", before: "Names") -> dict[str, "Names"]:
        """Add to ``before`` the names that pictures which are here now had in other shards; what is left to these."""
        moved = live.keys() - before.keys()
        if not moved:
            return {}
        places = places_of(self.store, self.catalogue, {_picture(key) for key in moved}, retired=True)
        others = {}
        for other in sorted({one for shards in places.values() for one in shards} - {shard}):
            names = self._names(other)
            # Those of renditions too that it has no more: nobody else would take them away.
            if taken := {key for key in names if _picture(key) in places}:
                before.update({picture: names[picture] for picture in taken})
                others[other] = {picture: name for picture, name in names.items() if picture not in taken}
        return others

    def _of_others(self, shard: str, gone: set[str], live: "Live", before: "Names") -> set[str]:
        """Those of the names that another shard has given since.

        A rendition may get the name that a folder of pictures had, or a folder that of a rendition.
        """
        if not gone or {_BETWEEN in key for key in live} == {_BETWEEN in key for key in before}:
            return set()
        below = [name.removeprefix(f"{COMPOSITES}/{self.catalogue}/") for name in gone]
        below += [name.partition("/")[2] for name in below]
        pictures = {*below, *(name.rpartition(".")[0] for name in below)} - {""}
        shards = {one for places in places_of(self.store, self.catalogue, pictures).values() for one in places}
        return {name for other in shards - {shard} for name in _all(self._names(other)) & gone}

    def _write_part(
        self,
        shard: str,
        live: "Live",
        rows: Mapping[str, Rows],
        named: "Names",
        without: Mapping[str, str],
    ) -> tuple[pa.Table, bool]:
        """Bring the shard's part of the dataset up to date. One without pictures is removed."""
        made_with = {stage.name: read_made_with(self.store, stage, shard).get("revision") for stage in self.stages}
        models = {stage: revision for stage, revision in made_with.items() if revision}
        path = part_path(shard)
        # People see a composite by its name.
        shown = {
            name: {**row, "file": named[key][0] if key in named else None}
            | ({"status": FAILED, "error": without[key]} if without.get(key) else {})
            for name, row in rows[COMPOSITES].items()
            for key in (_key(row),)
        }
        table = export_part(shard, [*live.values()], {**rows, COMPOSITES: shown}, models)
        if not len(table):
            self.store.remove([path])
            return table, False
        data = table_bytes(table)
        changed = self.store.size(path) != len(data) or self.store.read(path) != data
        if changed:
            self.assert_held()
            self.store.write(path, data)
        return table, changed

    def write_card(self) -> None:
        card, text = f"export/{self.catalogue}/README.md", dataset_card(self.catalogue)
        if self.store.size(card) != len(text) or self.store.read(card) != text:
            self.store.write(card, text)

    def _names(self, shard: str) -> "Names":
        return self.store.read_json(names_path(shard)) or {}

    def _keep(self, shard: str, names: "Names") -> None:
        if names != self._names(shard):
            self.store.write(names_path(shard), json.dumps(names, sort_keys=True).encode(), durable=True)


Names = dict[str, list[str]]
"""By ``_key``: the name of its composite; several only where a run that gave it another did not finish."""
Live = Mapping[str, Mapping[str, Any]]
"""By ``_key``: what the ledger has of a picture, or of one of its renditions."""

_BETWEEN = "\x1f"


def _key(row: Mapping[str, Any]) -> str:
    """What a picture, or one of its renditions, is called in the record of names: the picture can be read off it."""
    return f"{row['picture']}{_BETWEEN}{row['rendition']}" if row["rendition"] else row["picture"]


def _picture(key: str) -> str:
    return key.partition(_BETWEEN)[0]


def _all(names: Names) -> set[str]:
    return {name for those in names.values() for name in those}


def part_path(shard: str) -> str:
    """Where the shard's part of the dataset lies."""
    return f"export/{catalogue_of(shard)}/data/{shard}.parquet"


def names_path(shard: str) -> str:
    """The path of the record of the published names of the shard's composites."""
    return f"published/{catalogue_of(shard)}/{shard}.json"
