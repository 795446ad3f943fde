import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vivid_assets.imaging.matte.thin_structures import alpha_of_probability, keep_thin_structures

probabilities = arrays(
    np.float32, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.floats(0, 1, width=32)
)


def test_known_values():
    values = alpha_of_probability(np.float32([[0.0, 0.1, 0.5, 0.9, 1.0]]), 0.1, 0.9)
    np.testing.assert_allclose(values, [[0, 0, 0.5, 1, 1]], atol=1e-6)


def test_an_empty_picture_stays_empty():
    assert not alpha_of_probability(np.full((20, 20), 0.05, np.float32), 0.1, 0.9).any()


def test_limits_in_order():
    with pytest.raises(ValueError, match="low < high"):
        alpha_of_probability(np.zeros((2, 2)), 0.9, 0.1)


def test_a_thin_finger_is_raised_and_a_speck_is_not():
    p = np.zeros((300, 300), np.float32)
    p[100:200, 100:160] = 1.0
    p[148:151, 160:220] = 0.4
    p[20:23, 20:23] = 0.4
    kept = keep_thin_structures(p)
    assert (kept[148:151, 166:214] > 0.7).all()
    np.testing.assert_array_equal(kept[:60, :60], p[:60, :60])


@given(probabilities)
def test_extremities_only_rise_and_stay_in_range(p):
    kept = keep_thin_structures(p)
    assert (kept >= p - 1e-6).all()
    assert (kept <= 1).all()


@given(probabilities)
def test_stretch_keeps_order(p):
    order = np.argsort(p, axis=None, kind="stable")
    assert (np.diff(alpha_of_probability(p, 0.1, 0.9).ravel()[order]) >= -1e-6).all()
