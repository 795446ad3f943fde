"""The measures say what a reader would: more halo is a larger figure, none is about zero."""

import numpy as np
import pytest

from vivid_assets.imaging.color import linear_to_uint8, srgb_to_linear
from vivid_assets.imaging.compositing import blend
from vivid_assets.imaging.measures import measure, wall_color


def scene(wall: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A brown disk with a soft edge before a wall, and a blue new background."""
    y, x = np.mgrid[:120, :120]
    alpha = np.clip((40 - np.hypot(y - 60, x - 60)) / 8 + 0.5, 0, 1).astype(np.float32)
    a = alpha[..., None]
    front, behind = (srgb_to_linear(np.full((120, 120, 3), c, np.uint8)) for c in ((120, 80, 60), wall))
    return linear_to_uint8(a * front + (1 - a) * behind), alpha, np.full((120, 120, 3), (30, 50, 110), np.uint8)


def test_unmixing_lowers_halo_and_leakage() -> None:
    picture, alpha, new = scene((60, 190, 70))
    halo, leakage = (
        [getattr(blend(picture, alpha, new, mode=m).measures, name) for m in ("alpha", "unmix")]
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


def test_a_neutral_wall_has_no_halo_hue_but_leaks_by_lightness() -> None:
    picture, alpha, new = scene((245, 245, 245))
    measures = blend(picture, alpha, new, mode="alpha").measures
    assert measures.halo == 0
    assert measures.leakage == pytest.approx(1, abs=0.05)


def test_a_rim_of_the_walls_own_colour_is_no_leakage() -> None:
    y, x = np.mgrid[:160, :160]
    distance = np.hypot(y - 80, x - 80)
    alpha = np.clip((50 - distance) / 8 + 0.5, 0, 1).astype(np.float32)
    front = srgb_to_linear(np.full((160, 160, 3), (120, 80, 60), np.uint8))
    front[distance > 40] = srgb_to_linear(np.array([[70, 150, 70]], np.uint8))[0]
    wall = srgb_to_linear(np.full((160, 160, 3), (60, 190, 70), np.uint8))
    picture = linear_to_uint8(alpha[..., None] * front + (1 - alpha[..., None]) * wall)
    measures = measure(picture, linear_to_uint8(front), alpha, (alpha > 0) & (alpha < 1), wall_color(picture, alpha))
    assert measures.halo > 5, "by its chroma alone it looks like a halo"
    assert measures.leakage < 0.05


def test_the_walls_colour_and_flatness() -> None:
    picture, alpha, new = scene((182, 180, 177))
    measures = blend(picture, alpha, new).measures
    assert measures.wall_flatness == pytest.approx(0, abs=0.01)
    assert measures.wall_lightness == pytest.approx(73.4, abs=0.1)
    assert np.hypot(measures.wall_a, measures.wall_b) == pytest.approx(1.78, abs=0.02)
    rough = picture.copy()
    rough[alpha == 0] = np.random.default_rng(0).integers(0, 256, (int((alpha == 0).sum()), 3))
    wall = wall_color(rough, alpha)
    assert wall is not None
    assert wall.flatness > 20


def test_a_picture_without_wall_or_without_subject_measures_zero() -> None:
    picture, alpha, new = scene((60, 190, 70))
    for value in (0.0, 1.0):
        measures = blend(picture, np.full_like(alpha, value), new).measures
        assert measures.halo == measures.leakage == measures.moved_share == 0
    assert wall_color(picture, np.ones_like(alpha)) is None
