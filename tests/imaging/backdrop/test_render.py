import hashlib

import cv2
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivid_assets.imaging.backdrop.read_prompt import BackdropLook
from vivid_assets.imaging.backdrop.render import look_of, read_prompt, recipe, render
from vivid_assets.imaging.backdrop.studio import horizon_for, photograph, sweep_seen, white_of
from vivid_assets.imaging.core.color import rgb_to_lab, srgb_to_linear


def backdrop(prompt: str, height: int, width: int, **options) -> np.ndarray:
    return render(read_prompt(prompt), height, width, **options)


def lab(image: np.ndarray) -> np.ndarray:
    """Mean Lab colour around the middle."""
    height, width = image.shape[:2]
    return rgb_to_lab(image[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]).mean(axis=(0, 1))


def light_of(image: np.ndarray) -> np.ndarray:
    return srgb_to_linear(image).mean(axis=2)


@settings(max_examples=30)
@given(st.text(max_size=80), st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**63))
def test_any_prompt_size_and_seed_gives_a_picture_the_same_each_time(prompt, height, width, seed):
    first = backdrop(prompt, height, width, seed=seed)
    assert first.shape == (height, width, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, backdrop(prompt, height, width, seed=seed))


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (129, 257), (2000, 30), (300, 20000), (70000, 3)])
def test_extreme_shapes(shape):
    image = backdrop("light grey studio", *shape, seed=1)
    assert image.shape == (*shape, 3)
    assert image.min() > 40


def test_another_seed_is_another_photograph_of_the_same_set():
    one, two = (backdrop("sage green paper", 128, 128, seed=seed) for seed in (1, 2))
    assert not np.array_equal(one, two)
    assert np.abs(cv2.blur(one, (9, 9)).astype(int) - cv2.blur(two, (9, 9))).max() < 40


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-1, 5)])
def test_sizes_below_one_are_refused(size):
    with pytest.raises(ValueError, match="at least 1 pixel"):
        backdrop("white", *size, seed=1)


def test_the_bytes_of_a_seed_are_these_on_every_machine():
    image = backdrop("dusty rose paper, window light", 250, 400, seed=7, temperature="cool")
    assert hashlib.sha256(image.tobytes()).hexdigest() == (
        "307bc907ea220bb5e57e76268de2d2c52acbb871863fd33f27dca685f303f831"
    )


def test_last_bits_of_the_studios_light_change_no_byte(monkeypatch):
    """Libraries of linear algebra differ by so much between CPUs."""
    before = backdrop("grey studio, dramatic light", 600, 800, seed=5)

    def elsewhere(*arguments):
        light = photograph(*arguments)
        return light * (1 + np.random.default_rng(1).uniform(-4e-16, 4e-16, light.shape))

    monkeypatch.setattr("vivid_assets.imaging.backdrop.render.photograph", elsewhere)
    np.testing.assert_array_equal(backdrop("grey studio, dramatic light", 600, 800, seed=5), before)


