import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivid_assets.imaging.backdrop import backdrop, read_prompt, render
from vivid_assets.imaging.backdrop_words import BackdropLook
from vivid_assets.imaging.color import rgb_to_lab, srgb_to_linear
from vivid_assets.imaging.studio import white_of


def lab(image: np.ndarray) -> np.ndarray:
    """Mean Lab colour around the middle."""
    height, width = image.shape[:2]
    return rgb_to_lab(image[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]).mean(axis=(0, 1))


def light_of(image: np.ndarray) -> np.ndarray:
    return srgb_to_linear(image).mean(axis=2)


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=80), st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**63))
def test_any_prompt_size_and_seed_gives_a_picture_the_same_each_time(prompt, height, width, seed):
    first = backdrop(prompt, height, width, seed=seed)
    assert first.shape == (height, width, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, backdrop(prompt, height, width, seed=seed))


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (129, 257), (2000, 30)])
def test_extreme_shapes(shape):
    image = backdrop("light grey studio", *shape, seed=1)
    assert image.shape == (*shape, 3)
    assert image.min() > 40


def test_another_seed_is_another_photograph_of_the_same_set():
    one, two = (backdrop("sage green paper", 128, 128, seed=seed) for seed in (1, 2))
    assert not np.array_equal(one, two)
    assert np.abs(cv2.blur(one, (9, 9)).astype(int) - cv2.blur(two, (9, 9))).max() < 40


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-1, 5), (20000, 10)])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(ValueError, match="16384"):
        backdrop("white", *size, seed=1)


@pytest.mark.parametrize(
    "prompt", ["navy backdrop, soft light", "white studio, high key", "mustard paper", "grey, low key"]
)
def test_no_bands(prompt):
    """Neighbouring pixels carry a dither: no run of equal pixels, as a rounded gradient has them, and no steps."""
    image = backdrop(prompt, 256, 256, seed=3)
    equal = (image[:, 1:] == image[:, :-1]).all(axis=2)
    assert equal.mean() < 0.5
    longest = max(len(run) for row in equal for run in "".join("x" if e else " " for e in row).split() or [""])
    assert longest < 25
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 6)[16:-16, 16:-16]
    assert np.abs(np.diff(smooth, axis=0)).max() < 1.5


def test_grain_is_fine_and_weak():
    image = backdrop("grey studio, even light", 256, 256, seed=3).astype(np.float32)
    grain = image - cv2.GaussianBlur(image, (0, 0), 3)
    assert 0.4 < grain.std() < 2


@pytest.mark.parametrize(
    ("prompt", "hue"),
    [("red wall", 25), ("yellow paper", 90), ("green studio", 145), ("blue backdrop", 275), ("purple wall", 315)],
)
def test_the_papers_colour_is_the_prompts(prompt, hue):
    _, a, b = lab(backdrop(f"{prompt}, even light", 96, 96, seed=1))
    assert abs((np.degrees(np.arctan2(b, a)) - hue + 180) % 360 - 180) < 25


def test_the_paper_has_its_own_colour_in_the_middle_under_even_white_light():
    look = BackdropLook(paper=(150, 110, 90), contrast=0.0, glow=0.0)
    assert np.linalg.norm(lab(render(look, 128, 128, seed=1)) - rgb_to_lab(np.array([150, 110, 90], np.uint8))) < 4


def test_warm_light_is_warmer_than_cool():
    warm, none, cool = (lab(backdrop("grey", 96, 96, seed=1, temperature=t))[2] for t in ("warm", None, "cool"))
    assert warm > none + 3 > cool + 6


def test_the_prompts_light_outweighs_the_subjects():
    prompt = "grey studio, golden hour"
    assert np.array_equal(backdrop(prompt, 40, 40, seed=1), backdrop(prompt, 40, 40, seed=1, temperature="cool"))


def test_the_key_light_stands_where_it_is_said():
    left, right = (light_of(backdrop("grey paper", 128, 128, seed=1, key_light=side)) for side in ("left", "right"))
    assert left[:, :40].mean() > 1.1 * left[:, -40:].mean()
    assert right[:, -40:].mean() > 1.1 * right[:, :40].mean()
    said = backdrop("grey paper, light from the right", 128, 128, seed=1)
    assert light_of(said)[:, -40:].mean() > light_of(said)[:, :40].mean()


