"""Colour spaces against known answers, and there and back again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vivid_assets.imaging.core.color import (
    ciede2000,
    encode_one,
    encoding_tables,
    lab_to_rgb,
    linear_to_srgb,
    rgb_to_lab,
    srgb_to_linear,
    to_uint8,
    to_uint16,
)

# Sharma, Wu and Dalal 2005, table 1: the 34 pairs and their differences.
SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def test_ciede2000_gives_sharmas_34_differences() -> None:
    table = np.array([line.split() for line in SHARMA.split("\n") if line], float)
    assert len(table) == 34
    np.testing.assert_allclose(ciede2000(table[:, :3], table[:, 3:6]), table[:, 6], atol=5e-5)
    np.testing.assert_allclose(ciede2000(table[:, 3:6], table[:, :3]), table[:, 6], atol=5e-5)


def test_lab_agrees_with_scikit_image(photograph: np.ndarray) -> None:
    from skimage.color import rgb2lab

    # Their white is rounded to five decimals, which is worth 0.02 in b.
    np.testing.assert_allclose(rgb_to_lab(photograph), rgb2lab(photograph), atol=0.02)


def test_greys_have_no_chroma() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    lab = rgb_to_lab(greys)
    assert np.abs(lab[:, 1:]).max() < 1e-4
    assert lab[0, 0] == pytest.approx(0, abs=1e-4)
    assert lab[255, 0] == pytest.approx(100, abs=1e-4)


def encoded(light: np.ndarray) -> np.ndarray:
    """Each value by the compiled encoder that the blend calls."""
    return np.array([encode_one(value, *encoding_tables()) for value in light], np.uint8)


def test_every_code_survives_linear_light_and_lab() -> None:
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(encoded(srgb_to_linear(codes)), codes)
    deep = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(to_uint16(linear_to_srgb(srgb_to_linear(deep))), deep)
    rng = np.random.default_rng(1)
    colors = rng.integers(0, 256, (5000, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(lab_to_rgb(rgb_to_lab(colors))), colors)


def test_known_values_of_the_transfer_curve() -> None:
    # IEC 61966-2-1: the middle code holds about a fifth of the light.
    assert srgb_to_linear(np.array([128], np.uint8))[0] == pytest.approx(0.215861, abs=1e-6)
    assert linear_to_srgb(np.array([0.0031308, 0.5]))[1] == pytest.approx(0.735357, abs=1e-6)


@given(arrays(np.float32, 64, elements=st.floats(-0.5, 1.5, width=32)))
def test_the_fast_encoder_rounds_as_the_formula_does(light: np.ndarray) -> None:
    slow, fast = to_uint8(linear_to_srgb(light)).astype(int), encoded(light).astype(int)
    # The table's thresholds are float32: a value within one of its steps of a threshold may go either way.
    exact = linear_to_srgb(light).astype(float) * 255 + 0.5
    clear = np.abs(exact - np.round(exact)) > 1e-3
    np.testing.assert_array_equal(fast[clear], slow[clear])
    assert np.abs(fast - slow).max() <= 1


def test_rounding_is_to_the_nearest_not_down() -> None:
    np.testing.assert_array_equal(to_uint8(np.array([0.49, 0.51, 254.6, 300, -3]) / 255), [0, 1, 255, 255, 0])


def test_not_a_number_becomes_black_not_a_fault() -> None:
    assert encoded(np.array([np.nan, 1.0], np.float32)).tolist() == [0, 255]


def test_a_dtype_without_a_range_is_refused() -> None:
    with pytest.raises(ValueError, match="int64"):
        srgb_to_linear(np.array([1, 2]))
