from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from vivid_assets.imaging.core.parallel_rows import parallel_rows, single_threaded


def strips(height: int, threads: int | None = None) -> list[tuple[int, int]]:
    """The ranges of rows that a kernel is given."""
    given: list[tuple[int, int]] = []
    parallel_rows(lambda first, end: given.append((first, end)), height, threads=threads)
    return sorted(given)


@pytest.mark.parametrize("height", [0, 1, 31, 64, 1000])
@pytest.mark.parametrize("threads", [1, 3, 8])
def test_every_row_is_covered_once(height, threads):
    found = strips(height, threads)
    assert found[0][0] == 0
    assert found[-1][1] == height
    assert all(end == first for (_, end), (first, _) in pairwise(found))
    assert len(found) <= threads


def test_who_has_a_picture_of_its_own_takes_no_other_thread():
    with ThreadPoolExecutor(1, initializer=single_threaded) as pool:
        assert pool.submit(strips, 1000).result() == [(0, 1000)]
        assert len(pool.submit(strips, 1000, 4).result()) == 4, "unless it is asked to"
