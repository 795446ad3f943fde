"""Renditions in the UI: one is added, tuned and dropped by editing catalogue.toml and launching jobs in a browser."""

import pytest

from tests.support.launchpad import Launchpad
from tests.support.operator import SWITCHES, done_by, put

pytestmark = [pytest.mark.soak, pytest.mark.live(minutes=3)]

SHARD = "shop-00000"
MAIN = 'prompt = "teal paper"\n[renditions.main]\nbackground = "#ffffff"\ncanvas = "120x120"\nfit = "subject"\n'
CUT = '[renditions.cut]\nbackground = "transparent"\n'


def test_a_rendition_is_added_tuned_and_dropped(operator, page, tmp_path):
    # Left on by others, they would request the shard too, and its runs are counted.
    for switch in SWITCHES:
        operator.turn_off(switch)
    folder, pad = tmp_path / "shop", Launchpad(operator, page, SHARD)
    folder.mkdir()
    put(folder / "a.png")
    declared = folder / "catalogue.toml"
    declared.write_text(MAIN)
    try:
        pad.launch("vivid_add_catalogue", "vivid_add_folder", name="shop", folder=str(folder))
        main, cut = (operator.store.path(f"composites/shop/{name}/a.png") for name in ("main", "cut"))
        before = main.stat().st_ino
        assert not cut.exists()

        declared.write_text(MAIN + CUT)
        pad.launch("vivid_scan_catalogue", "vivid_scan_folder", name="shop")
        assert cut.exists() and main.stat().st_ino == before
        made = cut.stat().st_ino
        page.goto(f"{operator.dagster.url}/assets/vivid/composites?view=partitions&partition={SHARD}")
        page.get_by_text("renditions", exact=True).first.wait_for()
        page.get_by_role("cell", name="cut", exact=True).first.wait_for()

        declared.write_text(MAIN + "padding = 0.2\n" + CUT)
        tuned = pad.launch("vivid_scan_catalogue", "vivid_scan_folder", name="shop")
        # A scene could have another shape with another layout: that is looked at, too.
        assert done_by(tuned) == {"backgrounds", "composites", "review", "export"}
        assert main.stat().st_ino != before and cut.stat().st_ino == made

        declared.write_text(MAIN + "padding = 0.2\n")
        pad.launch("vivid_scan_catalogue", "vivid_scan_folder", name="shop")
        assert main.exists() and not cut.exists()
    finally:
        operator.forget("shop")
