import cv2
import numpy as np
import pytest

from vivid_assets.imaging.matte.refine_edges import refine_matte


def test_a_coarse_contour_moves_to_the_edge():
    truth = np.zeros((400, 400), np.float32)
    cv2.circle(truth, (200, 200), 110, 1.0, -1)
    picture = np.where(truth[..., None] > 0, np.float32((190, 80, 60)), np.float32((70, 90, 120)))
    picture = np.clip(picture + np.random.default_rng(0).normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    coarse = cv2.GaussianBlur(np.roll(truth, 5, axis=1), (0, 0), 6)
    before, after = np.abs(coarse - truth).mean(), np.abs(refine_matte(picture, coarse) - truth).mean()
    assert after < 0.8 * before


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_settled_mask_is_left_alone(photograph, value):
    flat = np.full(photograph.shape[:2], value, np.float32)
    np.testing.assert_allclose(refine_matte(photograph, flat), flat, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (9, 2000)])
def test_any_size(shape):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    refined = refine_matte(picture, rng.random(shape, dtype=np.float32))
    assert refined.shape == shape
    assert np.isfinite(refined).all()
    assert ((refined >= 0) & (refined <= 1)).all()


def test_where_a_thing_has_nearly_the_backgrounds_color_the_masks_own_contour_stays():
    rng = np.random.default_rng(0)
    truth = np.zeros((512, 512), np.float32)
    cv2.circle(truth, (120, 300), 80, 1.0, -1)
    tube = np.zeros_like(truth)
    cv2.line(tube, (120, 300), (480, 240), 1.0, 7)
    picture = np.where((truth + tube)[..., None] > 0, np.float32((24, 24, 26)), np.float32((33, 33, 35)))
    picture = np.clip(picture + rng.normal(0, 1, picture.shape), 0, 255).astype(np.uint8)
    answer = cv2.GaussianBlur(np.maximum(truth, tube), (0, 0), 1.2)
    refined = refine_matte(picture, answer)
    core = cv2.erode(tube, np.ones((3, 3))) > 0
    assert refined[core].mean() > 0.95 * answer[core].mean()
    beyond = cv2.dilate(np.maximum(truth, tube), np.ones((21, 21))) == 0
    assert refined[beyond].max() < 0.07
