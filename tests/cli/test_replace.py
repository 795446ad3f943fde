"""``vivid replace`` and ``vivid mask`` as a user runs them."""

import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from vivid_assets.cli.main import app
from vivid_assets.imaging.io.codec import decode, encode, read_provenance
from vivid_assets.imaging.io.mask_files import decode_mask

TIERS = ("--tiers", "gradients")
RED, WALL = (180, 40, 30), (214, 214, 214)


def vivid(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def draw(path: Path, colour=RED, suffix: str = ".png") -> Path:
    """A block of one colour before a grey wall."""
    picture = np.full((120, 160, 3), 214, np.uint8)
    picture[30:90, 50:110] = colour
    path = path.with_suffix(suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=95)
    return path


def pixels(path: Path) -> np.ndarray:
    return decode(path.read_bytes()).rgb.astype(int)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    monkeypatch.delenv("VIVID_SETTINGS", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def photo(tmp_path):
    return draw(tmp_path / "photo")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Writes vivid.toml."""

    def write(text: str) -> None:
        path = tmp_path / "vivid.toml"
        path.write_text(text)
        monkeypatch.setenv("VIVID_SETTINGS", str(path))

    return write


def test_replace_writes_composite_and_cut_out(photo):
    result = vivid("replace", photo, "--prompt", "navy blue paper", *TIERS)
    assert result.exit_code == 0, result.output
    composite = pixels(photo.parent / "photo-composite.png")
    cutout = decode((photo.parent / "photo-cutout.png").read_bytes())
    assert composite.shape == (120, 160, 3)
    assert composite[10, 10, 2] > composite[10, 10, 0] + 20
    assert tuple(composite[60, 80]) == RED
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
    composite = pixels(target)
    assert np.abs(composite[10, 80] - (0, 200, 0)).max() < 12
    assert np.abs(composite[110, 10] - WALL).max() < 12
    assert (tmp_path / "out" / "result-cutout.png").exists()


@pytest.mark.parametrize(("named", "colour"), [("#ffffff", (255, 255, 255)), ("#07F", (0, 119, 255))])
def test_a_colour_is_a_background_and_exact(photo, named, colour):
    assert vivid("replace", photo, "--background", named, *TIERS).exit_code == 0
    composite = pixels(photo.parent / "photo-composite.png")
    np.testing.assert_array_equal(composite[:20], np.broadcast_to(colour, (20, 160, 3)))


def test_a_transparent_background_is_shown_over_white(photo, tmp_path):
    levels = np.zeros((120, 160, 4), np.uint8)
    levels[:, 80:] = (0, 0, 255, 128)
    Image.fromarray(levels).save(tmp_path / "glass.png")
    result = vivid("replace", photo, "--background", tmp_path / "glass.png", *TIERS)
    assert result.exit_code == 0
    assert "transparent in parts, which are shown white" in result.output
    composite = pixels(photo.parent / "photo-composite.png")
    assert tuple(composite[5, 5]) == (255, 255, 255)
    assert tuple(composite[5, 150]) == (127, 127, 255)


def test_a_transparent_picture_stays_clear_where_its_mask_says_subject(photo, tmp_path):
    levels = np.dstack([np.asarray(Image.open(photo)), np.full((120, 160), 255, np.uint8)])
    levels[:, :80, 3] = 0
    Image.fromarray(levels).save(photo)
    Image.new("L", (160, 120), 255).save(tmp_path / "all.png")
    result = vivid("replace", photo, "--background", "#00ff00", "--mask", tmp_path / "all.png")
    assert result.exit_code == 0, result.output
    assert "which stay so" in result.output
    composite = pixels(photo.parent / "photo-composite.png")
    assert tuple(composite[60, 20]) == (0, 255, 0)
    assert tuple(composite[60, 100]) == RED


def test_sixteen_bits_stay_sixteen(photo):
    deep = np.asarray(Image.open(photo)).astype(np.uint16) * 257 + 3
    photo.write_bytes(encode(deep))
    assert vivid("replace", photo, "--background", "#ffffff", *TIERS).exit_code == 0
    composite = decode((photo.parent / "photo-composite.png").read_bytes()).rgb16
    assert tuple(composite[60, 80]) == tuple(deep[60, 80])
    assert tuple(composite[5, 5]) == (65535, 65535, 65535)


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
def test_a_missing_file_is_a_sentence_and_exit_code_1(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = vivid(*arguments, *TIERS)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_file_that_is_no_picture_is_a_sentence(tmp_path):
    (tmp_path / "words.jpg").write_text("words")
    result = vivid("mask", tmp_path / "words.jpg", *TIERS)
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_an_unknown_tier_is_named_with_those_that_there_are(photo):
    result = vivid("mask", photo, "--tiers", "u2net-p")
    assert result.exit_code == 1
    assert "no mask tier 'u2net-p'; there are birefnet, u2net" in result.output


def test_mask_writes_the_picture_s_size_and_tells_the_verdict(photo):
    result = vivid("mask", photo, *TIERS)
    assert result.exit_code == 0, result.output
    alpha = decode_mask((photo.parent / "photo-mask.png").read_bytes())
    assert alpha.shape == (120, 160)
    assert alpha[60, 80] > 0.99
    assert alpha[5, 5] < 0.01
    assert "gradients" in result.output


@pytest.mark.parametrize(
    "command", [(), ("replace",), ("mask",), ("blend",), ("catalogue",), ("catalogue", "add"), ("demo",)]
)
def test_help_teaches(command):
    result = vivid(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


class TestSettings:
    def test_the_tiers_of_the_settings_are_asked(self, photo, settings):
        settings('[masks]\ntiers = ["gradients"]\n')
        result = vivid("mask", photo)
        assert result.exit_code == 0, result.output
        assert "gradients" in result.output
        assert "birefnet" not in result.output

    @pytest.mark.slow
    def test_birefnet_answers_where_the_settings_consent(self, photo, settings, tiny_birefnet):
        settings(
            '[masks]\ntiers = ["birefnet"]\nrefine = false\n'
            f'[birefnet]\nmodel = "{tiny_birefnet}"\ntrust_remote_code = true\ndevice = "cpu"\nsize = 64\n'
        )
        result = vivid("mask", photo)
        assert result.exit_code == 0, result.output
        assert "birefnet" in result.output
        assert "unavailable" not in result.output
        assert "consent" not in result.output

    def test_a_bad_entry_is_named(self, photo, settings):
        settings("[masks]\ntyres = 3\n")
        result = vivid("replace", photo, "--prompt", "x")
        assert result.exit_code == 1
        assert "masks.tyres" in result.output

    def test_composites_are_blended_as_the_settings_say(self, photo, settings, tmp_path):
        mask = Image.new("L", (160, 120), 128)
        mask.save(tmp_path / "half.png")
        command = ("replace", photo, "--background", "#000000", "--mask", tmp_path / "half.png", "--output")
        settings('[composites]\nmode = "alpha"\n')
        assert vivid(*command, tmp_path / "alpha.png").exit_code == 0
        # Half of 214, mixed in linear light.
        assert np.abs(pixels(tmp_path / "alpha.png")[5, 5] - 156).max() <= 2

    def test_sdxl_that_is_asked_for_and_not_here_stops_before_any_work(self, photo, settings, tmp_path):
        settings(f'[sdxl]\nmodel = "{tmp_path}/nowhere"\n')
        result = vivid("replace", photo, "--prompt", "x", "--generator", "sdxl", *TIERS)
        assert result.exit_code == 1
        assert "nowhere" in result.output
        assert [path.name for path in photo.parent.glob("photo*")] == ["photo.png"]

    def test_the_reason_for_the_generator_is_said(self, photo, monkeypatch):
        monkeypatch.setattr("resources.scenes.sdxl.SDXL.unusable", lambda self: "Its weights are away.")
        result = vivid("replace", photo, "--prompt", "x", "--generator", "auto", *TIERS)
        assert result.exit_code == 0
        assert "studio backdrop" in result.output
        assert "Its weights are away." in result.output

    @pytest.mark.slow
    def test_sdxl_makes_the_background_where_it_can(self, photo, settings, tiny_sdxl):
        settings(
            f'[sdxl]\nmodel = "{tiny_sdxl}"\nvae = "{tiny_sdxl}/vae-fix"\ndevice = "cpu"\nsteps = 1\nsize = 64\n'
            '[masks]\ntiers = ["gradients"]\n'
        )
        result = vivid("replace", photo, "--prompt", "a beach", "--generator", "sdxl")
        assert result.exit_code == 0, result.output
        assert re.search(r"background +sdxl", result.output), "named as the settings name it"
        said = read_provenance((photo.parent / "photo-composite.png").read_bytes())
        assert said["source_type"] == "compositeWithTrainedAlgorithmicMedia"


class TestNothingIsLost:
    def test_the_same_command_again_replaces_its_own_result(self, photo):
        for _ in range(2):
            assert vivid("mask", photo, *TIERS).exit_code == 0
            result = vivid("replace", photo, "--background", "#ffffff", *TIERS)
            assert result.exit_code == 0, result.output

    @pytest.mark.parametrize("command", [("mask",), ("replace", "--background", "#ffffff")])
    def test_another_picture_of_the_same_name_does_not_take_its_place(self, photo, command):
        twin = draw(photo.parent / "photo", (20, 90, 40), ".jpg")
        assert vivid(*command, photo, *TIERS).exit_code == 0
        before = {path: path.read_bytes() for path in photo.parent.iterdir()}
        result = vivid(*command, twin, *TIERS)
        assert result.exit_code == 1
        assert "--force" in result.output
        assert {path: path.read_bytes() for path in photo.parent.iterdir()} == before
        assert vivid(*command, twin, "--force", *TIERS).exit_code == 0
        assert {path: path.read_bytes() for path in photo.parent.iterdir()} != before

    def test_a_mask_that_was_corrected_by_hand_stays(self, photo):
        assert vivid("mask", photo, *TIERS).exit_code == 0
        mask = photo.parent / "photo-mask.png"
        Image.new("L", (160, 120), 77).save(mask)
        result = vivid("mask", photo, *TIERS)
        assert result.exit_code == 1
        assert "photo-mask.png" in result.output
        assert np.asarray(Image.open(mask))[0, 0] == 77

    def test_one_command_s_result_is_not_the_other_s(self, photo):
        assert vivid("replace", photo, "--background", "#ffffff", *TIERS).exit_code == 0
        result = vivid("mask", photo, "--output", photo.parent / "photo-composite.png", *TIERS)
        assert result.exit_code == 1
        assert pixels(photo.parent / "photo-composite.png").shape == (120, 160, 3)

    @pytest.mark.parametrize("way", ["itself", "symlink", "hard link", "capitals", "a detour"])
    @pytest.mark.parametrize("force", [(), ("--force",)])
    def test_the_picture_itself_is_never_written(self, photo, way, force):
        target = photo
        if way == "symlink":
            (target := photo.with_name("link.png")).symlink_to(photo)
        elif way == "hard link":
            os.link(photo, target := photo.with_name("other.png"))
        elif way == "capitals":
            target = photo.with_name("PHOTO.PNG")
        elif way == "a detour":
            (photo.parent / "sub").mkdir()
            target = photo.parent / "sub" / ".." / "photo.png"
        before = photo.read_bytes()
        for command in (("replace", photo, "--background", "#ffffff"), ("mask", photo)):
            result = vivid(*command, "--output", target, *TIERS, *force)
            assert result.exit_code == 1
            assert "--output" in result.output
            assert photo.read_bytes() == before

    def test_background_and_mask_are_never_written(self, photo, tmp_path):
        wall = draw(tmp_path / "wall")
        Image.new("L", (160, 120), 255).save(tmp_path / "mask.png")
        for target in (wall, tmp_path / "mask.png"):
            before = target.read_bytes()
            command = ("replace", photo, "--background", wall, "--mask", tmp_path / "mask.png", "--output", target)
            assert vivid(*command, "--force").exit_code == 1
            assert target.read_bytes() == before

    @pytest.mark.parametrize(
        ("command", "name"), [(("mask",), "m.jpg"), (("replace", "--background", "#ffffff"), "c.gif")]
    )
    def test_a_format_that_cannot_hold_it_is_refused(self, photo, command, name):
        result = vivid(*command, photo, "--output", photo.parent / name, *TIERS)
        assert result.exit_code == 1
        assert ".png" in result.output
        assert not (photo.parent / name).exists()

    def test_a_name_without_a_suffix_is_a_folder(self, photo, tmp_path):
        result = vivid("mask", photo, "--output", tmp_path / "masks", *TIERS)
        assert result.exit_code == 0, result.output
        assert [path.name for path in (tmp_path / "masks").iterdir()] == ["photo-mask.png"]

    def test_places_are_looked_at_before_models(self, photo, monkeypatch):
        (photo.parent / "photo-mask.png").write_bytes(b"somebody's")
        monkeypatch.setattr("vivid_assets.masking.ladder.Ladder.masks", lambda *_: pytest.fail("too late"))
        assert vivid("mask", photo, *TIERS).exit_code == 1
        assert (photo.parent / "photo-mask.png").read_bytes() == b"somebody's"

    def test_a_write_that_fails_leaves_what_was_there(self, photo, monkeypatch):
        assert vivid("mask", photo, *TIERS).exit_code == 0
        before = {path.name: path.read_bytes() for path in photo.parent.iterdir()}

        def full(self, target):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", full)
        assert vivid("mask", photo, *TIERS).exit_code == 1
        assert {path.name: path.read_bytes() for path in photo.parent.iterdir()} == before


class TestSeveral:
    def test_a_folder_goes_through_and_a_bad_file_does_not_stop_the_rest(self, tmp_path):
        folder = tmp_path / "in"
        draw(folder / "a")
        draw(folder / "b", (20, 90, 40), ".jpg")
        (folder / "broken.png").write_bytes(b"no picture")
        (folder / "notes.txt").write_text("words")
        (folder / "layers.psd").write_bytes(b"8BPS" + bytes(40))
        (folder / "unnamed").write_bytes((folder / "a.png").read_bytes())
        result = vivid("replace", folder, "--background", "#ffffff", "--output", tmp_path / "out", *TIERS)
        assert result.exit_code == 1
        assert "3 of 4 pictures succeeded, 1 failed" in result.output
        assert f"{tmp_path / 'out' / 'a-composite.png'}, {tmp_path / 'out' / 'a-cutout.png'}  mask by" in result.output
        assert "broken.png: " in result.output
        assert "'layers.psd' (a Photoshop document; export it as PNG or TIFF)" in result.output
        assert "notes.txt" not in result.output
        assert {path.name for path in (tmp_path / "out").iterdir()} == {
            f"{name}-{what}.png" for name in ("a", "b", "unnamed") for what in ("composite", "cutout")
        }
        assert tuple(pixels(tmp_path / "out" / "a-composite.png")[60, 80]) == RED

    def test_files_beside_their_pictures(self, tmp_path):
        first, second = draw(tmp_path / "one" / "a"), draw(tmp_path / "two" / "a")
        result = vivid("mask", first, second, *TIERS)
        assert result.exit_code == 0, result.output
        assert "2 of 2" in result.output
        assert (tmp_path / "one" / "a-mask.png").exists()
        assert (tmp_path / "two" / "a-mask.png").exists()

    def test_results_in_the_folder_are_not_taken_for_pictures(self, tmp_path):
        draw(tmp_path / "a")
        draw(tmp_path / "b")
        for _ in range(3):
            result = vivid("replace", tmp_path, "--background", "#ffffff", *TIERS)
            assert result.exit_code == 0, result.output
            assert "2 of 2" in result.output
        assert len([*tmp_path.iterdir()]) == 6
        assert "results of earlier commands" in result.output

    def test_pictures_of_one_name_keep_their_suffix(self, tmp_path):
        draw(tmp_path / "in" / "cup", RED)
        draw(tmp_path / "in" / "cup", (20, 90, 40), ".jpg")
        assert vivid("mask", tmp_path / "in", "--output", tmp_path / "out", *TIERS).exit_code == 0
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"cup.jpg-mask.png", "cup.png-mask.png"}

    def test_pictures_that_would_become_one_file_are_refused(self, tmp_path):
        first, second = draw(tmp_path / "one" / "a"), draw(tmp_path / "two" / "a")
        result = vivid("mask", first, second, "--output", tmp_path / "out", *TIERS)
        assert result.exit_code == 1
        assert "would both be written to" in result.output
        assert not (tmp_path / "out").exists()

    def test_a_file_s_name_is_no_place_for_several(self, tmp_path):
        draw(tmp_path / "in" / "a")
        result = vivid("mask", tmp_path / "in", "--output", tmp_path / "out.png", *TIERS)
        assert result.exit_code == 1
        assert "--output is a folder" in result.output

    def test_one_mask_is_for_one_picture(self, tmp_path):
        draw(tmp_path / "in" / "a")
        result = vivid("replace", tmp_path / "in", "--background", "#fff", "--mask", tmp_path / "m.png")
        assert result.exit_code == 2

    def test_an_empty_folder_is_said(self, tmp_path):
        result = vivid("mask", tmp_path, *TIERS)
        assert result.exit_code == 1
        assert "no picture" in result.output

    def test_models_are_loaded_once(self, tmp_path, settings, tiny_birefnet, monkeypatch):
        from resources.masks import birefnet

        settings(
            '[masks]\ntiers = ["birefnet"]\n'
            f'[birefnet]\nmodel = "{tiny_birefnet}"\ntrust_remote_code = true\ndevice = "cpu"\nsize = 64\n'
        )
        loaded = []
        load = birefnet.load_transformers
        monkeypatch.setattr(birefnet, "load_transformers", lambda *given: loaded.append(1) or load(*given))
        for name in "abc":
            draw(tmp_path / "in" / name)
        vivid("mask", tmp_path / "in", "--output", tmp_path / "out")
        assert len(loaded) == 1
        assert len([*(tmp_path / "out").iterdir()]) == 3


def test_a_full_disk_names_the_file(photo, monkeypatch):
    def full(path, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    ran = vivid("mask", photo, *TIERS)
    assert ran.exit_code == 1
    assert f"{photo.with_name('photo-mask.png')}: No space left on device." in ran.output


def test_what_a_folder_has_beside_pictures_is_named(photo, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.png")
    ran = vivid("mask", tmp_path, "--output", tmp_path / "masks", *TIERS)
    assert ran.exit_code == 0, ran.output
    assert "links to nothing, pipes or devices: gone.jpg, pipe.png" in ran.output
    assert "left out 1, sub-folders: sub" in ran.output


@pytest.mark.parametrize("named", ["#ggg", "white"])
def test_a_background_that_is_neither_file_nor_colour_says_how_a_colour_is_written(photo, named):
    ran = vivid("replace", photo, "--background", named, *TIERS)
    assert ran.exit_code == 1
    assert repr(named) in ran.output and "#ffffff" in ran.output


def test_several_renditions_come_from_one_mask_each_in_its_format(photo, settings):
    settings('[renditions.brand]\nbackground = "#3a7d12"\nshadow = "none"\ncanvas = "90x120"\n')
    asked = ("--rendition", "amazon-main", "--rendition", "brand", "--rendition", "cut-out")
    done = vivid("replace", photo, *asked, *TIERS)
    assert done.exit_code == 0, done.output
    folder = photo.parent
    assert {path.name for path in folder.glob("photo-*")} == {
        "photo-amazon-main.jpg",
        "photo-brand.png",
        "photo-cut-out.png",
    }
    main = pixels(folder / "photo-amazon-main.jpg")
    assert main.shape[:2] == (1000, 1000)
    assert (main[:3] == 255).all()
    brand = pixels(folder / "photo-brand.png")
    assert brand.shape[:2] == (120, 90)
    assert brand[2, 2].tolist() == [0x3A, 0x7D, 0x12]
    assert decode((folder / "photo-cut-out.png").read_bytes()).alpha is not None
    assert "the photograph is enlarged 2.00 times" in done.output
    assert vivid("replace", photo, *asked, *TIERS).exit_code == 0, "its own results are replaced"


def test_of_several_pictures_it_is_said_which_break_their_preset_s_rules(tmp_path):
    draw(tmp_path / "in" / "a")
    draw(tmp_path / "in" / "b", (20, 90, 40))
    done = vivid("replace", tmp_path / "in", "--preset", "amazon-main", "--output", tmp_path / "out", *TIERS)
    assert done.exit_code == 0, done.output
    assert done.output.count("the photograph is enlarged 2.00 times") == 2


@pytest.mark.parametrize("asked", [("--preset", "cut-out"), ("--background", "transparent")])
def test_a_composite_that_is_a_cut_out_is_written_once(photo, asked):
    done = vivid("replace", photo, *asked, *TIERS)
    assert done.exit_code == 0, done.output
    (made,) = photo.parent.glob("photo-*")
    assert made.name == "photo-composite.png"
    assert decode(made.read_bytes()).alpha is not None


def test_options_beside_a_preset_take_precedence(photo):
    done = vivid("replace", photo, "--preset", "amazon-main", "--background", "#102030", "--canvas", "300x300", *TIERS)
    assert done.exit_code == 0, done.output
    made = pixels(photo.with_name("photo-composite.jpg"))
    assert made.shape[:2] == (300, 300)
    assert np.abs(made[1, 1] - (0x10, 0x20, 0x30)).max() <= 2
    assert photo.with_name("photo-cutout.png").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--preset", "amazn-main"), "did you mean 'amazon-main'"),
        (("--rendition", "story"), "give a background for story"),
        (("--rendition", "strory", "--prompt", "x"), "did you mean 'story'"),
        (("--preset", "story", "--rendition", "story", "--prompt", "x"), "--preset is for one composite"),
    ],
)
def test_what_no_rendition_can_be_is_refused_with_what_is_meant(photo, options, said):
    done = vivid("replace", photo, *options, *TIERS)
    assert done.exit_code != 0
    assert said in " ".join(done.output.replace("│", " ").split())
