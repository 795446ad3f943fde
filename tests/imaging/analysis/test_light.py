import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vivid_assets.imaging.analysis.light import measure_light

YELLOW, BLUE_MUG = (240, 220, 90), (40, 60, 120)


def picture(background, subject, height=300, width=400) -> np.ndarray:
    """A rectangle on a background."""
    image = np.full((height, width, 3), background, np.uint8)
    image[height // 4 : 3 * height // 4, width // 3 : 2 * width // 3] = subject
    return image


def test_the_backgrounds_color_does_not_tint_the_subject():
    light = measure_light(picture(YELLOW, BLUE_MUG))
    assert (light.subject.temperature, light.subject.tone) == ("cool", "dark")
    assert (light.background.temperature, light.background.tone) == ("warm", "bright")
    assert light.background_flatness == 1


@pytest.mark.parametrize(
    ("background", "subject", "temperature"),
    [
        ((245, 245, 245), (180, 30, 30), "neutral"),  # a red shirt in a white studio is not in warm light
        ((250, 240, 225), (30, 60, 150), "warm"),
        ((255, 197, 143), (40, 50, 62), "warm"),  # blue jeans before white, by lamps of 3,200 K
        ((190, 150, 112), (40, 50, 62), "warm"),  # …and before grey
        ((196, 214, 255), (190, 60, 40), "cool"),  # a red shirt in the shade of a blue sky
        ((225, 195, 160), (245, 245, 250), "neutral"),  # a white cup before beige paint
        ((200, 235, 190), (90, 60, 50), "warm"),  # light is not green
        (YELLOW, BLUE_MUG, "cool"),  # a painted wall tells nothing of the light
        ((20, 20, 20), (200, 150, 90), "warm"),  # nor does a black one
    ],
)
def test_a_white_background_tells_the_lights_color(background, subject, temperature):
    assert measure_light(picture(background, subject)).temperature == temperature


def test_a_cut_out_is_read_by_what_is_solid():
    y, x = np.mgrid[:200, :200]
    alpha = (np.hypot(y - 100, x - 100) < 60).astype(np.float32)
    image = np.where(alpha[..., None] > 0, (230, 170, 120), (255, 255, 255)).astype(np.uint8)
    light = measure_light(image, alpha)
    assert (light.temperature, light.background.share) == ("warm", 0)
    assert measure_light(image).temperature == "neutral"
    assert measure_light(image, np.ones_like(alpha)).temperature == "neutral", "no cut-out"


def test_known_values():
    light = measure_light(picture((119, 119, 119), (255, 0, 0)))
    assert light.background.brightness == pytest.approx(0.5003, abs=0.002)  # sRGB 119 is L* 50.03
    assert light.background.warmth == pytest.approx(0, abs=0.05)
    # CIE Lab of sRGB red: 53.24, 80.09, 67.20 (a sample of the other part is in the edges' means)
    assert light.subject.warmth == pytest.approx(67.2, abs=2)
    assert light.subject.chroma == pytest.approx(104.55, abs=2.5)


def test_a_grey_picture_is_neutral_whatever_its_rounding():
    light = measure_light(picture((182, 180, 177), (120, 121, 122)))
    assert light.background.temperature == light.subject.temperature == "neutral"


def test_mixing_is_in_linear_light():
    checks = np.indices((512, 512)).sum(axis=0) % 2 * 255  # black and white seen from afar: half the light
    light = measure_light(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8))
    assert light.background.brightness == pytest.approx(0.76, abs=0.02)  # L* of half the light, not of the mean code


def test_a_background_lit_from_one_side_stays_background():
    image = picture((0, 0, 0), (200, 30, 30))
    across = np.linspace(120, 220, image.shape[1]).astype(np.uint8)
    image = np.where((image == 0).all(axis=2, keepdims=True), across[None, :, None], image)
    light = measure_light(image)
    assert light.background.chroma < 3
    assert light.subject.chroma > 60


def test_a_busy_background_is_not_flat():
    image = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    assert measure_light(image).background_flatness < 0.2


def test_a_picture_of_one_color_is_all_background_and_its_middle_the_subject():
    light = measure_light(np.full((90, 60, 3), (250, 240, 200), np.uint8))
    assert light.subject.warmth == pytest.approx(light.background.warmth, abs=0.01)
    assert light.background.share == 1


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)), elements=st.integers(0, 255))
)
def test_every_figure_is_finite_and_in_range(image):
    light = measure_light(image)
    for region in (light.subject, light.background):
        assert -110 <= region.warmth <= 96
        assert 0 <= region.brightness <= 1
        assert 0 <= region.chroma <= 135
        assert 0 <= region.share <= 1
    assert 0 <= light.background_flatness <= 1


def test_mirroring_changes_nothing():
    image = picture(YELLOW, BLUE_MUG)
    image[:, :40] = (10, 200, 30)
    light, mirrored = measure_light(image), measure_light(image[:, ::-1].copy())
    assert light.subject.warmth == pytest.approx(mirrored.subject.warmth, abs=0.1)
    assert light.background_flatness == pytest.approx(mirrored.background_flatness, abs=1e-6)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_other_shapes_and_types_are_refused(image):
    with pytest.raises(ValueError, match=r"must be uint8"):
        measure_light(image)
