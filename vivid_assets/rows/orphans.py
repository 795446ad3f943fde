"""Files that no row names: what killed runs had written and not noted, and what rows gave up."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from resources.store.store import Store
from vivid_assets.rows.stage import Stage
from vivid_assets.rows.tables import Journal, read_rows, read_shelf

GRACE = timedelta(days=2)
"""How old a file has to be: a run writes it some seconds before it notes its row, and may take a day for a shard."""


def find_orphans(
    store: Store,
    catalogue: str,
    shards: Collection[str],
    stages: Sequence[Stage],
    *,
    now: datetime,
    grace: timedelta = GRACE,
) -> dict[str, int]:
    """The files in ``artefacts/`` that no row of the catalogue names, and their sizes in bytes.

    Rows count wherever they are: in tables, on shelves, in the journals of unfinished runs.

    Args:
        store: where.
        catalogue: its name.
        shards: all that it has or had.
        stages: all that there are.
        now: the time by the clock that files are stamped with.
        grace: files that were written since then are left alone.

    """
    # Listed first: what is written and noted meanwhile is not in it.
    found = store.written_before(f"artefacts/{catalogue}", now - grace)
    named = {path for shard in shards for stage in stages for path in files_of(stage, every_row(store, stage, shard))}
    return {path: size for path, size in found.items() if path not in named}


def files_of(stage: Stage, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The paths of the files that ``rows`` name."""
    for row in rows:
        yield from (row[name] for name in stage.files if row[name])


def every_row(store: Store, stage: Stage, shard: str) -> list[dict[str, Any]]:
    """The rows of a shard in a stage, wherever they are: in a journal, in the table, on the shelf."""
    # The journal first: a run that ends meanwhile has its rows in the table then.
    journal, _ = Journal(store, stage, shard).earlier()
    return [*journal, *read_rows(store, stage, shard).values(), *read_shelf(store, stage, shard).values()]
