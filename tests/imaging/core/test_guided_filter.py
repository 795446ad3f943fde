"""The guided filter against its definition, written out window by window."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivid_assets.imaging.core.guided_filter import guided_filter, guided_upsample


def plain_guided_filter(guide: np.ndarray, src: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """Equations 14 to 16 of the paper, one window at a time, in float64; a border window is mirrored."""
    channels = guide.reshape(*src.shape, -1).astype(float)
    wide = np.pad(channels, ((radius, radius), (radius, radius), (0, 0)), "symmetric")
    target = np.pad(src.astype(float), radius, "symmetric")
    height, width = src.shape
    slopes, offsets = np.zeros(channels.shape), np.zeros(src.shape)
    for y in range(height):
        for x in range(width):
            size = 2 * radius + 1
            colors = wide[y : y + size, x : x + size].reshape(-1, channels.shape[2])
            values = target[y : y + size, x : x + size].ravel()
            centred = colors - colors.mean(axis=0)
            cov = centred.T @ centred / len(colors) + eps * np.eye(colors.shape[1])
            slopes[y, x] = np.linalg.solve(cov, centred.T @ (values - values.mean()) / len(colors))
            offsets[y, x] = values.mean() - slopes[y, x] @ colors.mean(axis=0)
    mean = np.zeros((height, width, channels.shape[2] + 1))
    fits = np.pad(np.dstack([slopes, offsets]), ((radius, radius), (radius, radius), (0, 0)), "symmetric")
    for y in range(height):
        for x in range(width):
            mean[y, x] = fits[y : y + 2 * radius + 1, x : x + 2 * radius + 1].mean(axis=(0, 1))
    return (mean[..., :-1] * channels).sum(axis=2) + mean[..., -1]


@pytest.mark.parametrize("radius", [1, 3])
@pytest.mark.parametrize("eps", [1e-4, 1e-2])
@pytest.mark.parametrize("grey", [False, True])
def test_it_is_the_papers_formula(radius: int, eps: float, grey: bool, photograph: np.ndarray) -> None:
    guide = photograph[100:124, 200:231] / 255.0
    guide = guide.mean(axis=2) if grey else guide
    src = np.random.default_rng(3).random(guide.shape[:2], np.float32)
    np.testing.assert_allclose(
        guided_filter(guide, src, radius, eps), plain_guided_filter(guide, src, radius, eps), atol=2e-4
    )


def test_a_step_in_the_guide_comes_back_into_a_blurred_mask() -> None:
    guide = np.zeros((40, 40, 3), np.uint8)
    guide[:, 20:] = (200, 90, 30)
    ramp = np.clip((np.arange(40, dtype=np.float32) - 15) / 9, 0, 1)
    out = guided_filter(guide, np.tile(ramp, (40, 1)), 6, 1e-4)[20]
    assert out[20] - out[19] > 3 * (ramp[20] - ramp[19])


def test_it_keeps_an_even_mask_and_follows_a_flat_guide_by_a_mean() -> None:
    guide = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    np.testing.assert_allclose(guided_filter(guide, np.full((30, 20), 0.3, np.float32), 4, 1e-3), 0.3, atol=1e-5)
    spot = np.zeros((31, 31), np.float32)
    spot[15, 15] = 1
    out = guided_filter(np.full((31, 31, 3), 128, np.uint8), spot, 1, 1e-3)
    assert out[15, 15] == pytest.approx(1 / 9, abs=1e-4)
    assert out.sum() == pytest.approx(1, abs=1e-3)


def test_flat_windows_do_not_blow_up_at_a_tiny_eps() -> None:
    guide = np.full((50, 50, 3), (250, 250, 249), np.uint8)
    guide[20:30, 20:30] = (10, 12, 10)
    mask = np.zeros((50, 50), np.float32)
    mask[18:32, 18:32] = 1
    out = guided_filter(guide, mask, 8, 1e-6)
    assert np.isfinite(out).all()
    assert out.min() > -0.5
    assert out.max() < 1.5


def test_what_is_asked_for_does_not_depend_on_what_is_left_out(photograph: np.ndarray) -> None:
    mask = (photograph[..., 0] > 120).astype(np.float32)
    where = np.zeros(mask.shape, np.bool_)
    where[37:41, 5:100] = where[-1, -1] = True
    whole, part = guided_filter(photograph, mask, 5, 1e-3), guided_filter(photograph, mask, 5, 1e-3, where)
    np.testing.assert_array_equal(part[where], whole[where])
    np.testing.assert_array_equal(part[~where], mask[~where])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(0, 9))
def test_any_size_and_radius_gives_numbers_within_reach(height: int, width: int, radius: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    guide, mask = rng.random((height, width, 3), np.float32), rng.random((height, width), np.float32)
    out = guided_filter(guide, mask, radius, 1e-2)
    assert out.shape == mask.shape
    assert np.isfinite(out).all()
    assert out.min() > -1
    assert out.max() < 2


@pytest.mark.parametrize("factor", [1.3, 2.0, 4.0])
def test_an_alpha_comes_up_as_the_photograph_has_it(factor: float) -> None:
    rng = np.random.default_rng(5)
    strands = np.zeros((400, 400), np.uint8)
    for x in rng.uniform(0, 400, 60):
        cv2.line(strands, (int(x), 0), (int(x + rng.normal(0, 40)), 400), 255, 2, cv2.LINE_AA)
    alpha = strands / np.float32(255)
    light = alpha[..., None] * np.float32([0.3, 0.1, 0.05]) + (1 - alpha[..., None]) * np.float32([0.2, 0.6, 0.3])
    size = (round(400 / factor),) * 2
    small, small_light = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (alpha, light))
    out = guided_upsample(light, small, small_light, 2, 1e-5, np.ones((400, 400), np.bool_))
    plain = cv2.resize(small, (400, 400), interpolation=cv2.INTER_LINEAR)
    assert np.abs(out - alpha).mean() < 0.25 * np.abs(plain - alpha).mean()


def test_what_does_not_fit_is_refused_with_both_sizes() -> None:
    with pytest.raises(ValueError, match=r"\(4, 5, 3\).*\(5, 4\)"):
        guided_filter(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.float32), 1, 0.1)
    with pytest.raises(ValueError, match="radius"):
        guided_filter(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.float32), 0, 0.1)
