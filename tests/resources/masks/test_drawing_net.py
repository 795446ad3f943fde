"""The network that tells what is drawn, with its own weights."""

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.masks.drawing_net import SIDE, drawing_inputs, drawn_probability
from vivid_assets.demo.drawings import cartoon_owl


def before_noise(side):
    owl = cartoon_owl(side)
    noise = np.random.default_rng(0).standard_normal((side, side, 3)).astype(np.float32)
    wall = np.clip(128 + 240 * cv2.GaussianBlur(noise, (0, 0), 2), 0, 255)
    alpha = owl.alpha[..., None]
    return np.uint8(np.rint(owl.picture * alpha + wall * (1 - alpha))), owl.alpha


def overlap(found, alpha):
    one, other = found > 0.5, alpha > 0.5
    return (one & other).sum() / (one | other).sum()


@pytest.mark.slow
@pytest.mark.parametrize("side", [256, 512, 1024])
def test_a_drawing_before_noise_is_found_even_where_no_other_network_sees_it(side):
    picture, alpha = before_noise(side)
    assert overlap(drawn_probability(picture, np.zeros((side, side), np.float32)), alpha) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("side", [512, 1024])
def test_the_wall_that_another_network_took_in_is_left_out_through_jpeg_too(side):
    picture, alpha = before_noise(side)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)
    more = np.maximum(alpha, (np.arange(side) > 0.7 * side)[:, None]).astype(np.float32)
    assert overlap(more, alpha) < 0.8
    assert overlap(drawn_probability(jpeg, more), alpha) > 0.88


@pytest.mark.parametrize("name", ["chelsea", "rocket", "coffee"])
def test_a_photograph_has_nothing_drawn(name):
    from skimage import data

    picture = getattr(data, name)()
    everywhere = np.ones(picture.shape[:2], np.float32)
    assert (drawn_probability(picture, everywhere) > 0.5).mean() < 0.02


def test_steps_are_told_as_they_are_in_the_full_picture():
    picture = np.zeros((640, 640, 3), np.uint8)
    picture[:, 320:] = np.random.default_rng(0).integers(0, 256, (640, 320, 3))
    x = drawing_inputs(picture, np.zeros((640, 640), np.float32))
    assert x.shape == (8, SIDE, SIDE)
    exact, slight, even, size = x[4:] + 0.5
    half = SIDE // 2
    for plane in (exact, slight, even):
        assert plane[:, : half - 2].min() == 1.0
        assert plane[:, half + 2 :].mean() < 0.05
    assert size[:, : half - 2].max() == 0.0
    assert size[:, half + 2 :].mean() > 0.8


def test_a_slope_is_even_and_not_flat():
    slope = np.repeat(np.arange(240, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    exact, slight, even, _ = drawing_inputs(slope, np.zeros(slope.shape[:2], np.float32))[4:] + 0.5
    assert exact[:, : SIDE - 20].max() == 0.0
    assert slight.min() == even.min() == 1.0


def test_the_weights_say_nothing_of_the_machine_that_made_them():
    weights = (files("resources.masks") / "drawing_net.onnx").read_bytes()
    assert b".py" not in weights


@pytest.mark.slow
def test_threads_get_the_same_answers():
    pictures = [before_noise(side)[0] for side in (96, 128, 160, 200)]
    alone = [drawn_probability(picture, np.zeros(picture.shape[:2], np.float32)) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda p: drawn_probability(p, np.zeros(p.shape[:2], np.float32)), pictures * 3)
    for index, answer in enumerate(together):
        np.testing.assert_array_equal(answer, alone[index % 4])


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_any_picture_gets_probabilities(height, width, seed):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    answer = drawn_probability(picture, rng.random((height, width), dtype=np.float32))
    assert answer.shape == (height, width)
    assert answer.dtype == np.float32
    assert answer.min() >= 0
    assert answer.max() <= 1
