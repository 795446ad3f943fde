"""What the review's rows say and when its page is written anew, on a real Dagster instance."""

import json
from dataclasses import replace

import pytest

from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.review import REVIEW
from vivid_assets.imaging.io.codec import decode
from vivid_assets.review.look import DEGRADED, DOUBT, FAILURE, FINE, HALO, RULES, judge_look
from vivid_assets.rows.stage import WhateverBecame
from vivid_assets.stages.review import BackgroundToSee, CompositeToSee, MaskToSee

PAGE = "review/spring-00000.html"


def bring_two_of_three_through(pipeline):
    """Two pictures that come through and one that is no picture."""
    for name in ("a.png", "b.png"):
        pipeline.put(name, size=900)
    (pipeline.folder / "c.png").write_bytes(b"no picture")
    pipeline.scan()
    pipeline.run()


@pytest.fixture
def reviewed(pipeline_after):
    return pipeline_after(bring_two_of_three_through)


def test_a_failed_picture_is_in_the_review_with_its_reason(reviewed):
    row = reviewed.rows(REVIEW)["c.png"]
    assert (row["status"], row["outcome"], row["rank"], row["after"]) == ("ok", "failed", FAILURE, None)
    assert row["why"][0].startswith("prepared_images failed: ")
    assert row["why"][0].encode() in reviewed.store.read(PAGE)


def test_a_good_row_has_small_pictures_of_one_size(reviewed):
    row = reviewed.rows(REVIEW)["a.png"]
    sizes = {decode(row[name]).size for name in ("before", "mask", "after")}
    assert len(sizes) == 1
    assert sizes.pop()[0] in (384, 640)
    corners = [decode(row[name]).rgb[4, 4].astype(int) for name in ("before", "after")]
    assert abs(corners[0] - corners[1]).max() > 3, "the wall is another"


@pytest.mark.slow
def test_the_page_is_left_alone_until_a_row_changes(reviewed):
    def written():
        return reviewed.store.path(PAGE).stat().st_mtime_ns

    first = written()
    reviewed.run()
    assert written() == first
    reviewed.store.remove([PAGE])
    reviewed.run()
    assert written() != first, "a lost page is made again from the rows"
    (reviewed.folder / "b.png").unlink()
    reviewed.scan()
    reviewed.run()
    assert b'"name": "b.png"' not in reviewed.store.read(PAGE)
    assert b'"name": "a.png"' in reviewed.store.read(PAGE)


@pytest.mark.slow
def test_the_ui_shows_counts_contact_sheet_and_where_the_page_is(reviewed):
    result = reviewed.materialize("spring-00000")
    (event_of_review,) = [
        event for event in result.get_asset_materialization_events() if event.asset_key.path[-1] == "review"
    ]
    metadata = event_of_review.materialization.metadata
    assert metadata["page"].value == str(reviewed.store.path(PAGE))
    assert "data:image/webp;base64," in metadata["contact sheet"].value
    assert "| gradients | 2 |" in metadata["tiers"].value
    assert metadata["verdicts"].value.startswith("| verdict | pictures |")
    assert metadata["needs review"].value >= 1
    # Dagster keeps all of this for every run, once, and its own share is 134 kB.
    assert sum(len(entry.to_json()) for entry in reviewed.instance.all_logs(result.run_id)) < 160_000
    assert not any(event.step_output_data.metadata for event in result.all_events if event.is_successful_output)
    others = [event for event in result.get_asset_materialization_events() if event is not event_of_review]
    assert not any("contact sheet" in event.materialization.metadata for event in others)


@pytest.mark.slow
def test_the_share_of_the_settings_changes_the_page_and_no_row(reviewed):
    settings, rows = reviewed.settings_file.read_text(), reviewed.rows(REVIEW)
    for share, asked in ((1.0, {"a.png", "b.png", "c.png"}), (0.0, {"c.png"})):
        reviewed.say(settings + f"[review]\nhigh_leakage = 9.0\nreview_share = {share}\n")
        reviewed.run()
        first = reviewed.store.read(PAGE)
        assert reviewed.run()["review"] == 0
        assert reviewed.store.read(PAGE) == first
        data = first.split(b'<script id="rows" type="application/json">')[1].split(b"</script>")[0]
        assert {row["name"] for row in json.loads(data) if row["rank"] != FINE} == asked
    assert reviewed.rows(REVIEW).keys() == rows.keys()


def test_an_estimated_mask_shows_where_its_edge_is_unsure(reviewed):
    found = reviewed.rows(REVIEW)
    masks = reviewed.rows(MASKS)
    for name in ("a.png", "b.png"):
        assert found[name]["right"] == masks[name]["right"]
        assert (found[name]["edges"] is None) == (found[name]["right"] is None)
    assert found["c.png"]["edges"] is None


@pytest.mark.slow
def test_a_halo_above_the_setting_wants_a_look(reviewed):
    leakage = reviewed.rows(COMPOSITES)["a.png"]["leakage"]
    settings = reviewed.settings_file.read_text()
    for limit, expected in ((leakage + 1, False), (max(leakage / 2, 1e-6), leakage > 0)):
        reviewed.say(settings + f"[review]\nhigh_leakage = {limit}\n")
        assert reviewed.run()["review"] == 3
        why = reviewed.rows(REVIEW)["a.png"]["why"]
        assert any("halo" in sentence for sentence in why) == expected


OK = WhateverBecame("ok", None)


def judged(mask=(), leakage=0.1, broken=(), **became):
    asked = {"review": False, "right": 0.9, "edge_right": 0.9}
    clip = dict.fromkeys(("frames_file", "flagged_frames", "flicker"))
    found = MaskToSee("ok", None, "a.png", "u2net", "good", "so", None, **asked, **clip)
    background = BackgroundToSee("ok", None, "backdrop", None)
    composite = CompositeToSee("ok", None, "a.jpg", None, leakage, broken)
    stages = dict.fromkeys(("prepared_images", "masks", "composites"), OK) | became
    return judge_look(stages, replace(found, **dict(mask)), background, composite, high_leakage=0.75)


@pytest.mark.parametrize(
    ("found", "rank", "sentences"),
    [
        ({}, FINE, 0),
        ({"mask": {"verdict": "uncertain", "review": True}}, DOUBT, 1),
        ({"mask": {"degraded": "no weights", "review": True}}, DEGRADED, 1),
        ({"mask": {"verdict": "covers_all", "degraded": "no weights", "review": True}}, DOUBT, 2),
        ({"leakage": 0.9}, HALO, 1),
        ({"broken": ["the product fills 40%, and not 85% or more"]}, RULES, 1),
        ({"broken": ["the product fills 40%", "the photograph is enlarged 2.00 times"], "leakage": 0.9}, HALO, 2),
        ({"composites": WhateverBecame(None, None), "leakage": None, "broken": None}, FAILURE, 1),
    ],
)
def test_the_gravest_reason_ranks_a_picture(found, rank, sentences):
    look = judged(**found)
    assert (look.rank, len(look.why)) == (rank, sentences)
