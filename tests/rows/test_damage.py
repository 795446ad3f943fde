"""What the row engine makes of files and tables that are damaged, and of a second run on the same table."""

import logging
import threading
from dataclasses import dataclass

import pytest

from resources.errors import MachineFault
from resources.store.locks import Claims
from resources.store.store import Store
from tests.support.waiting import HANG_S, until
from vivid_assets.rows.columns import StoredFile
from vivid_assets.rows.engine import ShardRun, materialize_rows
from vivid_assets.rows.stage import Stage
from vivid_assets.rows.tables import Journal, read_rows, table_path
from vivid_assets.rows.work import each

LOG = logging.getLogger("test")


@dataclass(frozen=True)
class Drawn:
    file: StoredFile


@dataclass(frozen=True)
class Content:
    content: str


DRAW = Stage(name="draw", version="1", row=Drawn, asks=Content)
PICTURES = [{"picture": name, "content": name * 9} for name in "abc"]


@pytest.fixture
def store(tmp_path):
    return Store(root=str(tmp_path))


def run(store, draw=None):
    """The pictures that were worked on."""
    worked = []

    def plain(row):
        store.write(f"draw/{row.picture}", row.read(Content).content.encode())
        return Drawn(f"draw/{row.picture}")

    def counted(row):
        worked.append(row.picture)
        return (draw or plain)(row)

    materialize_rows(ShardRun(DRAW, "s", PICTURES, store, LOG), lambda: each(counted))
    return sorted(worked)


def test_a_file_that_was_cut_off_or_grew_is_made_again(store):
    assert run(store) == ["a", "b", "c"]
    assert [row["sizes"] for row in read_rows(store, DRAW, "s").values()] == [[9]] * 3
    store.write("draw/a", b"cut")
    store.write("draw/c", b"appended to" * 9)
    assert run(store) == ["a", "c"]
    assert run(store) == []


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more"])
def test_a_damaged_table_is_said_aloud_and_made_anew(store, damage, caplog):
    run(store)
    store.write(table_path("draw", "s", 1), damage)
    assert run(store) == ["a", "b", "c"]
    assert [record.levelname for record in caplog.records if "is damaged" in record.message] == ["ERROR"]
    assert run(store) == []


def test_a_damaged_journal_does_not_hide_the_sound_one_beside_it(store):
    with pytest.raises(MachineFault):
        run(store, draw=lambda row: fail_at_c(store, row))
    (name,) = store.names("tables/draw/s.journal")
    store.write(f"tables/draw/s.journal/0{name}", b"PAR1")
    assert run(store) == ["c"]
    assert Journal(store, DRAW, "s").earlier() == ([], [])


def fail_at_c(store, row):
    if row.picture == "c":
        raise MachineFault("The device is gone.")
    store.write(f"draw/{row.picture}", row.read(Content).content.encode())
    return Drawn(f"draw/{row.picture}")


def test_a_store_that_has_lost_the_file_it_took_is_a_fault_of_the_machine(store):
    with pytest.raises(MachineFault, match="said that it took draw/a, but does not have it"):
        run(store, draw=lambda row: Drawn(f"draw/{row.picture}"))


@pytest.mark.slow
def test_a_second_run_waits_and_takes_over(store, caplog):
    reached, go_on, done = threading.Event(), threading.Event(), []

    def slow(row):
        reached.set()
        assert go_on.wait(HANG_S)
        store.write(f"draw/{row.picture}", row.read(Content).content.encode())
        return Drawn(f"draw/{row.picture}")

    first = threading.Thread(target=lambda: done.append(run(store, draw=slow)))
    first.start()
    assert reached.wait(HANG_S)
    second = threading.Thread(target=lambda: done.append(run(store)))
    second.start()
    until(lambda: "Another run works on" in caplog.text)
    assert second.is_alive(), "it waits"
    go_on.set()
    first.join(HANG_S)
    second.join(HANG_S)
    assert done == [["a", "b", "c"], []]


def test_a_write_that_reaches_the_store_late_changes_nothing(store, monkeypatch):
    """However late: the run looked at its claim, and stood still before it wrote."""
    assert_held = Claims.assert_held

    def then_stands_still(self, claim):
        monkeypatch.setattr(Claims, "assert_held", assert_held)
        assert_held(self, claim)
        self.store.remove([claim.path])
        assert run(store, draw=lambda row: drawn_by(store, "heir", row)) == ["a", "b", "c"]

    monkeypatch.setattr(Claims, "assert_held", then_stands_still)
    with pytest.raises(MachineFault, match="took over draw of s"):
        run(store, draw=lambda row: drawn_by(store, "late", row))
    assert [row["file"] for row in read_rows(store, DRAW, "s").values()] == ["heir/a", "heir/b", "heir/c"]
    assert run(store) == []


def drawn_by(store, who, row):
    store.write(f"{who}/{row.picture}", b"drawn")
    return Drawn(f"{who}/{row.picture}")


def test_a_run_that_was_taken_over_does_not_write_its_table(store):
    def overslept(row):
        store.write("claims/draw/s.1.claim", b"{}")
        store.write(f"draw/{row.picture}", b"old")
        return Drawn(f"draw/{row.picture}")

    with pytest.raises(MachineFault, match="took over draw s"):
        run(store, draw=overslept)
    assert read_rows(store, DRAW, "s") == {}
