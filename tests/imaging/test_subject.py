import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivid_assets.imaging.subject import box_pixels, read_override

ramp = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize(
    "mask",
    [
        ramp,
        ramp.astype(np.uint16) * 257,
        (ramp / 255).astype(np.float32),
        np.dstack([ramp] * 3),
        np.dstack([np.zeros((16, 16, 3), np.uint8), ramp]),
    ],
    ids=["uint8", "uint16", "float", "grey-rgb", "alpha-channel"],
)
def test_only_the_range_is_converted(mask):
    np.testing.assert_allclose(read_override(mask, 16, 16), ramp / 255, atol=1e-6)


def test_another_size_of_the_same_aspect_is_resized():
    assert read_override(np.ones((8, 8), bool), 16, 16).shape == (16, 16)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((8, 20)), "another aspect"),
        (np.full((16, 16), 2.0), "within 0..1"),
        (np.ones((16, 16), np.int32), "uint8"),
        (np.ones(16), "H×W"),
    ],
)
def test_what_does_not_fit_is_said(mask, words):
    with pytest.raises(ValueError, match=words):
        read_override(mask, 16, 16)


@given(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 1), st.integers(1, 50), st.integers(1, 50))
def test_a_box_keeps_a_pixel(left, top, size, height, width):
    y0, y1, x0, x1 = box_pixels((left, top, min(1, left + size), min(1, top + size)), height, width)
    assert 0 <= y0 < y1 <= height
    assert 0 <= x0 < x1 <= width


def test_a_box_out_of_order():
    with pytest.raises(ValueError, match="left < right"):
        box_pixels((0.5, 0, 0.4, 1), 10, 10)
