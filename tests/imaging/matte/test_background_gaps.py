"""The background between hairs goes; a subject of the background's colour stays."""

import cv2
import numpy as np
import pytest

from vivid_assets.demo.drawings import DRAWINGS
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.color import linear_to_srgb, srgb_to_linear, to_uint8
from vivid_assets.imaging.matte.background_gaps import open_gaps

SIZE = 480


def as_networks_see_it(alpha: np.ndarray, reach: int = 21) -> np.ndarray:
    """The gaps between hairs filled in, and a soft contour outside of all."""
    filled = cv2.morphologyEx((alpha > 0.3).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    return cv2.GaussianBlur(filled.astype(np.float32), (0, 0), 1.5)


@pytest.fixture(scope="module")
def fur():
    return DRAWINGS["fur-ball"](SIZE)


def before(background: tuple[int, int, int], drawing) -> np.ndarray:
    """The drawing against a background of that colour, lit from the left, with a camera's noise."""
    x = np.linspace(1, 0.8, SIZE)[None, :, None]
    alpha = drawing.alpha[..., None]
    light = srgb_to_linear(drawing.subject) * alpha + srgb_to_linear(np.uint8([[background]])) * x * (1 - alpha)
    noise = np.random.default_rng(0).normal(0, 1, light.shape).round()
    return (to_uint8(linear_to_srgb(light)) + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("background", [(70, 150, 85), (60, 100, 190), (50, 140, 150), (150, 90, 190)])
def test_hair_comes_off_a_colored_background(fur, background):
    picture, filled = before(background, fur), as_networks_see_it(fur.alpha)
    opened = open_gaps(picture, filled)
    band = (fur.alpha > 0.02) & (fur.alpha < 0.98) & (filled > 0.5)
    was, now = (np.abs(alpha - fur.alpha)[band].mean() for alpha in (filled, opened))
    assert now < 0.5 * was
    assert (opened <= filled).all()
    assert (opened[fur.alpha > 0.99] > 0.9).mean() > 0.98, "the subject stays whole"


def green(picture: np.ndarray, where: np.ndarray) -> float:
    """How much green is over the mean of red and blue, in steps of 255."""
    values = picture.astype(float)[where]
    return float((values[:, 1] - (values[:, 0] + values[:, 2]) / 2).mean())


def test_the_demo_s_fur_has_no_green_fringe(fur):
    filled = as_networks_see_it(fur.alpha)
    grey = np.full_like(fur.picture, 60)
    fringe = (filled > 0.5) & (fur.alpha < 0.9)

    def composite(alpha: np.ndarray) -> np.ndarray:
        # As a given mask, which the plate does not correct: what opens the gaps here is the mask's own step.
        return blend_native(fur.picture, Alpha(alpha, "person"), grey, mode="decontaminate").composite

    exact, was, now = (green(composite(a), fringe) for a in (fur.alpha, filled, open_gaps(fur.picture, filled)))
    assert was > exact + 20, "the picture shows the fault"
    assert now < exact + 5


@pytest.mark.parametrize("background", [(200, 200, 200), (128, 120, 115)])
def test_a_background_without_color_tells_nothing(fur, background):
    picture, filled = before(background, fur), as_networks_see_it(fur.alpha)
    assert open_gaps(picture, filled) is filled


def test_a_mask_that_follows_its_subject_is_left_alone():
    bottle = DRAWINGS["product-bottle"](SIZE)
    assert open_gaps(bottle.picture, bottle.alpha) is bottle.alpha


@pytest.mark.parametrize("tone", [(0.45, 0.2, 0.05), (0.9, 0.45, 0.12)])
def test_a_subject_of_the_background_s_own_hue_stays_whole(tone):
    y, x = np.mgrid[:SIZE, :SIZE]
    alpha = (np.hypot(x - 240, y - 240) < 150).astype(np.float32)
    background = srgb_to_linear(np.uint8([[(220, 130, 50)]]))
    shading = (0.5 + x / SIZE / 2)[..., None]
    picture = to_uint8(linear_to_srgb(np.where(alpha[..., None] > 0, np.array(tone) * shading, background)))
    opened = open_gaps(picture, alpha)
    assert (opened[alpha > 0] > 0.9).mean() > 0.97


def test_a_busy_picture_is_left_alone(photograph):
    alpha = np.zeros(photograph.shape[:2], np.float32)
    alpha[100:400, 100:400] = 1
    assert open_gaps(photograph, alpha) is alpha
