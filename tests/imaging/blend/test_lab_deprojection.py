"""The published formula: its own example, and each place where it breaks as first written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivid_assets.imaging.blend.lab_deprojection import deproject, deproject_lab, strength_by_distance
from vivid_assets.imaging.core.color import lab_to_rgb, linear_to_srgb, rgb_to_lab, srgb_to_linear
from vivid_assets.imaging.core.interpolate import smoothstep

BACKGROUND = np.array([[200, 180, 120]], np.uint8)
PUBLISHED = {"strength": 0.85, "limit": 18.0, "falloff": "linear"}
C, B = np.array([12.0, 28.0]), np.array([5.0, 45.0])


def test_the_published_example() -> None:
    assert C @ B / np.linalg.norm(B) == pytest.approx(29.15, abs=0.01)
    np.testing.assert_allclose(deproject(C, B, 1.0), (8.78, -0.98), atol=0.01)
    np.testing.assert_allclose(deproject(C, B, 0.85), (9.26, 3.37), atol=0.01)


def test_mixing_moves_lightness_more_than_chroma() -> None:
    """So deprojection, which leaves L, cannot undo it; and in light the mixture lies further off still."""
    hair, background = np.array([[80, 60, 40]], np.uint8), BACKGROUND
    moved = rgb_to_lab((hair / 2 + background / 2) / 255) - rgb_to_lab(hair)
    assert moved[0, 0] == pytest.approx(24.4, abs=0.05)
    assert np.hypot(*moved[0, 1:]) == pytest.approx(9.9, abs=0.05)
    in_light = rgb_to_lab(linear_to_srgb((srgb_to_linear(hair) + srgb_to_linear(background)) / 2)) - rgb_to_lab(hair)
    assert in_light[0, 0] == pytest.approx(30.7, abs=0.05)


def test_the_published_example_lies_outside_its_own_limit() -> None:
    distance = np.linalg.norm(C - B)
    assert distance == pytest.approx(18.38, abs=0.01)
    assert strength_by_distance(distance, **PUBLISHED) == 0


def test_a_neutral_background_has_no_hue_to_remove() -> None:
    background = rgb_to_lab(np.array([[182, 180, 177]], np.uint8))
    assert np.hypot(*background[0, 1:]) == pytest.approx(1.78, abs=0.01)
    chroma = np.array([[20.0, 20.0]])
    np.testing.assert_array_equal(deproject(chroma, background[:, 1:], 1.0), chroma)


def test_the_gate_opens_between_chroma_4_and_12() -> None:
    chroma = np.array([30.0, 0.0])
    left = [float(deproject(chroma, np.array([length, 0.0]), 1.0)[0]) for length in (3.9, 6, 8, 10, 12.1)]
    assert left[0] == pytest.approx(30)
    assert left == sorted(left, reverse=True)
    assert left[-1] == pytest.approx(0, abs=1e-5)


def test_a_color_opposite_to_the_background_is_left_alone() -> None:
    blue, background = rgb_to_lab(np.array([[60, 70, 140]], np.uint8)), rgb_to_lab(BACKGROUND)
    along = float(blue[0, 1:] @ background[0, 1:] / np.linalg.norm(background[0, 1:]))
    assert along == pytest.approx(-41, abs=0.5)
    np.testing.assert_allclose(deproject(blue[:, 1:], background[:, 1:], 1.0), blue[:, 1:])


def test_clean_hair_at_full_strength_turns_purple() -> None:
    hair, background = rgb_to_lab(np.array([[80, 60, 40]], np.uint8)), rgb_to_lab(BACKGROUND)
    hair[:, 1:] = deproject(hair[:, 1:], background[:, 1:], 1.0)
    np.testing.assert_allclose(lab_to_rgb(hair) * 255, [[74, 60, 64]], atol=0.6)


def test_deprojection_leaves_clean_hair_alone_because_it_is_far_from_the_background() -> None:
    hair, background = rgb_to_lab(np.array([[80, 60, 40]], np.uint8)), rgb_to_lab(BACKGROUND)
    np.testing.assert_array_equal(deproject_lab(hair, background[0], **PUBLISHED), hair)


def test_the_three_falloffs_agree_at_both_ends_and_in_the_middle() -> None:
    ends = np.array([0.0, 9.0, 18.0, 40.0])
    for falloff in ("linear", "smoothstep", "double-smoothstep"):
        np.testing.assert_allclose(strength_by_distance(ends, 0.85, 18, falloff), [0.85, 0.425, 0, 0])
    near = np.array([17.0])
    linear, smooth, double = (
        float(strength_by_distance(near, 0.85, 18, f)[0]) for f in ("linear", "smoothstep", "double-smoothstep")
    )
    assert linear > smooth > double > 0
    with pytest.raises(ValueError, match="cubic"):
        strength_by_distance(near, 0.85, 18, "cubic")  # type: ignore[arg-type]


@given(
    st.tuples(st.floats(-100, 100), st.floats(-100, 100)),
    st.tuples(st.floats(-100, 100), st.floats(-100, 100)),
    st.floats(0, 1),
)
def test_deprojection_never_adds_color_and_never_overshoots(
    chroma: tuple[float, float], background: tuple[float, float], strength: float
) -> None:
    c, b = np.array(chroma), np.array(background)
    out = deproject(c, b, strength)
    assert np.linalg.norm(out) <= np.linalg.norm(c) + 1e-3
    # What is left along the background's hue lies between nothing and what was there; across it nothing changes.
    hue = b / max(np.linalg.norm(b), 1e-6)
    assert min(0, c @ hue) - 1e-3 <= out @ hue <= max(0, c @ hue) + 1e-3
    assert (out - c) @ np.array([-hue[1], hue[0]]) == pytest.approx(0, abs=1e-3)


def test_lightness_is_not_touched() -> None:
    background = rgb_to_lab(BACKGROUND)[0]
    near = background + np.array([[3.0, 2.0, -4.0]])
    out = deproject_lab(near, background, **PUBLISHED)
    assert out[0, 0] == pytest.approx(near[0, 0])
    assert not np.allclose(out[0, 1:], near[0, 1:])


def test_smoothstep_is_flat_at_both_ends() -> None:
    t = np.array([-1, 0, 1e-3, 0.5, 1 - 1e-3, 1, 2])
    np.testing.assert_allclose(smoothstep(t), [0, 0, 3e-6, 0.5, 1 - 3e-6, 1, 1], atol=1e-7)
