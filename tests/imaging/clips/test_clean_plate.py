from dataclasses import replace

import cv2
import numpy as np

from vivid_assets.imaging.clips.clean_plate import CleanPlate, clean_plate
from vivid_assets.imaging.clips.plate_alpha import compare, plate_alpha

SIZE = 120, 160


def background(seed=0):
    coarse = np.random.default_rng(seed).integers(40, 215, (12, 16, 3), np.uint8)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_LINEAR)


def walk(frames=12, behind=None, color=(230, 30, 30)):
    """A disc that walks over a busy background, with a capture's noise, and its exact alpha."""
    behind = background() if behind is None else behind
    rng = np.random.default_rng(3)
    made, truth = [], []
    for index in range(frames):
        large = np.zeros((4 * SIZE[0], 4 * SIZE[1]), np.float32)
        cv2.circle(large, (4 * (30 + 8 * index), 4 * 60), 4 * 22, 1, -1)
        alpha = cv2.resize(large, SIZE[::-1], interpolation=cv2.INTER_AREA)
        mixed = alpha[..., None] * np.float32(color) ** 2.2 + (1 - alpha[..., None]) * behind.astype(np.float32) ** 2.2
        made.append(np.clip(mixed ** (1 / 2.2) + rng.normal(0, 1, (*SIZE, 3)) + 0.5, 0, 255).astype(np.uint8))
        truth.append(alpha)
    return made, truth


def coarse(alpha):
    """What a network answers: blurred, and a little too wide."""
    return np.clip(1.3 * cv2.GaussianBlur(alpha, (0, 0), 3), 0, 1)


def test_the_median_of_what_is_seen_is_the_plate():
    frames, truth = walk()
    plate = clean_plate(frames, [coarse(alpha) for alpha in truth])
    assert np.abs(plate.color - background())[plate.seen].mean() < 1
    assert plate.seen.mean() > 0.95


def test_a_moving_camera_has_no_plate():
    frames, truth = walk()
    moved = [np.roll(frame, 7 * index, axis=1) for index, frame in enumerate(frames)]
    assert clean_plate(moved, [np.roll(coarse(alpha), 7 * index, axis=1) for index, alpha in enumerate(truth)]) is None


