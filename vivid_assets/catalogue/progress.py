"""The state of each shard: the requests that its stages last processed, and the result.

``progress/<catalogue>/<shard>.json`` has an entry per stage. Compared with the ledger it shows which shards are stale,
whatever happened to the scan, the tick or the run in between. If it is lost, each shard is checked once, and no result
is lost.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from partitions.assignment import REQUEST
from partitions.shards import catalogue_of
from resources.errors import MachineFault
from resources.store.locks import Claims
from resources.store.store import Store
from vivid_assets.catalogue.identity import IS_CLIP
from vivid_assets.catalogue.ledger import live_pictures, newest_generation, read_ledger
from vivid_assets.catalogue.renditions import each_rendition
from vivid_assets.flow import PER_RENDITION
from vivid_assets.rows.stage import name_of
from vivid_assets.rows.tables import read_statuses

EXPORT = "export"
"""The entry that publishing makes, beside those of the stages."""

_ASKED = ("picture", "content", *REQUEST.names, "returns")
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class StaleShard:
    """A shard that is not up to date."""

    shard: str
    asked: str
    """The digest of its pictures and their requests."""
    is_retry: bool = False
    """All stages ran, but pictures failed, or are degraded, for a reason that may have passed; or rows are left of
    pictures that have been removed since."""


@dataclass(frozen=True)
class State:
    """What there is to do for a catalogue."""

    stale: list[StaleShard]
    """Shards that the stages have to run; last those that are only worth another try."""
    unpublished: list[str]
    """Other shards whose published files and dataset do not match their live rows and the stages' last results."""


def state_of(store: Store, catalogue: str, stages: Collection[str], exported: Collection[str]) -> State:
    """What there is to do: for all ``stages``, and for publishing the results of those that are ``exported``.

    A shard is stale if any stage last processed other pictures, or other requests for them.
    """
    shards = summary_of(store, catalogue)
    progress = read_progress(store, shards)
    stale, again, unpublished = [], [], []
    for shard, wanted in shards.items():
        entries = {stage: progress[shard].get(stage, {}) for stage in stages}
        current = {stage: entry for stage, entry in entries.items() if entry.get("asked") == wanted.asked}
        # A shard that its failed pictures stopped would stop again: it waits for a person or a new file.
        if wanted.pictures and len(current) < len(entries) and not any(entry["stopped"] for entry in current.values()):
            stale.append(StaleShard(shard, wanted.asked))
            continue
        if wanted.pictures and any(
            entry["transient"] or has_others(entry, wanted.rows(stage)) for stage, entry in current.items()
        ):
            again.append(StaleShard(shard, wanted.asked, is_retry=True))
        published = {"live": wanted.live, "made_of": made_of(progress[shard], exported)}
        # Without any result there is nothing to publish.
        if progress[shard] and progress[shard].get(EXPORT) != published:
            unpublished.append(shard)
    return State(stale + again, unpublished)


def has_others(entry: Mapping[str, Any], rows: int) -> bool:
    """Whether a stage's record counts other than so many ``rows``: pictures have been removed since."""
    return "counts" in entry and sum(entry["counts"].values()) != rows


def counts_of(store: Store, catalogue: str, stages: Collection[str]) -> dict[str, Counter[str]]:
    """By stage: how many of the catalogue's pictures have which status, or are ``to do``.

    The stages' records suffice, except for shards that changed since: their tables are read.
    """
    shards = summary_of(store, catalogue)
    progress = read_progress(store, shards)
    counts: dict[str, Counter[str]] = {stage: Counter() for stage in stages}
    for shard, wanted in shards.items():
        entries = {stage: progress[shard].get(stage, {}) for stage in stages}
        changed = [
            stage
            for stage, entry in entries.items()
            if entry.get("asked") != wanted.asked or sum(entry.get("counts", {}).values()) != wanted.rows(stage)
        ]
        for stage in entries.keys() - changed:
            counts[stage].update(entries[stage]["counts"])
        live = live_pictures(store, shard) if changed and wanted.pictures else []
        each = each_rendition(live)
        for stage in changed:
            statuses = read_statuses(store, stage, shard) if live else {}
            asked = each if stage in PER_RENDITION else live
            counts[stage].update(statuses.get(name_of(one), "to do") for one in asked)
    return counts


@dataclass(frozen=True)
class Wanted:
    """The ledger's summary of a shard."""

    asked: str
    """A digest of its pictures and their requests; see ``asked_by_shard``."""
    live: str
    """The same for the pictures that are in the catalogue now; empty for none."""
    pictures: int
    """How many these are."""
    renditions: int
    """How many renditions of them are asked for: as many as pictures where none is declared."""
    clips: int
    """How many of the pictures are clips."""

    def rows(self, stage: str) -> int:
        """How many rows the stage of that name has when it is done."""
        return self.renditions if stage in PER_RENDITION else self.pictures


