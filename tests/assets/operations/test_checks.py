"""What the checks say of a shard, and of a shard beside its catalogue's history."""

import dagster as dg
import pyarrow as pa
import pytest
from PIL import Image

from resources.store.store import Store
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.catalogue.progress import note_progress
from vivid_assets.pipeline import Pipeline
from vivid_assets.rows.engine import Outcome
from vivid_assets.settings import ChecksSettings
from vivid_assets.stages.check_results import judge_shard

GOOD = {"tier": "birefnet", "degraded": None, "review": False}


@pytest.fixture
def store(tmp_path):
    return Store(root=str(tmp_path))


def judged(store, stage, rows, *, shard="spring-00009", computed=None, **limits):
    """The checks' results by name for a shard with these rows (columns that a check reads; the rest is null)."""
    common = {"status": "ok", "error": None, "transient": False, "key": "k", "seconds": 0.0, "sizes": []}
    full = [common | {"picture": f"{number:03}.png"} | row for number, row in enumerate(rows)]
    outcome = Outcome(
        table=pa.Table.from_pylist(full, schema=stage.schema),
        computed=len(rows) if computed is None else computed,
        seconds=1.0,
    )
    results, figures = judge_shard(Pipeline(), stage, shard, outcome, store, ChecksSettings(**limits))
    return {result.check_name: result for result in results}, figures


def test_many_masks_by_the_last_tier_are_told(store):
    rows = [GOOD] * 4 + [GOOD | {"tier": "gradients"}] * 6
    few, _ = judged(store, MASKS, rows, last_tier_share=0.6)
    assert few["tiers"].passed
    many, _ = judged(store, MASKS, rows, last_tier_share=0.5)
    assert not many["tiers"].passed
    assert many["tiers"].severity == dg.AssetCheckSeverity.WARN
    assert "birefnet 4" in many["tiers"].description


def test_a_tier_that_stood_in_for_a_broken_one_counts_and_is_named(store):
    rows = [GOOD | {"tier": "u2net", "degraded": "birefnet: no weights"}] * 3
    results, _ = judged(store, MASKS, rows)
    assert not results["tiers"].passed
    assert "birefnet: no weights" in results["tiers"].description


def history(store, doubtful, pictures=100, shards=5):
    for number in range(shards):
        note_progress(store, f"spring-{number:05}", "masks", {"pictures": pictures, "doubtful": doubtful, "failed": 0})


def test_doubtful_masks_are_compared_with_the_catalogue_s_own_history(store):
    rows = [GOOD] * 80 + [GOOD | {"review": True}] * 20
    new, _ = judged(store, MASKS, rows)
    assert new["verdicts"].passed
    assert "no history" in new["verdicts"].description
    history(store, doubtful=20)
    usual, _ = judged(store, MASKS, rows)
    assert usual["verdicts"].passed
    history(store, doubtful=1)
    unusual, _ = judged(store, MASKS, rows, severity="error")
    assert not unusual["verdicts"].passed
    assert unusual["verdicts"].severity == dg.AssetCheckSeverity.ERROR
    assert "080.png" in unusual["verdicts"].description
    # Other catalogues, and shards that came later, are not its history.
    other, _ = judged(store, MASKS, rows, shard="autumn-00009")
    assert other["verdicts"].passed
    first, _ = judged(store, MASKS, rows, shard="spring-00000")
    assert first["verdicts"].passed


def test_expected_wrong_masks_are_compared_with_the_catalogue_s_own_history(store):
    usual, unusual = ([GOOD | {"right": right}] * 100 for right in (0.9, 0.6))
    new, figures = judged(store, MASKS, unusual)
    assert new["estimates"].passed
    assert "no history" in new["estimates"].description
    assert (figures["estimated"], figures["expected_wrong"]) == (100, pytest.approx(40))
    for number in range(5):
        entry = {"pictures": 100, "doubtful": 0, "estimated": 100, "expected_wrong": 10.0}
        note_progress(store, f"spring-{number:05}", "masks", entry)
    assert judged(store, MASKS, usual)[0]["estimates"].passed
    results, _ = judged(store, MASKS, unusual)
    assert not results["estimates"].passed
    assert "40.0% of the masks are expected to be wrong" in results["estimates"].description


def test_masks_without_estimates_and_notes_of_older_shards_are_no_history(store):
    history(store, doubtful=0)
    results, figures = judged(store, MASKS, [GOOD] * 100)
    assert results["estimates"].passed
    assert figures["estimated"] == 0


def test_one_doubtful_mask_after_a_spotless_history_is_no_alarm(store):
    history(store, doubtful=0)
    results, _ = judged(store, MASKS, [GOOD] * 99 + [GOOD | {"review": True}])
    assert results["verdicts"].passed


@pytest.mark.slow
def test_history_is_counted_in_pictures_and_not_in_shards(store):
    """Shards of a picture each, as pictures that arrive one by one once made, are a history too."""
    history(store, doubtful=0, pictures=1, shards=200)
    rows = [GOOD] * 80 + [GOOD | {"review": True}] * 20
    results, _ = judged(store, MASKS, rows, shard="spring-00300")
    assert not results["verdicts"].passed


def test_visible_halos_are_told_with_examples(store):
    rows = [{"leakage": 0.1}] * 9 + [{"leakage": 0.9}]
    fine, _ = judged(store, COMPOSITES, rows, leakage=0.75, halo_share=0.1)
    assert fine["halo"].passed
    bad, _ = judged(store, COMPOSITES, rows, leakage=0.75, halo_share=0.05)
    assert not bad["halo"].passed
    assert "009.png" in bad["halo"].description


def test_black_backgrounds_of_a_model_are_told_and_a_user_s_own_are_not(store):
    for name, color in (("black", (3, 2, 4)), ("grey", (90, 90, 90))):
        path = store.path(f"scenes/{name}.png")
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), color).save(path)
    rows = [
        {"file": "scenes/grey.png", "generator": "sdxl"},
        {"file": "scenes/black.png", "generator": "sdxl"},
        {"file": "scenes/black.png", "generator": "own"},
    ]
    results, figures = judged(store, BACKGROUNDS, rows)
    assert not results["black"].passed
    assert results["black"].description.startswith("1 of 2")
    # A shard in which nothing changed is not decoded again.
    note_progress(store, "spring-00009", "backgrounds", figures)
    store.remove(["scenes/black.png", "scenes/grey.png"])
    again, _ = judged(store, BACKGROUNDS, rows, computed=0)
    assert not again["black"].passed


def test_every_check_is_partitioned(pipeline):
    from vivid_assets.wiring import pipeline_assets

    specs = [spec for asset in pipeline_assets(Pipeline()) for spec in asset.check_specs]
    assert {spec.name for spec in specs} == {
        "complete",
        "whole",
        "tiers",
        "verdicts",
        "estimates",
        "flicker",
        "lost",
        "black",
        "halo",
        "presets",
    }
    assert all(spec.partitions_def is not None for spec in specs)


@pytest.mark.slow
def test_tolerances_come_from_the_settings(pipeline):
    pipeline.put("a.png")
    (pipeline.folder / "bad.png").write_bytes(b"bad")
    pipeline.scan()
    assert pipeline.materialize("spring-00000").success
    pipeline.say(pipeline.settings_file.read_text() + "[checks]\ntolerated_share = 0.0\ntolerated_pictures = 0\n")
    assert not pipeline.materialize("spring-00000").success
