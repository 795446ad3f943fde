"""Transparency as files carry it: which is a cut-out, and which only wraps a photograph."""

import cv2
import numpy as np
import pytest

from vivid_assets.imaging.core.alpha import fit_alpha
from vivid_assets.imaging.core.own_alpha import packaging, visible_part

HEIGHT, WIDTH = 300, 400
y, x = np.mgrid[:HEIGHT, :WIDTH]


def full(value=1.0):
    return np.full((HEIGHT, WIDTH), value, np.float32)


def with_clear(where):
    alpha = full()
    alpha[where] = 0
    return alpha


def rounded(radius):
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.rectangle(alpha, (radius, 0), (WIDTH - radius - 1, HEIGHT), 255, -1)
    cv2.rectangle(alpha, (0, radius), (WIDTH, HEIGHT - radius - 1), 255, -1)
    for cy in (radius, HEIGHT - radius - 1):
        for cx in (radius, WIDTH - radius - 1):
            cv2.circle(alpha, (cx, cy), radius, 255, -1, cv2.LINE_AA)
    return alpha.astype(np.float32) / 255


PACKAGING = {
    "254 all over": full(254 / 255),
    "254 at one place": np.where((y == 7) & (x == 9), np.float32(254 / 255), 1).astype(np.float32),
    "one clear pixel": with_clear((y == 0) & (x == 0)),
    "a clear row": with_clear(y == HEIGHT - 1),
    "unused": full(0),
    "unused but for a stray pixel": 1 - with_clear((y == 5) & (x == 5)),
    "rounded corners": rounded(20),
    "very rounded corners": rounded(60),
    "bars above and below": with_clear((y < 50) | (y >= 250)),
    "bars at the sides": with_clear((x < 90) | (x >= 310)),
    "a bar on one side": with_clear(x > 300),
    "a photograph on a larger canvas": with_clear((x < 60) | (x >= 330) | (y < 40) | (y >= 270)),
    "a watermark's holes": with_clear((y > 280) & (x > 300) & (x % 7 < 2)),
}
CUT_OUTS = {
    "a disc": (np.hypot(y - 150, x - 200) < 100).astype(np.float32),
    "a disc cropped to its bounds": (np.hypot((y - 150) / 150, (x - 200) / 200) < 1).astype(np.float32),
    "a box in perspective": cv2.fillConvexPoly(
        np.zeros((HEIGHT, WIDTH), np.float32), np.array([[80, 60], [300, 50], [340, 250], [60, 270]]), 1.0
    ),
    "glass": np.where(np.hypot(y - 150, x - 200) < 100, np.float32(0.6), 0).astype(np.float32),
    "a subject with its soft shadow": np.maximum(
        (np.hypot(y - 150, x - 200) < 80).astype(np.float32),
        0.4 * np.exp(-(((y - 230) / 20) ** 2) - ((x - 200) / 90) ** 2),
    ).astype(np.float32),
    "a small icon": (np.hypot(y - 150, x - 200) < 6).astype(np.float32),
    "a figure that runs out of the frame below": np.float32(
        (np.abs(x - 200) < 70) & (y > 60) | (np.hypot(y - 60, x - 200) < 50)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PACKAGING)
def test_packaging_is_named(name):
    assert packaging(PACKAGING[name])


@pytest.mark.parametrize("name", CUT_OUTS)
def test_a_cut_out_is_one(name):
    assert packaging(CUT_OUTS[name]) is None


@pytest.mark.parametrize("scale", [0.3, 4])
@pytest.mark.parametrize("name", ["rounded corners", "bars at the sides", "a disc", "a box in perspective"])
def test_the_answer_does_not_depend_on_the_size(name, scale):
    alpha = (PACKAGING | CUT_OUTS)[name]
    other = cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert (packaging(other) is None) == (name in CUT_OUTS)


def test_what_is_to_be_seen_of_a_packaged_photograph():
    assert visible_part(PACKAGING["254 all over"]).min() == 1
    assert visible_part(PACKAGING["unused"]).min() == 1
    np.testing.assert_array_equal(visible_part(PACKAGING["bars at the sides"]), PACKAGING["bars at the sides"])


@pytest.mark.parametrize(("rows", "columns"), [(150, 200), (77, 103), (900, 1200)])
def test_another_size_of_the_same_aspect_is_interpolated(rows, columns):
    soft = cv2.GaussianBlur(CUT_OUTS["a disc"], (0, 0), 5)
    again = fit_alpha(fit_alpha(soft, rows, columns), HEIGHT, WIDTH)
    assert np.abs(again - soft).max() < 0.03


def test_a_thin_pictures_mask_may_be_rounded_to_whole_pixels():
    assert fit_alpha(np.ones((4, 6000), np.float32), 1, 1024).shape == (1, 1024)


def test_another_aspect_is_refused_with_both_sizes():
    with pytest.raises(ValueError, match="20×8, the picture 16×16"):
        fit_alpha(np.ones((8, 20), np.float32), 16, 16)
