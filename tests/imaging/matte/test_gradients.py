import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vivid_assets.imaging.matte.gradients import gradient_mask


def product(plate=(235, 232, 228), noise=0.0, shade=0.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw a bag with a handle against a background; returns the picture and its true mask (bool)."""
    big = np.zeros((1200, 1000), np.uint8)
    cv2.rectangle(big, (280, 500), (720, 1000), 255, -1)
    cv2.ellipse(big, (500, 500), (150, 220), 0, 180, 360, 255, 40)
    alpha = cv2.resize(big, (500, 600), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
    y, x = np.mgrid[:600, :500]
    background = np.float32(plate) * (1 - shade * (x / 500 + y / 600)[..., None] / 2)
    picture = alpha * np.float32((150, 60, 40)) + (1 - alpha) * background
    picture += np.random.default_rng(0).normal(0, noise, picture.shape)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8), alpha[..., 0] > 0.5


def iou(alpha: np.ndarray, truth: np.ndarray) -> float:
    found = alpha > 0.5
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize(
    ("plate", "noise", "shade"),
    [((255, 255, 255), 0, 0), ((235, 232, 228), 2, 0.1), ((60, 120, 90), 2, 0.2), ((12, 12, 14), 1, 0)],
)
def test_a_product_against_a_plain_background(plate, noise, shade):
    picture, truth = product(plate, noise, shade)
    found = gradient_mask(picture)
    assert found.is_plain
    assert iou(found.alpha, truth) > 0.97
    # The space inside the handle is a true hole.
    assert found.alpha[200, 250] < 0.1


def test_mirrored_picture_mirrored_mask():
    picture, _ = product(noise=0)
    there = gradient_mask(picture).alpha
    back = gradient_mask(np.ascontiguousarray(picture[:, ::-1])).alpha[:, ::-1]
    assert np.abs(there - back).mean() < 0.005


def test_real_photographs_get_a_finite_answer():
    from skimage import data

    for picture in (data.astronaut(), data.chelsea(), data.coffee(), data.rocket()):
        alpha = gradient_mask(picture).alpha
        assert alpha.shape == picture.shape[:2]
        assert np.isfinite(alpha).all()


def test_nothing_against_a_background_is_nothing():
    assert not gradient_mask(np.full((120, 90, 3), 200, np.uint8)).alpha.any()


def test_only_pictures_are_taken():
    for wrong in (np.zeros((5, 5), np.uint8), np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            gradient_mask(wrong)


@settings(max_examples=120)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))
    | st.builds(
        lambda h, w, c: np.full((h, w, 3), c, np.uint8), st.integers(1, 3), st.integers(1, 900), st.integers(0, 255)
    )
)
def test_any_picture_gets_a_finite_deterministic_mask(picture):
    first, second = gradient_mask(picture), gradient_mask(picture)
    assert first.alpha.shape == picture.shape[:2]
    assert first.alpha.dtype == np.float32
    assert np.isfinite(first.alpha).all()
    assert ((first.alpha >= 0) & (first.alpha <= 1)).all()
    np.testing.assert_array_equal(first.alpha, second.alpha)
