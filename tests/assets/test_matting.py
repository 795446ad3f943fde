"""ViTMatte as a step that a user turns on, through the whole stage, with a small model of its class."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from resources.masks.vitmatte import VitMatte
from vivid_assets.assets.masks import MASKS
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.masking.matting import trimap_of

pytestmark = pytest.mark.slow

OFF = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'


def photograph(number=0, size=160):
    """A round part of a real photograph before a plain, noisy wall."""
    from skimage import data

    inside = np.zeros((size, size), np.float32)
    cv2.circle(inside, (size // 2, size // 2), size // 3, 1, -1, cv2.LINE_AA)
    inside = cv2.GaussianBlur(inside, (0, 0), 1)[..., None]
    product = 0.6 * data.astronaut()[60 * number :][:size, 150 : 150 + size]
    noise = np.random.default_rng(number).normal(0, 1.5, (size, size, 3))
    wall = np.array((205, 200, 190)) + np.linspace(-6, 6, size)[None, :, None] + noise
    return np.clip(np.rint(wall + inside * (product - wall)), 0, 255).astype(np.uint8)


@pytest.fixture
def on(pipeline, tiny_vitmatte):
    """Two photographs, a cut-out and a photograph with a mask; the settings that ask for ViTMatte."""
    square = Image.fromarray(np.pad(np.full((80, 80), 255, np.uint8), 40))
    pictures = {name: Image.fromarray(photograph(n)) for n, name in enumerate(("a.png", "b.png", "cut.png", "own.png"))}
    pictures["cut.png"].putalpha(square)
    (pipeline.folder / "overrides").mkdir()
    for name, picture in (pictures | {"overrides/own.png": square}).items():
        picture.save(pipeline.folder / name)
    pipeline.say(OFF)
    pipeline.scan()
    return OFF.replace("[masks]", '[masks]\nmatting = "vitmatte"') + (
        f'[vitmatte]\nmodel = "{tiny_vitmatte}"\ndevice = "cpu"\n'
    )


def alphas(pipeline):
    return {
        name: decode_mask(pipeline.store.read(row["file"]))
        for name, row in pipeline.rows(MASKS).items()
        if row["status"] == "ok"
    }


def tried(row):
    return json.loads(row["tried"])[-1]


def test_photographs_are_solved_within_the_band_and_nothing_else_is_touched(pipeline, on, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(VitMatte, "_load", lambda *_: pytest.fail("it was not asked for"))
        pipeline.run()
    before = alphas(pipeline)
    assert "vitmatte" not in str(pipeline.rows(MASKS))

    pipeline.say(on)
    assert pipeline.run()["masks"] == 4
    rows, after = pipeline.rows(MASKS), alphas(pipeline)
    assert {name: (tried(row)["tier"], tried(row)["verdict"]) for name, row in rows.items()} == {
        "a.png": ("vitmatte", "applied"),
        "b.png": ("vitmatte", "applied"),
        "cut.png": ("vitmatte", "left"),
        "own.png": ("vitmatte", "left"),
    }
    assert (rows["a.png"]["tier"], rows["a.png"]["degraded"]) == ("gradients", None)
    band = trimap_of(before["a.png"], 2) == 0.5
    np.testing.assert_array_equal(after["a.png"][~band], before["a.png"][~band])
    assert np.abs(after["a.png"] - before["a.png"])[band].max() > 0.05
    for name in ("cut.png", "own.png"):
        np.testing.assert_array_equal(after[name], before[name])

    assert pipeline.run()["masks"] == 0
    pipeline.say(on + "band = 0.02\n")
    assert pipeline.run()["masks"] == 4
    pipeline.say(OFF)
    pipeline.run()
    np.testing.assert_array_equal(alphas(pipeline)["a.png"], before["a.png"])


def test_weights_that_are_asked_for_and_missing_stop_the_step(pipeline, on, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    pipeline.say(on.partition("[vitmatte]")[0])
    result = pipeline.materialize("spring-00000")
    assert not result.success
    (failure,) = (event for event in result.all_events if event.is_step_failure and event.step_key == "vivid__masks")
    told = failure.step_failure_data.error.cause.message
    assert "vitmatte-small-composition-1k" in told
    assert "vivid models pull" in told


def test_a_picture_that_breaks_it_is_that_pictures_failure(pipeline, on, monkeypatch):
    load = VitMatte._load

    def breaking(self, device):
        solve = load(self, device)

        def checked(pixels):
            if (np.abs(pixels[..., :3] - (photograph(1) / 127.5 - 1)).max(axis=(1, 2, 3)) < 0.01).any():
                raise ValueError("the network cannot solve this")
            return solve(pixels)

        return checked

    monkeypatch.setattr(VitMatte, "_load", breaking)
    pipeline.say(on)
    pipeline.run()
    rows = pipeline.rows(MASKS)
    assert {name: row["status"] for name, row in rows.items()} == {
        "a.png": "ok",
        "b.png": "failed",
        "cut.png": "ok",
        "own.png": "ok",
    }
    assert "cannot solve this" in rows["b.png"]["error"]
    assert tried(rows["a.png"])["verdict"] == "applied"
