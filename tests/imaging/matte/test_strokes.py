"""Signs in strokes of one ink over photographs."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivid_assets.imaging.matte.strokes import stroke_matte

SIDE = 512


def background(name):
    from skimage import data

    return cv2.resize(getattr(data, name)(), (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def sign(glow):
    """Rings, a star and spokes; float32, 0..1."""
    lines = np.zeros((2 * SIDE, 2 * SIDE), np.uint8)
    middle = (SIDE, SIDE)
    for radius in (420, 380, 230, 120):
        cv2.circle(lines, middle, radius, 255, 10, cv2.LINE_AA)
    angles = np.arange(0, 2 * np.pi, np.pi / 3)
    corners = SIDE + 380 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for triangle in (corners[::2], corners[1::2]):
        cv2.polylines(lines, [np.int32(triangle)], True, 255, 10, cv2.LINE_AA)
    for corner in corners:
        cv2.line(lines, middle, np.int32(corner).tolist(), 255, 8, cv2.LINE_AA)
    lines = cv2.resize(lines, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.maximum(lines, 0.8 * cv2.GaussianBlur(lines, (0, 0), glow)) if glow else lines


def disc(radius):
    """What a network makes of it."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    return np.clip(radius + 2 - np.hypot(x, y), 0, 1).astype(np.float32)


def over(alpha, ink, behind):
    alpha = alpha[..., None]
    return np.uint8(np.rint(np.float32(ink) * alpha + behind * (1 - alpha)))


@pytest.mark.parametrize("through_jpeg", [False, True])
@pytest.mark.parametrize("glow", [0, 5])
@pytest.mark.parametrize("ink", [(255, 255, 255), (10, 12, 30), (250, 235, 90)])
def test_a_sign_is_cut_from_the_photograph_between_its_strokes(ink, glow, through_jpeg):
    alpha = sign(glow)
    # What lies behind is not of the ink's own lightness.
    behind = 0.7 * background("chelsea") + (60 if max(ink) < 100 else 0)
    picture = over(alpha, ink, np.clip(behind, 0, 255))
    if through_jpeg:
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)
    filled = disc(215)
    found = stroke_matte(picture, filled)
    assert found is not None and found.dtype == np.float32
    assert np.abs(found - alpha).mean() < 0.06 < 0.2 * np.abs(filled - alpha).mean()
    assert (found[alpha > 0.95] > 0.5).mean() > 0.97
    assert (found[alpha < 0.05] < 0.5).mean() > 0.97
    assert found[disc(250) == 0].max() == 0.0


def test_a_sign_of_few_strokes_is_cut_too():
    lines = np.zeros((SIDE, SIDE), np.uint8)
    for radius in (70, 205):
        cv2.circle(lines, (SIDE // 2,) * 2, radius, 255, 4, cv2.LINE_AA)
    corners = SIDE // 2 + 203 * np.array([[0, -1], [0.866, 0.5], [-0.866, 0.5]])
    alpha = cv2.polylines(lines, [np.int32(corners)], True, 255, 4, cv2.LINE_AA).astype(np.float32) / 255
    found = stroke_matte(over(alpha, (255, 255, 255), 0.8 * background("chelsea")), disc(207))
    assert found is not None
    assert np.abs(found - alpha).mean() < 0.03


def test_a_highlight_taken_for_the_subject_is_no_sign():
    picture, seen = np.uint8(background("chelsea") * 0.5), np.zeros((SIDE, SIDE), np.float32)
    picture[250:262, 250:262] = 255
    seen[252:260, 252:260] = 1
    assert stroke_matte(picture, seen) is None


def test_a_photographed_thing_with_an_outline_around_it_is_no_sign():
    behind, ring = background("coffee"), np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(ring, (SIDE // 2,) * 2, 208, 255, 7, cv2.LINE_AA)
    inside = disc(208)[..., None]
    picture = over(
        ring.astype(np.float32) / 255, (255, 255, 255), background("chelsea") * inside + behind * (1 - inside)
    )
    assert stroke_matte(picture, disc(211)) is None


def test_a_cover_with_a_sign_printed_on_it_is_not_taken_apart():
    cover = disc(225)[..., None]
    picture = over(sign(0), (255, 255, 255), np.float32((20, 30, 120)) * cover + 200.0 * (1 - cover))
    assert stroke_matte(picture, disc(225)) is None


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "astronaut"])
def test_a_photograph_is_no_sign(name):
    assert stroke_matte(np.uint8(background(name)), disc(215)) is None


def test_no_subject_no_sign():
    picture = over(sign(0), (255, 255, 255), background("chelsea"))
    assert stroke_matte(picture, np.zeros((SIDE, SIDE), np.float32)) is None


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 256]))
def test_any_picture_gives_a_matte_or_nothing(height, width, seed, levels):
    rng = np.random.default_rng(seed)
    picture = np.uint8(rng.integers(0, levels, (height, width, 3)) * (255 // max(1, levels - 1)))
    found = stroke_matte(picture, rng.random((height, width), dtype=np.float32))
    if found is not None:
        assert found.shape == (height, width)
        assert found.min() >= 0.0 and found.max() <= 1.0
