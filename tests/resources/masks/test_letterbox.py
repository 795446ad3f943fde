"""A picture into a network's rectangle and its answer back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from resources.masks.letterbox import fitted, unfitted


@given(st.integers(1, 90), st.integers(1, 90), st.booleans())
def test_any_picture_fits_and_its_answer_has_its_own_size(height, width, keep_aspect):
    image = np.zeros((height, width, 3), np.uint8)
    assert fitted(image, (32, 48), keep_aspect=keep_aspect).shape == (32, 48, 3)
    back = unfitted(np.ones((32, 48), np.float32), (height, width), keep_aspect=keep_aspect)
    assert back.shape == (height, width)
    assert back.dtype == np.float32
    assert (back == 1).all()


def test_aspect_is_kept_and_what_is_filled_up_is_cut_off_again():
    image = np.full((40, 20, 3), 255, np.uint8)
    seen = fitted(image, (64, 64), keep_aspect=True)
    assert (seen[:, :32] == 255).all()
    assert (seen[:, 32:] < 130).all()
    answer = (seen[..., 0] == 255).astype(np.float32)
    assert (unfitted(answer, (40, 20), keep_aspect=True) == 1).all()


def test_an_edge_stays_where_it_was():
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, 50:] = 255
    for keep_aspect in (True, False):
        seen = fitted(image, (64, 64), keep_aspect=keep_aspect)[..., 0].astype(np.float32) / 255
        back = unfitted(seen, (60, 100), keep_aspect=keep_aspect)
        assert (back[:, :47] < 0.1).all()
        assert (back[:, 53:] > 0.9).all()
