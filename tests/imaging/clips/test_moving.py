"""What moves before a still camera, and what is behind it."""

import cv2
import numpy as np
import pytest

from tests.imaging.clips.test_clean_plate import smooth_pan
from vivid_assets.imaging.clips.moving import still_scene

SIZE = 90, 120


def room(seed=0):
    """A busy background."""
    coarse = np.random.default_rng(seed).integers(40, 215, (9, 12, 3), np.uint8)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_LINEAR)


def walks(places, seed=1, noise=1.0):
    """A square with a pattern at each place in turn, and where it is."""
    behind, rng = room(), np.random.default_rng(seed)
    pattern = cv2.resize(rng.integers(0, 255, (6, 6, 3), np.uint8), (30, 30), interpolation=cv2.INTER_NEAREST)
    frames, truth = [], []
    for place in places:
        frame, where = behind.copy(), np.zeros(SIZE, np.bool_)
        where[30:60, place : place + 30] = True
        frame[30:60, place : place + 30] = pattern
        frames.append(np.clip(frame + rng.normal(0, noise, frame.shape), 0, 255).astype(np.uint8))
        truth.append(where)
    return frames, truth


@pytest.mark.parametrize("places", [range(10, 80, 6), [*range(20, 65, 4), *range(62, 20, -4)]])
def test_the_background_is_followed_to_where_it_is_seen_at_times(places):
    frames, truth = walks(places)
    scene = still_scene(frames)
    for frame, where in zip(frames, truth, strict=True):
        found = ~scene.background(frame)
        assert (found & where).sum() / (found | where).sum() > 0.8
        assert not found[:20].any()


def test_nothing_is_said_of_a_camera_that_moves_or_a_picture_that_stands_still():
    behind = cv2.resize(room(), (240, 90))
    assert still_scene([behind[:, 4 * number : 4 * number + 120] for number in range(8)]) is None
    assert still_scene([room()] * 8) is None
    # Before a smooth wall half of the pixels hardly change.
    assert still_scene(smooth_pan(0.0)[0]) is not None
    assert still_scene(smooth_pan(0.15)[0]) is None
