"""What becomes of a network's probability, for photographs and for what may be a drawing."""

import cv2
import numpy as np
import pytest

from vivid_assets.demo.catalogue import write_demo_catalogue
from vivid_assets.demo.drawings import cartoon_owl
from vivid_assets.masking.finish import DRAWING_NET, finish
from vivid_assets.masking.ladder_settings import LadderSettings


def finished(picture, probability):
    return finish(picture, probability, LadderSettings(), line_art=False, trusted=True)


def packshot(tint, detail):
    """A pale mug on clipped white paper, shaded, with a dark detail of a radius; and where it is."""
    picture = np.full((300, 300, 3), 255, np.uint8)
    mug = np.zeros((300, 300), np.uint8)
    cv2.circle(mug, (150, 150), 90, 255, -1, cv2.LINE_AA)
    shade = np.linspace(1, 0.9, 300)[None, :, None] * np.float64(tint) - np.zeros((300, 1, 3))
    cv2.circle(shade, (150, 150), detail, [0.45 * value for value in tint], -1)
    share = mug[..., None] / 255
    return np.rint(share * shade + (1 - share) * picture).astype(np.uint8), (mug / 255).astype(np.float32)


@pytest.mark.parametrize("tint", [(240, 240, 240), (205, 222, 244)], ids=["neutral", "pale blue"])
@pytest.mark.parametrize("detail", [15, 40])
def test_a_pale_product_on_white_paper_is_no_translucent_ink(tint, detail):
    picture, mask = packshot(tint, detail)
    found = finished(picture, cv2.GaussianBlur(mask, (0, 0), 3))
    assert found.alpha[150, 90:210].min() > 0.9


def test_a_glow_is_one():
    y, x = np.mgrid[:200, :200]
    share = np.clip(1.1 - np.hypot(x - 100, y - 100) / 70, 0, 1)[..., None]
    picture = np.rint(share * np.array([70, 90, 220]) + (1 - share) * 255).astype(np.uint8)
    found = finished(picture, (share[..., 0] > 0.2).astype(np.float32))
    assert found.background == "plain"
    assert 0.3 < found.alpha[100, 140] < 0.8


def test_a_sign_in_strokes_over_a_photograph_is_not_filled():
    from skimage import data

    ring = np.zeros((512, 512), np.uint8)
    for radius in range(40, 221, 30):
        cv2.circle(ring, (256, 256), radius, 255, 4, cv2.LINE_AA)
    alpha, disc = ring / 255, cv2.circle(np.zeros((512, 512), np.float32), (256, 256), 222, 1.0, -1)
    photograph = cv2.resize(data.chelsea(), (512, 512), interpolation=cv2.INTER_AREA)
    found = finished(np.uint8(np.rint(255 * alpha[..., None] + photograph * (1 - alpha[..., None]))), disc)
    assert found.background == "busy" and not found.by_drawing_net
    assert np.abs(found.alpha - alpha).mean() < 0.04 < 0.1 * np.abs(disc - alpha).mean()


def before_a_photograph(side=512):
    """A cartoon owl before a photograph; the picture and its alpha."""
    from skimage import data

    owl = cartoon_owl(side)
    background = cv2.resize(data.coffee(), (side, side), interpolation=cv2.INTER_AREA)
    alpha = owl.alpha[..., None]
    return np.uint8(np.rint(owl.picture * alpha + background * (1 - alpha))), owl.alpha


def test_a_drawing_is_told_from_the_photograph_behind_it_whatever_the_network_took_with_it():
    picture, alpha = before_a_photograph()
    height = len(picture)
    sees_both = np.maximum(alpha, (np.arange(height) > 0.6 * height)[:, None]).astype(np.float32)
    found = finished(picture, sees_both)
    assert (found.background, found.by_drawing_net) == ("busy", True)
    assert (found.drawing_net.tier, found.drawing_net.verdict) == (DRAWING_NET, "good")
    assert np.abs(found.alpha - alpha).mean() < 0.02


def test_a_drawing_is_the_subject_where_the_network_saw_only_a_small_thing_beside_it():
    picture, alpha = before_a_photograph()
    beside = cv2.circle(np.zeros(alpha.shape, np.float32), (470, 40), 30, 1.0, -1)
    assert beside[alpha > 0.5].max() == 0.0
    found = finished(picture, beside)
    assert found.by_drawing_net
    assert np.abs(found.alpha - alpha).mean() < 0.02


def test_a_drawing_on_a_photographed_thing_leaves_the_thing_its_mask():
    picture, _ = before_a_photograph()
    small, size = cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA), len(picture)
    shirt = np.random.default_rng(0).integers(90, 130, (size, size, 3)).astype(np.uint8)
    shirt[200:328, 200:328] = small
    seen = np.zeros((size, size), np.float32)
    seen[40:-40, 40:-40] = 1
    found = finished(shirt, seen)
    assert (found.background, found.by_drawing_net) == (None, False)
    assert found.alpha[60:-60, 60:-60].min() > 0.9


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "cat"])
def test_a_photograph_keeps_the_networks_mask(name):
    from skimage import data

    picture = getattr(data, name)()
    seen = np.zeros(picture.shape[:2], np.float32)
    height, width = seen.shape
    seen[height // 4 : -height // 4, width // 4 : -width // 4] = 1
    found = finished(picture, seen)
    assert (found.background, found.by_drawing_net) == (None, False)


@pytest.mark.slow
def test_a_rings_middle_stays_open_against_a_plain_background(tmp_path):
    path = next(p for p in write_demo_catalogue(tmp_path) if "donut" in p.stem)
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width]
    disc = (np.hypot(x - width / 2, y - height / 2) < 0.34 * min(height, width)).astype(np.float32)
    found = finished(picture, cv2.GaussianBlur(disc, (0, 0), 3))
    assert not found.by_drawing_net
    assert found.alpha[height // 2 - 5 : height // 2 + 5, width // 2 - 5 : width // 2 + 5].max() < 0.1


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "unseen"])
def test_what_a_network_sees_nothing_of_is_a_guess_after_a_lossy_codec(seen):
    """Keys in outlines on white paper: where ringing hides the paper's edge, how whole they are is a guess."""
    picture, mask = np.full((400, 400, 3), 255, np.uint8), np.zeros((400, 400), np.float32)
    cv2.rectangle(picture, (110, 40), (290, 220), (40, 60, 150), -1)
    cv2.rectangle(mask, (110, 40), (290, 220), 1.0, -1)
    for left in range(140, 260, 20):
        cv2.rectangle(picture, (left, 290), (left + 12, 330), (90, 90, 92), 3)
    if seen:
        cv2.rectangle(mask, (138, 288), (254, 332), 1.0, -1)
    file = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    read = np.ascontiguousarray(cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1])
    found = finish(read, cv2.GaussianBlur(mask, (0, 0), 3), LadderSettings(), line_art=True, trusted=True)
    assert found.background == "plain"
    assert ("sees nothing" in found.doubt) is not seen
