import numpy as np
import pytest

from vivid_assets.imaging.clips.motion import Motion
from vivid_assets.imaging.clips.steady import Beside, held, steadied

NOISE = 1.2
SHAPE = 24, 32


def noisy(level, seed):
    off = np.random.default_rng(seed).normal(0, 1, (*SHAPE, 3))
    return np.clip(level + off + 0.5, 0, 255).astype(np.uint8)


def alphas(middle, count, spread=0.04):
    rng = np.random.default_rng(7)
    return [np.clip(middle + rng.normal(0, spread, SHAPE), 0, 1).astype(np.float32) for _ in range(count)]


def run(frames, masks):
    last, made = None, []
    for frame, alpha in zip(frames, masks, strict=True):
        last = held(alpha, frame, NOISE, last)
        made.append(last.alpha)
    return made


def change(masks):
    return float(np.mean([np.abs(one - other).mean() for one, other in zip(masks[1:], masks, strict=False)]))


def test_where_no_colour_changes_alpha_hardly_does():
    masks = alphas(0.4, 20)
    made = run([noisy(90, seed) for seed in range(20)], masks)
    assert change(made) < 0.25 * change(masks)
    assert np.abs(made[-1] - 0.4).mean() < 0.5 * np.abs(masks[-1] - 0.4).mean()


def test_a_changed_colour_has_its_own_alpha_at_once():
    frames = [noisy(90, 1), noisy(90, 2), noisy(120, 3)]
    masks = [np.full(SHAPE, alpha, np.float32) for alpha in (0.0, 0.0, 0.3)]
    assert run(frames, masks)[2] == pytest.approx(0.3)


def test_what_looks_as_it_did_may_become_another_thing():
    """A black sleeve that comes before a black wall: only the tier sees it."""
    frames = [noisy(20, seed) for seed in range(4)]
    masks = [np.full(SHAPE, alpha, np.float32) for alpha in (0.0, 0.0, 1.0, 1.0)]
    assert run(frames, masks)[2].min() > 0.95


def test_what_changes_slowly_is_followed():
    """A colour that fades by less than noise from frame to frame takes its alpha with it."""
    shares = np.linspace(0, 0.5, 60)
    frames = [noisy(60 + 140 * share, seed) for seed, share in enumerate(shares)]
    made = run(frames, [np.full(SHAPE, share, np.float32) for share in shares])
    assert np.abs(made[-1] - 0.5).mean() < 0.03


def test_a_neighbour_of_another_colour_does_not_count():
    still = Motion(np.zeros((*SHAPE, 2), np.float32), np.ones(SHAPE, np.float32))
    bare, covered = np.zeros(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    frame = noisy(90, 1)
    other = steadied(bare, frame, Beside(covered, noisy(220, 2), still), None)
    same = steadied(bare, frame, Beside(covered, noisy(90, 3), still), None)
    assert other.max() < 0.01
    assert same.min() > 0.3