def summary_of(store: Store, catalogue: str) -> dict[str, Wanted]:
    """The newest ledger's summary of each shard: computed once per ledger, which may have a million rows."""
    path, generation = f"catalogues/{catalogue}/summary.json", newest_generation(store, catalogue)
    kept = store.read_json(path) or {}
    if kept.get("generation") == generation:
        # One of another version is made anew.
        with suppress(TypeError):
            return {shard: Wanted(*wanted) for shard, wanted in kept["shards"].items()}
    ledger, generation = read_ledger(store, catalogue)
    asked = asked_by_shard(ledger)
    live = _live_by_shard(ledger, asked)
    alive = ledger.filter(pc.equal(ledger["retired"], ""))
    pictures, renditions = Counter[str](), Counter[str]()
    for one in alive.group_by(["shard", "renditions"]).aggregate([([], "count_all")]).to_pylist():
        pictures[one["shard"]] += one["count_all"]
        renditions[one["shard"]] += one["count_all"] * (len(json.loads(one["renditions"])) if one["renditions"] else 1)
    clips = Counter(alive.filter(pc.match_substring_regex(alive["content"], IS_CLIP))["shard"].to_pylist())
    shards = {
        shard: Wanted(asks, live[shard], pictures[shard], renditions[shard], clips[shard])
        for shard, asks in asked.items()
    }
    kept = {"generation": generation, "shards": {shard: astuple(wanted) for shard, wanted in shards.items()}}
    # Users with read access call this too.
    with suppress(OSError, MachineFault):
        store.write(path, json.dumps(kept).encode())
    return shards


def made_of(progress: Mapping[str, Mapping[str, Any]], exported: Collection[str]) -> str:
    """A digest of what the stages that are ``exported`` last made of a shard."""
    versions = [progress.get(stage, {}).get("version", "") for stage in exported]
    return hashlib.blake2b("\n".join(versions).encode(), digest_size=16).hexdigest()


def live_digest(rows: pa.Table) -> str:
    """As ``asked_by_shard``, of a shard's live rows alone: it changes when a picture leaves, too. Empty for none."""
    return next(iter(asked_by_shard(rows.filter(pc.equal(rows["retired"], ""))).values()), "")


def _live_by_shard(ledger: pa.Table, asked: Mapping[str, str]) -> dict[str, str]:
    """``live_digest`` of every shard; where nothing was retired it is what is ``asked``."""
    retired = pc.not_equal(ledger["retired"], "")
    thinned = pc.unique(ledger["shard"].filter(retired))
    rest = asked_by_shard(ledger.filter(pc.and_(pc.invert(retired), pc.is_in(ledger["shard"], value_set=thinned))))
    return {**asked, **dict.fromkeys(thinned.to_pylist(), ""), **rest}


def shards_with_failures(store: Store, shards: Collection[str]) -> list[str]:
    """Those of ``shards`` in which a stage could not do a picture."""
    progress = read_progress(store, shards)
    return [shard for shard in sorted(shards) if any(entry.get("failed") for entry in progress[shard].values())]


def shards_noted(store: Store, catalogue: str) -> list[str]:
    """The shards of a catalogue that a stage has ever finished, oldest first."""
    return [name.removesuffix(".json") for name in store.names(f"progress/{catalogue}")]


def asked_by_shard(ledger: pa.Table) -> dict[str, str]:
    """A digest for each shard of the ledger (or of a part of it) of its pictures' contents and requests.

    Retired rows count as they were when they were retired: a shard that only loses pictures has no work to do.
    """
    if not len(ledger):
        return {}
    # In one piece: a slice of a column in thousands of pieces, as it is read, looks at them all.
    ledger = ledger.select(["shard", *_ASKED]).combine_chunks()
    codes = pc.dictionary_encode(ledger["shard"].combine_chunks())
    numbers = codes.indices.to_numpy()
    # The ledger is sorted by shard, so a shard is a slice; slices are joined one by one, which needs little memory.
    starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
    return {
        codes.dictionary[numbers[start]].as_py(): _digest(ledger.slice(start, end - start))
        for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True)
    }


def read_progress(store: Store, shards: Collection[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """By shard and stage: the record of ``note_progress``; empty where nothing ran yet."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        records = pool.map(lambda shard: store.read_json(progress_path(shard)) or {}, shards)
        return dict(zip(shards, records, strict=True))


def note_progress(store: Store, shard: str, stage: str, entry: Mapping[str, Any]) -> None:
    """Note ``entry`` for a stage of a shard.

    ``asked``, ``version`` (the digest of its rows), ``failed``, ``transient``, ``stopped``, the checks' figures.
    """
    if read_progress(store, [shard])[shard].get(stage) == entry:
        return
    # Two runs may work on two stages of the shard: an entry that is lost would leave an export stale for good.
    with Claims(store, "claims/progress").held(shard, poll_s=0.05):
        before = read_progress(store, [shard])[shard]
        store.write(progress_path(shard), json.dumps(before | {stage: dict(entry)}, sort_keys=True).encode())


def _digest(rows: pa.Table) -> str:
    lines = pc.binary_join_element_wise(*(rows[name].cast(pa.string()) for name in _ASKED), _SEPARATOR)
    return hashlib.blake2b("\n".join(lines.to_pylist()).encode(), digest_size=16).hexdigest()


def progress_path(shard: str) -> str:
    """The path of the record of what a shard's stages did."""
    return f"progress/{catalogue_of(shard)}/{shard}.json"
