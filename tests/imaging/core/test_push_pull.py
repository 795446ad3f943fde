"""Half-size cells, spreading of known colours, and the blur that works only where it is asked."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivid_assets.imaging.core.push_pull import Pyramid, half_cells
from vivid_assets.imaging.core.sparse_blur import sparse_blur


@pytest.mark.slow
@given(st.integers(1, 300))
def test_cells_share_out_every_pixel_evenly_and_symmetrically(size: int) -> None:
    first, weights = half_cells(size)
    share = np.zeros(size)
    for start, row in zip(first, weights, strict=True):
        for step, weight in enumerate(row):
            if weight > 0:
                share[start + step] += weight
    np.testing.assert_allclose(share, len(first) / size, rtol=1e-4)
    np.testing.assert_allclose(share, share[::-1], rtol=1e-4)


def test_two_known_patches_fill_a_plane_by_nearness() -> None:
    known = np.zeros((33, 65, 8), np.float32)
    known[8:24, :8] = (1, 0, 0, 1, 0.5, 0.5, 0.5, 1)
    known[8:24, 57:] = (0, 0, 1, 1, 0, 0, 0, 0)
    everywhere = np.ones((33, 65), np.bool_)
    filled = Pyramid(known, everywhere, everywhere).fields()
    np.testing.assert_allclose(filled[8:24, :8, :3], np.broadcast_to((1, 0, 0), (16, 8, 3)), atol=1e-6)
    row = filled[16, :, 0]
    assert row[12] > 0.75
    assert row[52] < 0.25
    assert (np.diff(row) < 1e-3).all()
    np.testing.assert_allclose(filled[..., :3].sum(axis=2), 1, atol=1e-4)
    np.testing.assert_allclose(filled[..., 3:], 0.5, atol=1e-4)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_what_is_asked_for_does_not_depend_on_what_is_left_out(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = rng.random((height, width, 8), np.float32)
    wanted = rng.random((height, width)) < 0.03
    everywhere = np.ones((height, width), np.bool_)
    part = Pyramid(known.copy(), wanted, wanted)
    part.levels[0][wanted] = 0.5
    part.update()
    known[wanted] = 0.5
    whole = Pyramid(known, everywhere, everywhere)
    np.testing.assert_array_equal(part.fields()[wanted], whole.fields()[wanted])


@pytest.mark.parametrize("sigma", [0.5, 1.5, 3.0])
def test_the_sparse_blur_is_the_blur_where_it_is_asked_for(sigma: float) -> None:
    rng = np.random.default_rng(0)
    plane = rng.random((70, 90), np.float32)
    wanted = np.zeros((70, 90), np.bool_)
    wanted[rng.integers(0, 70, 60), rng.integers(0, 90, 60)] = True
    wanted[0, 0] = wanted[-1, -1] = True
    size = 2 * int(np.ceil(3.5 * sigma)) + 1
    full = cv2.GaussianBlur(plane, (size, size), sigma, borderType=cv2.BORDER_REPLICATE)
    for threads in (1, 2):
        out = sparse_blur(plane, sigma, wanted, threads)
        np.testing.assert_allclose(out[wanted], full[wanted], atol=2e-6)
