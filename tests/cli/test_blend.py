"""``vivid blend`` on files of all kinds that a mask comes in."""

from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from vivid_assets.cli.blend import blend_command, blend_files

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


def test_a_mask_that_is_not_what_was_meant_is_said(files: dict[str, Path]) -> None:
    Image.new("L", (80, 64)).save(files["mask"])
    _, output = run(files)
    assert "next to nothing" in output
