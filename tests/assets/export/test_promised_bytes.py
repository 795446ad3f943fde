"""Files that change between the scan and the run: no result is made of bytes that the scan did not see."""

import pytest

from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.catalogue.ledger import shard_rows
from vivid_assets.imaging.io.codec import decode


@pytest.fixture
def scanned(pipeline):
    pipeline.put("a.png", size=32)
    pipeline.put("b.png", size=32)
    pipeline.put("wall.png", (10, 200, 30), size=32)
    (pipeline.folder / "overrides").mkdir()
    (pipeline.folder / "overrides" / "b.png").write_bytes((pipeline.folder / "a.png").read_bytes())
    (pipeline.folder / "manifest.csv").write_text("image,background\na.png,wall.png\nb.png,\n")
    pipeline.scan()
    return pipeline


@pytest.mark.slow
@pytest.mark.parametrize(
    ("replaced", "stage", "picture"),
    [("a.png", PREPARED_IMAGES, "a.png"), ("wall.png", BACKGROUNDS, "a.png"), ("overrides/b.png", MASKS, "b.png")],
)
def test_what_is_replaced_before_the_run_fails_for_now_and_is_made_after_the_next_scan(
    scanned, replaced, stage, picture
):
    scanned.put(replaced, (250, 250, 10), size=40)
    scanned.materialize("spring-00000")
    row = scanned.rows(stage)[picture]
    assert (row["status"], row["transient"]) == ("failed", True)
    assert "replaced since the last scan" in row["error"]
    for shard in scanned.scan().shards_to_run:
        scanned.run(shard)
    rows = scanned.rows(COMPOSITES)
    assert rows[picture]["status"] == "ok"
    if replaced == "a.png":
        assert decode(scanned.store.read(rows[picture]["file"])).size == (40, 40)


@pytest.mark.slow
def test_a_source_replaced_in_the_middle_of_a_run_gives_no_composite(scanned):
    scanned.run(selection=["prepared_images", "analysis", "enhanced_prompts", "masks", "backgrounds"])
    scanned.put("a.png", (250, 250, 10), size=40)
    scanned.materialize("spring-00000", selection=["composites"])
    row = scanned.rows(COMPOSITES)["a.png"]
    assert (row["status"], row["transient"]) == ("failed", True)


@pytest.mark.slow
def test_a_ledger_that_goes_in_the_middle_of_a_run_empties_no_table(scanned, monkeypatch):
    scanned.run()
    before = scanned.rows(PREPARED_IMAGES)
    looked = []

    def gone(store, shard):
        looked.append(shard)
        return shard_rows(store, shard).slice(0, 0) if len(looked) > 1 else shard_rows(store, shard)

    monkeypatch.setattr("vivid_assets.stages.shard_asset.shard_rows", gone)
    assert not scanned.materialize("spring-00000", selection=["prepared_images"]).success
    assert scanned.rows(PREPARED_IMAGES) == before
