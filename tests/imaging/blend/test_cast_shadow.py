import cv2
import numpy as np
import pytest

from tests.support.plain import plain
from vivid_assets.imaging.blend.cast_shadow import choose_shadow, measure_shadow, multiply_layer, shaded, spread
from vivid_assets.imaging.blend.known_plate import solve_known_plate


def standing(bottom: int = 160) -> np.ndarray:
    alpha = np.zeros((200, 300), np.float32)
    alpha[60:bottom, 110:190] = 1
    return alpha


def dark(share: float = 0.5) -> np.ndarray:
    layer = np.ones((100, 150, 3), np.float32)
    layer[78:90, 50:100] = share
    return layer


def soft(share: float = 0.5) -> np.ndarray:
    return cv2.GaussianBlur(dark(share), (0, 0), 3)


def full(layer: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(cv2.resize(layer, (size, size), interpolation=cv2.INTER_LINEAR))


@pytest.mark.parametrize("color", [(232, 200, 60), (182, 180, 177), (244, 244, 242)])
def test_the_shadow_is_measured_and_the_rest_is_untouched(color):
    scene = plain(color, noise=2.0)
    known = solve_known_plate(scene.picture, scene.mask, 2.0, solve=True)
    assert known is not None
    layer = full(known.layer, len(scene.alpha)).mean(axis=2)
    bare = scene.alpha == 0
    assert np.abs(layer - scene.shadow)[bare].mean() < 0.006
    assert np.abs(layer - scene.shadow)[bare & (scene.shadow < 0.9)].mean() < 0.03
    assert (layer[:80] == 1).all()


def test_what_a_floor_mirrors_may_be_brighter_than_it():
    scene = plain((70, 72, 75), shadow=False, noise=0.5)
    light = scene.picture.astype(np.float32)
    light[300:320, 160:240] *= 1.03
    known = solve_known_plate(np.rint(light.clip(0, 255)).astype(np.uint8), scene.mask, 1.2, solve=True)
    assert known is not None
    assert 1.02 < full(known.layer, 400)[305:315, 170:230].mean() <= 1.12


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_shadow_takes_light_and_leaves_what_it_does_not_reach(dtype):
    top = np.iinfo(dtype).max
    white = np.full((200, 300, 3), top, dtype)
    out = shaded(white, dark(0.25))
    assert (out[:140] == top).all()
    assert out[168, 150].tolist() == pytest.approx([0.537 * top] * 3, rel=0.01)  # a quarter of the light
    assert (white == top).all()


def test_an_editor_multiplies_the_same_shadow():
    layer = dark(0.5)
    assert multiply_layer(layer)[0, 0].tolist() == [255] * 3
    assert multiply_layer(layer)[84, 75].tolist() == [188] * 3


@pytest.mark.parametrize(
    ("wanted", "measured", "alpha", "given", "kind"),
    [
        ("auto", soft(), standing(), {}, "kept"),
        ("auto", soft(), standing(), {"floor": "left"}, "kept"),
        ("auto", None, standing(), {"floor": "left"}, "soft"),
        ("auto", None, standing(), {}, "none"),
        ("auto", None, standing(200), {"floor": "left"}, "none"),
        ("auto", np.ones((9, 9, 3), np.float32), standing(), {"floor": "left"}, "none"),
        ("auto", soft(), standing(), {"drawing": True}, "none"),
        ("keep", soft(), standing(), {}, "kept"),
        ("keep", None, standing(), {"floor": "left"}, "none"),
        ("soft", soft(), standing(), {}, "soft"),
        ("soft", None, standing(200), {"floor": "left"}, "none"),
        ("none", soft(), standing(), {"floor": "left"}, "none"),
    ],
)
def test_which_shadow_a_subject_gets(wanted, measured, alpha, given, kind):
    assert choose_shadow(wanted, measured, alpha, **given).kind == kind


def test_darkness_over_most_of_a_picture_is_no_shadow_of_its_subject():
    layer = np.full((100, 150, 3), 0.5, np.float32)
    found = choose_shadow("auto", layer, standing())
    assert found.kind == "none"
    assert "lies over most of it" in found.note


def test_what_stands_on_a_point_gets_no_soft_shadow():
    ball = np.zeros((200, 300), np.float32)
    cv2.circle(ball, (150, 90), 60, 1.0, -1)
    cv2.line(ball, (150, 140), (150, 185), 1.0, 2)
    assert choose_shadow("auto", None, ball, floor="left").kind == "none"


def test_area_and_depth():
    found = choose_shadow("keep", dark(0.4), standing())
    assert found.area == pytest.approx(12 * 50 / 15000)
    assert found.depth == pytest.approx(0.6, abs=0.01)
    assert choose_shadow("none", dark(), standing()).area == 0


def test_the_unknown_is_filled_from_what_is_near():
    values, weight = np.zeros((64, 64), np.float32), np.zeros((64, 64), np.float32)
    values[:, :8], values[:, -8:] = 1, 3
    weight[:, :8], weight[:, -8:] = 1, 1
    filled = spread(values, weight)
    assert filled[30, 4] == 1
    assert filled[30, 60] == 3
    assert 1 <= filled[30, 12] < 1.6 < 2.4 < filled[30, 50] <= 3


@pytest.mark.parametrize("plate", [(0.8, 0.6, 0.01), (0.1, 0.012, 0.45)])
def test_a_channel_that_the_plate_hardly_has_does_not_tint_the_shadow(plate):
    """A camera cuts off the third colour of a saturated paper: it stays as it is where the others are halved."""
    light = np.full((120, 160, 3), plate, np.float32)
    share = np.ones((120, 160), np.float32)
    share[60:90, 40:120] = 0.5
    seen = light * share[..., None]
    weakest = int(np.argmin(plate))
    seen[..., weakest] = plate[weakest]
    layer = measure_shadow(share, seen, light, np.ones_like(share), np.full_like(share, 0.004))
    core = layer[70:80, 60:100]
    assert np.abs(core[..., weakest] / core.mean(axis=2) - 1).max() < 0.06
    assert core.mean() == pytest.approx(0.5, abs=0.03)


def test_a_scene_behind_the_subject_is_no_shadow_of_it():
    layer = np.ones((300, 400, 3), np.float32)
    alpha = np.zeros((300, 400), np.float32)
    alpha[180:260, 150:250] = 1
    faded = layer.copy()
    faded[250:275, 120:300] = 0.4
    faded = cv2.GaussianBlur(faded, (0, 0), 6)
    assert choose_shadow("auto", faded, alpha).kind == "kept"
    for top in range(10, 150, 28):  # a shelf
        faded[top : top + 14, 20:380] = 0.5
    found = choose_shadow("auto", faded, alpha)
    assert found.kind == "none"
    assert "sharp edges" in found.note
    assert choose_shadow("keep", faded, alpha).kind == "kept"
