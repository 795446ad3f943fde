"""Alpha: a good one is left alone, a blurred one sharpened, a small one brought up."""

import cv2
import numpy as np
import pytest

from vivid_assets.imaging.blend.refine_alpha import refine_alpha
from vivid_assets.imaging.blend.upsample import upsample_alpha
from vivid_assets.imaging.core.color import linear_to_srgb, srgb_to_linear, to_uint8


def strands(size: int = 160, seed: int = 0) -> np.ndarray:
    """Exact alpha of a disk with hair, drawn at four times the size."""
    rng = np.random.default_rng(seed)
    big = np.zeros((4 * size, 4 * size), np.uint8)
    middle = 2 * size
    cv2.circle(big, (middle, middle), int(1.1 * size), 255, -1)
    for angle in rng.uniform(0, 2 * np.pi, 110):
        start = middle + 0.9 * size * np.array([np.cos(angle), np.sin(angle)])
        end = start + rng.uniform(0.4, 0.9) * size * np.array([np.cos(angle + 0.3), np.sin(angle + 0.3)])
        cv2.line(big, start.astype(int).tolist(), end.astype(int).tolist(), 255, int(rng.integers(3, 8)))
    return (cv2.resize(big, (size, size), interpolation=cv2.INTER_AREA) / 255).astype(np.float32)


