import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.plain import plain
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.plate.find_plate import FITTED_AT, find_plate


def small(plane: np.ndarray) -> np.ndarray:
    scale = FITTED_AT / max(plane.shape[:2])
    size = (round(plane.shape[1] * scale), round(plane.shape[0] * scale))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


@pytest.mark.parametrize("color", [(232, 200, 60), (60, 170, 75), (182, 180, 177), (244, 244, 242), (24, 24, 26)])
def test_a_sweep_is_found_behind_its_subject_and_its_shadow(color):
    scene = plain(color)
    found = find_plate(small(srgb_to_linear(scene.picture)), small(scene.mask))
    assert found is not None
    truth = small(scene.plate)
    assert (np.abs(found.light / truth - 1)).mean() < 0.012
    assert (np.abs(found.light / truth - 1)).max() < 0.06


@settings(max_examples=15)
@given(st.tuples(*[st.floats(-0.25, 0.25)] * 4), st.integers(30, 150))
def test_any_slow_light_is_a_plate(bends, grey):
    y, x = np.mgrid[-1:1:200j, -1:1:256j].astype(np.float32)
    fall = np.exp(bends[0] * x + bends[1] * y + bends[2] * x * x + bends[3] * x * y)
    light = np.clip(srgb_to_linear(np.full((1, 1, 3), grey, np.uint8)) * fall[..., None], 0, 1)
    subject = (np.hypot(x, y) < 0.4).astype(np.float32)
    picture = np.where(subject[..., None] > 0, np.float32(0.02), light).astype(np.float32)
    found = find_plate(picture, subject)
    assert found is not None
    assert np.abs(found.light / light - 1).max() < 0.08


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "astronaut"])
def test_a_photographs_own_room_is_no_plate(name):
    from skimage import data

    picture = small(srgb_to_linear(getattr(data, name)()))
    subject = np.zeros(picture.shape[:2], np.float32)
    subject[60:120, 90:160] = 1
    assert find_plate(picture, subject) is None


def test_a_pattern_is_no_plate():
    y, x = np.mgrid[:200, :256]
    picture = np.repeat(np.where((x // 8 + y // 8) % 2, 0.6, 0.3)[..., None], 3, axis=2).astype(np.float32)
    subject = np.zeros((200, 256), np.float32)
    subject[60:140, 90:160] = 1
    assert find_plate(picture, subject) is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 256)])
def test_a_picture_without_background_has_none(shape):
    assert find_plate(np.full((*shape, 3), 0.5, np.float32), np.ones(shape, np.float32)) is None
