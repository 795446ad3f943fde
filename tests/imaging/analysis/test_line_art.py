import cv2
import numpy as np
import pytest

from vivid_assets.imaging.analysis.line_art import detect_line_art, line_art_figures


def drawing() -> np.ndarray:
    picture = np.full((600, 600, 3), 255, np.uint8)
    for centre, radius, fill in (((300, 250), 150, (250, 180, 60)), ((300, 460), 110, (80, 140, 220))):
        cv2.circle(picture, centre, radius, fill, -1, cv2.LINE_AA)
        cv2.circle(picture, centre, radius, (10, 10, 10), 7, cv2.LINE_AA)
    cv2.line(picture, (200, 500), (100, 560), (10, 10, 10), 7, cv2.LINE_AA)
    return picture


def test_a_drawing_is_line_art():
    assert detect_line_art(drawing()).probability > 0.5


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_are_not(name):
    from skimage import data

    assert detect_line_art(getattr(data, name)()).probability < 0.5


def test_the_articles_three_figures():
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 100:] = 255
    figures = line_art_figures(picture)
    assert figures.dark_share == 0.5
    assert figures.unique_colors == 2 / 20000
    assert 0.004 < figures.edge_density < 0.011


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (2, 3)])
def test_any_size_has_an_answer(shape):
    verdict = detect_line_art(np.zeros((*shape, 3), np.uint8))
    assert 0 <= verdict.probability <= 1
