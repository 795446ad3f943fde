"""What a picture takes is what the budgets count: measured in processes of their own."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.plain import plain
from vivid_assets.imaging.io import decode as decoding
from vivid_assets.imaging.io.codec import encode
from vivid_assets.imaging.io.mask_files import encode_mask
from vivid_assets.stages.composites import BYTES_PER_PIXEL

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 3000, 2000


def measured(*arguments: str | Path) -> int:
    command = [sys.executable, "-m", "tests.support.composite_memory", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    return int(done.stdout)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (40, 60, 3), np.uint8)
    rgb = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    alpha = np.tile(np.linspace(0, 1, WIDTH, dtype=np.float32), (HEIGHT, 1))
    deep = rgb.astype(np.uint16) * 257
    (folder / "8.jpeg").write_bytes(encode(rgb, format="jpeg"))
    (folder / "8.png").write_bytes(encode(rgb, alpha=alpha))
    (folder / "16.png").write_bytes(encode(deep))
    (folder / "16-alpha.png").write_bytes(encode(deep, alpha=alpha))
    scene = plain((60, 170, 75), size=HEIGHT, hairs=400)
    sides = (WIDTH - HEIGHT) // 2
    shown = np.pad(scene.picture, ((0, 0), (sides, sides), (0, 0)), mode="edge")
    (folder / "plain-8.jpeg").write_bytes(encode(shown, format="jpeg"))
    (folder / "plain-16.png").write_bytes(encode(shown.astype(np.uint16) * 257))
    seen = cv2.resize(np.pad(scene.mask, ((0, 0), (sides, sides))), (1024, 683), interpolation=cv2.INTER_AREA)
    (folder / "plain").write_bytes(encode_mask(np.asarray(seen, np.float32)))
    y, x = np.mgrid[:683, :1024]
    ordinary = ((1 - np.hypot((x - 512) / 300, (y - 340) / 250)) * 60 + 0.5).clip(0, 1)
    (folder / "ordinary").write_bytes(encode_mask(ordinary.astype(np.float32)))
    for name, rows, columns in (("soft", 683, 1024), ("full", HEIGHT, WIDTH)):
        # A clear frame shows the background; all else is soft.
        mask = np.zeros((rows, columns), np.float32)
        mask[20:-20, 20:-20] = random.uniform(0.1, 0.9, (rows - 40, columns - 40))
        (folder / name).write_bytes(encode_mask(mask))
    return folder


@pytest.mark.parametrize(
    ("picture", "mask", "mode", "format_", "origin"),
    [
        ("8.jpeg", "soft", "decontaminate", "jpeg", "probability"),
        pytest.param("8.jpeg", "soft", "lab-deprojection", "webp", "probability", marks=pytest.mark.soak),
        pytest.param("8.jpeg", "ordinary", "decontaminate", "webp", "probability", marks=pytest.mark.soak),
        pytest.param("8.jpeg", "full", "decontaminate", "jpeg", "person", marks=pytest.mark.soak),
        ("16.png", "soft", "decontaminate", "png", "matte"),
        pytest.param("16.png", "soft", "lab-deprojection", "png", "probability", marks=pytest.mark.soak),
        pytest.param("16.png", "ordinary", "decontaminate", "png", "probability", marks=pytest.mark.soak),
        pytest.param("16.png", "full", "decontaminate", "png", "person", marks=pytest.mark.soak),
        pytest.param("16-alpha.png", "full", "alpha", "png", "own", marks=pytest.mark.soak),
        pytest.param("plain-8.jpeg", "plain", "decontaminate", "jpeg", "probability", marks=pytest.mark.soak),
        ("plain-16.png", "plain", "decontaminate", "png", "probability"),
    ],
)
def test_a_composite_takes_no_more_than_is_counted(files, picture, mask, mode, format_, origin):
    taken = measured(files / picture, files / mask, mode, format_, origin)
    # A measure that sees nothing would pass.
    assert 20 < taken <= BYTES_PER_PIXEL


@pytest.mark.parametrize("picture", ["8.jpeg", "8.png", "16.png", "16-alpha.png"])
def test_decoding_takes_no_more_than_is_counted(files, picture):
    taken = measured(files / picture)
    assert 5 < taken <= decoding.BYTES_PER_PIXEL
