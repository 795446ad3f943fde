"""The shadow in the rows: kept, drawn or none, its layer a file, and another one without another mask."""

import numpy as np
import pytest
from PIL import Image

from tests.support.plain import plain
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.imaging.io.codec import decode

SETTINGS = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n[composites]\nshadow = "{}"\n'


@pytest.mark.slow
def test_a_kept_shadow_is_a_layer_and_another_choice_asks_no_model(pipeline):
    scene = plain()
    Image.fromarray(scene.picture).save(pipeline.folder / "a.png")
    pipeline.scan()
    pipeline.run()
    row, masked = pipeline.rows(COMPOSITES)["a.png"], pipeline.rows(MASKS)["a.png"]
    assert (row["shadow"], row["notes"]) == ("kept", [])
    assert 0 < row["shadow_area"] < 0.3
    assert 0.4 < row["shadow_depth"] < 0.8
    layer = decode(pipeline.store.read(row["shadow_file"])).rgb
    assert (layer[:60] == 255).all()
    foot = layer[round(0.74 * len(layer)), round(0.62 * len(layer))]
    assert foot.max() < 240
    shaded = decode(pipeline.store.read(row["file"])).rgb.astype(int)

    pipeline.say(SETTINGS.format("none"))
    pipeline.run()
    bare = pipeline.rows(COMPOSITES)["a.png"]
    assert (bare["shadow"], bare["shadow_file"], bare["shadow_area"]) == ("none", None, 0)
    assert pipeline.rows(MASKS)["a.png"]["key"] == masked["key"]
    assert (decode(pipeline.store.read(bare["file"])).rgb.astype(int) - shaded)[296, 250].min() > 10

    pipeline.say(SETTINGS.format("soft"))
    pipeline.run()
    assert pipeline.rows(COMPOSITES)["a.png"]["shadow"] == "soft"


@pytest.mark.slow
def test_what_cannot_be_kept_says_why(pipeline):
    busy = np.random.default_rng(3).integers(0, 255, (40, 40, 3), np.uint8)
    picture = np.asarray(Image.fromarray(busy).resize((320, 320), Image.Resampling.BICUBIC)).copy()
    picture[80:240, 100:220] = (200, 30, 40)
    Image.fromarray(picture).save(pipeline.folder / "a.png")
    pipeline.say(SETTINGS.format("keep"))
    pipeline.scan()
    pipeline.run()
    row = pipeline.rows(COMPOSITES)["a.png"]
    assert row["shadow"] == "none"
    assert "the original background is not plain: its shadow cannot be measured" in row["notes"]
