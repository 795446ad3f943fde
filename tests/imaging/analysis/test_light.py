import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vivid_assets.imaging.analysis.light import measure_light

YELLOW_WALL, BLUE_MUG = (240, 220, 90), (40, 60, 120)


def picture(wall, subject, height=300, width=400) -> tuple[np.ndarray, np.ndarray]:
    """A rectangle on a wall, and its alpha."""
    image = np.full((height, width, 3), wall, np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    inside = np.s_[height // 4 : 3 * height // 4, width // 3 : 2 * width // 3]
    image[inside], alpha[inside] = subject, 255
    return image, alpha


@pytest.mark.parametrize("with_alpha", [True, False])
def test_the_walls_colour_does_not_tint_the_subject(with_alpha):
    image, alpha = picture(YELLOW_WALL, BLUE_MUG)
    light = measure_light(image, alpha if with_alpha else None)
    assert (light.subject.temperature, light.subject.tone) == ("cool", "dark")
    assert (light.wall.temperature, light.wall.tone) == ("warm", "bright")
    assert light.wall_flatness == 1


@pytest.mark.parametrize(
    ("wall", "subject", "temperature"),
    [
        ((245, 245, 245), (180, 30, 30), "neutral"),  # a red shirt in a white studio is not in warm light
        ((250, 240, 225), (30, 60, 150), "warm"),
        (YELLOW_WALL, BLUE_MUG, "cool"),  # a painted wall tells nothing of the light
        ((20, 20, 20), (200, 150, 90), "warm"),  # nor does a black one
    ],
)
def test_a_white_wall_tells_the_lights_colour(wall, subject, temperature):
    assert measure_light(*picture(wall, subject)).temperature == temperature


def test_known_values():
    image, alpha = picture((119, 119, 119), (255, 0, 0))
    light = measure_light(image, alpha)
    assert light.wall.brightness == pytest.approx(0.5003, abs=0.002)  # sRGB 119 is L* 50.03
    assert light.wall.warmth == pytest.approx(0, abs=0.05)
    # CIE Lab of sRGB red: 53.24, 80.09, 67.20 (one sample more or less of the other part at the edges)
    assert light.subject.warmth == pytest.approx(67.2, abs=1)
    assert light.subject.chroma == pytest.approx(104.55, abs=2)


def test_a_grey_picture_is_neutral_whatever_its_rounding():
    light = measure_light(*picture((182, 180, 177), (120, 121, 122)))
    assert light.wall.temperature == light.subject.temperature == "neutral"


def test_mixing_is_in_linear_light():
    checks = np.indices((512, 512)).sum(axis=0) % 2 * 255  # black and white seen from afar: half the light
    light = measure_light(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8))
    assert light.wall.brightness == pytest.approx(0.76, abs=0.02)  # L* of half the light; of the mean code it is .53


def test_a_wall_lit_from_one_side_stays_wall():
    image, _ = picture((0, 0, 0), (200, 30, 30))
    across = np.linspace(120, 220, image.shape[1]).astype(np.uint8)
    image = np.where((image == 0).all(axis=2, keepdims=True), across[None, :, None], image)
    light = measure_light(image)
    assert light.wall.chroma < 3
    assert light.subject.chroma > 60


def test_a_busy_wall_is_not_flat():
    image = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    assert measure_light(image).wall_flatness < 0.2


def test_a_picture_of_one_colour_is_all_wall_and_its_middle_the_subject():
    light = measure_light(np.full((90, 60, 3), (250, 240, 200), np.uint8))
    assert light.subject.warmth == pytest.approx(light.wall.warmth, abs=0.01)
    assert light.wall.share == 1


@given(
    arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)), elements=st.integers(0, 255)
    ),
    st.booleans(),
)
def test_every_figure_is_finite_and_in_range(image, with_alpha):
    light = measure_light(image, image[..., 0].copy() if with_alpha else None)
    for region in (light.subject, light.wall):
        assert -110 <= region.warmth <= 96
        assert 0 <= region.brightness <= 1
        assert 0 <= region.chroma <= 135
        assert 0 <= region.share <= 1
    assert 0 <= light.wall_flatness <= 1


def test_mirroring_changes_nothing():
    image, _ = picture(YELLOW_WALL, BLUE_MUG)
    image[:, :40] = (10, 200, 30)
    light, mirrored = measure_light(image), measure_light(image[:, ::-1].copy())
    assert light.subject.warmth == pytest.approx(mirrored.subject.warmth, abs=0.1)
    assert light.wall_flatness == pytest.approx(mirrored.wall_flatness, abs=1e-6)


@pytest.mark.parametrize(
    ("image", "alpha"),
    [
        (np.zeros((4, 4), np.uint8), None),
        (np.zeros((4, 4, 4), np.uint8), None),
        (np.zeros((0, 4, 3), np.uint8), None),
        (np.zeros((4, 4, 3), np.float32), None),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8)),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32)),
    ],
)
def test_other_shapes_and_types_are_refused(image, alpha):
    with pytest.raises(ValueError, match=r"must be uint8"):
        measure_light(image, alpha)
