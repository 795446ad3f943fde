import cv2
import numpy as np
import pytest

from vivid_assets.imaging.matte.flat_fills import flat_fill_matte, flat_segments, has_flat_parts, whole_fills

SIDE = 400


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A flat flower with a stem and a hole against a grainy background; the picture and its alpha."""
    alpha, big = np.zeros((4 * SIDE, 4 * SIDE), np.uint8), np.zeros((4 * SIDE, 4 * SIDE, 3), np.uint8)
    for target, petal, stem in ((big, (240, 90, 140), (60, 140, 60)), (alpha, 255, 255)):
        cv2.rectangle(target, (780, 700), (840, 1400), stem, -1)
        cv2.circle(target, (800, 520), 300, petal, 160)
    big[alpha == 0] = (240, 90, 140)
    size = (SIDE, SIDE)
    share = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)[..., None].astype(np.float32) / 255
    background = np.random.default_rng(0).integers(40, 220, (SIDE, SIDE, 3)).astype(np.float32)
    flat = cv2.resize(big, size, interpolation=cv2.INTER_NEAREST)
    return np.uint8(np.rint(flat * share + background * (1 - share))), share[..., 0]


def test_segments_are_of_one_color():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, 20:] = 90
    picture[:, 30:] = 91
    picture[:3, :5] = 7
    labels, area = flat_segments(picture)
    assert sorted(area) == [15, 400, 400, 785]
    assert labels[0, 0] == 0
    assert len({labels[9, 9], labels[9, 25], labels[9, 35]}) == 3


def test_what_the_network_overlooks_before_grain_is_found_and_the_hole_stays():
    picture, alpha = scene()
    petals = alpha * (np.arange(SIDE)[:, None] < 210)
    found = flat_fill_matte(picture, cv2.GaussianBlur(petals.astype(np.float32), (0, 0), 3))
    assert found is not None
    assert np.abs(found - alpha).mean() < 0.01
    assert found[130, 200] == 0


def test_fills_in_doubt_are_drawn_as_wholes_before_grain():
    picture, alpha = scene()
    doubtful = np.where(np.arange(SIDE)[:, None] < 210, alpha, 0.2 * alpha).astype(np.float32)
    found = whole_fills(picture, doubtful)
    assert (found[alpha == 1] == 1).all()
    assert (found[alpha == 0] == 0).all()


def test_fills_in_doubt_stay_where_no_grainy_background_is_known_or_they_are_clipped():
    picture, alpha = scene()
    doubtful = (0.2 * alpha).astype(np.float32)
    undecided = np.full_like(doubtful, 0.3)
    assert np.array_equal(whole_fills(picture, undecided), undecided)
    burnt = np.where(alpha[..., None] == 1, np.uint8(255), picture)
    assert np.array_equal(whole_fills(burnt, doubtful), doubtful)
    cell = np.indices((SIDE, SIDE)).sum(0) // 40 % 2
    drawn_wall = np.where(alpha[..., None] == 1, picture, np.uint8(60 + 120 * cell)[..., None])
    assert np.array_equal(whole_fills(drawn_wall, doubtful), doubtful)


def test_grain_that_the_network_is_sure_of_stays_among_fills():
    picture, alpha = scene()
    picture[125:135, 130:140] = np.random.default_rng(1).integers(40, 220, (10, 10, 3))
    found = flat_fill_matte(picture, alpha.astype(np.float32))
    assert found is not None
    assert (found[125:135, 130:140] == 1).all()
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


def test_flat_parts_are_fills_and_not_clipped_paper():
    paper = np.full((320, 320, 3), 255, np.uint8)
    assert not has_flat_parts(paper)
    paper[100:200, 100:200] = (200, 40, 90)
    assert has_flat_parts(paper)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 3), (5, 17)])
def test_the_smallest_pictures_are_answered(shape):
    assert has_flat_parts(np.full((*shape, 3), 90, np.uint8)) is (shape[1] > 1)
