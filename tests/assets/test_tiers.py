"""Mask tiers that are not installed, and such as are installed but broken: what a run says, and what is made again."""

import json

import numpy as np
import pytest

from resources.errors import ModelUnavailable
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.review import REVIEW
from vivid_assets.catalogue.progress import state_of
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.model import Tier


@pytest.mark.slow
def test_tiers_that_are_not_installed_are_one_note_and_no_mark_on_any_picture(pipeline, monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "no weights"))
    monkeypatch.setenv("REMBG_HOME", str(tmp_path / "no weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    pipeline.say('[masks]\ntiers = ["birefnet", "u2netp", "gradients"]\n[backgrounds]\ngenerator = "backdrop"')
    for name in ("a.png", "b.png", "c.png"):
        pipeline.put(name)
    pipeline.scan()
    result = pipeline.materialize("spring-00000")
    logged = [entry.user_message for entry in pipeline.instance.all_logs(result.run_id)]
    noted = [message for message in logged if "Mask tiers that are not installed" in message and "\n" not in message]
    assert len(noted) == 1
    (masks,) = result.asset_materializations_for_node("vivid__masks")
    note = masks.metadata["tiers not installed"].value
    assert note in noted[0]
    # All that is missing, how to get it, and how to be rid of the note.
    for part in ("birefnet (", "consent", "is not on this machine", "pull u2netp", "made by gradients", "off `tiers`"):
        assert part in note, part
    rows = pipeline.rows(MASKS)
    assert [row["tier"] for row in rows.values()] == ["gradients"] * 3
    assert [row["degraded"] for row in rows.values()] == [None] * 3
    assert all(row["review"] == (row["verdict"] not in ("good", "agreed")) for row in rows.values())
    # What was not asked is still on record.
    assert [tried["verdict"] for tried in json.loads(rows["a.png"]["tried"])][:2] == ["unavailable", "unavailable"]
    assert next(check for check in result.get_asset_check_evaluations() if check.check_name == "tiers").passed
    assert set(pipeline.run().values()) == {0}


def test_where_no_tier_is_installed_the_step_stops_and_no_picture_fails(pipeline, monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "no weights"))
    monkeypatch.setenv("REMBG_HOME", str(tmp_path / "no weights"))
    pipeline.say('[masks]\ntiers = ["u2netp"]\n[backgrounds]\ngenerator = "backdrop"')
    pipeline.put("a.png")
    pipeline.scan()
    result = pipeline.materialize("spring-00000", selection=["prepared_images", "masks"])
    assert not result.success
    cause = result.failure_data_for_node("vivid__masks").error.cause
    assert "No mask tier is available" in cause.message
    assert "pull u2netp" in cause.message
    assert pipeline.rows(MASKS) == {}


@pytest.mark.slow
def test_masks_made_while_a_tier_was_broken_are_made_again_with_what_follows_once_it_is_mended(pipeline, monkeypatch):
    class Bright:
        name, revision = "birefnet", "1"

        def probabilities(self, images):
            if broken:
                raise ModelUnavailable("birefnet could not be loaded: it requires kornia")
            # The product is darker than its wall.
            return [(image.mean(axis=2) < 150).astype(np.float32) for image in images]

    broken = [True]
    tier = Tier("birefnet", Bright, "1")
    monkeypatch.setattr("vivid_assets.stages.masks.make_tiers", lambda *_: [tier, gradient_tier()])
    pipeline.put("a.png")
    pipeline.put("b.png")
    pipeline.scan()
    pipeline.run()
    rows = pipeline.rows(MASKS)
    assert [row["tier"] for row in rows.values()] == ["gradients"] * 2
    assert all("requires kornia" in row["degraded"] and row["review"] and row["transient"] for row in rows.values())
    assert "birefnet could not be loaded" in pipeline.rows(REVIEW)["a.png"]["why"][-1]
    (due,) = state_of(pipeline.store, "spring", [MASKS.name], []).stale
    assert due.is_retry, "once a night, as what failed for a passing reason"

    # As long as the cause lasts the masks are tried again, and nothing that is made from them.
    counts = pipeline.run()
    assert (counts["masks"], counts["composites"], counts["review"]) == (2, 0, 0)
    broken.clear()
    counts = pipeline.run()
    assert (counts["masks"], counts["composites"], counts["review"]) == (2, 2, 2)
    rows = pipeline.rows(MASKS)
    assert [(row["tier"], row["degraded"], row["transient"]) for row in rows.values()] == [
        ("birefnet", None, False)
    ] * 2
    assert state_of(pipeline.store, "spring", [MASKS.name], []).stale == []
    assert set(pipeline.run().values()) == {0}
