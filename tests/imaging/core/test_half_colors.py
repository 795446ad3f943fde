import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vivid_assets.imaging.core.color import ciede2000, rgb_to_lab
from vivid_assets.imaging.core.half_colors import whole_colors

ALL = np.s_[0:300, 0:300]


def drawn() -> np.ndarray:
    """Red strands of a pixel or two before yellow paper."""
    canvas = np.full((1200, 1200, 3), (232, 200, 60), np.uint8)
    random = np.random.default_rng(2)
    for x, lean in zip(range(40, 1160, 40), random.integers(-60, 60, 28), strict=True):
        cv2.line(canvas, (x, 100), (int(x + lean), 1100), (110, 40, 60), 7, cv2.LINE_AA)
    return np.asarray(cv2.resize(canvas, (300, 300), interpolation=cv2.INTER_AREA))


def through_jpeg(picture: np.ndarray, subsampling: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=92, subsampling=subsampling)
    return np.asarray(Image.open(file))


def off(picture: np.ndarray) -> float:
    truth = drawn()
    edge = np.abs(truth.astype(int) - truth[0, 0]).max(axis=2) > 8
    seen = picture if picture.dtype == np.uint8 else np.rint(picture / 257).astype(np.uint8)
    return float(ciede2000(rgb_to_lab(seen[edge]), rgb_to_lab(truth[edge])).mean())


def test_halved_colors_come_back_along_the_lightness():
    halved = through_jpeg(drawn(), 2)
    found = whole_colors(halved, ALL)
    assert found is not None
    assert found.dtype == np.uint16
    assert off(found) < 0.75 * off(halved)


@pytest.mark.parametrize("picture", [drawn(), through_jpeg(drawn(), 0), drawn().astype(np.uint16) * 257])
def test_a_picture_that_has_all_its_colors_is_left_alone(picture):
    assert whole_colors(picture, ALL) is None


def test_a_soft_picture_with_a_capture_s_noise_has_all_its_colors():
    disc = cv2.circle(np.full((300, 300, 3), (60, 170, 75), np.uint8), (150, 150), 90, (150, 60, 30), -1)
    soft = cv2.GaussianBlur(disc, (0, 0), 3.5)
    noise = np.random.default_rng(3).normal(0, 1.2, soft.shape)
    noisy = np.clip(soft + noise, 0, 255).round().astype(np.uint8)
    assert whole_colors(noisy, ALL) is None


@pytest.mark.parametrize("picture", [np.full((300, 300, 3), 200, np.uint8), np.zeros((1, 1, 3), np.uint8)])
def test_a_picture_without_colors_is_left_alone(picture):
    assert whole_colors(picture, (slice(0, len(picture)), slice(0, len(picture)))) is None


def test_only_the_part_that_is_asked_for_changes_and_strips_leave_no_seams():
    tall = through_jpeg(np.vstack([drawn(), drawn()[::-1]]), 2)
    whole = whole_colors(tall, np.s_[0:600, 0:300])
    part = whole_colors(tall, np.s_[200:560, 40:260])
    assert whole is not None
    assert part is not None
    assert (part[:200] == tall[:200].astype(np.uint16) * 257).all()
    assert (part[230:530, 60:240] == whole[230:530, 60:240]).all()
