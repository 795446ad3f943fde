import cv2
import numpy as np
import pytest

from vivid_assets.imaging.plate.cast_shadow import choose_shadow


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


def test_a_crumb_beside_the_subject_is_no_shadow_and_a_soft_one_stays():
    y, x = np.mgrid[:300, :400].astype(np.float32)
    alpha = ((np.abs(x - 140) < 60) & (y > 60) & (y < 200)).astype(np.float32)
    soft = (
        1
        - 0.5 * np.exp(-(((x - 140) / 90) ** 2) - ((y - 205) / 14) ** 2)
        - 0.3 * np.exp(-(((x - 60) / 12) ** 2) - ((y - 60) / 12) ** 2)
    )
    crumb = np.hypot(x - 310, y - 150) < 12
    light = np.where(crumb, 0.2, soft).astype(np.float32)
    layer = np.repeat(cv2.GaussianBlur(light, (0, 0), 1.0)[..., None], 3, axis=2)
    kept = choose_shadow("keep", layer, alpha).layer
    assert kept[crumb].min() > 0.97
    shaded = (alpha == 0) & ~(np.hypot(x - 310, y - 150) < 25)
    assert np.abs(kept - layer)[shaded].max() < 0.01
