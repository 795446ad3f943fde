import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vivid_assets.imaging.matte.drawing_on_plain import drawing_matte
from vivid_assets.imaging.matte.one_ink import one_ink_matte
from vivid_assets.imaging.matte.outlines import fill_regions, join_outlines, soften_outline


def cartoon() -> np.ndarray:
    """Draw a creature with dark outlines, a flat fill, and a hole between arm and body; uint8 RGBA."""
    scale, side = 4, 320
    size = side * scale
    color, alpha = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8)

    def shape(draw):
        draw(alpha, 255)

    shape(lambda target, value: cv2.ellipse(target, (640, 640), (280, 400), 0, 0, 360, value, -1))
    shape(lambda target, value: cv2.ellipse(target, (930, 640), (180, 180), 0, 0, 360, value, 60))
    cv2.ellipse(color, (640, 640), (280, 400), 0, 0, 360, (240, 150, 60), -1)
    cv2.ellipse(color, (930, 640), (180, 180), 0, 0, 360, (240, 150, 60), 60)
    cv2.ellipse(color, (640, 640), (280, 400), 0, 0, 360, (20, 15, 15), 16)
    cv2.ellipse(alpha, (640, 640), (280, 400), 0, 0, 360, 255, 16)
    color[alpha == 0] = (20, 15, 15)
    cv2.circle(color, (560, 480), 40, (20, 15, 15), -1)
    small = [cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA) for plane in (color, alpha)]
    return np.dstack(small)


def over(cutout: np.ndarray, background: np.ndarray) -> np.ndarray:
    alpha = cutout[..., 3:].astype(np.float32) / 255
    return np.uint8(np.round(cutout[..., :3] * alpha + background * (1 - alpha)))


def blob(cutout: np.ndarray) -> np.ndarray:
    """What a network gives: blurred, the hole filled."""
    closed = cv2.morphologyEx(cutout[..., 3], cv2.MORPH_CLOSE, np.ones((91, 91), np.uint8))
    return cv2.GaussianBlur(closed, (0, 0), 4).astype(np.float32) / 255


ACROSS = np.mgrid[:320, :320].sum(axis=0)[..., None] / 638
SHADED = np.float32((200, 120, 140)) * (1 - ACROSS) + np.float32((120, 170, 120)) * ACROSS
STRIPES = np.where(((np.mgrid[:320, :320].sum(axis=0) // 16) % 2)[..., None] == 0, 220.0, 150.0) * np.ones(3)


@pytest.mark.parametrize(
    ("background", "kind"),
    [
        (np.full((320, 320, 3), (90, 160, 210.0)), "plain"),
        (np.full((320, 320, 3), (240, 200, 240.0)), "plain"),
        (np.full((320, 320, 3), (20, 20, 24.0)), "plain"),
        (SHADED, "plain"),
        (STRIPES, "patterned"),
    ],
    ids=["blue", "pink", "black", "shaded", "stripes"],
)
def test_outlines_holes_and_coverage(background, kind):
    cutout = cartoon()
    truth = cutout[..., 3].astype(np.float32) / 255
    found = drawing_matte(over(cutout, background), blob(cutout))
    assert found.background == kind
    outline = (cutout[..., :3].max(axis=2) < 80) & (truth > 0.5)
    assert (found.alpha[outline] > 0.5).mean() >= 0.99
    assert found.alpha[160, 250] < 0.1
    assert abs(found.alpha.sum() - truth.sum()) / truth.size < 0.01


def test_edges_stay_soft():
    cutout = cartoon()
    truth = cutout[..., 3].astype(np.float32) / 255
    found = drawing_matte(over(cutout, np.full((320, 320, 3), (90, 160, 210.0))), blob(cutout)).alpha
    soft = (truth > 0.2) & (truth < 0.8)
    assert np.abs(found - truth)[soft].mean() < 0.1


def test_a_line_drawing_on_paper_is_filled():
    picture = np.full((300, 300, 3), 255, np.uint8)
    cv2.circle(picture, (150, 150), 90, (0, 0, 0), 3, cv2.LINE_AA)
    alpha = drawing_matte(picture, np.zeros((300, 300), np.float32)).alpha
    assert alpha[150, 150] == 1
    assert alpha[10, 10] == 0


def test_white_eyes_on_white_paper_follow_the_network():
    picture = np.full((300, 300, 3), 255, np.uint8)
    cv2.circle(picture, (150, 150), 100, (230, 90, 60), -1, cv2.LINE_AA)
    cv2.circle(picture, (150, 150), 20, (255, 255, 255), -1, cv2.LINE_AA)
    eye = drawing_matte(picture, np.ones((300, 300), np.float32)).alpha[150, 150]
    hole = drawing_matte(picture, np.full((300, 300), 0.3, np.float32)).alpha[150, 150]
    assert eye == 1
    assert hole == 0


def test_a_dark_background_is_never_joined():
    picture = np.full((200, 200, 3), 10, np.uint8)
    picture[60:140, 60:140] = (200, 120, 90)
    alpha = np.zeros((200, 200), np.float32)
    alpha[60:140, 60:140] = 1
    joined = join_outlines(picture, alpha)
    assert joined[5, 5] == 0
    np.testing.assert_array_equal(joined, alpha)


def test_an_outline_beside_the_subject_is_joined():
    picture = np.full((400, 400, 3), 200, np.uint8)
    cv2.rectangle(picture, (100, 100), (300, 300), (0, 0, 0), 3)
    alpha = np.zeros((400, 400), np.float32)
    alpha[102:299, 102:299] = 1
    assert join_outlines(picture, alpha)[100, 200] == 1


def test_medium_alpha_inside_is_raised():
    alpha = np.ones((100, 100), np.float32)
    alpha[50, 50] = 0.5
    assert fill_regions(alpha)[50, 50] == pytest.approx(220 / 255)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 3)])
