import cv2
import numpy as np
import pytest

from vivid_assets.imaging.flat_fills import flat_fill_matte, flat_segments

SIDE = 400


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A flat flower with a stem and a hole before a grainy wall; the picture and its alpha."""
    alpha, big = np.zeros((4 * SIDE, 4 * SIDE), np.uint8), np.zeros((4 * SIDE, 4 * SIDE, 3), np.uint8)
    for target, petal, stem in ((big, (240, 90, 140), (60, 140, 60)), (alpha, 255, 255)):
        cv2.rectangle(target, (780, 700), (840, 1400), stem, -1)
        cv2.circle(target, (800, 520), 300, petal, 160)
    big[alpha == 0] = (240, 90, 140)
    size = (SIDE, SIDE)
    share = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)[..., None].astype(np.float32) / 255
    wall = np.random.default_rng(0).integers(40, 220, (SIDE, SIDE, 3)).astype(np.float32)
    flat = cv2.resize(big, size, interpolation=cv2.INTER_NEAREST)
    return np.uint8(np.rint(flat * share + wall * (1 - share))), share[..., 0]


def test_segments_are_what_has_no_step():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, 20:] = 90
    picture[:, 30:] = 91
    labels, area = flat_segments(picture)
    assert sorted(area) == [0, 800, 800]
    assert labels[0, 25] == labels[39, 39] != labels[0, 0]


def test_what_the_network_overlooks_before_grain_is_found_and_the_hole_stays():
    picture, alpha = scene()
    petals = alpha * (np.arange(SIDE)[:, None] < 210)
    found = flat_fill_matte(picture, cv2.GaussianBlur(petals.astype(np.float32), (0, 0), 3))
    assert found is not None
    assert np.abs(found - alpha).mean() < 0.01
    assert found[130, 200] == 0


def test_a_lossy_codec_leaves_the_network_in_charge():
    picture, alpha = scene()
    jpeg = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)
    assert flat_fill_matte(jpeg, alpha) is None


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_have_no_flat_fills(name):
    from skimage import data

    picture = getattr(data, name)()
    seen = np.zeros(picture.shape[:2], np.float32)
    height, width = seen.shape
    seen[height // 4 : -height // 4, width // 4 : -width // 4] = 1
    assert flat_fill_matte(picture, seen) is None
