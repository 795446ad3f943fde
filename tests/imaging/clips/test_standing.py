import cv2
import numpy as np

from vivid_assets.imaging.clips.standing import what_stands

SIZE = 60, 80


def scene(shift=0):
    coarse = np.random.default_rng(1).integers(40, 215, (10, 40, 3), np.uint8)
    return cv2.resize(coarse, (320, 60), interpolation=cv2.INTER_LINEAR)[:, shift : shift + 80].copy()


def test_most_frames_decide_on_what_stands_and_not_on_what_moves():
    frames, masks = [], []
    for number in range(9):
        frame, mask = scene(), np.zeros(SIZE, np.float32)
        mask[10:30, 10:30] = 0.9 if number < 5 else 0.0
        frame[40:50, 8 * number : 8 * number + 8] = 255
        mask[40:50, 8 * number : 8 * number + 8] = 0.9
        frames.append(frame)
        masks.append(mask)
    found = what_stands(frames, masks)
    last = found.decided(frames[8], masks[8])
    assert last[12:28, 12:28].min() > 0.85
    assert last[42:48, 66:70].min() > 0.85, "what moves in front of it is what the frame takes it for"
    assert last[55:].max() == 0


def test_nothing_stands_where_the_camera_pans():
    frames = [scene(4 * number) for number in range(9)]
    assert what_stands(frames, [np.zeros(SIZE, np.float32)] * 9) is None
