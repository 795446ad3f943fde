"""The noise of a capture is measured in the quiet part of its background."""

import numpy as np
import pytest

from vivid_assets.imaging.core.noise import NOISE, capture_noise


@pytest.mark.parametrize("sigma", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_grain_is_measured_whatever_the_subject_is_like(sigma: float, depth: type, photograph: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    picture = np.full((256, 320, 3), (120, 140, 160), np.float64)
    alpha = np.zeros((256, 320), np.float32)
    picture[64:192, 80:240] = photograph[64:192, 80:240]
    alpha[60:196, 76:244] = 1
    picture += rng.normal(0, sigma, picture.shape)
    scale = 1 if depth is np.uint8 else 257
    captured = (np.clip(picture * scale, 0, 255 * scale) + 0.5).astype(depth)
    assert capture_noise(captured, alpha) == pytest.approx(sigma, rel=0.15)


def test_texture_counts_for_little_and_no_background_for_nothing(photograph: np.ndarray) -> None:
    empty = np.zeros(photograph.shape[:2], np.float32)
    assert capture_noise(photograph, empty) < 4
    assert capture_noise(photograph, np.ones_like(empty)) == NOISE
    assert capture_noise(photograph[:5, :5], empty[:5, :5]) == NOISE


@pytest.mark.parametrize("shape", [(17, 17), (40, 33), (700, 900), (1000, 1030)])
def test_a_mirrored_picture_has_the_same_noise(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (*shape, 3), np.uint8)
    alpha = np.zeros(shape, np.float32)
    alpha[shape[0] // 2 :, : shape[1] // 3] = 1
    for flip in (lambda p: p[:, ::-1], lambda p: p[::-1]):
        mirrored = capture_noise(np.ascontiguousarray(flip(picture)), np.ascontiguousarray(flip(alpha)))
        assert mirrored == pytest.approx(capture_noise(picture, alpha), rel=1e-5)
