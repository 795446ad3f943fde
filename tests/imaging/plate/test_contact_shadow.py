import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vivid_assets.imaging.plate.contact_shadow import contact_shadow


def box(bottom: int = 150) -> np.ndarray:
    alpha = np.zeros((200, 300), np.uint8)
    alpha[60:bottom, 110:190] = 255
    return alpha


def test_it_is_darkest_where_the_subject_touches_the_floor():
    shadow = contact_shadow(box(), key_light="left")
    assert shadow[150, 150] < 0.7
    assert shadow[150, 150] < shadow[158, 150] < shadow[185, 150]
    assert shadow[20].min() == pytest.approx(1, abs=1e-3)
    assert shadow[:, 2].min() > 0.99


def test_it_leans_away_from_the_key_light():
    left, right = contact_shadow(box(), key_light="left"), contact_shadow(box(), key_light="right")
    assert left[152, 200:230].mean() < left[152, 70:100].mean()
    assert np.allclose(left, right[:, ::-1], atol=0.01)


def test_a_part_that_does_not_touch_the_floor_darkens_it_less():
    alpha = box()
    alpha[60:120, 190:270] = 255  # an arm, 30 rows above
    shadow = contact_shadow(alpha, key_light="above")
    assert shadow[150, 250] > shadow[150, 150] + 0.2


@pytest.mark.parametrize("alpha", [np.zeros((50, 50), np.uint8), box(bottom=200)])
def test_nothing_or_a_subject_cut_by_the_frame_has_none(alpha):
    assert (contact_shadow(alpha, key_light="left") == 1).all()


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_it_is_a_share_for_any_alpha(alpha):
    shadow = contact_shadow(alpha, key_light="above")
    assert shadow.shape == alpha.shape
    assert shadow.dtype == np.float32
    assert np.isfinite(shadow).all()
    assert shadow.min() >= 0.4 - 1e-6, "it never takes more than six tenths of the light"
    assert shadow.max() <= 1


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match="uint8 H×W"):
        contact_shadow(np.zeros((4, 4, 3), np.uint8), key_light="left")
