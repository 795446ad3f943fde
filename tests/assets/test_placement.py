"""Placement in the rows: a canvas of another size, and a changed padding that asks no model."""

import numpy as np
import pytest
from PIL import Image

from tests.support.plain import plain
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.imaging.io.codec import decode

SETTINGS = (
    '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n[composites]\nshadow = "none"\n'
    'canvas = "300x500"\nfit = "subject"\npadding = {}\n'
)


@pytest.mark.slow
def test_the_subject_is_placed_and_another_padding_reblends_alone(pipeline):
    Image.fromarray(plain(subject=(20, 60, 150)).picture).save(pipeline.folder / "a.png")
    pipeline.scan()
    pipeline.say(SETTINGS.format(0.1))
    pipeline.run()
    row = pipeline.rows(COMPOSITES)["a.png"]
    keys = [pipeline.rows(stage)["a.png"]["key"] for stage in (MASKS, BACKGROUNDS)]
    picture = decode(pipeline.store.read(row["file"])).rgb
    assert picture.shape == (500, 300, 3)
    blue = (picture[..., 2].astype(int) > picture[..., 0] + 60) & (picture[..., 0] < 70) & (picture[..., 1] < 90)
    columns = np.flatnonzero(blue.any(axis=0))
    assert columns[-1] - columns[0] + 1 == pytest.approx(240, abs=4)
    assert row["scale"] == pytest.approx(240 / (2 * 0.22 * 400), rel=0.03)

    pipeline.say(SETTINGS.format("[60, 0, 60, 0]"))
    pipeline.run()
    again = pipeline.rows(COMPOSITES)["a.png"]
    assert again["scale"] < row["scale"]
    assert [pipeline.rows(stage)["a.png"]["key"] for stage in (MASKS, BACKGROUNDS)] == keys


@pytest.mark.slow
def test_a_canvas_for_the_whole_photograph_keeps_where_the_subject_stands(pipeline):
    Image.fromarray(plain().picture).save(pipeline.folder / "a.png")
    pipeline.scan()
    pipeline.say('[masks]\ntiers = ["gradients"]\n[composites]\nshadow = "none"\ncanvas = "200x200"\n')
    pipeline.run()
    row = pipeline.rows(COMPOSITES)["a.png"]
    assert (row["scale"], row["notes"]) == (0.5, [])
    assert decode(pipeline.store.read(row["file"])).rgb.shape == (200, 200, 3)
