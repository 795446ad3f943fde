"""Masks by BiRefNet's tier through the whole stage, with a small model of its interface: bright is subject."""

import json

import numpy as np
import pytest
from PIL import Image

from vivid_assets.assets.masks import MASKS
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.masking.ladder import Ladder

pytestmark = pytest.mark.slow


def disc(size=160, paint=235):
    """A bright disc on a dark wall, with a soft rim."""
    y, x = np.mgrid[:size, :size] - size / 2
    inside = np.clip((size / 3 - np.hypot(y, x)) / 3 + 0.5, 0, 1)[..., None]
    return np.rint(30 + inside * (paint - 30)).astype(np.uint8).repeat(3, axis=2)


def test_birefnet_answers_and_what_it_cannot_do_goes_to_the_next_tier(pipeline, tiny_birefnet):
    Image.fromarray(disc()).save(pipeline.folder / "a.png")
    Image.fromarray(np.full((160, 160, 3), 20, np.uint8)).save(pipeline.folder / "dark.png")
    Image.fromarray(disc(paint=255)).save(pipeline.folder / "glaring.png")
    pipeline.say(
        '[masks]\ntiers = ["birefnet", "gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'
        f'[birefnet]\nmodel = "{tiny_birefnet}"\ntrust_remote_code = true\nsize = 64\ndevice = "cpu"\n'
    )
    pipeline.scan()
    pipeline.run()
    rows = pipeline.rows(MASKS)
    assert (rows["a.png"]["tier"], rows["a.png"]["verdict"], rows["a.png"]["degraded"]) == ("birefnet", "good", None)
    alpha = decode_mask(pipeline.store.read(rows["a.png"]["file"]))
    assert alpha.shape == (160, 160)
    assert alpha[80, 80] == 1
    assert alpha[5, 5] == 0
    # A picture that breaks the model breaks no other, and where nothing is, no mask is stretched out of it.
    assert rows["glaring.png"]["tier"] == "gradients"
    assert "too bright" in rows["glaring.png"]["tried"]
    empty = rows["dark.png"]
    assert empty["review"], empty
    assert json.loads(empty["tried"])[0]["verdict"] != "good"


def test_small_batches_for_a_small_gpu_do_not_slow_down_the_cpu(pipeline, monkeypatch):
    """What finishes masks, and U²-Net, works on as many pictures at once as there are cores."""
    for number in range(4):
        Image.fromarray(disc(paint=200 + number)).save(pipeline.folder / f"{number}.png")
    given, ask = [], Ladder.ask

    def watched(self, begun):
        given.append(len(begun))
        return ask(self, begun)

    monkeypatch.setattr(Ladder, "ask", watched)
    pipeline.say('[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n[birefnet]\nbatch_size = 1\n')
    pipeline.scan()
    pipeline.run()
    assert given == [4]
