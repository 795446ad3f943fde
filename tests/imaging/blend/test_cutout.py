"""A cut-out holds its subject, and nothing of the room that it was taken from."""

import cv2
import numpy as np
import pytest

from vivid_assets.imaging.blend.composite import blend
from vivid_assets.imaging.blend.cutout import emptied
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.one_picture.composites import cutout_file


def a_subject(side: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A photograph, and a soft ellipse of it."""
    from skimage import data

    photograph = cv2.resize(data.astronaut(), (side, side), interpolation=cv2.INTER_AREA)
    alpha = np.zeros((side, side), np.float32)
    cv2.ellipse(alpha, (side // 2, side // 2), (side // 5, side // 4), 20, 0, 360, 1, -1)
    return photograph, cv2.GaussianBlur(alpha, (0, 0), 1.5) * (cv2.dilate(alpha, np.ones((7, 7))) > 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_nothing_of_the_room_is_left(dtype):
    photograph, alpha = a_subject()
    rgb = photograph.astype(dtype) * (257 if dtype == np.uint16 else 1)
    room = alpha == 0
    # Colours that only the room has.
    rgb[room] = np.maximum(rgb[room] | 1, 1)
    rgb[~room] &= np.iinfo(dtype).max - 1
    out = emptied(rgb, alpha)
    assert np.array_equal(out[~room], rgb[~room])
    assert not (out[room] & 1).any()
    far = cv2.distanceTransform(room.astype(np.uint8), cv2.DIST_L2, 5) > 12
    assert not out[far].any()


def test_colors_at_the_rim_survive_scaling_that_ignores_alpha():
    rgb = np.full((300, 300, 3), (0, 255, 0), np.uint8)
    alpha = np.zeros((300, 300), np.float32)
    cv2.circle(alpha, (150, 150), 80, 1, -1)
    rgb[alpha > 0] = (200, 40, 60)
    small = cv2.resize(emptied(rgb, alpha), (150, 150), interpolation=cv2.INTER_AREA)
    small_alpha = cv2.resize(alpha, (150, 150), interpolation=cv2.INTER_AREA)
    assert (small[small_alpha > 0] == (200, 40, 60)).all()


def test_faint_pixels_lend_no_color():
    rgb = np.full((40, 40, 3), 90, np.uint8)
    rgb[:, 20] = (0, 255, 255)
    alpha = np.zeros((40, 40), np.float32)
    alpha[:, :20], alpha[:, 20] = 1, 0.01
    out = emptied(rgb, alpha)
    assert (out[:, 21:25] == 90).all()
    assert (out[:, 20] == (0, 255, 255)).all()


@pytest.mark.parametrize("value", [0.0, 1.0, 0.02])
def test_pictures_all_clear_solid_or_faint(value):
    rgb = np.full((5, 7, 3), 90, np.uint8)
    out = emptied(rgb, np.full((5, 7), value, np.float32))
    assert (out == (90 if value else 0)).all()


@pytest.mark.parametrize("format_", ["png", "webp"])
def test_the_file_is_without_the_room_and_smaller(format_):
    photograph, alpha = a_subject()
    blended = blend(photograph, alpha, np.zeros_like(photograph))
    file = cutout_file(blended, format_, decode(encode(photograph)), "mark")
    picture = decode(file)
    assert np.array_equal(np.rint(picture.alpha * 255), np.rint(blended.alpha * 255))
    far = cv2.distanceTransform((alpha == 0).astype(np.uint8), cv2.DIST_L2, 5) > 28
    assert picture.rgb[far].max() <= 3
    assert len(file) < 0.6 * len(encode(blended.foreground, format=format_, alpha=blended.alpha))
