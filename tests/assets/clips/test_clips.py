"""Clips in a catalogue, beside photographs."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.support.clips import moving_disc, save_clip, save_frames, standing_disc
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.assets.review import REVIEW
from vivid_assets.catalogue.progress import summary_of
from vivid_assets.checks.check import Context
from vivid_assets.checks.clips import FLICKER, LOST
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.imaging.io.provenance import parse_xmp
from vivid_assets.imaging.io.video import read
from vivid_assets.imaging.io.video.marking import xmp_of
from vivid_assets.imaging.io.video.read import VideoFile, opened, read_video
from vivid_assets.masking import clip_masks
from vivid_assets.masking.gradient_tier import GradientModel
from vivid_assets.one_picture import clip_frames
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.tables import as_table
from vivid_assets.settings import ChecksSettings
from vivid_assets.stages.clips import kept, segments
from vivid_assets.stages.clips.packed import Packed

CLIP, FOLDER = "turntable/disc.mp4", "turntable/frames"
WHITE = '[backgrounds]\ngenerator = "backdrop"\n[masks]\ntiers = ["gradients"]\n'


def photographs(pipeline, background="#ffffff"):
    """Two, and a catalogue that has clips in a folder."""
    pipeline.put("a.png")
    pipeline.put("b.png", (30, 90, 160))
    (pipeline.folder / "catalogue.toml").write_text(f'background = "{background}"\nclips = ["turntable/*"]\n')


def bring_through(pipeline):
    """Two photographs, a clip and a folder of frames."""
    photographs(pipeline)
    save_clip(pipeline.folder / CLIP, moving_disc())
    save_frames(pipeline.folder / FOLDER, moving_disc(6))
    pipeline.scan()
    counts = pipeline.run_in_dagster()
    assert counts.pop("enhanced_prompts") == 4
    assert {*counts.values()} == {4}


@pytest.fixture
def done(pipeline_after):
    return pipeline_after(bring_through)


def published(pipeline, name):
    return Path(pipeline.store.path(f"composites/spring/{name}").path)


def masks_of(pipeline, name):
    return Packed(pipeline.store.read(pipeline.rows(MASKS)[name]["frames_file"]))


def test_a_clip_goes_through_all_stages(done):
    assert done.published() == {"a.png", "b.png", CLIP, f"{FOLDER}.mp4"}
    prepared, mask = done.rows(PREPARED_IMAGES), done.rows(MASKS)[CLIP]
    assert [(prepared[name]["frames"], prepared[name]["source_format"]) for name in ("a.png", CLIP, FOLDER)] == [
        (None, "PNG"),
        (10, "MP4"),
        (6, "frames"),
    ]
    assert (mask["verdict"], mask["flagged_frames"], mask["lost_frames"]) == ("good", 0, 0)
    assert 0 <= mask["flicker"] < 0.02
    clip = read_video(published(done, CLIP))
    frames = [frame.rgb for frame in clip]
    assert (len(frames), clip.rate, clip.size) == (10, 10, (128, 96))
    # The disc walks by 3 pixels a frame, and nothing is left of the wall.
    assert all(frame[48, 40 + 3 * index, 0] > 150 > frame[48, 40 + 3 * index, 1] for index, frame in enumerate(frames))
    assert min(frame[:10].min() for frame in frames) > 250


def test_clips_are_counted(done):
    assert summary_of(done.store, "spring")["spring-00000"].clips == 2


def test_the_masks_are_numbered_pictures_in_a_zip(done):
    masks = masks_of(done, CLIP)
    assert masks.numbers == [*range(10)]
    assert [round(float(decode_mask(masks.picture(frame))[48, 40 + 3 * frame]), 2) for frame in (0, 9)] == [1.0, 1.0]
    assert [note[0] for note in masks.notes["frames"]] == ["good"] * 10


def test_a_clip_says_how_it_was_made(done):
    row = done.rows(COMPOSITES)[CLIP]
    said = parse_xmp(xmp_of(published(done, CLIP).read_bytes()))
    assert said == {"source_type": "composite", "provenance": row["key"], "tool": "vivid_assets"}
    with opened(published(done, CLIP)) as container:
        assert container.metadata["comment"] == f"vivid_assets {row['key']} composite"


def test_a_clip_is_a_row_of_the_dataset(done):
    (part,) = Path(done.store.path("export/spring/data").path).glob("*.parquet")
    rows = {row["picture"]: row for row in pq.read_table(part).to_pylist()}
    assert [rows[name]["frames"] for name in ("a.png", CLIP, FOLDER)] == [None, 10, 6]
    assert rows[CLIP]["composite"] == f"../../composites/spring/{CLIP}"
    assert (part.parents[1] / rows[CLIP]["clip_masks"]).exists()


def test_the_review_shows_the_clip_over_its_time(done):
    row = done.rows(REVIEW)[CLIP]
    assert (row["outcome"], row["frames"], row["flagged_frames"]) == ("ok", 10, 0)
    sheet = decode(row["edges"]).rgb
    # Eight frames above eight masks: the disc's red, and its white.
    assert sheet.shape[1] == 1280
    assert ((sheet[:, :, 0] > 140) & (sheet[:, :, 1] < 90)).any()
    assert (sheet.min(axis=2) > 245).any()


def test_checks_name_clips_that_flicker_or_lose_their_subject(done):
    rows = [row | {"flicker": 0.1, "lost_share": 0.4} for row in done.rows(MASKS).values()]
    outcome, context = Outcome(as_table(MASKS, rows), 0, 0.0), Context(done.store, MASKS, "s", ChecksSettings())
    for check in (FLICKER, LOST):
        found = check.judge(outcome, context)
        assert not found.passed
        assert found.sentence.startswith("2 of 2 clips")
        assert found.sentence.endswith(f"such as: {CLIP}, {FOLDER}")
        assert check.judge(Outcome(as_table(MASKS, done.rows(MASKS).values()), 0, 0.0), context).passed


def test_a_changed_blending_setting_makes_composites_alone_anew(done, monkeypatch):
    asked = count_asks(monkeypatch)
    done.say(done.settings_file.read_text() + '[composites]\nshadow = "none"\n')
    counts = done.run()
    assert (counts["masks"], counts["backgrounds"], counts["composites"], asked) == (0, 0, 4, [])


def test_settings_of_pictures_leave_clips_alone_and_the_other_way_round(done):
    done.say(done.settings_file.read_text() + "[composites]\nclip_quality = 30\n")
    size = published(done, CLIP).stat().st_size
    assert done.run()["composites"] == 2
    assert published(done, CLIP).stat().st_size < size
    done.say(done.settings_file.read_text() + 'spill = false\nformat = "jpeg"\n')
    assert done.run()["composites"] == 2


def test_a_clip_that_is_gone_loses_its_name_and_comes_back_at_no_cost(done):
    file = done.folder / CLIP
    data = file.read_bytes()
    file.unlink()
    done.scan()
    done.run()
    assert done.published() == {"a.png", "b.png", f"{FOLDER}.mp4"}
    file.write_bytes(data)
    done.scan()
    assert done.run()["masks"] == 0
    assert CLIP in done.published()


def test_a_changed_frame_is_another_clip(done):
    save_frames(done.folder / "other", moving_disc(7)[6:])
    (done.folder / "other/0000.png").replace(done.folder / FOLDER / "0005.png")
    (done.folder / "other").rmdir()
    assert done.scan().assignment.changed == 1
    assert done.run()["masks"] == 1


class Killed(BaseException):
    """The process ends."""


def count_asks(monkeypatch, dies_at=None):
    """The frames that the tier is asked about from now on; at one of them the process is killed."""
    asked, plain = [], GradientModel.probabilities

    def probabilities(self, images):
        if len(asked) == dies_at:
            raise Killed
        asked.append(len(images))
        return plain(self, images)

    monkeypatch.setattr(GradientModel, "probabilities", probabilities)
    return asked


def count_decoded(monkeypatch):
    """The frames of videos that are decoded to their pixels from now on."""
    decoded, plain = [], read._Shown.pixels
    monkeypatch.setattr(read._Shown, "pixels", lambda shown, frame: decoded.append(frame.pts) or plain(shown, frame))
    return decoded


def test_a_run_that_was_killed_among_the_questions_goes_on_there(pipeline, monkeypatch):
    pipeline.say(WHITE)
    photographs(pipeline)
    save_clip(pipeline.folder / CLIP, moving_disc(12))
    pipeline.scan()
    monkeypatch.setattr(kept, "SECONDS", 0.0)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        count_asks(patched, dies_at=10)  # the pictures, and nine frames
        pipeline.run(selection=["prepared_images", "masks"])
    asked, decoded = count_asks(monkeypatch), count_decoded(monkeypatch)
    pipeline.run(selection=["masks"])
    assert len(asked) == 12 - 9, "the pictures have their masks, and nine frames"
    # The first to open the clip, what is left of the first reading, and the second.
    assert len(decoded) == 1 + (12 - 9) + 12
    assert masks_of(pipeline, CLIP).numbers == [*range(12)]


def test_a_run_that_was_killed_among_the_masks_ends_as_one_that_was_not(pipeline_after, monkeypatch, tmp_path):
    from vivid_assets.masking import clip_window
    from vivid_assets.stages.clips import masks as stage_masks

    monkeypatch.setattr(clip_window, "_CHUNK", 4)
    monkeypatch.setattr(kept, "SECONDS", 0.0)
    pipeline = pipeline_after(bring_scanned)
    made, encode = [], stage_masks.encode_mask

    def dying(alpha):
        made.append(alpha)
        if len(made) == 10:
            raise Killed
        return encode(alpha)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(stage_masks, "encode_mask", dying)
        pipeline.run(selection=["prepared_images", "masks"])
    again = []
    with monkeypatch.context() as patched:
        decoded, asked = count_decoded(patched), count_asks(patched)
        patched.setattr(stage_masks, "encode_mask", lambda alpha: again.append(alpha) or encode(alpha))
        pipeline.run(selection=["masks"])
    assert len(again) == 12 - 8
    # The first to open the clip, the frame before those that are made, and these.
    assert (len(decoded), asked) == (1 + 1 + (12 - 8), [])
    through = masks_of(pipeline, CLIP)
    assert parts_in(pipeline) == []
    # The same without a break.
    fresh = pipeline_after(bring_scanned)
    fresh.run(selection=["prepared_images", "masks"])
    whole = masks_of(fresh, CLIP)
    assert through.notes == whole.notes
    assert [*through.pictures()] == [*whole.pictures()]


def killed_while_composing(pipeline, monkeypatch, at):
    """Run the composites of ``pipeline``, which is killed when it composes its frame number ``at``; None for never.

    Returns how many frames were composed.
    """
    composed, plain = [], clip_frames.compose

    def compose(*args, **options):
        if len(composed) == at:
            raise Killed
        composed.append(None)
        return plain(*args, **options)

    with monkeypatch.context() as patched, nullcontext() if at is None else pytest.raises(Killed):
        patched.setattr(clip_frames, "compose", compose)
        # Segments of four frames, and each frame is kept.
        patched.setattr(segments, "_MOST", 4)
        patched.setattr(segments, "_LEAST", 4)
        patched.setattr(segments, "_SECONDS", 0.0)
        pipeline.run(selection=["composites"])
    return len(composed)


def bring_to_composites(pipeline):
    bring_scanned(pipeline)
    pipeline.run(selection=["prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks"])


def bring_to_shadows(pipeline):
    pipeline.say(WHITE)
    photographs(pipeline)
    save_clip(pipeline.folder / CLIP, standing_disc(12))
    pipeline.scan()
    pipeline.run(selection=["prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks"])


def bring_to_pictures(pipeline):
    bring_to_cut_outs(pipeline)
    pipeline.say(WHITE + '[composites]\nclip_cutout = "png"\n')


def bring_to_cut_outs(pipeline):
    (pipeline.folder / "catalogue.toml").write_text('background = "transparent"\nclips = ["turntable/*"]\n')
    save_clip(pipeline.folder / CLIP, moving_disc(12))
    pipeline.scan()
    pipeline.run(selection=["prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks"])


@pytest.mark.parametrize(
    "prepare",
    [
        bring_to_composites,
        *(
            pytest.param(prepare, marks=pytest.mark.slow)
            for prepare in (bring_to_shadows, bring_to_cut_outs, bring_to_pictures)
        ),
    ],
)
def test_a_run_that_was_killed_among_the_composites_ends_as_one_that_was_not(pipeline_after, monkeypatch, prepare):
    whole = pipeline_after(prepare)
    assert killed_while_composing(whole, monkeypatch, None) == 12
    row = whole.rows(COMPOSITES)[CLIP]
    video = whole.store.read(row["file"])
    pipeline = pipeline_after(prepare)
    # In the second segment, at the beginning of the third, and nearly at the end.
    assert [killed_while_composing(pipeline, monkeypatch, at) for at in (6, 2, 3)] == [6, 2, 3]
    assert parts_in(pipeline, "composites")
    finished, plain = [], VideoFile.behind
    monkeypatch.setattr(VideoFile, "behind", lambda clip, times: finished.append(len(times)) or plain(clip, times))
    assert killed_while_composing(pipeline, monkeypatch, None) == 12 - (6 + 2 + 3)
    assert finished == [6 + 2 + 3]
    again = pipeline.rows(COMPOSITES)[CLIP]
    assert {**again, "seconds": 0} == {**row, "seconds": 0}
    assert pipeline.store.read(again["file"]) == video
    assert parts_in(pipeline, "composites") == []


def bring_scanned(pipeline):
    pipeline.say(WHITE)
    photographs(pipeline)
    save_clip(pipeline.folder / CLIP, moving_disc(12))
    pipeline.scan()


@pytest.mark.parametrize("what", ["frames_file", "part"])
def test_a_damaged_file_of_the_store_is_made_again(pipeline_after, monkeypatch, what):
    pipeline = pipeline_after(bring_to_shadows)
    if what == "part":
        killed_while_composing(pipeline, monkeypatch, 6)
        damaged = parts_in(pipeline, "composites")
    else:
        damaged = [Path(pipeline.store.path(pipeline.rows(MASKS)[CLIP]["frames_file"]).path)]
    for path in damaged:
        data = bytearray(path.read_bytes())
        data[200] ^= 255
        path.write_bytes(data)
    pipeline.run(selection=["composites"])
    if what == "frames_file":
        assert "is damaged; it was removed" in pipeline.rows(COMPOSITES)[CLIP]["error"]
        pipeline.run(selection=["masks", "composites"])
    assert len([*read_video(published_file(pipeline))]) == 12


def published_file(pipeline):
    return Path(pipeline.store.path(pipeline.rows(COMPOSITES)[CLIP]["file"]).path)


def parts_in(pipeline, stage="masks"):
    return [*Path(pipeline.store.path(f"artefacts/spring/{stage}").path).rglob("*.part")]


def test_a_damaged_clip_fails_by_name_and_the_others_go_through(pipeline):
    pipeline.say(WHITE)
    photographs(pipeline)
    save_clip(pipeline.folder / CLIP, moving_disc())
    data = (pipeline.folder / CLIP).read_bytes()
    (pipeline.folder / "turntable/half.mp4").write_bytes(data[: len(data) // 2])
    save_frames(pipeline.folder / FOLDER, moving_disc(4))
    (pipeline.folder / FOLDER / "0002.png").write_bytes(b"\x89PNG\r\n\x1a\n of no use")
    pipeline.scan()
    pipeline.run()
    assert pipeline.published() == {"a.png", "b.png", CLIP}
    rows = pipeline.rows(PREPARED_IMAGES)
    assert "damaged" in rows["turntable/half.mp4"]["error"]
    assert "Frame 0002.png" in rows[FOLDER]["error"]


def test_a_frame_that_cannot_be_decoded_is_left_out_and_noted(pipeline):
    pipeline.say(WHITE)
    photographs(pipeline)
    noisy = [
        np.random.default_rng(0).integers(0, 60, frame.shape, np.uint8) // 4 + frame // 2 for frame in moving_disc(20)
    ]
    save_clip(pipeline.folder / CLIP, noisy)
    break_a_packet(pipeline.folder / CLIP, 10)
    pipeline.scan()
    pipeline.run()
    row = pipeline.rows(PREPARED_IMAGES)[CLIP]
    assert (row["frames"], row["notes"]) == (19, ["damaged frames of the file that are left out: 1"])
    assert masks_of(pipeline, CLIP).numbers == [*range(19)]
    assert len([*read_video(published(pipeline, CLIP))]) == 19


def break_a_packet(path, number):
    with opened(path) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    position, size = packets[number]
    data = bytearray(path.read_bytes())
    data[position + 4 : position + size] = bytes(size - 4)
    path.write_bytes(data)


def test_a_clip_without_a_background_keeps_its_alpha(pipeline):
    pipeline.say(WHITE)
    photographs(pipeline, background="transparent")
    save_clip(pipeline.folder / CLIP, moving_disc(4))
    pipeline.scan()
    pipeline.run()
    with opened(published(pipeline, f"{CLIP}.mov")) as container:
        first = next(container.decode(video=0)).to_ndarray(format="rgba")
    assert (first[48, 40, 3], first[4, 4, 3]) == (255, 0)


def test_the_shadow_that_a_subject_casts_is_kept(pipeline):
    bring_to_shadows(pipeline)
    pipeline.run()
    row = pipeline.rows(COMPOSITES)[CLIP]
    assert (row["shadow"], row["notes"]) == ("kept", [])
    assert 0.1 < row["shadow_area"] < 0.3
    assert row["shadow_depth"] == pytest.approx(0.3, abs=0.04)
    for number, frame in enumerate(read_video(published(pipeline, CLIP))):
        assert frame.rgb[48, 70 + number].max() < 225
        assert frame.rgb[:16].min() > 248
    layers = Packed(pipeline.store.read(row["shadow_file"]))
    assert (layers.numbers, len(layers.notes["seconds"])) == ([*range(12)], 12)
    for number in layers.numbers:
        layer = decode(layers.picture(number)).rgb
        assert layer[48, 70 + number].max() < 235
        assert (layer[:8] == 255).all()


def test_a_tuned_shadow_reads_the_clip_once_and_measures_nothing(pipeline_after, monkeypatch):
    pipeline = pipeline_after(bring_to_shadows)
    pipeline.run()
    read, measured, iterate = [], [], VideoFile.__iter__
    monkeypatch.setattr(VideoFile, "__iter__", lambda clip: read.append(1) or iterate(clip))
    monkeypatch.setattr(clip_masks, "shadow_on_plain", lambda *_: measured.append(1))
    asked = count_asks(monkeypatch)
    for shadow in ("none", "keep"):
        pipeline.say(WHITE + f'[composites]\nshadow = "{shadow}"\n')
        # To open a clip its first frame is read.
        read.clear()
        pipeline.run()
        assert (len(read), measured, asked) == (2, [], [])
    row = pipeline.rows(COMPOSITES)[CLIP]
    assert (row["shadow"], bool(row["shadow_file"])) == ("kept", True)


def test_a_cut_out_may_be_numbered_pictures(pipeline):
    pipeline.say(WHITE + '[composites]\nclip_cutout = "png"\n')
    photographs(pipeline, background="transparent")
    save_clip(pipeline.folder / CLIP, moving_disc(4))
    pipeline.scan()
    pipeline.run()
    pictures = Packed(published(pipeline, f"{CLIP}.zip"))
    assert (pictures.numbers, pictures.notes) == ([0, 1, 2, 3], {"seconds": [0.0, 0.1, 0.2, 0.3]})
    for number in pictures.numbers:
        picture = decode(pictures.picture(number))
        assert (picture.alpha[48, 40 + 3 * number], picture.alpha[4, 4]) == (1, 0)
        assert picture.rgb[48, 40 + 3 * number].tolist() == pytest.approx([180, 40, 30], abs=6)