def test_grain_does_not_depend_on_the_size_or_on_threads(monkeypatch):
    grains = []
    for size in (300, 1200):
        image = backdrop("grey studio, even light", size, size, seed=3).mean(axis=2)
        middle = image[size // 2 - 100 : size // 2 + 100, size // 2 - 100 : size // 2 + 100]
        grain = (middle - cv2.GaussianBlur(middle, (0, 0), 4))[20:-20, 20:-20]
        grains.append(grain.std())
        for step in (1, 2, 4):
            assert abs((grain[:, step:] * grain[:, :-step]).mean() / grain.var()) < 0.05
            assert abs((grain[step:] * grain[:-step]).mean() / grain.var()) < 0.05
    assert grains[1] == pytest.approx(grains[0], rel=0.05)
    monkeypatch.setattr(numba.core.config, "NUMBA_NUM_THREADS", 3)
    np.testing.assert_array_equal(backdrop("grey studio, even light", 1200, 1200, seed=3).mean(axis=2), image)


def test_a_larger_picture_is_the_same_studio():
    small, large = (backdrop("sage wall, window light", side, side, seed=2) for side in (150, 900))
    shrunk = cv2.resize(large, (150, 150), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - cv2.blur(small, (3, 3)))[3:-3, 3:-3].max() < 6


@pytest.mark.parametrize("temperature", ["warm", "neutral", "cool", None])
def test_a_recipe_says_all_of_a_backdrop(temperature):
    for prompt in ("pale rust wall, light from behind", "grey, golden hour, glow"):
        look = read_prompt(prompt)
        again = look_of(recipe(look, temperature))
        expected = render(look, 60, 90, seed=4, temperature=temperature)
        np.testing.assert_array_equal(render(again, 60, 90, seed=4), expected)
    # Words that change nothing change no recipe.
    assert recipe(read_prompt("a vase on sage")) == recipe(read_prompt("sage"))


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
def test_the_papers_color_is_the_prompts(prompt, hue):
    _, a, b = lab(backdrop(f"{prompt}, even light", 96, 96, seed=1))
    assert abs((np.degrees(np.arctan2(b, a)) - hue + 180) % 360 - 180) < 25


def test_the_paper_has_its_own_color_in_the_middle_under_even_white_light():
    look = BackdropLook(paper=(150, 110, 90), contrast=0.0, glow=0.0)
    assert np.linalg.norm(lab(render(look, 128, 128, seed=1)) - rgb_to_lab(np.array([150, 110, 90], np.uint8))) < 4


def test_warm_light_is_warmer_than_cool():
    warm, none, cool = (lab(backdrop("grey", 96, 96, seed=1, temperature=t))[2] for t in ("warm", None, "cool"))
    assert warm > none + 3 > cool + 6


def test_the_prompts_light_outweighs_the_subjects():
    prompt = "grey studio, golden hour"
    assert np.array_equal(backdrop(prompt, 40, 40, seed=1), backdrop(prompt, 40, 40, seed=1, temperature="cool"))


def test_the_key_light_stands_where_it_is_said():
    left, right = (light_of(backdrop(f"grey paper, {side} light", 128, 128, seed=1)) for side in ("left", "right"))
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


@pytest.mark.parametrize("kelvin", [1500.0, 3000.0, 6500.0, 10000.0])
def test_a_lights_color_has_luminance_one_and_is_redder_the_less_kelvin(kelvin):
    white = white_of(kelvin)
    assert white @ [0.2126, 0.7152, 0.0722] == pytest.approx(1)
    assert np.sign(round(white[0] - white[2], 6)) == np.sign(6500 - kelvin)


@pytest.mark.slow
def test_8k_is_smooth_across_its_strips():
    image = backdrop("light grey studio", 7680, 4320, seed=1)
    steps = np.abs(np.diff(image[:, ::16].mean(axis=(1, 2), dtype=np.float64)))
    assert steps[127::128].mean() < 1.5 * steps.mean()


@pytest.mark.parametrize("size", [(120, 120), (213, 120), (80, 120)])
@pytest.mark.parametrize("foot", [0.55, 0.72, 0.8, 0.93, 1.0])
def test_where_a_subject_stands_the_paper_is_flat(size, foot):
    height, width = size
    rows = np.array([foot * height])
    seen = sweep_seen(rows, np.array([width / 2]), height, width, horizon_for(foot, height, width))
    assert seen.normal_z.item() > 0.9999 and seen.point[..., 2].item() < 1e-9


def test_a_floor_reaches_no_higher_than_a_subject_s_foot_needs_it():
    wall = sweep_seen(np.array([0.1 * 120]), np.array([60.0]), 120, 120, horizon_for(0.1, 120, 120))
    assert wall.normal_y.item() == pytest.approx(-1)
    assert np.array_equal(backdrop("sage", 60, 90, seed=1, foot=1.0), backdrop("sage", 60, 90, seed=1))
