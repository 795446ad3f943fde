"""Ledgers and records of a catalogue that are damaged: the next scan mends them, and nothing is made up before."""

import pytest

from resources.errors import DamagedTable, MachineFault
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures, read_ledger
from vivid_assets.catalogue.scan import catalogue_settings, scan
from vivid_assets.catalogue.source import find, register


@pytest.fixture
def catalogue(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.jpg").write_bytes(name.encode())
    store = Store(root=str(tmp_path / "store"))
    known = register(store, "spring", str(folder))
    scan(store, known)
    (folder / "d.jpg").write_bytes(b"d")
    scan(store, known)
    return store, known


def ledger_file(store, generation):
    return f"catalogues/spring/ledger/{generation:08d}.parquet"


def test_a_ledger_that_is_cleared_away_between_two_looks_is_no_empty_one(catalogue, monkeypatch):
    store, _ = catalogue
    read_table, cleared = Store.read_table, []

    def clear_first(self, relative, filters=None):
        if not cleared:
            cleared.append(relative)
            return None
        return read_table(self, relative, filters=filters)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "read_table", clear_first)
        assert len(live_pictures(store, "spring-00000")) == 4
    with monkeypatch.context() as patch:
        patch.setattr(Store, "read_table", lambda *_, **__: None)
        with pytest.raises(MachineFault, match="is listed, but is not there"):
            read_ledger(store, "spring")


@pytest.mark.parametrize("damaged", [[2], [1, 2]], ids=["the newest", "every one"])
def test_a_scan_mends_the_ledger(catalogue, damaged, caplog):
    store, known = catalogue
    before = read_ledger(store, "spring")[0]
    for generation in damaged:
        store.write(ledger_file(store, generation), store.read(ledger_file(store, generation))[:50])
    with pytest.raises(DamagedTable, match="scan the catalogue again to repair it"):
        live_pictures(store, "spring-00000")
    scan(store, known)
    after, generation = read_ledger(store, "spring")
    assert generation == 3
    assert sorted(after["picture"].to_pylist()) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    if damaged == [2]:
        assert after.equals(before), "the shards are those that the lost generation had given"
    assert any(record.levelname == "ERROR" for record in caplog.records)
    assert scan(store, known).shards_to_run == []


def test_an_odd_file_among_the_ledgers_is_no_generation(catalogue):
    store, _ = catalogue
    store.write("catalogues/spring/ledger/copy of 2.parquet", b"x")
    assert read_ledger(store, "spring")[1] == 2


def test_damaged_settings_are_not_taken_for_none(catalogue):
    store, known = catalogue
    store.write("catalogues/spring/settings.json", b'{"masks": {"ti')
    with pytest.raises(MachineFault, match="scan the catalogue again"):
        catalogue_settings(store, "spring")
    scan(store, known)
    assert catalogue_settings(store, "spring").said() == {}


def test_damaged_digests_are_taken_again(catalogue):
    store, known = catalogue
    store.write("catalogues/spring/digests.json", b"\0")
    assert scan(store, known).shards_to_run == []


def test_a_damaged_record_says_what_to_do(catalogue):
    store, _ = catalogue
    store.write("catalogues/spring/catalogue.json", b"{")
    with pytest.raises(ValueError, match="delete it, and add the catalogue again"):
        find(store, "spring")