def smooth_pan(step, light=0.0, frames=16):
    """A disc that walks before a wall of soft light, ``step`` pixels a frame to the left, while ``light`` flickers."""
    wide = cv2.resize(
        np.random.default_rng(2).integers(70, 190, (4, 9, 3), np.uint8), (240, 120), interpolation=cv2.INTER_CUBIC
    )
    made, masks = [], []
    for index in range(frames):
        matrix = np.float32([[1, 0, -step * index], [0, 1, 0]])
        frame = cv2.warpAffine(wide, matrix, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        where = np.zeros(SIZE, np.float32)
        cv2.circle(where, (30 + 6 * index, 60), 16, 1, -1)
        frame = np.where(where[..., None] > 0, np.float32((230, 30, 30)), frame * (1 + light * (-1) ** index))
        frame += np.random.default_rng(index).normal(0, 1, frame.shape)
        made.append(np.clip(frame + 0.5, 0, 255).astype(np.uint8))
        masks.append(where)
    return made, masks


def test_a_slow_pan_before_a_smooth_background_has_no_plate():
    """Colours alone do not tell: half of them differ by less than a codec changes."""
    assert clean_plate(*smooth_pan(0.3)) is None


def test_a_still_camera_before_a_smooth_background_has_one_though_the_light_flickers():
    for light in (0.0, 0.012):
        frames, masks = smooth_pan(0.0, light)
        plate = clean_plate(frames, masks)
        assert np.abs(plate.color - smooth_pan(0.0)[0][15])[:, :80].mean() < 3


def test_a_strip_that_is_a_pixel_high_has_a_plate_like_any_still_clip():
    frame = np.random.default_rng(0).integers(90, 110, (2, 640, 3), np.uint8)
    masks = [np.zeros((2, 640), np.float32) for _ in range(8)]
    assert clean_plate([frame] * 8, masks) is not None


def test_nothing_but_subject_has_no_plate():
    frames, _ = walk()
    assert clean_plate(frames, [np.ones(SIZE, np.float32)] * len(frames)) is None


def test_where_all_that_is_seen_may_be_the_subject_there_is_no_plate():
    frame = np.full((*SIZE, 3), 90, np.uint8)
    masks = [np.full(SIZE, alpha, np.float32) for alpha in (0.0, 0.0, 0.0, 1.0, 1.0)]
    assert clean_plate([frame] * 5, masks, stands=False) is not None
    assert clean_plate([frame] * 5, masks, stands=True) is None


def test_alpha_before_a_busy_background_is_exact():
    frames, truth = walk()
    answers = [coarse(alpha) for alpha in truth]
    plate = clean_plate(frames, answers)
    before = np.mean([np.abs(answer - alpha).mean() for answer, alpha in zip(answers, truth, strict=True)])
    after = np.mean([np.abs(plate_alpha(frame, answer, plate) - alpha).mean() for frame, answer, alpha in
                     zip(frames, answers, truth, strict=True)])  # fmt: skip
    assert after < 0.003 < 0.01 < before


def test_what_a_network_misses_of_a_subject_joins_it():
    frames, truth = walk()
    half = [coarse(alpha) * (np.arange(SIZE[0]) < 66)[:, None] for alpha in truth]
    plate = clean_plate(frames, [coarse(alpha) for alpha in truth])
    made = plate_alpha(frames[6], half[6].astype(np.float32), plate)
    assert np.abs(made - truth[6]).mean() < 0.01


def test_white_parts_before_a_white_background_stay_where_the_network_is_sure():
    white = np.full((*SIZE, 3), 255, np.uint8)
    frames, truth = walk(behind=white)
    for index, frame in enumerate(frames):
        frame[55:60, 25 + 8 * index : 35 + 8 * index] = 255
        frame[truth[index] == 0] = 255
    answers = [np.clip(alpha, 0.02, 0.96) for alpha in truth]
    plate = clean_plate(frames, answers)
    assert plate_alpha(frames[5], answers[5], plate)[57, 70] == 1


def test_a_shadow_is_no_subject():
    frames, truth = walk()
    plate = clean_plate(frames, [coarse(alpha) for alpha in truth])
    frame = frames[2].copy()
    frame[100:116, 90:150] = (frame[100:116, 90:150] * 0.8).astype(np.uint8)
    assert compare(frame, plate).shaded[104:112, 95:145].mean() > 0.9
    assert plate_alpha(frame, coarse(truth[2]), plate)[100:116, 90:150].max() == 0


def test_a_plate_is_stored_in_small_numbers():
    frames, truth = walk()
    plate = clean_plate(frames, [coarse(alpha) for alpha in truth])
    again = CleanPlate.unpacked(plate.packed())
    assert np.abs(again.color - plate.color).max() <= 0.5
    assert np.array_equal(again.seen, plate.seen)
    assert sum(part.nbytes for part in plate.packed()) <= 8 * SIZE[0] * SIZE[1] + 1


def test_noise_beside_the_contour_is_no_alpha():
    frames, truth = walk()
    answers = [coarse(alpha) for alpha in truth]
    plate = clean_plate(frames, answers)
    found = []
    for frame, answer, alpha in zip(frames, answers, truth, strict=True):
        beside = (alpha == 0) & (cv2.dilate(alpha, np.ones((5, 5))) > 0)
        found.append(plate_alpha(frame, answer, plate)[beside])
    assert (np.concatenate(found) > 0.004).mean() < 0.01


def glowing(color, frames=10):
    """A ball that walks before a green wall, its edge 20 pixels wide, and its exact alpha."""
    wall = np.full((*SIZE, 3), (40, 165, 70), np.uint8)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    made, truth = [], []
    for index in range(frames):
        alpha = np.clip((38 - np.hypot(x - 40 - 8 * index, y - 60)) / 20, 0, 1)
        mixed = alpha[..., None] * np.float32(color) ** 2.2 + (1 - alpha[..., None]) * wall.astype(np.float32) ** 2.2
        noise = np.random.default_rng(index).normal(0, 1, mixed.shape)
        made.append(np.clip(mixed ** (1 / 2.2) + noise + 0.5, 0, 255).astype(np.uint8))
        truth.append(alpha)
    return made, truth


def test_a_glow_before_a_green_wall_is_as_clear_as_its_green_tells():
    frames, truth = glowing((235, 130, 60))
    # A network takes most of it for solid.
    answers = [np.clip(2.5 * alpha - 0.5, 0, 1) * (0.8 + 0.19 * (alpha > 0.9)) for alpha in truth]
    answers = [answer.astype(np.float32) for answer in answers]
    plate = clean_plate(frames, answers)
    assert plate.key == 1
    solid = [
        plate_alpha(frame, answer, replace(plate, key=None)) for frame, answer in zip(frames, answers, strict=True)
    ]
    made = [plate_alpha(frame, answer, plate) for frame, answer in zip(frames, answers, strict=True)]
    off = [np.mean([np.abs(a - b).mean() for a, b in zip(one, truth, strict=True)]) for one in (solid, made)]
    assert off[1] < 0.75 * off[0]
    assert min(float(alpha[60, 40 + 8 * index]) for index, alpha in enumerate(made)) == 1


def test_the_green_of_a_green_subject_tells_nothing():
    frames, truth = glowing((60, 200, 90))
    answers = [(0.99 * (alpha > 0.5)).astype(np.float32) for alpha in truth]
    assert clean_plate(frames, answers).key is None
