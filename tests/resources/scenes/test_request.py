"""Sizes to generate at, and where a scene belongs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.scenes.request import bucket

sides = st.integers(1, 20_000)


@given(sides, sides)
def test_every_picture_has_a_bucket_that_sdxl_knows(height, width):
    high, wide = bucket(height, width)
    assert high % 64 == wide % 64 == 0
    assert 0.9 * 1024**2 <= high * wide <= 1.05 * 1024**2


@given(sides, sides)
def test_a_picture_turned_by_a_quarter_has_the_turned_bucket(height, width):
    assert bucket(width, height) in {bucket(height, width)[::-1], bucket(height, width)}


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [(1000, 1000, (1024, 1024)), (3000, 4000, (896, 1152)), (1080, 1920, (768, 1344)), (3000, 100, (2048, 512))],
)
def test_the_nearest_shape_is_taken(height, width, wanted):
    assert bucket(height, width) == wanted


def test_the_size_scales_all_buckets():
    assert bucket(100, 100, 64) == (64, 64)
    assert bucket(1080, 1920, 512) == (384, 672)
