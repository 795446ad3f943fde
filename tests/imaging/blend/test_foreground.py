"""Foreground estimation: exact where it can be, and no worse than the field's standard elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivid_assets.imaging.blend.foreground import estimate_foreground
from vivid_assets.imaging.core.spread_colors import estimate_colors


def scene(seed: int, height: int = 60, width: int = 70) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A smooth subject against a smooth background with a wavy soft edge: image, alpha, F and B, in linear light."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wave = 6 * np.sin(y / 7 + rng.uniform(0, 6))
    alpha = np.clip((width / 2 + wave - x) / 10 + 0.5, 0, 1).astype(np.float32)
    tilt = rng.uniform(-0.1, 0.1, (2, 3)).astype(np.float32)
    front = rng.uniform(0.15, 0.85, 3).astype(np.float32) + (y[..., None] / height) * tilt[0]
    back = rng.uniform(0.15, 0.85, 3).astype(np.float32) + (y[..., None] / height) * tilt[1]
    a = alpha[..., None]
    return a * front + (1 - a) * back, alpha, front, back


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_smooth_colors_come_back(seed: int) -> None:
    image, alpha, front, back = scene(seed)
    f, b = estimate_foreground(image, alpha, estimate_colors(image, alpha))
    soft = (alpha > 0) & (alpha < 1)
    assert (np.abs(f - front) * alpha[..., None])[soft].max() < 0.02
    assert (np.abs(b - back) * (1 - alpha[..., None]))[soft].max() < 0.02


def test_pixels_that_are_not_soft_are_not_touched() -> None:
    image, alpha, _, _ = scene(1)
    f, _ = estimate_foreground(image, alpha, estimate_colors(image, alpha))
    hard = (alpha <= 0) | (alpha >= 1)
    np.testing.assert_array_equal(f[hard], image[hard])


def test_on_a_plain_background_stripes_come_through_that_smoothing_would_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    # As plain Python: numba would compile all of pymatting for most of a minute.
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    from pymatting import estimate_foreground_ml

    _, alpha, _, _ = scene(2)
    stripes = (np.arange(alpha.shape[0]) // 2 % 2)[:, None, None]
    front = np.broadcast_to(np.where(stripes, np.float32(0.7), np.float32(0.05)), (*alpha.shape, 3))
    a, background = alpha[..., None], np.float32((0.6, 0.4, 0.1))
    image = np.ascontiguousarray(a * front + (1 - a) * background, np.float32)
    f, _ = estimate_foreground(image, alpha, estimate_colors(image, alpha))
    smooth = estimate_foreground_ml(image, alpha)
    middle = (alpha > 0.3) & (alpha < 0.7)
    assert np.abs(f - front)[middle].mean() < 0.25 * np.abs(smooth - front)[middle].mean()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (33, 1)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_any_size_and_any_alpha_give_numbers_in_range(shape: tuple[int, int], value: float) -> None:
    image = np.random.default_rng(0).random((*shape, 3), np.float32)
    f, _ = estimate_foreground(
        image, np.full(shape, value, np.float32), estimate_colors(image, np.full(shape, value, np.float32))
    )
    assert np.isfinite(f).all()
    assert ((f >= 0) & (f <= 1)).all()


def test_too_little_alpha_against_an_uneven_background_burns_nothing_out() -> None:
    """At 75 percent a dark subject would be darker than black: what is seen is its colour."""
    rng = np.random.default_rng(3)
    background = np.repeat(np.repeat(rng.uniform(0.4, 0.9, (12, 14, 3)), 5, 0), 5, 1).astype(np.float32)
    alpha = np.zeros(background.shape[:2], np.float32)
    alpha[10:50, 15:55] = 1
    subject = np.float32((0.05, 0.07, 0.03))
    image = np.where(alpha[..., None] > 0, subject, background)
    alpha[20:40, 25:45] = 0.75
    f, _ = estimate_foreground(image, alpha, estimate_colors(image, alpha))
    np.testing.assert_allclose(f[22:38, 27:43], np.broadcast_to(subject, (16, 16, 3)), atol=0.01)
