"""Spill: taken off where there is some, left alone where the colours are the subject's own."""

import numpy as np
import pytest

from vivid_assets.imaging.blend import despill
from vivid_assets.imaging.blend.despill import suppress_spill
from vivid_assets.imaging.core.color import linear_to_lab, linear_to_srgb, rgb_to_lab, srgb_to_linear

GREEN = np.uint8([[60, 170, 75]])


def ball(spill: float, size: int = 160, far: float = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grey-brown ball lit from behind by a green background: linear light, alpha, and the depth under its edge."""
    y, x = np.mgrid[:size, :size]
    depth = 0.4 * size - np.hypot(y - size / 2, x - size / 2)
    alpha = np.clip(depth + 0.5, 0, 1).astype(np.float32)
    own = srgb_to_linear(np.uint8([[130, 110, 95]]))
    light = spill * np.exp(-np.maximum(depth, 0) / far)[..., None] * srgb_to_linear(GREEN)
    noise = np.random.default_rng(0).normal(0, 0.002, (size, size, 3))
    return np.clip(own + light + noise, 0, 1).astype(np.float32), alpha, depth


def test_reflected_light_is_found_and_mostly_taken_off() -> None:
    lit, alpha, depth = ball(0.35)
    clean = ball(0.0)[0]
    out, found = suppress_spill(lit, alpha, rgb_to_lab(GREEN)[0], reach=12, strength=0.85)
    assert found.excess > 4
    rim = (depth > 0) & (depth < 4)
    hue = rgb_to_lab(GREEN)[0, 1:] / np.linalg.norm(rgb_to_lab(GREEN)[0, 1:])
    towards = [float((linear_to_lab(p)[rim][:, 1:] @ hue).mean()) for p in (clean, lit, out)]
    assert towards[2] - towards[0] < 0.5 * (towards[1] - towards[0])
    np.testing.assert_array_equal(out[depth > 14], lit[depth > 14])


def test_on_a_lattice_a_large_picture_is_cleaned_as_pixel_by_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    lit, alpha, _ = ball(0.35, size=640, far=16)
    found = []
    for lattice in (despill._LATTICE, 1e9):
        monkeypatch.setattr(despill, "_LATTICE", lattice)
        found.append(suppress_spill(lit, alpha, rgb_to_lab(GREEN)[0], reach=48, strength=0.85))
    (coarse, first), (fine, second) = found
    assert not np.array_equal(coarse, lit)
    assert first.excess == pytest.approx(second.excess, abs=0.05)
    levels = [linear_to_srgb(one) * 255 for one in (coarse, fine)]
    assert np.abs(levels[0] - levels[1]).max() < 1


def test_lightness_is_kept() -> None:
    lit, alpha, depth = ball(0.35)
    out, _ = suppress_spill(lit, alpha, rgb_to_lab(GREEN)[0], reach=12, strength=0.85)
    np.testing.assert_allclose(linear_to_lab(out)[depth > 0][:, 0], linear_to_lab(lit)[depth > 0][:, 0], atol=0.05)


@pytest.mark.parametrize("background", [(182, 180, 177), (244, 244, 242), (60, 170, 75)])
def test_without_spill_nothing_moves(background: tuple[int, int, int]) -> None:
    clean, alpha, _ = ball(0.0)
    out, found = suppress_spill(clean, alpha, rgb_to_lab(np.uint8([background]))[0], reach=12, strength=0.85)
    assert out is clean
    assert found.strength == 0


def test_a_subject_green_throughout_keeps_its_green() -> None:
    _, alpha, _ = ball(0.0)
    green = np.broadcast_to(srgb_to_linear(np.uint8([[70, 150, 80]])), (*alpha.shape, 3)).copy()
    out, found = suppress_spill(green, alpha, rgb_to_lab(GREEN)[0], reach=12, strength=0.85)
    assert out is green
    assert found.excess == pytest.approx(0, abs=0.1)


def test_leaves_far_from_a_body_of_another_colour_keep_their_green() -> None:
    """What is thinner than spill reaches has no inside to be compared with, least of all that of a pot."""
    alpha = np.zeros((300, 160), np.float32)
    alpha[220:290, 30:130] = 1
    alpha[10:120, 8:150:16] = alpha[10:120, 9:150:16] = alpha[10:120, 10:150:16] = 1
    front = np.zeros((300, 160, 3), np.float32)
    front[:] = srgb_to_linear(np.uint8([[130, 110, 95]]))
    front[:200] = srgb_to_linear(np.uint8([[90, 160, 70]]))
    out, found = suppress_spill(front, alpha, rgb_to_lab(GREEN)[0], reach=12, strength=0.85)
    assert out is front
    assert found.strength == 0


def test_nothing_solid_is_nothing_to_do() -> None:
    lit, alpha, _ = ball(0.35)
    assert suppress_spill(lit, alpha * 0, rgb_to_lab(GREEN)[0], reach=12, strength=0.85)[0] is lit
