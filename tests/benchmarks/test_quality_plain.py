import numpy as np

from benchmarks.quality.blending import Cutout
from benchmarks.quality.plain import Tally, photograph
from vivid_assets.imaging.io.codec import decode


def disc(size: int = 96) -> Cutout:
    y, x = np.mgrid[:size, :size].astype(np.float32) - size / 2
    alpha = np.clip(0.4 * size - np.hypot(x, y), 0, 1)
    return Cutout("disc", np.full((size, size, 3), (0.4, 0.05, 0.03), np.float32), alpha)


def test_the_exact_composite_scores_none_and_the_photograph_itself_shows_its_old_background():
    case = photograph(disc(), "green", 160, 1, None)
    exact, unchanged = Tally(), Tally()
    exact.add(case, (case.truth, case.alpha), case.plate)
    unchanged.add(case, (decode(case.data).rgb, np.ones_like(case.alpha)), case.plate)
    assert exact.band["green"] == [0]
    assert not exact.faults[0]
    assert unchanged.band["green"][0] > 10
    assert unchanged.faults[0]
    assert unchanged.mad[0] > 0.3
