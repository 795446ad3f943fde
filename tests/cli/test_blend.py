"""``vivid blend`` on files of all kinds that a mask comes in."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from vivid_assets.cli.blend import blend_command, blend_files
from vivid_assets.imaging.mask_input import read_mask

app = typer.Typer()
app.command()(blend_command)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A brown disk before green, its mask, and a blue background, as PNG files."""
    y, x = np.mgrid[:64, :80]
    alpha = np.clip((22 - np.hypot(y - 32, x - 40)) / 5 + 0.5, 0, 1)
    image = (alpha[..., None] * (120, 80, 60) + (1 - alpha[..., None]) * (60, 170, 75)).astype(np.uint8)
    paths = {name: tmp_path / f"{name}.png" for name in ("image", "mask", "background", "output")}
    Image.fromarray(image).save(paths["image"])
    Image.fromarray((alpha * 255).round().astype(np.uint8)).save(paths["mask"])
    Image.new("RGB", (80, 64), (20, 40, 120)).save(paths["background"])
    return paths


def run(files: dict[str, Path], *more: str) -> tuple[int, str]:
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    result = CliRunner().invoke(app, [*options, *more])
    return result.exit_code, result.output


@pytest.mark.parametrize("mode", ["unmix", "article", "alpha"])
def test_it_writes_the_composite_and_the_report(files: dict[str, Path], mode: str) -> None:
    code, output = run(files, "--mode", mode, "--report")
    assert code == 0
    assert "leakage" in output
    written = np.asarray(Image.open(files["output"]))
    np.testing.assert_array_equal(written[32, 40], np.asarray(Image.open(files["image"]))[32, 40])
    np.testing.assert_array_equal(written[0, 0], (20, 40, 120))


def test_sizes_that_differ_are_an_error_that_says_so(files: dict[str, Path]) -> None:
    Image.new("L", (40, 32)).save(files["mask"])
    with pytest.raises(ValueError, match="image 80x64, mask 40x32, background 80x64"):
        blend_files(files["image"], files["mask"], files["background"], files["output"])
    assert not files["output"].exists()


def test_the_cutout_carries_alpha(files: dict[str, Path], tmp_path: Path) -> None:
    code, _ = run(files, "--cutout", str(tmp_path / "cut.png"))
    assert code == 0
    cut = Image.open(tmp_path / "cut.png")
    assert cut.mode == "RGBA"
    assert np.asarray(cut)[32, 40, 3] == 255
    assert np.asarray(cut)[0, 0, 3] == 0
    with pytest.raises(ValueError, match="alpha channel"):
        blend_files(*(files[n] for n in ("image", "mask", "background", "output")), cutout=tmp_path / "cut.jpg")


def test_a_suffix_that_cannot_be_written_is_refused_before_any_work(files: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=r"\.png, \.jpg or \.webp"):
        blend_files(files["image"], files["mask"], files["background"], files["output"].with_suffix(".gif"))


def mask_bytes(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def test_a_mask_in_any_dress_is_the_same_mask() -> None:
    levels = np.tile(np.arange(0, 256, 5, dtype=np.uint8), (8, 1))
    expected = levels / np.float32(255)
    deep = levels.astype(np.uint16) * 257
    cutout = np.dstack([np.full_like(levels, 90), np.full_like(levels, 20), np.full_like(levels, 200), levels])
    for picture in (levels, np.dstack([levels] * 3), deep, np.dstack([deep] * 3), cutout):
        np.testing.assert_allclose(read_mask(mask_bytes(picture))[0], expected, atol=1e-6)


def test_sixteen_bits_of_mask_are_not_rounded_to_eight() -> None:
    alpha, notes = read_mask(mask_bytes(np.full((2, 2), 1000, np.uint16)))
    assert alpha[0, 0] == pytest.approx(1000 / 65535)
    assert notes == ()


def test_a_coloured_mask_is_read_by_its_brightness_and_says_so() -> None:
    _, notes = read_mask(mask_bytes(np.full((4, 4, 3), (0, 0, 255), np.uint8)))
    assert any("colours" in note for note in notes)


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="mask"):
        read_mask(data)
