import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivid_assets.imaging.matte.subject_box import box_pixels


@given(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 1), st.integers(1, 50), st.integers(1, 50))
def test_a_box_keeps_a_pixel(left, top, size, height, width):
    y0, y1, x0, x1 = box_pixels((left, top, min(1, left + size), min(1, top + size)), height, width)
    assert 0 <= y0 < y1 <= height
    assert 0 <= x0 < x1 <= width


def test_a_box_out_of_order():
    with pytest.raises(ValueError, match="left < right"):
        box_pixels((0.5, 0, 0.4, 1), 10, 10)
