import numpy as np

from benchmarks.quality.blending import Case, Cutout, Tally


def test_a_background_whose_every_capture_was_missed_has_no_figure_and_stops_nothing():
    alpha = np.full((8, 8), 0.5, np.float32)
    picture = np.full((8, 8, 3), 90, np.uint8)
    case = Case(Cutout("drawn", np.zeros((8, 8, 3), np.float32), alpha), "green", picture, picture, picture)
    tally = Tally({}, [], [])
    assert tally.row(["yellow", "green"]) == [None] * 6
    tally.add(case, picture, 1e-6)
    assert tally.row(["yellow", "green"])[:4] == [None, 0.0, 0.0, 0.0]
