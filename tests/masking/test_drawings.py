"""Drawings against plain backgrounds, as they arrive: through JPEG, with a shadow, in a panel, in outlines."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vivid_assets.imaging.matte.quality import agreement
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.model import Tier

SIDE = 400


class Network:
    """Answers what the test says, its contour a little soft."""

    name, revision = "network", "1"

    def __init__(self, answer):
        self.answer = cv2.GaussianBlur(answer, (0, 0), 0.8)

    def probabilities(self, images):
        return [self.answer for _ in images]


def masked(picture, seen):
    return Ladder([Tier("network", lambda: Network(seen), "1")]).masks([picture])[0]


def star(*, filled, width=8):
    """A star's alpha, or its outline's; float32 H×W."""
    angles = np.pi * np.arange(10) / 5 - np.pi / 2
    reach = np.where(np.arange(10) % 2, 65, 130) * 4
    points = np.int32(np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None] + 2 * SIDE)
    canvas = np.zeros((4 * SIDE, 4 * SIDE), np.uint8)
    if filled:
        cv2.fillPoly(canvas, [points], 255)
    cv2.polylines(canvas, [points], True, 255, 4 * width, cv2.LINE_AA)
    return cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


BODY, LINE = star(filled=True), star(filled=False)


def painted(background, *layers):
    picture = np.full((SIDE, SIDE, 3), background, np.float32)
    for alpha, color in layers:
        picture = picture * (1 - alpha[..., None]) + np.float32(color) * alpha[..., None]
    return np.uint8(np.rint(picture))


def through_jpeg(picture, quality):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("quality", [95, 85, 75])
@pytest.mark.parametrize(
    "background", [(255, 255, 255), (232, 226, 214), (90, 160, 210)], ids=["white", "pale", "blue"]
)
def test_a_codec_leaves_nothing_of_the_background_around_a_drawing(background, quality):
    picture = through_jpeg(painted(background, (BODY, (240, 180, 60)), (LINE, (200, 30, 40))), quality)
    mask = masked(picture, BODY)
    beyond = cv2.dilate((BODY > 0.02).astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    assert mask.line_art_wall == "plain"
    assert mask.alpha[beyond].max() < 0.1
    assert agreement(mask.alpha, BODY) > 0.97


def test_a_soft_shadow_on_clipped_white_is_background():
    shadow = 0.5 * cv2.GaussianBlur(np.roll(BODY, (10, 8), (0, 1)), (0, 0), 8)
    picture = painted((255, 255, 255), (shadow, (0, 0, 0)), (BODY, (240, 180, 60)), (LINE, (20, 20, 30)))
    mask = masked(picture, BODY)
    assert agreement(mask.alpha, BODY) > 0.97


@pytest.mark.parametrize("inset", [0, 12])
def test_a_panels_frame_is_no_subject(inset):
    picture = painted((255, 255, 255), (BODY, (240, 180, 60)), (LINE, (20, 20, 30)))
    cv2.rectangle(picture, (inset, inset), (SIDE - 1 - inset, SIDE - 1 - inset), (190, 190, 190), 3)
    assert agreement(masked(picture, BODY).alpha, BODY) > 0.97


@pytest.mark.parametrize(
    ("background", "ink"), [((255, 255, 255), (200, 30, 30)), ((12, 12, 16), (60, 255, 160))], ids=["red", "neon"]
)
def test_an_outline_is_filled_in_whatever_ink(background, ink):
    mask = masked(painted(background, (LINE, ink)), BODY)
    assert agreement(mask.alpha, BODY) > 0.97
    assert not mask.review


def test_an_outline_that_the_network_leaves_empty_is_for_review():
    mask = masked(painted((255, 255, 255), (LINE, (200, 30, 30))), LINE)
    assert agreement(mask.alpha, BODY) > 0.97
    assert (mask.verdict, mask.review) == ("disputed", True)


def test_scanned_outlines_are_for_review():
    grain = np.random.default_rng(0).normal(0, 3, (SIDE, SIDE, 3))
    picture = np.clip(painted((243, 240, 232), (LINE, (25, 25, 30))) + grain, 0, 255).astype(np.uint8)
    mask = masked(picture, LINE)
    assert mask.verdict == "disputed"
    assert "outlines" in mask.reason
