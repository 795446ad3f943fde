"""``vivid mask`` and ``vivid replace`` of clips, as a user runs them."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.support.clips import save_clip, standing_disc
from vivid_assets.cli.main import app
from vivid_assets.imaging.io.video.read import read_video
from vivid_assets.imaging.io.video.write import h264, writing

TIERS = ("--tiers", "gradients")


def vivid(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def frames(count=6):
    """A red block that walks before a grey wall."""
    for number in range(count):
        frame = np.full((96, 128, 3), 214, np.uint8)
        frame[24:72, 20 + 6 * number : 60 + 6 * number] = (180, 40, 30)
        yield frame


@pytest.fixture
def clip(tmp_path, monkeypatch):
    monkeypatch.delenv("VIVID_SETTINGS", raising=False)
    path = tmp_path / "walk.mp4"
    with writing(path, h264(10), Fraction(25)) as sink:
        for number, frame in enumerate(frames()):
            sink.add(frame, Fraction(number, 25))
    return path


def test_masks_are_a_grey_picture_a_frame(clip, tmp_path):
    done = vivid("mask", clip, "--output", tmp_path / "masks", *TIERS)
    assert done.exit_code == 0, done.output
    assert "6 frames, masks by gradients, 0 flagged" in done.output
    files = sorted((tmp_path / "masks").iterdir())
    assert [file.name for file in files] == [f"{number:06d}.png" for number in range(6)]
    for number, file in enumerate(files):
        mask = np.asarray(Image.open(file))
        assert mask.shape == (96, 128)
        assert mask[48, 40 + 6 * number] == 255
        assert mask[48, 4] == 0


def test_the_same_command_replaces_its_masks_and_no_others(clip, tmp_path):
    masks = tmp_path / "masks"
    assert vivid("mask", clip, "--output", masks, *TIERS).exit_code == 0
    (masks / "000009.png").write_bytes((masks / "000000.png").read_bytes())  # of an earlier, longer clip
    assert vivid("mask", clip, "--output", masks, *TIERS).exit_code == 0
    assert len(list(masks.iterdir())) == 6
    Image.new("L", (4, 4)).save(masks / "000000.png")
    done = vivid("mask", clip, "--output", masks, *TIERS)
    assert done.exit_code == 1
    assert "--force" in done.output


def test_a_folder_of_frames_is_a_clip_where_it_is_called_one(tmp_path, clip):
    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(frames()):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{number + 1:03d}.png")
    done = vivid("mask", tmp_path / "frames", "--clip", "--output", tmp_path / "masks", *TIERS)
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "masks").iterdir())) == 6


def test_a_clip_before_a_new_background(clip, tmp_path):
    done = vivid("replace", clip, "--background", "#0044aa", "--output", tmp_path / "new.mp4", *TIERS)
    assert done.exit_code == 0, done.output
    made = list(read_video(tmp_path / "new.mp4"))
    assert [frame.time for frame in made] == [Fraction(number, 25) for number in range(6)]
    for number, frame in enumerate(made):
        assert np.abs(frame.rgb[4, 4].astype(int) - (0, 68, 170)).max() <= 3
        assert np.abs(frame.rgb[48, 40 + 6 * number].astype(int) - (180, 40, 30)).max() <= 6


def test_the_place_on_a_canvas_is_the_same_for_all_frames(clip, tmp_path):
    arguments = ("--canvas", "200x100", "--fit", "subject", "--background", "#ffffff", "--shadow", "none")
    done = vivid("replace", clip, *arguments, "--output", tmp_path / "new.mp4", *TIERS)
    assert done.exit_code == 0, done.output
    made = [frame.rgb for frame in read_video(tmp_path / "new.mp4")]
    middles = [np.flatnonzero(frame[50, :, 1] < 120).mean() for frame in made]
    steps = np.diff(middles)
    # 70 pixels of walk fill the 200: the block keeps its size, and walks as far in each step.
    assert np.allclose(steps, steps[0], atol=1.5)
    assert steps[0] > 6


def test_cut_outs_are_written_where_they_are_asked_for(clip, tmp_path):
    arguments = ("--background", "#ffffff", "--output", tmp_path / "new.mp4")
    assert vivid("replace", clip, *arguments, "--cutout", tmp_path / "cut", *TIERS).exit_code == 0
    cutout = np.asarray(Image.open(tmp_path / "cut" / "000002.png"))
    assert cutout[48, 52].tolist()[3] == 255
    assert cutout[4, 4].tolist() == [0, 0, 0, 0]
    done = vivid("replace", clip, *arguments, "--cutout", tmp_path / "cut.mp4", *TIERS)
    assert done.exit_code == 1
    assert ".mov, .webm or a folder" in done.output.replace("\n", " ")


@pytest.mark.parametrize(("asked", "kept"), [("auto", True), ("keep", True), ("none", False)])
def test_the_shadow_that_a_subject_casts_on_a_plain_wall_goes_with_it(clip, tmp_path, asked, kept):
    save_clip(tmp_path / "disc.mp4", standing_disc(6))
    arguments = ("--background", "#ffffff", "--shadow", asked, "--output", tmp_path / "new.mp4", *TIERS)
    assert vivid("replace", tmp_path / "disc.mp4", *arguments).exit_code == 0
    for number, frame in enumerate(read_video(tmp_path / "new.mp4")):
        assert bool(frame.rgb[48, 70 + number].max() < 225) is kept
        assert frame.rgb[:16].min() > 248


def test_what_clips_do_not_have_is_said(clip, tmp_path):
    assert vivid("mask", clip, tmp_path / "b.mp4").exit_code == 2
    assert vivid("replace", clip, "--background", "#fff", "--mask", tmp_path / "m.png").exit_code == 2
    assert not (tmp_path / "walk-composite.mp4").exists()
