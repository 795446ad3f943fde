import cv2
import numpy as np

from vivid_assets.masking.clip_evidence import seen_on_plain

SIDE = 320


def mug(background=(205, 200, 190)):
    """A red mug with an open handle before a plain wall, with a sensor's noise, and where it is."""
    where = np.zeros((240, SIDE), np.uint8)
    cv2.rectangle(where, (90, 70), (180, 190), 255, -1, cv2.LINE_AA)
    cv2.circle(where, (190, 130), 42, 255, 12, cv2.LINE_AA)
    alpha = where.astype(np.float32) / 255
    frame = alpha[..., None] * np.float32((170, 40, 30)) + (1 - alpha[..., None]) * np.float32(background)
    frame += np.random.default_rng(0).normal(0, 1.5, frame.shape)
    return np.clip(frame, 0, 255).astype(np.uint8), alpha


def filled(alpha):
    closed = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((101, 101), np.uint8))
    return closed.astype(np.float32)


def test_the_opening_of_a_handle_that_a_network_fills_is_taken_out():
    frame, alpha = mug()
    found = seen_on_plain(frame, filled(alpha), SIDE)
    assert found[130, 205] == 0
    assert (found[alpha > 0.9] > 0.9).mean() > 0.99


def test_a_part_that_a_network_misses_joins():
    frame, alpha = mug()
    network = alpha.copy()
    network[:, 184:] = 0
    found = seen_on_plain(frame, network, SIDE)
    assert found[130, 232] > 0.6
    assert (found[alpha == 0] < 0.1).mean() > 0.98


def test_a_dark_part_that_a_network_misses_is_no_shadow():
    frame, alpha = mug()
    frame[190:, 90:181] = 12
    frame[190:, 200:240] = 110
    network = alpha.copy()
    network[190:] = 0
    found = seen_on_plain(frame, network, SIDE)
    assert found[196:, 100:170].min() > 0.9
    assert found[200:, 210:230].max() < 0.1


def test_a_busy_background_says_nothing():
    rng = np.random.default_rng(0)
    frame = cv2.resize(rng.integers(0, 255, (24, 32, 3), np.uint8), (SIDE, 240))
    network = filled(mug()[1])
    assert seen_on_plain(frame, network, SIDE) is network
