import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivid_assets.imaging.io.codec import fitted_size, resize_to_fit


@given(st.integers(1, 50_000), st.integers(1, 50_000), st.integers(1, 4096))
def test_a_fitted_size_fits_and_keeps_the_aspect(width, height, longest):
    w, h = fitted_size(width, height, longest)
    assert min(w, h) >= 1
    assert max(w, h) == min(longest, max(width, height))
    scale = max(w, h) / max(width, height)
    assert abs(w - width * scale) <= 0.5 or w == 1
    assert abs(h - height * scale) <= 0.5 or h == 1


@pytest.mark.parametrize("longest", [0, -5])
def test_no_size_at_all_is_refused(longest):
    with pytest.raises(ValueError, match="at least 1 pixel"):
        fitted_size(10, 10, longest)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((40, 60, 3), np.uint8),
        ((1, 60, 3), np.uint8),
        ((60, 1, 3), np.uint8),
        ((40, 60), np.uint8),
        ((40, 60), np.float32),
        ((1, 60), np.float32),
    ],
)
def test_shape_and_dtype_are_kept(shape, dtype):
    resized = resize_to_fit(np.zeros(shape, dtype), 30)
    assert resized.dtype == dtype
    assert max(resized.shape[:2]) == 30
    assert resized.ndim == len(shape)


def test_what_fits_is_returned_as_it_is():
    rgb = np.zeros((30, 20, 3), np.uint8)
    assert resize_to_fit(rgb, 30) is rgb


@given(st.integers(0, 255), st.integers(1, 300), st.integers(1, 300))
def test_a_plain_picture_stays_plain(value, height, width):
    resized = resize_to_fit(np.full((height, width, 3), value, np.uint8), 64)
    assert np.all(resized == value)


def zone_plate(side: int) -> np.ndarray:
    """Rings whose frequency grows from none in the centre to the finest possible at the edges' middle."""
    axis = np.arange(side) - (side - 1) / 2
    return (127.5 + 127.5 * np.cos(np.pi * (axis[:, None] ** 2 + axis[None] ** 2) / side)).astype(np.uint8)


def test_what_is_too_fine_vanishes_instead_of_aliasing():
    small = resize_to_fit(np.repeat(zone_plate(1024)[..., None], 3, axis=-1), 256)[..., 0].astype(float)
    axis = np.arange(256) - 127.5
    # Frequency in cycles per new pixel, against its highest of 1/2.
    frequency = np.hypot(axis[:, None], axis[None]) * 4 * 4 / 1024 / 2 * 2
    assert small[frequency > 1.2].std() < 12, "of 90 that nearest-neighbour would leave"
    assert small[frequency < 0.3].std() > 75, "what can be shown is"


def test_a_mask_stays_within_its_values():
    mask = np.zeros((200, 200), np.float32)
    mask[50:150, 50:150] = 1
    resized = resize_to_fit(mask, 61)
    assert resized.min() == 0
    assert resized.max() == 1
    assert abs(resized.mean() - 0.25) < 0.01
