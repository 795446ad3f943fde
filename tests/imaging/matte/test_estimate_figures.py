from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivid_assets.imaging.matte.estimate_figures import EstimateFigures, estimate_figures


def disk(side: int = 240, radius: float = 60.0, at: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    y, x = np.mgrid[:side, :side] + 0.5
    return (np.hypot(x - at[1] * side, y - at[0] * side) < radius).astype(np.float32)


def painted(*areas: np.ndarray, colours: tuple = ((200, 40, 40), (40, 40, 200))) -> np.ndarray:
    picture = np.full((*areas[0].shape, 3), 220, np.uint8)
    for area, colour in zip(areas, colours, strict=False):
        picture[area > 0.5] = colour
    return picture


def measured(image, probability, alpha=None, mirrored=None) -> EstimateFigures:
    found = estimate_figures(image, probability, probability if alpha is None else alpha, mirrored)
    assert found is not None
    return found


def test_a_disk_on_paper_has_nothing_against_it():
    figures = measured(painted(disk()), disk())
    assert figures.coverage**2 == pytest.approx(np.pi * 0.25**2, abs=0.01)
    assert figures.roughness == pytest.approx(0, abs=0.15)
    assert figures.solidity == pytest.approx(1, abs=0.05)
    assert figures.left_outside == figures.alike_outside == figures.taken_inside == figures.separation == 0
    assert figures.edge_held == 1
    assert figures.kept == figures.largest == 1
    assert figures.parts == figures.border == figures.sides == figures.openings == 0


def test_what_is_left_outside_counts_by_its_area():
    one, other = disk(radius=40, at=(0.5, 0.25)), disk(radius=40, at=(0.5, 0.75))
    stranger = measured(painted(one, other), one)
    twin = measured(painted(one, other, colours=((200, 40, 40),) * 2), one)
    assert stranger.left_outside == pytest.approx(1, abs=0.25)
    assert stranger.alike_outside == 0
    assert twin.alike_outside == pytest.approx(1, abs=0.25)


def test_a_contour_beside_the_edge_is_seen():
    right, wrong = measured(painted(disk()), disk()), measured(painted(disk()), disk(radius=80))
    assert wrong.edge_held < 0.1
    assert wrong.edge < right.edge
    assert wrong.contrast < right.contrast / 2
    assert wrong.taken_inside == pytest.approx(1 - 60**2 / 80**2, abs=0.1)


def test_a_trace_of_another_thing_is_seen_in_the_log_odds_alone():
    one, other = disk(radius=40, at=(0.5, 0.25)), disk(radius=40, at=(0.5, 0.75))
    alone, traced = (measured(painted(one, other), np.maximum(one, trace * other)) for trace in (0.0, 0.04))
    assert (traced.faint, traced.unsettled, traced.levels) == (alone.faint, alone.unsettled, alone.levels)
    level = np.log(0.04 / 0.96)
    assert traced.second_peak == pytest.approx(level, abs=0.01)
    assert traced.outside_peak == pytest.approx(level, abs=0.01)
    assert alone.second_peak == pytest.approx(alone.outside_peak, abs=0.01) == pytest.approx(np.log(5e-4), abs=0.01)
    # Twice the area is over 0.03 as is over 0.5.
    assert traced.wider == pytest.approx(np.log(2), abs=0.05)
    assert traced.second == pytest.approx(np.log(0.04 + 0.003), abs=0.1)


def test_a_faint_middle_is_seen_in_the_log_odds_within():
    ring = np.maximum(disk(radius=60) - 0.04 * disk(radius=30), 0)
    figures = measured(painted(disk()), ring)
    assert figures.core_low == pytest.approx(np.log(0.96 / 0.04), abs=0.05)
    assert figures.inside_middle > figures.core_low + 2
    assert measured(painted(disk()), disk()).core_low > figures.core_low + 2


@pytest.mark.parametrize("level", [0.0, 0.4])
def test_an_answer_that_is_nowhere_over_one_half_has_figures_too(level):
    figures = measured(painted(disk()), np.full((240, 240), level, np.float32), alpha=disk())
    assert np.isfinite(figures.values()[:-2]).all()


def test_the_mirrored_answer_is_compared():
    image, here, there = painted(disk()), disk(at=(0.5, 0.4)), disk(at=(0.5, 0.6))
    assert np.isnan(measured(image, here).mirrored)
    assert measured(image, here, mirrored=here).mirrored == 1
    assert measured(image, here, mirrored=there).mirrored < 0.5


def test_what_finishing_did_counts():
    assert measured(painted(disk()), disk(), disk(radius=30)).kept == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, lambda a: np.swapaxes(a, 0, 1)])
def test_a_mirrored_picture_has_the_same_figures(turn):
    rng = np.random.default_rng(4)
    area = disk(at=(0.45, 0.4))
    image = np.uint8(np.clip(painted(area) + rng.normal(0, 8, (240, 240, 3)), 0, 255))
    soft = np.float32(np.clip(area * 0.9 + 0.05, 0, 1))
    one = measured(image, soft).values()
    other = measured(np.ascontiguousarray(turn(image)), np.ascontiguousarray(turn(soft))).values()
    assert one == pytest.approx(other, abs=0.06, nan_ok=True)


def test_figures_do_not_depend_on_the_size():
    small, large = measured(painted(disk()), disk()), measured(painted(disk(960, 240)), disk(960, 240))
    # Edges are as sharp as the pixels at either size.
    same = {"steepness": 0.0, "soft": 0.0, "edge": 0.0, "frame_noise": 0.0, "beside": 0.0}
    assert replace(small, **same).values() == pytest.approx(replace(large, **same).values(), abs=0.05, nan_ok=True)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_without_a_contour_there_are_no_figures(level):
    plane = np.full((50, 60), level, np.float32)
    assert estimate_figures(np.zeros((50, 60, 3), np.uint8), plane, plane) is None


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="sizes differ"):
        estimate_figures(np.zeros((50, 60, 3), np.uint8), disk(50, 10), disk(50, 10))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_mask_has_finite_figures(height, width, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    probability, alpha, mirrored = rng.random((3, height, width), np.float32)
    figures = estimate_figures(image, probability, alpha, mirrored)
    assert figures is None or np.isfinite(figures.values()).all()
