import numpy as np
import pytest

from vivid_assets.masking.calibration import calibrated, calibration_error, log_odds, newton, reliability


def test_a_known_calibration_is_found_again():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, 20_000)
    hits = (rng.random(len(scores)) < 1 / (1 + np.exp(-(0.5 * scores + 1.0)))).astype(float)
    assert calibrated(scores, hits) == (pytest.approx(0.5, abs=0.03), pytest.approx(1.0, abs=0.05))


def test_few_observations_hardly_move_a_calibration():
    slope, offset = calibrated(np.array([2.0, -2.0]), np.array([1.0, 0.0]))
    assert slope == pytest.approx(1.0, abs=0.2)
    assert offset == pytest.approx(0.0, abs=0.01)


def test_a_penalty_draws_weights_to_where_it_says():
    design, hits = np.ones((10, 1)), np.ones(10)
    assert newton(design, hits, np.array([1e6]), towards=0.7) == pytest.approx(0.7, abs=1e-3)


def test_separable_observations_give_finite_weights():
    design = np.column_stack([np.linspace(-1, 1, 50), np.ones(50)])
    assert np.isfinite(newton(design, (design[:, 0] > 0).astype(float), np.array([1.0, 0.0]))).all()


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    p, hits = np.array([0.95] * 10 + [0.15] * 10), np.array([1.0] * 9 + [0.0] + [1.0] * 4 + [0.0] * 6)
    assert reliability(p, hits) == [(pytest.approx(0.15), 0.4, 10), (pytest.approx(0.95), 0.9, 10)]
    assert calibration_error(p, hits) == pytest.approx((0.25 + 0.05) / 2)
    assert calibration_error(np.array([]), np.array([])) == 0.0


def test_log_odds_of_certainty_are_finite():
    assert log_odds(np.array([0.0, 0.5, 1.0])) == pytest.approx([-6.9068, 0.0, 6.9068], abs=1e-3)
