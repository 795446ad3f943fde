"""Files that no row names are found once they are old enough, and no file of a row is."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from resources.errors import MachineFault
from resources.store.store import Store
from vivid_assets.rows.columns import StoredFile
from vivid_assets.rows.engine import ShardRun, materialize_rows
from vivid_assets.rows.orphans import GRACE, find_orphans
from vivid_assets.rows.stage import Stage, artefact
from vivid_assets.rows.work import each


@dataclass(frozen=True)
class Drawn:
    file: StoredFile
    small: StoredFile | None


@dataclass(frozen=True)
class Content:
    content: str


DRAW = Stage(name="draw", version="1", row=Drawn, asks=Content)


@pytest.fixture(params=["folder", "object store"])
def store(request, tmp_path):
    return Store(root=str(tmp_path) if request.param == "folder" else f"memory://orphans/{tmp_path.name}")


def run(store, fails_at=None, **contents):
    def draw(row):
        paths = [artefact("c", DRAW, row.key, suffix) for suffix in (".txt", ".small.txt")]
        for path in paths:
            store.write(path, b"drawn")
        if row.picture == fails_at:
            raise MachineFault("The device is gone.")
        return Drawn(*paths)

    pictures = [{"picture": name, "content": content} for name, content in contents.items()]
    materialize_rows(ShardRun(DRAW, "c-00000", pictures, store, logging.getLogger()), lambda: each(draw))


def orphans(store, *, later=GRACE + timedelta(hours=1)):
    return find_orphans(store, "c", ["c-00000"], [DRAW], now=datetime.now(UTC) + later)


def test_what_no_row_names_is_found_after_the_grace_and_rows_keep_their_files(store):
    run(store, a="one", b="two")
    run(store, a="another", b="two")
    assert orphans(store) == {}, "the row before is on the shelf"
    stray = artefact("c", DRAW, "0" * 32, ".txt")
    store.write(stray, b"left by a killed run")
    assert orphans(store) == {stray: 20}
    assert orphans(store, later=timedelta(hours=1)) == {}, "a run may be about to note it"


def test_files_of_rows_in_a_journal_are_named_and_those_of_the_row_that_stopped_the_run_are_not(store):
    with pytest.raises(MachineFault):
        run(store, fails_at="b", a="one", b="two")
    assert store.names("tables/draw/c-00000.journal")
    assert len(orphans(store)) == 2
    run(store, a="one", b="two")
    assert orphans(store) == {}, "made once more under the same names"
