"""Blending at the source's size with masks and backgrounds of other sizes."""

import numpy as np
import pytest

from vivid_assets.imaging.native import blend_native, cover


@pytest.fixture
def disc():
    """A red disc on a grey wall, 300 × 400, and its alpha at a quarter of the size."""
    y, x = np.mgrid[:300, :400]
    inside = np.clip(100.5 - np.hypot(y - 150, x - 200), 0, 1)[..., None]
    image = np.rint(inside * (200, 40, 30) + (1 - inside) * (205, 205, 205)).astype(np.uint8)
    y, x = np.mgrid[:75, :100]
    small = np.clip(25.5 - np.hypot(y - 37.1, x - 49.6), 0, 1).astype(np.float32)
    return image, small


def test_the_composite_has_the_source_s_size_and_the_new_wall(disc):
    image, alpha = disc
    green = np.zeros((50, 50, 3), np.uint8) + np.uint8([20, 160, 60])
    blend = blend_native(image, alpha, green)
    assert blend.composite.shape == image.shape
    assert (blend.composite[10, 10] == (20, 160, 60)).all()
    assert (blend.composite[150, 200] == image[150, 200]).all()


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_box_with_a_hard_mask_keeps_its_straight_sides(factor):
    small = np.zeros((90, 120), np.float32)
    small[20:70, 30:90] = 1
    truth = np.kron(small, np.ones((factor, factor), np.float32))
    image = np.where(truth[..., None] > 0, np.uint8([200, 40, 30]), np.uint8([205, 205, 205]))
    blend = blend_native(image, small, np.zeros((8, 8, 3), np.uint8), mode="alpha")
    np.testing.assert_allclose(blend.alpha, truth, atol=0.1)


def test_sixteen_bits_stay_sixteen_bits(disc):
    image, alpha = disc
    deep = image.astype(np.uint16) * 257 + 3
    blend = blend_native(deep, alpha, np.full((40, 40, 3), 100, np.uint8))
    assert blend.composite.dtype == np.uint16
    assert (blend.composite[10, 10] == 100 * 257).all()
    assert (blend.composite[150, 200] == deep[150, 200]).all()


@pytest.mark.parametrize(("height", "width"), [(100, 200), (200, 100), (33, 77), (500, 20)])
def test_cover_fills_the_frame_with_the_middle(height, width):
    background = np.zeros((90, 120, 3), np.uint8)
    background[30:60, 40:80] = 255
    covered = cover(background, height, width)
    assert covered.shape == (height, width, 3)
    assert covered[height // 2, width // 2].max() == 255


def test_cover_of_one_pixel_is_one_pixel():
    assert cover(np.full((90, 120, 3), 7, np.uint8), 1, 1).tolist() == [[[7, 7, 7]]]


def test_cover_leaves_a_background_of_the_right_size_alone():
    background = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert cover(background, 2, 2) is background
