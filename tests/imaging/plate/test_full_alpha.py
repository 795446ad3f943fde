import numpy as np
import pytest

from tests.support.plain import plain
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.plate import full_alpha
from vivid_assets.imaging.plate.known_plate import solve_known_plate


@pytest.mark.parametrize(("size", "hairs"), [(300, 0), (600, 0), (900, 60)])
def test_what_is_solved_is_as_in_the_whole_picture(size, hairs, monkeypatch):
    """Looked at is only what the small picture leaves open, with as much about it as colours spread from."""
    scene = plain(size=size, hairs=hairs)
    light, boxes = srgb_to_linear(scene.picture), []

    def everything(parts, height, width, context):
        boxes.append(about_open(parts, height, width, context))
        return slice(0, height), slice(0, width)

    about_open = full_alpha._about_open
    found = solve_known_plate(light, scene.mask, 1.2, solve=True).alpha
    monkeypatch.setattr(full_alpha, "_about_open", everything)
    np.testing.assert_array_equal(found, solve_known_plate(light, scene.mask, 1.2, solve=True).alpha)
    ((rows, columns),) = boxes
    assert (rows.stop - rows.start) * (columns.stop - columns.start) < found.size, "else nothing is tested"
