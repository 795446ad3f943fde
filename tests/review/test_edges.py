import cv2
import numpy as np
import pytest

from vivid_assets.imaging.matte.contour_figures import CONTOUR_FIGURES, contour_figures
from vivid_assets.masking.estimate import contour_right
from vivid_assets.review.edges import SURE, UNSURE, edge_map


@pytest.fixture
def half_seen():
    """A board whose right half is the background's colour, and its mask, soft on that side."""
    rng = np.random.default_rng(3)
    picture = np.full((300, 400, 3), 140, np.float32)
    picture[80:220, 100:200] = (200, 50, 40)
    image = np.uint8(np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255))
    alpha = np.zeros((300, 400), np.float32)
    alpha[80:220, 100:300] = 1
    alpha[:, 200:] = cv2.GaussianBlur(alpha, (0, 0), 9)[:, 200:]
    return image, alpha


def test_a_contour_without_an_edge_in_the_picture_is_less_sure(half_seen):
    contour = contour_figures(*half_seen)
    assert contour.values.shape == (len(contour.rows), len(CONTOUR_FIGURES))
    right = contour_right(contour)
    column = contour.columns * 400 / contour.shape[1]
    assert right[column < 190].min() > right[column > 280].max()
    assert ((right > 0) & (right < 1)).all()


def test_the_map_is_green_where_it_is_sure_and_red_where_not(half_seen):
    drawn = edge_map(*half_seen, 400).astype(int)
    assert drawn.shape == (300, 400, 3)

    def distance(color, columns):
        return np.abs(drawn[80:220, columns] - color).sum(axis=2).min()

    assert distance(SURE, slice(95, 106)) < 30
    assert distance(UNSURE, slice(290, 310)) < 30
    assert distance(UNSURE, slice(95, 106)) > 100


def test_the_frame_is_no_edge_and_an_empty_mask_has_none():
    image = np.full((60, 80, 3), 200, np.uint8)
    whole, none = np.ones((60, 80), np.float32), np.zeros((60, 80), np.float32)
    for alpha in (whole, none):
        assert len(contour_figures(image, alpha).rows) == 0
        drawn = edge_map(image, alpha, 80)
        assert (drawn == drawn[0, 0]).all()
    cut = whole.copy()
    cut[:, 40:] = 0
    contour = contour_figures(image, cut)
    assert {*contour.rows} == {*range(1, 59)}


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="sizes differ"):
        contour_figures(np.zeros((50, 60, 3), np.uint8), np.zeros((60, 50), np.float32))
