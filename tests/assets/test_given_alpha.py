"""An alpha that is given, through the whole pipeline: at the picture's own size, to a level of 255."""

import json

import cv2
import numpy as np
import pytest

from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.imaging.io.codec import decode

pytestmark = pytest.mark.slow

SIZE = 1400  # over the models' 1024


def strands():
    big = np.zeros((2 * SIZE, 2 * SIZE), np.uint8)
    cv2.circle(big, (SIZE, SIZE), SIZE // 2, 255, -1, cv2.LINE_AA)
    for angle in np.linspace(0, 2 * np.pi, 60, endpoint=False):
        ends = [(SIZE + r * SIZE * np.array([np.cos(angle), np.sin(angle)])).astype(int).tolist() for r in (0.4, 0.8)]
        cv2.line(big, *ends, 255, 3, cv2.LINE_AA)
    return cv2.resize(big, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def save(path, pixels):
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), pixels)


def bring_given_alphas_through(pipeline):
    alpha = strands()
    subject = np.full((SIZE, SIZE, 3), (30, 40, 120), np.uint8)
    before_green = np.where(alpha[..., None] > 0, subject, np.uint8([80, 170, 60])).astype(np.uint8)
    save(pipeline.folder / "own.png", np.dstack([subject, alpha]))
    save(pipeline.folder / "person.png", before_green)
    save(pipeline.folder / "overrides" / "person.png.png", alpha)
    save(pipeline.folder / "labels.png", before_green[::4, ::4])
    save(pipeline.folder / "overrides" / "labels.png.png", (alpha[::4, ::4] > 127).astype(np.uint8))
    save(pipeline.folder / "nothing.png", before_green[::4, ::4])
    save(pipeline.folder / "overrides" / "nothing.png.png", np.zeros((350, 350), np.uint8))
    corners = np.full((350, 350), 255, np.uint8)
    corners[:3, :3] = 0
    save(pipeline.folder / "corners.png", np.dstack([before_green[::4, ::4], corners]))
    for shade in ("black", "white"):
        save(pipeline.folder / "backgrounds" / f"{shade}.png", np.full((8, 8, 3), 255 * (shade == "white"), np.uint8))
    pipeline.say('[masks]\ntiers = ["gradients"]\n[composites]\nformat = "png"\n')
    pipeline.scan()
    pipeline.run()


@pytest.fixture
def done(pipeline_after):
    return pipeline_after(bring_given_alphas_through), strands()


def test_given_alphas_reach_the_composite_as_they_are(done):
    pipeline, alpha = done
    masks, composites = pipeline.rows(MASKS), pipeline.rows(COMPOSITES)
    assert {name: row["origin"] for name, row in masks.items()} == {
        "own.png": "own",
        "person.png": "person",
        "labels.png": "person",
        "nothing.png": "person",
        "corners.png": masks["corners.png"]["origin"],
    }
    for name in ("own.png", "person.png"):
        composite = decode(pipeline.store.read(composites[name]["file"])).rgb
        assert composite.shape == (SIZE, SIZE, 3)
        assert (composite[alpha == 255] == (120, 40, 30)).all()
    # One level of 255 in alpha moves a mixed pixel by no more than two levels; strands that are lost, by dozens.
    one, other = (decode(pipeline.store.read(composites[name]["file"])).rgb.astype(int) for name in ("own.png",) * 2)
    np.testing.assert_array_equal(one, other)
    assert not masks["own.png"]["review"]
    assert not masks["person.png"]["review"]


def test_masks_as_data_sets_store_them_are_read_and_doubtful_ones_are_up_for_review(done):
    pipeline, _ = done
    rows = pipeline.rows(MASKS)
    assert json.loads(rows["labels.png"]["figures"])["coverage"] > 0.1
    assert any("0 and 1" in note for note in rows["labels.png"]["notes"])
    assert (rows["nothing.png"]["verdict"], rows["nothing.png"]["review"]) == ("empty", True)


def test_rounded_corners_are_no_cut_out(done):
    pipeline, _ = done
    row = pipeline.rows(MASKS)["corners.png"]
    assert row["origin"] not in ("own", "person")
    assert json.loads(row["tried"])[0]["verdict"] == "packaging"
    assert any("no cut-out" in note for note in pipeline.rows(PREPARED_IMAGES)["corners.png"]["notes"])
