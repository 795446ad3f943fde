from itertools import pairwise

import numpy as np

from vivid_assets.imaging.clips.cuts import CutFinder
from vivid_assets.imaging.clips.motion import fetched, motion_between
from vivid_assets.imaging.clips.smoothing import Past, smooth


def scene(height=96, width=128, seed=0, block=8):
    import cv2

    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (height // block, width // block, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def test_a_shift_is_found_both_ways():
    wide = scene(width=160)
    there, back = motion_between(wide[:, 8:136].copy(), wide[:, 5:133].copy())
    inner = slice(20, -20), slice(20, -20)
    assert np.abs(there.shift[inner] - (3, 0)).max() < 0.5
    assert np.abs(back.shift[inner] - (-3, 0)).max() < 0.5
    assert there.trust[inner].min() > 0.5


def test_what_is_covered_is_not_trusted():
    first, second = scene(), scene()
    second[30:60, 40:80] = scene(seed=5)[30:60, 40:80]
    there, _ = motion_between(first, second)
    assert there.trust[35:55, 45:75].mean() < 0.3
    assert there.trust[:20].mean() > 0.7


def test_beyond_the_frame_there_is_nothing():
    wide = scene(width=168)
    _, back = motion_between(wide[:, :128].copy(), wide[:, 12:140].copy())
    assert back.trust[20:-20, -6:].max() < 0.5
    assert fetched(np.ones((96, 128), np.float32), back)[48, 60] == 1


def smoothed(probabilities, weights):
    frames = [scene() for _ in probabilities]
    moves = [motion_between(one, other) for one, other in pairwise(frames)]
    past = Past()
    pasts = [
        past.add(probability, weight, moves[index - 1][1] if index else None)
        for index, (probability, weight) in enumerate(zip(probabilities, weights, strict=True))
    ]
    return smooth(pasts, probabilities, weights, [onward for onward, _ in moves])


def test_a_frame_without_weight_takes_the_mask_of_its_neighbours():
    full, empty = np.ones((96, 128), np.float32), np.zeros((96, 128), np.float32)
    made = smoothed([full, full, empty, full, full], [1, 1, 0.001, 1, 1])
    assert made[2][20:-20, 20:-20].min() > 0.99


def test_what_flickers_is_averaged_and_what_is_steady_stays():
    steady = np.zeros((96, 128), np.float32)
    steady[:, 64:] = 1
    flicker = [steady.copy() for _ in range(8)]
    for index, frame in enumerate(flicker):
        frame[40:50, 20:30] = index % 2
    made = smoothed(flicker, [1.0] * 8)
    steps = [np.abs(one - other)[42:48, 22:28].max() for one, other in pairwise(made)]
    assert max(steps) < 0.25
    assert all(frame[20:-20, 90:].min() > 0.99 and frame[60:, :50].max() < 0.01 for frame in made)


def test_a_cut_is_found_and_a_pan_is_none():
    wide, other = scene(width=320, block=32), scene(seed=9, block=32)
    finder = CutFinder()
    pan = [finder.begins(wide[:, 4 * step : 4 * step + 128]) for step in range(10)]
    assert pan == [True] + 9 * [False]
    assert [finder.begins(frame) for frame in (other, other)] == [True, False]