def test_floor_and_wall_meet_without_a_line():
    image = cv2.GaussianBlur(backdrop("light grey studio, soft light", 400, 400, seed=1), (0, 0), 4).astype(np.float32)
    column = image[20:-20, 180:220].mean(axis=(1, 2))
    assert column[int(0.7 * 400) - 20] > column[int(0.56 * 400) - 20] + 1  # the paper bends towards the light
    assert np.abs(np.diff(column, 2)).max() < 0.4


def test_corners_fall_off():
    light = light_of(backdrop("white, spotlight", 200, 200, seed=1))
    assert light[:20, :20].mean() < 0.7 * light[80:120, 80:120].mean()


def test_a_window_throws_its_light_on_the_wall():
    def contrast(words: str) -> float:
        light = cv2.blur(light_of(backdrop(f"grey wall, {words}", 200, 200, seed=1)), (9, 9))
        return float(light.std() / light.mean())

    assert contrast("sunlight") > 2 * contrast("even light")


@pytest.mark.parametrize(
    ("prompt", "paper_like"),
    [
        ("a red apple on a white table", "white"),
        ("charcoal grey background", "charcoal"),
        ("sky blue paper", "sky blue"),
        ("mint green, bright daylight", "mint"),
        ("black", "black"),
        ("golden hour, teal wall", "teal"),
        ("no shadows, white wall", "white"),
        ("not red but blue", "blue"),
    ],
)
def test_which_colour_is_the_papers(prompt, paper_like):
    assert read_prompt(prompt).paper == read_prompt(paper_like).paper


def test_modifiers_change_the_colour():
    def at(prompt: str) -> np.ndarray:
        return rgb_to_lab(np.array(read_prompt(prompt).paper, np.uint8))

    assert at("pale blue")[0] > at("blue")[0] > at("dark blue")[0]
    assert np.hypot(*at("dusty rose")[1:]) < np.hypot(*at("rose")[1:])
    assert at("warm grey")[2] > at("grey")[2] > at("cool grey")[2]


def test_marble_kitchen_counter_morning_light():
    look = read_prompt("marble kitchen counter, morning light")
    assert min(look.paper) > 200
    assert max(look.paper) - min(look.paper) < 12
    assert look.kelvin is not None
    assert look.kelvin < 6000
    assert look.unused_words == ("marble", "kitchen", "counter")
    assert "morning" in look.used_words


def test_words_that_paper_cannot_show_are_told():
    assert read_prompt("a forest with a lake, dramatic light").unused_words == ("forest", "lake")
    assert read_prompt("navy backdrop, soft key light from the left").unused_words == ()


@given(st.text(max_size=200))
def test_reading_never_fails_and_keeps_the_look_in_range(prompt):
    look = read_prompt(prompt)
    assert all(0 <= channel <= 255 for channel in look.paper)
    assert look.kelvin is None or 1000 < look.kelvin < 15000
    assert 0 < look.brightness <= 1.2
    assert 0 <= look.contrast <= 1
    assert 0 <= look.window <= 1


def test_a_megabyte_of_prompt_is_read_within_bounds():
    assert len(read_prompt("marble " * 150_000).unused_words) == 1
    assert sum(map(len, read_prompt(" ".join(f"word{i}" for i in range(150_000))).unused_words)) <= 4096


@pytest.mark.parametrize("kelvin", [1500.0, 3000.0, 6500.0, 10000.0])
def test_a_lights_colour_has_luminance_one_and_is_redder_the_less_kelvin(kelvin):
    white = white_of(kelvin)
    assert white @ [0.2126, 0.7152, 0.0722] == pytest.approx(1)
    assert np.sign(round(white[0] - white[2], 6)) == np.sign(6500 - kelvin)


@pytest.mark.slow
def test_8k_is_smooth_across_its_strips():
    image = backdrop("light grey studio", 7680, 4320, seed=1)
    steps = np.abs(np.diff(image[:, ::16].mean(axis=(1, 2), dtype=np.float64)))
    assert steps[127::128].mean() < 1.5 * steps.mean()
