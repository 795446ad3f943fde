"""Blending at the source's size with masks and backgrounds of other sizes."""

import cv2
import numpy as np
import pytest

from tests.support.light import linear_to_uint8
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.color import (
    ciede2000,
    linear_to_srgb,
    rgb_to_lab,
    srgb_to_linear,
    to_uint8,
)
from vivid_assets.imaging.core.resize import cover


@pytest.fixture
def disc():
    """A red disc on a grey background, 300 × 400, and its alpha at a quarter of the size."""
    y, x = np.mgrid[:300, :400]
    inside = np.clip(100.5 - np.hypot(y - 150, x - 200), 0, 1)[..., None]
    image = np.rint(inside * (200, 40, 30) + (1 - inside) * (205, 205, 205)).astype(np.uint8)
    y, x = np.mgrid[:75, :100]
    small = np.clip(25.5 - np.hypot(y - 37.1, x - 49.6), 0, 1).astype(np.float32)
    return image, small


def test_the_composite_has_the_source_s_size_and_the_new_background(disc):
    image, alpha = disc
    green = np.zeros((50, 50, 3), np.uint8) + np.uint8([20, 160, 60])
    blend = blend_native(image, Alpha(alpha, "probability"), green)
    assert blend.composite.shape == image.shape
    assert (blend.composite[10, 10] == (20, 160, 60)).all()
    assert (blend.composite[150, 200] == image[150, 200]).all()


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_box_with_a_hard_mask_keeps_its_straight_sides(factor):
    small = np.zeros((90, 120), np.float32)
    small[20:70, 30:90] = 1
    truth = np.kron(small, np.ones((factor, factor), np.float32))
    image = np.where(truth[..., None] > 0, np.uint8([200, 40, 30]), np.uint8([205, 205, 205]))
    blend = blend_native(image, Alpha(small, "probability"), np.zeros((8, 8, 3), np.uint8), mode="alpha")
    np.testing.assert_allclose(blend.alpha, truth, atol=0.1)


def test_sixteen_bits_stay_sixteen_bits(disc):
    image, alpha = disc
    deep = image.astype(np.uint16) * 257 + 3
    blend = blend_native(deep, Alpha(alpha, "probability"), np.full((40, 40, 3), 100, np.uint8))
    assert blend.composite.dtype == np.uint16
    assert (blend.composite[10, 10] == 100 * 257).all()
    assert (blend.composite[150, 200] == deep[150, 200]).all()


def strands(size):
    """A disc with radial strands 1.5 pixels wide, at any size, and a colour for its pixels."""
    big = np.zeros((2 * size, 2 * size), np.uint8)
    cv2.circle(big, (size, size), int(0.5 * size), 255, -1, cv2.LINE_AA)
    for angle in np.linspace(0, 2 * np.pi, 60, endpoint=False):
        ends = [(size + r * size * np.array([np.cos(angle), np.sin(angle)])).astype(int).tolist() for r in (0.4, 0.8)]
        cv2.line(big, *ends, 255, 3, cv2.LINE_AA)
    return cv2.resize(big, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


@pytest.mark.parametrize("size", [700, 1500, pytest.param(2600, marks=pytest.mark.soak)])
@pytest.mark.parametrize("under", ["black", "white", "bleed"])
@pytest.mark.parametrize("origin", ["own", "person"])
def test_a_given_alpha_is_the_composites_alpha_at_any_size(size, under, origin):
    alpha = strands(size)
    subject, hidden = np.array([120, 40, 30]), {"black": 0, "white": 255, "bleed": [120, 40, 30]}[under]
    image = np.where(alpha[..., None] > 0, subject, hidden).astype(np.uint8)
    # Black and white new backgrounds between them show the alpha that was used.
    over = []
    for level in (0, 255):
        plate = np.full((8, 8, 3), level, np.uint8)
        over.append(
            blend_native(image, Alpha(alpha, origin), plate, mode="alpha" if origin == "own" else "decontaminate")
        )
    for blended in over:
        np.testing.assert_allclose(blended.alpha, alpha, atol=1 / 255)
    if origin == "own":
        dark, bright = (srgb_to_linear(blended.composite) for blended in over)
        used = 1 - (bright - dark).mean(axis=2)
        np.testing.assert_allclose(used, alpha, atol=1.5 / 255)


def test_a_given_alpha_of_another_size_is_interpolated_and_not_guessed():
    alpha = cv2.GaussianBlur(strands(600), (0, 0), 2)
    noise = np.random.default_rng(0).integers(0, 255, (600, 600, 3), dtype=np.uint8)
    half = cv2.resize(alpha, (300, 300), interpolation=cv2.INTER_AREA)
    blended = blend_native(noise, Alpha(half, "person"), np.zeros((8, 8, 3), np.uint8))
    assert np.abs(blended.alpha - alpha).max() < 0.08


def test_of_a_networks_alpha_nothing_is_left_where_the_picture_shows_nothing(disc):
    image, small = disc
    visible = np.ones(image.shape[:2], np.float32)
    visible[:150] = 0
    blended = blend_native(image, Alpha(small, "probability"), np.zeros((8, 8, 3), np.uint8), visible=visible)
    assert not blended.alpha[:150].any()
    assert blended.alpha[160:200, 200].min() == 1


@pytest.mark.parametrize("plate", [(60, 170, 75), (182, 180, 177)])
@pytest.mark.slow
def test_a_networks_mask_is_corrected_as_well_for_a_larger_picture(plate):
    error = {}
    for size in (1024, 2048):
        alpha = strands(size)
        weight = alpha[..., None]
        front, behind = (srgb_to_linear(np.uint8([[color]])) for color in ((120, 60, 40), plate))
        seen = linear_to_srgb(weight * front + (1 - weight) * behind)
        noise = np.random.default_rng(1).standard_normal(seen.shape, np.float32) * np.float32(1.2 / 255)
        small = cv2.resize(alpha, (1024, 1024), interpolation=cv2.INTER_AREA)
        answer = Alpha(cv2.GaussianBlur(small, (0, 0), 1.5), "probability")
        blended = blend_native(to_uint8(seen + noise), answer, np.full((8, 8, 3), (30, 50, 110), np.uint8))
        assert blended.alpha_verdict == "plate"
        soft = (alpha > 0.02) & (alpha < 0.98)
        truth = linear_to_uint8(weight * front + (1 - weight) * srgb_to_linear(np.uint8([[(30, 50, 110)]])))
        error[size] = ciede2000(rgb_to_lab(blended.composite[soft]), rgb_to_lab(truth[soft])).mean()
    assert error[2048] < 1.1 * error[1024]


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
