import cv2
import numpy as np
import pytest

from tests.support.plain import plain
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.plate.known_plate import solve_known_plate
from vivid_assets.imaging.plate.shadow_layer import measure_shadow


def full(layer: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(cv2.resize(layer, (size, size), interpolation=cv2.INTER_LINEAR))


@pytest.mark.parametrize("color", [(232, 200, 60), (182, 180, 177), (244, 244, 242)])
def test_the_shadow_is_measured_and_the_rest_is_untouched(color):
    scene = plain(color, noise=2.0)
    known = solve_known_plate(srgb_to_linear(scene.picture), scene.mask, 2.0, solve=True)
    assert known is not None
    layer = full(known.layer, len(scene.alpha)).mean(axis=2)
    bare = scene.alpha == 0
    assert np.abs(layer - scene.shadow)[bare].mean() < 0.006
    assert np.abs(layer - scene.shadow)[bare & (scene.shadow < 0.9)].mean() < 0.03
    assert (layer[:80] == 1).all()


def test_what_a_floor_mirrors_may_be_brighter_than_it():
    scene = plain((70, 72, 75), shadow=False, noise=0.5)
    light = scene.picture.astype(np.float32)
    light[300:320, 160:240] *= 1.03
    known = solve_known_plate(srgb_to_linear(np.rint(light.clip(0, 255)).astype(np.uint8)), scene.mask, 1.2, solve=True)
    assert known is not None
    assert 1.02 < full(known.layer, 400)[305:315, 170:230].mean() <= 1.12


@pytest.mark.parametrize("plate", [(0.8, 0.6, 0.01), (0.1, 0.012, 0.45)])
def test_a_channel_that_the_plate_hardly_has_does_not_tint_the_shadow(plate):
    """A camera cuts off the third colour of a saturated paper: it stays as it is where the others are halved."""
    light = np.full((120, 160, 3), plate, np.float32)
    share = np.ones((120, 160), np.float32)
    share[60:90, 40:120] = 0.5
    seen = light * share[..., None]
    weakest = int(np.argmin(plate))
    seen[..., weakest] = plate[weakest]
    layer = measure_shadow(share, seen, light, np.ones_like(share), np.full_like(share, 0.004))
    core = layer[70:80, 60:100]
    assert np.abs(core[..., weakest] / core.mean(axis=2) - 1).max() < 0.06
    assert core.mean() == pytest.approx(0.5, abs=0.03)
