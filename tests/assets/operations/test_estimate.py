"""``vivid catalogue estimate`` counts scenes and makes none."""

import pytest
from typer.testing import CliRunner

from resources.scenes.cache import SceneCache
from resources.scenes.sdxl import SDXL
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
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
    result = CliRunner().invoke(app, ["catalogue", "estimate", "spring", "--store", pipeline.store.root])
    assert result.exit_code == 0, result.output
    return result.output


def test_before_the_analysis_a_range_is_given(three):
    assert "2 to 3" in estimate(three)
    assert not three.store.exists("scenes")


@pytest.mark.slow
def test_finished_prompts_are_counted_exactly_and_cached_scenes_are_free(three):
    three.run()
    assert "2, of which 0 are in the cache" in estimate(three)
    keys = demand_of(three.store, "spring", "sdxl", SDXL(), Settings()).keys
    assert len(keys) == 3
    cache = SceneCache(three.store)
    three.store.write(cache.path(keys[0]), three.store.read(three.rows(PREPARED_IMAGES)["a.png"]["file"]))
    assert cache.estimate(keys).to_make == 1


def test_an_own_background_costs_nothing(three):
    three.put("wall.png")
    (three.folder / "manifest.csv").write_text("image,background\na.png,wall.png\nb.png,wall.png\n")
    three.scan()
    assert demand_of(three.store, "spring", "sdxl", SDXL(), Settings()).own == 2
    assert "scenes to generate" in estimate(three)
