"""All that the store keeps of a catalogue, and the scenes that no catalogue needs: what may be deleted as a whole."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from partitions.shards import catalogue_of
from resources.store.store import Store
from vivid_assets.rows.orphans import GRACE, files_of
from vivid_assets.rows.stage import Stage
from vivid_assets.rows.tables import Journal, read_rows, read_shelf, shards_with_tables

_OF_CATALOGUE = ("artefacts", "catalogues", "composites", "desk", "export", "progress", "published")
"""Folders of the store in which each catalogue has one of its own."""
_BY_SHARD = ("review",)
"""Those whose files are named by shards."""


def outputs_of(store: Store, catalogue: str, stages: Sequence[Stage]) -> dict[str, int]:
    """Every file that the store has of a catalogue and of no other, by its path, and its size in bytes.

    Scenes are not among them: they are for all catalogues (``unused_scenes``).
    """
    ever = datetime.now(UTC) + timedelta(days=1)
    found: dict[str, int] = {}
    for folder in _OF_CATALOGUE:
        found |= store.written_before(f"{folder}/{catalogue}", ever)
    for folder in (*_BY_SHARD, *(f"tables/{stage.name}" for stage in stages)):
        for path, size in store.written_before(folder, ever).items():
            shard = path.removeprefix(f"{folder}/").partition("/")[0].partition(".")[0]
            if catalogue_of(shard) == catalogue:
                found[path] = size
    labels = f"judgements/{catalogue}.jsonl"
    return found | store.sizes([labels])


def unused_scenes(store: Store, stages: Sequence[Stage], *, now: datetime, grace: timedelta = GRACE) -> dict[str, int]:
    """The scenes that no row of any catalogue names, and their sizes in bytes.

    Args:
        store: where.
        stages: all that there are.
        now: the time by the clock that files are stamped with.
        grace: scenes that were written since then are left alone: a run may be about to note them.

    """
    # Listed first: what is made and noted meanwhile is not in it.
    found = store.written_before("scenes", now - grace)
    named: set[str] = set()
    for stage in stages:
        for shard in shards_with_tables(store, stage):
            journal, _ = Journal(store, stage, shard).earlier()
            rows = [*journal, *read_rows(store, stage, shard).values(), *read_shelf(store, stage, shard).values()]
            named |= {*files_of(stage, rows)}
    return {path: size for path, size in found.items() if path not in named and not path.startswith("scenes/claims/")}
