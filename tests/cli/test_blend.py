"""``vivid blend`` on files of all kinds that a mask comes in."""

from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from tests.support.plain import plain
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


@pytest.mark.parametrize("mode", ["decontaminate", "lab-deprojection", "alpha"])
def test_it_writes_the_composite_and_the_report(files: dict[str, Path], mode: str) -> None:
    code, output = run(files, "--mode", mode, "--report")
    assert code == 0
    assert "leakage" in output
    written = np.asarray(Image.open(files["output"]))
    np.testing.assert_array_equal(written[32, 40], np.asarray(Image.open(files["image"]))[32, 40])
    np.testing.assert_array_equal(written[0, 0], (20, 40, 120))


def test_a_mask_of_another_size_is_an_error_that_says_so(files: dict[str, Path]) -> None:
    Image.new("L", (40, 32)).save(files["mask"])
    with pytest.raises(ValueError, match="image 80x64, mask 40x32"):
        blend_files(files["image"], files["mask"], files["background"], files["output"])
    assert not files["output"].exists()


def test_a_background_of_another_size_is_made_to_cover_the_image(files: dict[str, Path]) -> None:
    halves = np.zeros((10, 300, 3), np.uint8)
    halves[:, 150:] = (0, 0, 255)
    Image.fromarray(halves).save(files["background"])
    assert run(files)[0] == 0
    written = np.asarray(Image.open(files["output"]))
    assert written.shape == (64, 80, 3)
    np.testing.assert_array_equal(written[0, [0, 79]], [(0, 0, 0), (0, 0, 255)])


def test_a_transparent_background_is_shown_over_white(files: dict[str, Path]) -> None:
    Image.new("RGBA", (80, 64), (0, 0, 0, 0)).save(files["background"])
    code, output = run(files)
    assert code == 0
    assert "shown white" in output
    np.testing.assert_array_equal(np.asarray(Image.open(files["output"]))[0, 0], (255, 255, 255))


def test_the_image_s_own_transparency_is_kept(files: dict[str, Path]) -> None:
    image = Image.open(files["image"])
    clear = Image.new("L", image.size, 255)
    clear.paste(0, (0, 0, 40, 64))
    image.putalpha(clear)
    image.save(files["image"])
    code, output = run(files)
    assert code == 0
    assert "which stay so" in output
    written = np.asarray(Image.open(files["output"]))
    np.testing.assert_array_equal(written[32, 25], (20, 40, 120))
    np.testing.assert_allclose(written[32, 50], (120, 80, 60), atol=2)


def test_a_colour_is_a_background(files: dict[str, Path]) -> None:
    done, _ = blend_files(files["image"], files["mask"], "#ffffff", files["output"])
    np.testing.assert_array_equal(done.composite[0, 0], (255, 255, 255))


@pytest.mark.parametrize("name", ["image", "mask", "background"])
def test_what_is_read_is_never_written(files: dict[str, Path], name: str) -> None:
    before = files[name].read_bytes()
    with pytest.raises(ValueError, match="--output"):
        blend_files(files["image"], files["mask"], files["background"], files[name], force=True)
    assert files[name].read_bytes() == before


def test_the_same_command_again_replaces_its_result_and_nothing_else(files: dict[str, Path]) -> None:
    assert run(files)[0] == 0
    assert run(files)[0] == 0
    other = files["image"].with_name("other.png")
    other.write_bytes(files["image"].read_bytes())
    before = files["output"].read_bytes()
    with pytest.raises(ValueError, match="--force"):
        blend_files(other, files["mask"], files["background"], files["output"])
    assert files["output"].read_bytes() == before
    blend_files(other, files["mask"], files["background"], files["output"], force=True)


def test_the_settings_say_how_to_blend(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vivid.toml").write_text('[composites]\nmode = "alpha"\n')
    plain, _ = blend_files(files["image"], files["mask"], files["background"], tmp_path / "a.png", mode="alpha")
    monkeypatch.setenv("VIVID_SETTINGS", str(tmp_path / "vivid.toml"))
    as_set, _ = blend_files(files["image"], files["mask"], files["background"], tmp_path / "b.png")
    np.testing.assert_array_equal(plain.composite, as_set.composite)
    assert as_set.evidence is None


def test_the_cutout_carries_alpha(files: dict[str, Path], tmp_path: Path) -> None:
    code, _ = run(files, "--cutout", str(tmp_path / "cut.png"))
    assert code == 0
    cut = Image.open(tmp_path / "cut.png")
    assert cut.mode == "RGBA"
    assert np.asarray(cut)[32, 40, 3] == 255
    assert np.asarray(cut)[0, 0, 3] == 0
    with pytest.raises(ValueError, match="cut-out can be"):
        blend_files(*(files[n] for n in ("image", "mask", "background", "output")), cutout=tmp_path / "cut.jpg")


def test_a_suffix_that_cannot_be_written_is_refused_before_any_work(files: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=r"can be \.png or \.jpg or \.webp"):
        blend_files(files["image"], files["mask"], files["background"], files["output"].with_suffix(".gif"))


def test_a_mask_that_is_not_what_was_meant_is_said(files: dict[str, Path]) -> None:
    Image.new("L", (80, 64)).save(files["mask"])
    _, output = run(files)
    assert "next to nothing" in output


def test_the_shadow_is_kept_drawn_or_left_out(tmp_path: Path) -> None:
    scene = plain()
    files = {name: tmp_path / f"{name}.png" for name in ("image", "mask", "output")}
    Image.fromarray(scene.picture).save(files["image"])
    Image.fromarray((scene.alpha * 255).round().astype(np.uint8)).save(files["mask"])
    foot = {}
    for wanted in ("keep", "soft", "none"):
        code, output = run(files, "--background", "#c86496", "--shadow", wanted)
        assert code == 0, output
        foot[wanted] = int(np.asarray(Image.open(files["output"]))[296, 250, 0])
    assert foot["none"] == 200
    assert foot["keep"] < 170
    assert foot["soft"] < 200
