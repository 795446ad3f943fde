"""What there is to do and how far a catalogue is, by what stages noted; by their tables where that is no longer so."""

import pytest

from resources.errors import MachineFault
from resources.store.store import Store
from vivid_assets.catalogue.progress import EXPORT, counts_of, made_of, note_progress, state_of, summary_of
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register

STAGES = ["masks", "composites"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.jpg").write_bytes(name.encode())
    (folder / "catalogue.toml").write_text("shard_size = 2")
    return folder


@pytest.fixture
def store(tmp_path, folder):
    store = Store(root=str(tmp_path / "store"))
    scan(store, register(store, "spring", str(folder)))
    return store


def rescan(store, folder):
    return scan(store, register(store, "spring", str(folder)))


def finish(store):
    """Note what runs of all shards note."""
    for shard, wanted in summary_of(store, "spring").items():
        for stage in STAGES:
            entry = {"asked": wanted.asked, "version": stage, "counts": {"ok": wanted.pictures}}
            note_progress(store, shard, stage, entry | {"transient": 0, "failed": 0, "stopped": 0})
        made = made_of(dict.fromkeys(STAGES) | {stage: {"version": stage} for stage in STAGES}, STAGES)
        note_progress(store, shard, EXPORT, {"live": wanted.live, "made_of": made})


def due(store):
    state = state_of(store, "spring", STAGES, STAGES)
    return [one.shard for one in state.stale if not one.is_retry], state.unpublished


def test_a_new_catalogue_is_all_to_do_and_then_all_done(store):
    assert due(store) == (["spring-00000", "spring-00001"], [])
    assert counts_of(store, "spring", STAGES) == {stage: {"to do": 3} for stage in STAGES}
    finish(store)
    assert due(store) == ([], [])
    assert counts_of(store, "spring", STAGES) == {stage: {"ok": 3} for stage in STAGES}


def test_a_removal_is_work_for_publishing_alone_and_a_return_for_the_stages(store, folder):
    finish(store)
    (folder / "a.jpg").rename(folder.parent / "a.jpg")
    rescan(store, folder)
    assert due(store) == ([], ["spring-00000"])
    assert counts_of(store, "spring", STAGES)["masks"].total() == 2, "its table is asked"
    (tidied,) = state_of(store, "spring", STAGES, STAGES).stale
    assert (tidied.shard, tidied.is_retry) == ("spring-00000", True), "by night its row goes from the tables"
    (folder.parent / "a.jpg").rename(folder / "a.jpg")
    rescan(store, folder)
    assert due(store)[0] == ["spring-00000"]


def test_what_a_stage_made_after_publishing_is_published_again(store):
    finish(store)
    wanted = summary_of(store, "spring")["spring-00001"]
    entry = {"asked": wanted.asked, "version": "another", "counts": {"ok": 1}}
    note_progress(store, "spring-00001", "composites", entry | {"transient": 0, "failed": 0, "stopped": 0})
    assert due(store) == ([], ["spring-00001"])


def test_the_ledger_is_summed_up_once_and_by_who_may_only_read_too(store, monkeypatch):
    first = summary_of(store, "spring")
    with monkeypatch.context() as patch:
        patch.setattr("vivid_assets.catalogue.progress.read_ledger", lambda *_: pytest.fail("it was read"))
        assert summary_of(store, "spring") == first
    store.write("catalogues/spring/summary.json", b"{")

    def refuse(*_, **__):
        raise MachineFault("read-only")

    monkeypatch.setattr(Store, "write", refuse)
    assert summary_of(store, "spring") == first
