import numpy as np
import pytest

from benchmarks.quality.mask_measures import (
    boundary_iou,
    f_measures,
    gradient_error,
    mean_absolute_error,
    s_measure,
    sum_of_absolute_differences,
)

TRUTH = np.zeros((100, 100), np.float32)
TRUTH[20:80, 30:70] = 1


def test_the_truth_scores_full_marks():
    assert mean_absolute_error(TRUTH, TRUTH) == 0
    assert f_measures(TRUTH, TRUTH)[1:].min() == pytest.approx(1)
    assert s_measure(TRUTH, TRUTH) == pytest.approx(1, abs=1e-6)
    assert boundary_iou(TRUTH, TRUTH) == 1
    assert sum_of_absolute_differences(TRUTH, TRUTH) == 0
    assert gradient_error(TRUTH, TRUTH) == 0


def test_known_values():
    half = TRUTH.copy()
    half[50:] = 0
    # Precision 1, recall 1/2, β² 0.3: 1.3 · 0.5 / (0.3 + 0.5).
    assert f_measures(half, TRUTH)[128] == pytest.approx(0.8125)
    assert mean_absolute_error(half, TRUTH) == pytest.approx(0.12)
    assert sum_of_absolute_differences(half, TRUTH) == pytest.approx(1.2)


def test_worse_masks_score_worse():
    shifted = np.roll(TRUTH, 6, axis=1)
    inverted = 1 - TRUTH
    assert 1 > s_measure(shifted, TRUTH) > s_measure(inverted, TRUTH)
    assert 1 > boundary_iou(shifted, TRUTH) > 0
    assert gradient_error(shifted, TRUTH) > 0
