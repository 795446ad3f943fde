import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vivid_assets.imaging.matte.quality import SEVERITY, Thresholds, agreement, judge, measure


def disk(side: int = 200, radius: float = 60.0, inside: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side / 2
    return np.where(np.hypot(x, y) < radius, inside, 0.0).astype(np.float32)


def verdict_of(probability: np.ndarray) -> str:
    return judge(measure(probability), Thresholds()).name


def test_a_firm_disk_is_good():
    assert verdict_of(disk()) == "good"


def test_faint_noise_is_empty_and_stays_so():
    # rembg's min-max stretch would have made this a mask of full contrast.
    faint = np.random.default_rng(0).uniform(0.0, 0.05, (200, 200)).astype(np.float32)
    assert verdict_of(faint) == "empty"


def test_the_faults_have_names():
    scattered = np.zeros((200, 200), np.float32)
    for row in range(10, 190, 30):
        for column in range(10, 190, 30):
            scattered[row : row + 10, column : column + 10] = 1.0
    hazy = np.where(disk() > 0, 0.7, 0.0).astype(np.float32)
    half_sure = np.maximum(disk(radius=40), 0.4 * disk(radius=90))
    assert verdict_of(np.ones((50, 50), np.float32)) == "covers_all"
    assert verdict_of(scattered) == "fragmented"
    assert verdict_of(hazy) == "low_confidence"
    assert verdict_of(half_sure) == "uncertain"
    ring = 1.0 - disk(radius=80)
    assert verdict_of(ring) == "touches_border"


def test_a_soft_edge_is_not_uncertainty():
    import cv2

    assert verdict_of(cv2.GaussianBlur(disk(), (0, 0), 1.5)) == "good"


def test_coverage_is_a_share_whatever_the_size():
    small, large = measure(disk(200, 60)), measure(disk(1000, 300))
    assert small.coverage == pytest.approx(large.coverage, abs=0.01)
    assert large.coverage == pytest.approx(np.pi * 0.3**2, abs=0.01)


def test_agreement_is_intersection_over_union():
    left, both = np.zeros((10, 10)), np.ones((10, 10))
    left[:, :5] = 1
    assert agreement(left, both) == 0.5
    assert agreement(np.zeros((4, 4)), np.zeros((4, 4))) == 1.0
    with pytest.raises(ValueError, match="differ"):
        agreement(left, np.zeros((5, 5)))


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        elements=st.floats(0, 1, width=32) | st.just(np.float32(np.nan)),
    )
)
def test_any_probability_gets_a_named_verdict(probability):
    figures = measure(probability)
    assert all(np.isfinite(value) for value in figures.as_dict().values())
    assert judge(figures, Thresholds()).name in SEVERITY