def test_tiny_pictures(shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = drawing_matte(picture, np.full(shape, 0.5, np.float32))
    alpha = join_outlines(picture, fill_regions(np.full(shape, 0.5, np.float32))) if found is None else found.alpha
    assert alpha.shape == shape
    assert np.isfinite(alpha).all()


def test_what_the_network_overlooks_against_a_shaded_background_is_no_shadow():
    cutout = cartoon()
    truth = cutout[..., 3].astype(np.float32) / 255
    nothing_but_the_head = blob(cutout) * (np.arange(320)[:, None] < 120)
    found = drawing_matte(over(cutout, SHADED), nothing_but_the_head.astype(np.float32))
    assert abs(found.alpha.sum() - truth.sum()) / truth.size < 0.01


def glow(background: tuple[int, int, int], ink: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw a ring that fades into its background; the picture and its alpha."""
    lines = np.zeros((400, 400), np.float32)
    cv2.circle(lines, (200, 200), 130, 1, 6, cv2.LINE_AA)
    cv2.circle(lines, (200, 200), 80, 1, 6, cv2.LINE_AA)
    alpha = np.maximum(lines, 0.8 * cv2.GaussianBlur(lines, (0, 0), 8) / 0.3).clip(0, 1)
    return np.uint8(
        np.rint(np.float32(ink) * alpha[..., None] + np.float32(background) * (1 - alpha[..., None]))
    ), alpha


@pytest.mark.parametrize(
    ("background", "ink"),
    [((20, 20, 24), (255, 255, 255)), ((90, 160, 210), (255, 250, 240)), ((255, 255, 255), (180, 220, 235))],
    ids=["white on black", "white on blue", "pale on white"],
)
def test_a_glow_is_as_translucent_as_it_is(background, ink):
    picture, alpha = glow(background, ink)
    found = one_ink_matte(picture)
    assert found is not None
    assert np.abs(found - alpha).mean() < 0.02


def test_a_grey_drawing_is_no_glow():
    picture = np.full((300, 300, 3), 20, np.uint8)
    cv2.circle(picture, (150, 150), 100, (120, 120, 120), -1, cv2.LINE_AA)
    cv2.circle(picture, (150, 150), 30, (250, 250, 250), -1, cv2.LINE_AA)
    assert one_ink_matte(picture) is None


def disc_with_outline(background):
    """A pale disc of radius 80 with a dark outline of three pixels, antialiased, before ``background``; and its
    alpha."""
    y, x = np.mgrid[:240, :240]
    away = np.hypot(x - 120, y - 120)
    alpha, fill = np.clip(80.5 - away, 0, 1), np.clip(77.5 - away, 0, 1)[..., None]
    figure = fill * (250, 220, 180) + (1 - fill) * (40, 25, 30)
    return np.rint(alpha[..., None] * figure + (1 - alpha[..., None]) * background).astype(np.uint8), alpha


def test_an_outline_that_a_mask_cut_along_its_middle_is_whole_again_and_soft():
    background = np.random.default_rng(0).integers(120, 200, (240, 240, 3))
    picture, alpha = disc_with_outline(cv2.blur(background.astype(np.float32), (5, 5)))
    y, x = np.mgrid[:240, :240]
    # Sure up to the middle of the outline, then less and less.
    cut = np.clip((82.5 - np.hypot(x - 120, y - 120)) / 8, 0, 1).astype(np.float32)
    found = soften_outline(picture, cut)
    outline = (alpha > 0.5) & (picture.max(axis=2) < 80)
    assert (cut[outline] > 0.5).mean() < 0.6
    assert (found[outline] > 0.5).mean() > 0.99
    assert (found >= cut).all()
    assert np.abs(found - alpha).mean() < 0.6 * np.abs(cut - alpha).mean()
    assert np.abs(found[alpha == 0]).mean() < 0.01


def test_against_a_dark_background_no_outline_can_be_told_and_the_mask_stays():
    picture, alpha = disc_with_outline(np.float32((45, 30, 35)))
    cut = cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), 3)
    np.testing.assert_array_equal(soften_outline(picture, cut), cut)


def test_what_the_network_denies_gets_no_outline():
    picture, alpha = disc_with_outline(np.float32((160, 160, 160)))
    cut = alpha.astype(np.float32)
    cut[:, 120:] = 0
    assert soften_outline(picture, cut)[:, 120:].max() == 0


def test_a_shaded_part_with_edges_that_a_network_missed_is_no_shadow():
    """It is grey and as soft within as a shadow is, which fades into the paper on its other side."""
    side = 400
    y, x = np.mgrid[:side, :side].astype(np.float32)
    picture = np.full((side, side, 3), 255, np.float32)
    stand, body = (np.abs(x - 200) < 50) & (y >= 240) & (y < 330), (np.abs(x - 200) < 110) & (y > 60) & (y < 240)
    below = np.exp(-(((x - 200) / 90) ** 2) - ((np.maximum(y, 330) - 330) / 14) ** 2) * (y > 322)
    picture *= 1 - 0.2 * below[..., None]
    picture[stand] = (130 + 0.5 * (x - 200))[stand][:, None]
    picture[body] = (40, 60, 150)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(picture).astype(np.uint8)).save(buffer, "JPEG", quality=92)
    read = np.asarray(Image.open(buffer))
    found = drawing_matte(read, cv2.GaussianBlur(body.astype(np.float32), (0, 0), 3))
    assert found.alpha[262:325, 155:245].min() > 0.9
    assert found.alpha[340:352, 120:280].max() < 0.1