def capture(alpha: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    """Linear light of a noisy 8-bit photograph of a brown subject against a background."""
    a = alpha[..., None]
    front, behind = (srgb_to_linear(np.uint8([[color]])) for color in ((90, 55, 40), background))
    seen = linear_to_srgb(a * front + (1 - a) * behind)
    return srgb_to_linear(to_uint8(seen + np.random.default_rng(1).normal(0, 1.2 / 255, seen.shape)))


BACKGROUNDS = [(232, 200, 60), (60, 170, 75), (182, 180, 177), (244, 244, 242)]


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_an_exact_alpha_stays_as_it_is(background: tuple[int, int, int]) -> None:
    alpha = strands()
    refined, _, evidence = refine_alpha(capture(alpha, background), alpha)
    assert evidence.verdict == "exact"
    np.testing.assert_array_equal(refined, alpha)


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_blurred_alpha_is_found_out_measured_and_sharpened(background: tuple[int, int, int]) -> None:
    alpha = strands()
    blurred = cv2.GaussianBlur(alpha, (0, 0), 1.5)
    refined, _, evidence = refine_alpha(capture(alpha, background), blurred)
    assert evidence.verdict == "blurred"
    assert evidence.sigma == pytest.approx(1.5, abs=0.25)
    soft = (alpha > 0.02) & (alpha < 0.98)
    assert np.abs(refined - alpha)[soft].mean() < 0.35 * np.abs(blurred - alpha)[soft].mean()


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_veil_over_a_plain_background_is_lifted_and_hair_is_not(background: tuple[int, int, int]) -> None:
    alpha = strands()
    picture = capture(alpha, background)
    veiled = alpha.copy()
    veiled[:40, :40] = np.maximum(veiled[:40, :40], 0.25)
    refined, _, _ = refine_alpha(picture, veiled)
    haze = cv2.erode((alpha[:40, :40] == 0).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert haze.sum() > 300
    assert refined[:40, :40][haze].mean() < 0.03
    rest = (alpha > 0) & (veiled == alpha)
    assert np.abs(refined - alpha)[rest].mean() < 0.01


@pytest.mark.parametrize("background", [BACKGROUNDS[0], *BACKGROUNDS[2:]])
def test_a_doubt_inside_a_solid_subject_is_taken_out(background: tuple[int, int, int]) -> None:
    """At 70 percent the brown subject would be darker than black against such a background."""
    alpha = strands()
    doubted = alpha.copy()
    doubted[60:100, 60:100] = 0.7
    refined, _, _ = refine_alpha(capture(alpha, background), doubted)
    assert refined[64:96, 64:96].mean() > 0.97
    rest = doubted == alpha
    assert np.abs(refined - alpha)[rest].mean() < 0.002


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_what_is_translucent_stays_so(background: tuple[int, int, int]) -> None:
    alpha = strands()
    alpha[60:100, 60:100] = 0.7
    refined, _, _ = refine_alpha(capture(alpha, background), alpha)
    np.testing.assert_allclose(refined[64:96, 64:96], 0.7, atol=0.03)


def test_a_coarse_alpha_gets_the_photographs_edges() -> None:
    alpha = strands()
    coarse = cv2.resize(cv2.resize(alpha, (20, 20), interpolation=cv2.INTER_AREA), (160, 160))
    coarse = np.clip(coarse * 1.2 - 0.1, 0, 1)
    refined, _, evidence = refine_alpha(capture(alpha, BACKGROUNDS[1]), coarse)
    assert evidence.amount > 0.9
    band = (coarse > 0) & (coarse < 1)
    assert np.abs(refined - alpha)[band].mean() < 0.5 * np.abs(coarse - alpha)[band].mean()
    np.testing.assert_array_equal(refined[~band], coarse[~band])


def test_where_subject_and_background_look_alike_the_photograph_has_no_say() -> None:
    alpha = strands()
    blurred = cv2.GaussianBlur(alpha, (0, 0), 1.5)
    refined, _, evidence = refine_alpha(capture(alpha, (90, 55, 40)), blurred)
    assert evidence.amount < 0.05
    assert np.abs(refined - blurred).max() < 0.05


def test_a_mask_without_soft_pixels_passes_through() -> None:
    hard = (strands() > 0.5).astype(np.float32)
    refined, _, evidence = refine_alpha(capture(hard, BACKGROUNDS[0]), hard)
    np.testing.assert_array_equal(refined, hard)
    assert evidence.verdict == "exact"


@pytest.mark.slow
def test_a_small_alpha_comes_up_with_the_photographs_edges() -> None:
    alpha = strands(320)
    photo = to_uint8(linear_to_srgb(capture(alpha, BACKGROUNDS[1])))
    small = cv2.resize(alpha, (80, 80), interpolation=cv2.INTER_AREA)
    plain = cv2.resize(small, (320, 320), interpolation=cv2.INTER_LINEAR)
    up = upsample_alpha(small, photo)
    assert up.shape == alpha.shape
    assert up.dtype == np.float32
    assert ((up >= 0) & (up <= 1)).all()
    assert np.abs(up - alpha).mean() < 0.9 * np.abs(plain - alpha).mean()
    assert set(np.unique(up[plain > 0.999])) == {1.0}
    assert set(np.unique(up[plain < 0.001])) == {0.0}


def test_an_alpha_of_the_photographs_size_is_not_filtered() -> None:
    alpha = strands()
    photo = np.zeros((160, 160, 3), np.uint8)
    np.testing.assert_array_equal(upsample_alpha(alpha, photo), alpha)


def feathered(size: int) -> tuple[np.ndarray, np.ndarray]:
    alpha = strands(size)
    return alpha, cv2.GaussianBlur(alpha, (0, 0), 3 * size / 512)


@pytest.mark.parametrize("size", [512, pytest.param(1024, marks=pytest.mark.slow)])
@pytest.mark.parametrize("background", BACKGROUNDS[1:3])
def test_a_feathered_alpha_is_sharpened_at_any_size(size: int, background: tuple[int, int, int]) -> None:
    alpha, soft = feathered(size)
    refined, _, evidence = refine_alpha(capture(alpha, background), soft)
    assert evidence.verdict == "blurred"
    assert evidence.sigma == pytest.approx(3 * size / 512, rel=0.15)
    band = (alpha > 0.02) & (alpha < 0.98)
    assert np.abs(refined - alpha)[band].mean() < 0.3 * np.abs(soft - alpha)[band].mean()


@pytest.mark.parametrize("sigma", [2, 6, 12])
@pytest.mark.parametrize("background", [(90, 55, 40), *BACKGROUNDS])
def test_what_is_not_sharp_is_never_called_exact(sigma: float, background: tuple[int, int, int]) -> None:
    alpha = strands(300)
    picture = capture(alpha, background)
    rng = np.random.default_rng(2)
    for photograph in (picture, rng.random(picture.shape, np.float32)):
        _, _, evidence = refine_alpha(photograph, cv2.GaussianBlur(alpha, (0, 0), sigma))
        assert evidence.verdict != "exact"
        assert evidence.sharpness < 0.45


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_hard_edge_gets_the_alpha_that_the_photograph_shows(background: tuple[int, int, int]) -> None:
    y, x = np.mgrid[:200, :200]
    alpha = np.clip(60.5 - np.hypot(y - 100, x - 100), 0, 1).astype(np.float32)
    hard = (alpha > 0.5).astype(np.float32)
    refined, _, _ = refine_alpha(capture(alpha, background), hard)
    edge = (alpha > 0) & (alpha < 1)
    assert np.abs(refined - alpha)[edge].mean() < 0.25 * np.abs(hard - alpha)[edge].mean()
    assert np.abs(refined - alpha)[~edge].max() < 0.15
