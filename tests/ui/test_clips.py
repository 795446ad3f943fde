"""A clip of a hundred frames among photographs, by the UI: added, looked at, tuned, and a damaged one beside it."""

from pathlib import Path

import pytest

from tests.support.clips import moving_disc, save_clip
from tests.support.launchpad import Launchpad
from tests.support.operator import SETTINGS, SWITCHES, done_by, put
from tests.support.person import Person
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.imaging.io.video.read import read_video
from vivid_assets.rows.tables import read_rows

pytestmark = [pytest.mark.soak, pytest.mark.live(minutes=3)]

SHARD, CLIP, DAMAGED = "reel-00000", "turntable/disc.mp4", "turntable/half.mp4"
ADD = ("vivid_add_catalogue", "vivid_add_folder")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "reel"
    folder.mkdir()
    put(folder / "a.png")
    put(folder / "bb.png")
    (folder / "catalogue.toml").write_text('background = "#ffffff"\nclips = ["turntable/*"]\n')
    there = moving_disc(25)
    save_clip(folder / CLIP, [*there, *there[::-1]] * 2)
    data = (folder / CLIP).read_bytes()
    (folder / DAMAGED).write_bytes(data[: len(data) // 2])
    return folder


def test_a_clip_is_added_looked_at_and_tuned_by_the_ui(operator, page, folder):
    # Left on by others, they would request the shard too, and its runs are counted.
    for switch in SWITCHES:
        operator.turn_off(switch)
    pad, store = Launchpad(operator, page, SHARD), operator.store
    try:
        pad.launch(*ADD, name="reel", folder=str(folder))
        composite = Path(store.path(f"composites/reel/{CLIP}").path)
        assert len([*read_video(composite)]) == 100
        assert not store.exists(f"composites/reel/{DAMAGED}")
        assert "ends after" in read_rows(store, PREPARED_IMAGES, SHARD)[DAMAGED]["error"]
        Person(operator, page).sees("prepared_images_up_to_date", "reel: 1 failed")

        page.goto(f"{operator.dagster.url}/assets/vivid/review?view=partitions&partition={SHARD}")
        page.get_by_text(SHARD).first.wait_for()
        page.get_by_text("Show Markdown").first.click()
        page.locator("img[src^='data:image/webp']").first.wait_for()

        page.goto(Path(store.path(f"review/{SHARD}.html").path).as_uri())
        page.locator(f".tile[title='{CLIP}']").click()
        page.keyboard.press("4")
        sheet = page.locator(".cell.edges img")
        sheet.wait_for()
        # The clip beside its masks, and the graph of its flicker.
        assert sheet.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1280
        assert "100" in page.locator("#facts").inner_text()

        masks, size = read_rows(store, MASKS, SHARD)[CLIP], composite.stat().st_size
        operator.settings.write_text(SETTINGS + "[composites]\nclip_quality = 32\n")
        tuned = pad.launch("vivid_update", "vivid_find_updates", what="STALE")
        assert done_by(tuned) == {"composites", "review", "export"}
        assert composite.stat().st_size < size
        assert read_rows(store, MASKS, SHARD)[CLIP] == masks
        assert read_rows(store, COMPOSITES, SHARD)[CLIP]["key"] != masks["key"]
    finally:
        operator.forget("reel")
        operator.settings.write_text(SETTINGS)
