import numpy as np

from vivid_assets.imaging.plate.fill import spread


def test_the_unknown_is_filled_from_what_is_near():
    values, weight = np.zeros((64, 64), np.float32), np.zeros((64, 64), np.float32)
    values[:, :8], values[:, -8:] = 1, 3
    weight[:, :8], weight[:, -8:] = 1, 1
    filled = spread(values, weight)
    assert filled[30, 4] == 1
    assert filled[30, 60] == 3
    assert 1 <= filled[30, 12] < 1.6 < 2.4 < filled[30, 50] <= 3
