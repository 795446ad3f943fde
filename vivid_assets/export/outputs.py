"""All that the store keeps of a catalogue, and the scenes that no catalogue needs: what may be deleted as a whole."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from partitions.shards import catalogue_of
from resources.store.store import Store
from vivid_assets.rows.orphans import GRACE, every_row, files_of
from vivid_assets.rows.stage import Stage
from vivid_assets.rows.tables import shards_with_rows

_OF_CATALOGUE = ("artefacts", "catalogues", "composites", "desk", "export", "progress", "published")
"""Folders of the store in which each catalogue has one of its own."""
KEPT_TRIALS = timedelta(days=30)
_BY_SHARD = ("review",)
"""Those whose files are named by shards."""


def outputs_of(store: Store, catalogue: str, stages: Sequence[Stage]) -> dict[str, int]:
    """Every file that the store has of a catalogue and of no other, by its path, and its size in bytes.

    Scenes are not among them: they are for all catalogues (``unused_scenes``).
    """
    found: dict[str, int] = {}
    for folder in _OF_CATALOGUE:
        found |= store.files_below(f"{folder}/{catalogue}")
    for folder in (*_BY_SHARD, *(f"tables/{stage.name}" for stage in stages)):
        for path, size in store.files_below(folder).items():
            shard = path.removeprefix(f"{folder}/").partition("/")[0].partition(".")[0]
            if catalogue_of(shard) == catalogue:
                found[path] = size
    labels = f"judgements/{catalogue}.jsonl"
    return found | store.sizes([labels])


def old_trials(store: Store, *, now: datetime, kept: timedelta = KEPT_TRIALS) -> dict[str, int]:
    """The files of trials that nothing was written to for so long, and their sizes in bytes."""
    found: dict[str, int] = {}
    for name in store.names("trials"):
        files = store.files_below(f"trials/{name}")
        if files.keys() == store.written_before(f"trials/{name}", now - kept).keys():
            found |= files
    return found


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
        for shard in shards_with_rows(store, stage):
            named |= {*files_of(stage, every_row(store, stage, shard))}
    return {path: size for path, size in found.items() if path not in named and not path.startswith("scenes/claims/")}
