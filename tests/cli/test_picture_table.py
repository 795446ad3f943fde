"""The table after a run: failures first, and of a large catalogue no more is read than is shown."""

import pytest

from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures
from vivid_assets.catalogue.progress import note_progress, summary_of
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.cli import catalogue
from vivid_assets.flow import STAGE_NAMES


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Two hundred pictures in ten shards, of which the eighth has a failed picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03d}.jpg").write_bytes(b"%d" % number)
    (folder / "catalogue.toml").write_text("shard_size = 20")
    store = Store(root=str(tmp_path / "store"))
    scan(store, register(store, "spring", str(folder)))
    for shard in summary_of(store, "spring"):
        counts = {"ok": 19, "failed": 1} if shard.endswith("7") else {"ok": 20}
        for stage in STAGE_NAMES:
            note_progress(store, shard, stage, {"counts": counts})
    return store


def test_failures_come_first_and_whole_shards_are_read_until_the_table_is_full(store, monkeypatch):
    read = []

    def rows(store, shard):
        read.append(shard)
        nothing = dict.fromkeys(("prompt", "generator", "tier", "verdict"), "")
        names = [one["picture"] for one in live_pictures(store, shard)]
        return [
            {"picture": name, "status": "failed" if name == "151.jpg" else "ok", "error": "cut off", **nothing}
            for name in names
        ]

    monkeypatch.setattr(catalogue, "_picture_rows", rows)
    table = catalogue.picture_table(store, "spring")
    assert read == ["spring-00007", "spring-00000", "spring-00001"]
    assert [*table.columns[0].cells][:3] == ["151.jpg", "000.jpg", "001.jpg"]
    assert [str(cell) for cell in table.columns[-1].cells][:2] == ["cut off", "ok"]
    assert (table.row_count, table.caption) == (60, "and 140 more")
