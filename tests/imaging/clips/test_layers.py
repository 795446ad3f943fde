import numpy as np
import pytest

from vivid_assets.imaging.clips.layers import steady_layer


def trembling(count=9, depth=0.3, shift=0):
    """A shadow that is measured with some error, and walks by ``shift`` pixels a frame."""
    rng = np.random.default_rng(0)
    layers = []
    for index in range(count):
        layer = np.ones((60, 80, 3), np.float32)
        layer[30:44, 10 + shift * index : 40 + shift * index] = 1 - depth + rng.normal(0, 0.006)
        layers.append(layer)
    return layers


def test_what_trembles_is_steadied_and_what_is_not_there_stays_out():
    layers = trembling()
    made = [steady_layer(layers[: index + 5][-9:], min(index, 4)) for index in range(5)]
    before = np.ptp([layer[36, 20, 0] for layer in layers[:5]])
    assert np.ptp([layer[36, 20, 0] for layer in made]) < 0.5 * before
    assert all((layer[:20] == 1).all() for layer in made)


def test_a_shadow_that_moves_leaves_no_trail():
    made = steady_layer(trembling(shift=6), 4)
    assert np.abs(made - trembling(shift=6)[4]).max() < 0.04


def test_a_speck_that_comes_and_goes_is_taken_back():
    layers = [np.ones((60, 80, 3), np.float32) for _ in range(9)]
    layers[4][20:30, 20:30] = 0.985
    assert steady_layer(layers, 4)[25, 25] == pytest.approx(1, abs=0.003)


def test_a_frame_without_a_layer_has_the_nearest():
    layers = trembling()
    assert steady_layer([*layers[:4], None, *layers[5:]], 4)[36, 20] == pytest.approx(0.7, abs=0.02)
    assert steady_layer([None, None], 0) is None
