import numpy as np
import pytest

from vivid_assets.imaging.plate.lay_shadow import multiply_layer, shaded


def dark(share: float = 0.5) -> np.ndarray:
    layer = np.ones((100, 150, 3), np.float32)
    layer[78:90, 50:100] = share
    return layer


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_shadow_takes_light_and_leaves_what_it_does_not_reach(dtype):
    top = np.iinfo(dtype).max
    white = np.full((200, 300, 3), top, dtype)
    out = shaded(white, dark(0.25))
    assert (out[:140] == top).all()
    assert out[168, 150].tolist() == pytest.approx([0.537 * top] * 3, rel=0.01)  # a quarter of the light
    assert (white == top).all()


def test_an_editor_multiplies_the_same_shadow():
    layer = dark(0.5)
    assert multiply_layer(layer)[0, 0].tolist() == [255] * 3
    assert multiply_layer(layer)[84, 75].tolist() == [188] * 3
