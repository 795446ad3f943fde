"""What runs again after a change: each first brought through in Dagster, the rest by the stages alone."""

import pytest

from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS

STAGE_NAMES = ["analysis", "backgrounds", "composites", "enhanced_prompts", "masks", "prepared_images", "review"]


def computed(**counts):
    return dict.fromkeys(STAGE_NAMES, 0) | counts


def bring_three_through(pipeline):
    """Three pictures with a prompt each, brought through once."""
    for name, color in (("a.png", (180, 40, 30)), ("b.png", (40, 120, 60)), ("c.png", (50, 60, 160))):
        pipeline.put(name, color)
    (pipeline.folder / "manifest.csv").write_text("image,prompt\na.png,red paper\nb.png,blue paper\nc.png,grey paper\n")
    pipeline.scan()
    assert pipeline.run_in_dagster() == computed(**dict.fromkeys(STAGE_NAMES, 3))


@pytest.fixture
def done(pipeline_after):
    return pipeline_after(bring_three_through)


def test_nothing_changed_nothing_is_computed(done):
    assert done.scan().shards_to_run == []
    assert done.run() == computed()


@pytest.mark.slow
def test_a_changed_picture_runs_alone(done):
    done.put("b.png", (200, 160, 40))
    assert done.scan().shards_to_run == ["spring-00000"]
    assert done.run() == computed(**dict.fromkeys(STAGE_NAMES, 1))
    assert [*done.rows(COMPOSITES)] == ["a.png", "b.png", "c.png"]


@pytest.mark.slow
def test_a_changed_picture_of_a_full_shard_runs_alone_in_a_new_one(done):
    (done.folder / "catalogue.toml").write_text("shard_size = 2")
    done.put("b.png", (200, 160, 40))
    assert done.scan().shards_to_run == ["spring-00001"]
    assert done.run("spring-00001") == computed(**dict.fromkeys(STAGE_NAMES, 1))
    assert done.run("spring-00000") == computed()
    assert [*done.rows(COMPOSITES)] == ["a.png", "c.png"]
    assert [*done.rows(COMPOSITES, "spring-00001")] == ["b.png"]


@pytest.mark.slow
def test_a_changed_prompt_runs_prompt_background_and_composite(done):
    (done.folder / "manifest.csv").write_text("image,prompt\na.png,red paper\nb.png,teal paper\nc.png,grey paper\n")
    assert done.scan().shards_to_run == ["spring-00000"]
    assert done.run() == computed(enhanced_prompts=1, backgrounds=1, composites=1, review=1)


@pytest.mark.slow
def test_a_changed_seed_runs_background_and_composite(done):
    (done.folder / "catalogue.toml").write_text("seed = 7")
    done.scan()
    assert done.run() == computed(backgrounds=3, composites=3, review=3)


def test_a_changed_blending_setting_runs_composites_only(done):
    done.say(done.settings_file.read_text() + "[composites]\nspill_strength = 0.5\n")
    assert done.run() == computed(composites=3, review=3)


def test_a_higher_limit_of_decoding_makes_nothing_anew(done):
    done.say(done.settings_file.read_text() + "[prepared_images]\nmax_megapixels = 150\n")
    assert done.run() == computed()


@pytest.mark.slow
def test_a_changed_mask_setting_leaves_the_backgrounds_alone(done):
    done.say('[masks]\ntiers = ["gradients"]\nrefine = false\n[backgrounds]\ngenerator = "backdrop"\n')
    assert done.run() == computed(masks=3, composites=3, review=3)


@pytest.mark.slow
def test_a_catalogue_overrides_a_setting_for_itself(done):
    (done.folder / "catalogue.toml").write_text('[composites]\nformat = "webp"')
    done.scan()
    assert done.run() == computed(composites=3, review=3)
    assert done.published() == {"a.png.webp", "b.png.webp", "c.png.webp"}


@pytest.mark.slow
def test_a_dropped_mask_reruns_just_that_picture(done):
    (done.folder / "overrides").mkdir()
    mask = done.store.read(done.rows(MASKS)["b.png"]["file"])
    (done.folder / "overrides" / "b.png").write_bytes(mask)
    assert done.scan().shards_to_run == ["spring-00000"]
    assert done.run() == computed(masks=1, composites=1, review=1)
    assert done.rows(MASKS)["b.png"]["tier"] == "override"


@pytest.mark.slow
def test_a_removed_picture_loses_table_and_name_and_comes_back_at_no_cost(done):
    manifest = (done.folder / "manifest.csv").read_text()
    (done.folder / "manifest.csv").write_text(manifest.replace("c.png,grey paper\n", ""))
    done.scan()
    assert done.run() == computed()
    assert [*done.rows(COMPOSITES)] == ["a.png", "b.png"]
    assert done.published() == {"a.png", "b.png"}
    (done.folder / "manifest.csv").write_text(manifest)
    assert done.scan().shards_to_run == ["spring-00000"]
    assert done.run() == computed()
    assert done.published() == {"a.png", "b.png", "c.png"}


@pytest.mark.slow
def test_a_renamed_picture_keeps_its_results(done):
    (done.folder / "b.png").rename(done.folder / "second.png")
    manifest = (done.folder / "manifest.csv").read_text()
    (done.folder / "manifest.csv").write_text(manifest.replace("b.png", "second.png"))
    assert done.scan().assignment.renamed == 1
    assert done.run() == computed()
    assert done.published() == {"a.png", "c.png", "second.png"}


def test_a_lost_mask_file_is_made_again_with_what_follows_unchanged(done):
    done.store.remove([done.rows(MASKS)["a.png"]["file"]])
    assert done.run() == computed(masks=1)


@pytest.mark.slow
def test_one_scene_serves_every_picture_that_wants_it(pipeline):
    for name in ("a.png", "b.png"):
        pipeline.put(name)
    (pipeline.folder / "catalogue.toml").write_text('prompt = "sage green paper"')
    pipeline.scan()
    pipeline.run()
    a, b = pipeline.rows(BACKGROUNDS).values()
    assert a["file"] == b["file"]
    assert sum(not row["reused"] for row in (a, b)) >= 1
    assert len([*pipeline.store.path("scenes").glob("??/*.png")]) == 1
