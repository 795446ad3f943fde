import cv2
import numpy as np
import pytest

from vivid_assets.imaging.matte.from_background import open_holes

SIDE = 400


def ring(background: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A textured ring against a background that the light shades, with a photograph's grain; and a mask that fills
    it."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    shade = (1.05 - 0.12 * np.hypot(x - 0.4, y - 0.4))[..., None]
    picture = np.float32(background) * shade
    body = np.float32((120, 70, 40)) * rng.uniform(0.7, 1.3, (SIDE, SIDE, 1))
    radius = np.hypot(x - 0.5, y - 0.5)[..., None]
    picture = np.where((radius > 0.12) & (radius < 0.35), body, picture) + rng.normal(0, 1.5, (SIDE, SIDE, 3))
    return np.clip(picture, 0, 255).astype(np.uint8), (radius[..., 0] < 0.35).astype(np.float32)


def test_the_middle_of_a_ring_against_a_colored_background_is_opened():
    picture, filled = ring((230, 170, 180))
    alpha = open_holes(picture, filled)
    assert alpha[200, 200] == 0
    assert alpha[200, 290] == 1
    hole = np.pi * (0.12 * SIDE) ** 2
    assert (filled - alpha).sum() == pytest.approx(hole, rel=0.1)


@pytest.mark.parametrize("background", [(240, 240, 240), (128, 128, 128)], ids=["white", "grey"])
def test_on_a_background_without_a_color_nothing_is_opened(background):
    picture, filled = ring(background)
    np.testing.assert_array_equal(open_holes(picture, filled), filled)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_before_no_plain_background_are_left_alone(name):
    from skimage import data

    picture = getattr(data, name)()
    alpha = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(alpha, (picture.shape[1] // 2, picture.shape[0] // 2), (100, 120), 0, 0, 360, 1.0, -1)
    np.testing.assert_array_equal(open_holes(picture, alpha), alpha)


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (4, 5)])
def test_tiny_pictures(shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert open_holes(picture, np.ones(shape, np.float32)).shape == shape
