"""The measures say what a reader would: more halo is a larger figure, none is about zero."""

import numpy as np
import pytest

from tests.support.light import linear_to_uint8
from vivid_assets.imaging.blend.composite import blend
from vivid_assets.imaging.blend.measures import background_color, measure
from vivid_assets.imaging.core.color import ciede2000, linear_to_srgb, rgb_to_lab, srgb_to_linear, to_uint8


def scene(background: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A brown disk with a soft edge against a background, and a blue new background."""
    y, x = np.mgrid[:120, :120]
    alpha = np.clip((40 - np.hypot(y - 60, x - 60)) / 8 + 0.5, 0, 1).astype(np.float32)
    a = alpha[..., None]
    front, behind = (srgb_to_linear(np.full((120, 120, 3), c, np.uint8)) for c in ((120, 80, 60), background))
    return linear_to_uint8(a * front + (1 - a) * behind), alpha, np.full((120, 120, 3), (30, 50, 110), np.uint8)


def test_unmixing_lowers_halo_and_leakage() -> None:
    picture, alpha, new = scene((60, 190, 70))
    halo, leakage = (
        [getattr(blend(picture, alpha, new, mode=m).measures, name) for m in ("alpha", "decontaminate")]
        for name in ("halo", "leakage")
    )
    assert halo[0] > 5
    assert abs(halo[1]) < 1
    assert leakage[0] == pytest.approx(1, abs=0.05)
    assert leakage[1] < 0.03


def test_what_is_moved_is_counted() -> None:
    picture, alpha, new = scene((60, 190, 70))
    still = blend(picture, alpha, new, mode="alpha").measures
    moved = blend(picture, alpha, new).measures
    assert still.moved_share == still.moved_delta_e == 0
    soft = ((alpha > 0.02) & (alpha < 1)).mean()
    assert 0.5 * soft < moved.moved_share <= soft
    assert moved.moved_delta_e > 3


def test_a_neutral_background_has_no_halo_hue_but_leaks_by_lightness() -> None:
    picture, alpha, new = scene((245, 245, 245))
    measures = blend(picture, alpha, new, mode="alpha").measures
    assert measures.halo is None
    assert measures.leakage == pytest.approx(1, abs=0.05)


def test_a_rim_of_the_backgrounds_own_color_is_no_leakage() -> None:
    y, x = np.mgrid[:160, :160]
    distance = np.hypot(y - 80, x - 80)
    alpha = np.clip((50 - distance) / 8 + 0.5, 0, 1).astype(np.float32)
    front = srgb_to_linear(np.full((160, 160, 3), (120, 80, 60), np.uint8))
    front[distance > 45] = srgb_to_linear(np.array([[70, 150, 70]], np.uint8))[0]
    background = srgb_to_linear(np.full((160, 160, 3), (60, 190, 70), np.uint8))
    picture = linear_to_uint8(alpha[..., None] * front + (1 - alpha[..., None]) * background)
    measures = measure(
        picture, linear_to_uint8(front), alpha, (alpha > 0) & (alpha < 1), background_color(picture, alpha)
    )
    assert measures.halo > 5, "by its chroma alone it looks like a halo"
    assert measures.leakage < 0.05


def test_the_backgrounds_color_and_flatness() -> None:
    picture, alpha, new = scene((182, 180, 177))
    measures = blend(picture, alpha, new).measures
    assert measures.old_background_spread == pytest.approx(0, abs=0.01)
    assert measures.wall_lightness == pytest.approx(73.4, abs=0.1)
    assert np.hypot(measures.wall_a, measures.wall_b) == pytest.approx(1.78, abs=0.02)
    rough = picture.copy()
    rough[alpha == 0] = np.random.default_rng(0).integers(0, 256, (int((alpha == 0).sum()), 3))
    background = background_color(rough, alpha)
    assert background is not None
    assert background.spread > 20


def test_without_background_or_without_subject_nothing_is_measurable_and_nothing_moved() -> None:
    picture, alpha, new = scene((60, 190, 70))
    for value in (0.0, 1.0):
        measures = blend(picture, np.full_like(alpha, value), new).measures
        assert measures.halo is measures.leakage is None
        assert measures.moved_share == 0
    assert blend(picture, np.ones_like(alpha), new).measures.wall_lightness is None
    assert background_color(picture, np.ones_like(alpha)) is None


def rim_of(size: int, background: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A textured brown disk whose edge is as soft, and of the same shape, at any size; with camera noise."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    alpha = np.clip((0.3 * size - np.hypot(y - size / 2 + 0.5, x - size / 2 + 0.5)) / (0.006 * size) + 0.5, 0, 1)
    shade = 1 + 0.25 * np.sin(x / size * 40) * np.cos(y / size * 33)
    front = srgb_to_linear(np.full((size, size, 3), (120, 80, 60), np.uint8)) * shade[..., None].astype(np.float32)
    behind = srgb_to_linear(np.full((size, size, 3), background, np.uint8))
    noise = np.random.default_rng(0).normal(0, 1.2 / 255, (size, size, 3))
    seen = to_uint8(linear_to_srgb(alpha[..., None] * front + (1 - alpha[..., None]) * behind) + noise)
    return seen, front, alpha.astype(np.float32)


BACKGROUNDS = {"white": (244, 244, 242), "grey": (182, 180, 177), "green": (60, 170, 75)}


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_hard_masks_have_figures_that_rise_with_how_much_background_they_take_in(background: str) -> None:
    picture, _, alpha = rim_of(512, BACKGROUNDS[background])
    masks = [alpha > 0.5, alpha > 0.3, alpha > 0.05]
    found = [blend(picture, m.astype(np.float32), np.zeros_like(picture), mode="alpha").measures for m in masks]
    leakage = [measures.leakage for measures in found]
    assert leakage == sorted(leakage)
    assert leakage[2] > leakage[0] + 0.5
    if background == "green":
        halo = [measures.halo for measures in found]
        assert halo == sorted(halo)
        assert halo[2] > halo[0] + 10


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_hard_mask_is_unmixed_too(background: str) -> None:
    picture, front, alpha = rim_of(512, BACKGROUNDS[background])
    new = np.full_like(picture, (30, 50, 110))
    weight, soft = alpha[..., None], (alpha > 0.02) & (alpha < 0.98)
    truth = rgb_to_lab(linear_to_uint8(weight * front + (1 - weight) * srgb_to_linear(new))[soft])
    for cut, part in ((0.5, 0.5), (0.05, 0.3)):
        hard = (alpha > cut).astype(np.float32)
        error = {}
        for mode in ("alpha", "decontaminate"):
            done = blend(picture, hard, new, mode=mode)
            error[mode] = ciede2000(rgb_to_lab(done.composite[soft]), truth).mean()
        assert error["decontaminate"] < part * error["alpha"]


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("cut", [None, 0.5, 0.05])
@pytest.mark.slow
def test_the_figures_do_not_depend_on_the_resolution(background: str, cut: float | None) -> None:
    found = []
    for size in (512, 1536):
        picture, _, alpha = rim_of(size, BACKGROUNDS[background])
        mask = alpha if cut is None else (alpha > cut).astype(np.float32)
        found.append(blend(picture, mask, np.zeros_like(picture), mode="alpha").measures)
    for name in ("halo", "leakage"):
        small, large = (getattr(measures, name) for measures in found)
        assert (small is None) == (large is None)
        if small is not None:
            assert small == pytest.approx(large, rel=0.1)


def test_against_a_background_of_the_subjects_color_nothing_can_be_said() -> None:
    picture, _, alpha = rim_of(512, (120, 80, 60))
    measures = blend(picture, alpha, np.zeros_like(picture), mode="alpha").measures
    assert measures.leakage is None
