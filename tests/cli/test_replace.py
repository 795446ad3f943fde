"""``vivid replace`` and ``vivid mask`` as a user runs them."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from vivid_assets.cli.main import app
from vivid_assets.imaging.codec import decode
from vivid_assets.imaging.mask_files import decode_mask

TIERS = ("--tiers", "gradients")


def vivid(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def photo(tmp_path):
    picture = np.full((120, 160, 3), 214, np.uint8)
    picture[30:90, 50:110] = (180, 40, 30)
    path = tmp_path / "photo.png"
    Image.fromarray(picture).save(path)
    return path


def test_replace_writes_composite_and_cut_out(photo):
    result = vivid("replace", photo, "--prompt", "navy blue paper", *TIERS)
    assert result.exit_code == 0, result.output
    composite = decode((photo.parent / "photo-composite.png").read_bytes()).rgb
    cutout = decode((photo.parent / "photo-cutout.png").read_bytes())
    assert composite.shape == (120, 160, 3)
    assert composite[10, 10, 2] > composite[10, 10, 0] + 20
    assert tuple(composite[60, 80]) == (180, 40, 30)
    assert cutout.alpha[60, 80] == 1
    assert cutout.alpha[5, 5] == 0


def test_replace_before_an_own_background_with_an_own_mask(photo, tmp_path):
    Image.new("RGB", (300, 100), (0, 200, 0)).save(tmp_path / "wall.jpg", quality=100)
    mask = np.zeros((120, 160), np.uint8)
    mask[60:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    target = tmp_path / "out" / "result.webp"
    result = vivid(
        "replace", photo, "--background", tmp_path / "wall.jpg", "--mask", tmp_path / "mask.png", "--output", target
    )
    assert result.exit_code == 0, result.output
    composite = decode(target.read_bytes()).rgb.astype(int)
    assert np.abs(composite[10, 80] - (0, 200, 0)).max() < 12
    assert np.abs(composite[110, 10] - (214, 214, 214)).max() < 12
    assert (tmp_path / "out" / "result-cutout.png").exists()


def test_replace_says_what_is_missing(photo):
    result = vivid("replace", photo)
    assert result.exit_code == 2
    assert "--prompt or --background" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("replace", "nowhere.jpg", "--prompt", "x"), "nowhere.jpg"),
        (("mask", "nowhere.jpg"), "nowhere.jpg"),
    ],
)
def test_a_missing_file_is_a_sentence_and_exit_code_1(arguments, message):
    result = vivid(*arguments, *TIERS)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_file_that_is_no_picture_is_a_sentence(tmp_path):
    (tmp_path / "words.jpg").write_text("words")
    result = vivid("mask", tmp_path / "words.jpg", *TIERS)
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_an_unknown_tier_is_named(photo):
    result = vivid("mask", photo, "--tiers", "magic")
    assert result.exit_code != 0
    assert "magic" in result.output


def test_mask_writes_the_picture_s_size_and_tells_the_verdict(photo):
    result = vivid("mask", photo, *TIERS)
    assert result.exit_code == 0, result.output
    alpha = decode_mask((photo.parent / "photo-mask.png").read_bytes())
    assert alpha.shape == (120, 160)
    assert alpha[60, 80] > 0.99
    assert alpha[5, 5] < 0.01
    assert "gradients" in result.output


@pytest.mark.parametrize("command", [(), ("replace",), ("mask",), ("catalogue",), ("catalogue", "add"), ("demo",)])
def test_help_teaches(command):
    result = vivid(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output
