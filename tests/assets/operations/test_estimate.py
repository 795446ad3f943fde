"""``vivid catalogue estimate`` counts scenes and makes none."""

import pytest
from typer.testing import CliRunner

from resources.scenes.cache import SceneCache
from resources.scenes.sdxl import SDXL
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.catalogue.source import register
from vivid_assets.cli.estimate import demand_of
from vivid_assets.cli.main import app
from vivid_assets.settings import Settings


@pytest.fixture
def three(pipeline):
    """Two pictures that want the same scene, and one that wants another."""
    for name in ("a.png", "b.png", "c.png"):
        pipeline.put(name)
    (pipeline.folder / "manifest.csv").write_text("image,prompt\na.png,a loft\nb.png,a loft\nc.png,a beach\n")
    pipeline.scan()
    return pipeline


def estimate(pipeline):
    command = ["catalogue", "estimate", "spring", "--store", pipeline.store.root]
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, command)
    assert result.exit_code == 0, result.output
    return result.output


def test_before_the_analysis_a_range_is_given(three):
    assert "2 to 3" in estimate(three)
    assert not three.store.exists("scenes")


@pytest.mark.slow
def test_finished_prompts_are_counted_exactly_and_cached_scenes_are_free(three):
    three.run()
    assert "2, of which 0 are in the cache" in estimate(three)
    keys = demand_of(three.store, "spring", "sdxl", SDXL(), Settings()).all.keys
    assert len(keys) == 3
    cache = SceneCache(three.store)
    three.store.write(cache.path(keys[0]), three.store.read(three.rows(PREPARED_IMAGES)["a.png"]["file"]))
    assert cache.estimate(keys).to_make == 1


def test_an_own_background_costs_nothing(three):
    three.put("wall.png")
    (three.folder / "manifest.csv").write_text("image,background\na.png,wall.png\nb.png,wall.png\n")
    three.scan()
    assert demand_of(three.store, "spring", "sdxl", SDXL(), Settings()).all.own == 2
    assert "scenes to generate" in estimate(three)


def test_each_rendition_is_counted(three):
    (three.folder / "catalogue.toml").write_text(
        '[renditions.main]\npreset = "amazon-main"\n[renditions.loft]\n[renditions.sand]\nprompt = "sand"\n'
    )
    three.scan()
    lines = [line.split() for line in estimate(three).splitlines()]
    assert ["main", "3", "3", "0"] in lines
    assert ["loft", "3", "0", "2", "to", "3"] in lines
    assert ["sand", "3", "0", "1", "to", "3"] in lines
    assert ["scenes", "to", "generate", "3", "to", "6"] in lines


def test_before_the_first_scan_it_is_said_what_to_do(pipeline):
    register(pipeline.store, "spring", str(pipeline.folder))
    assert "vivid catalogue scan spring" in estimate(pipeline)
