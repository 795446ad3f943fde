"""Clips in files: what is read is what was written, as it is shown."""

import importlib
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from vivid_assets.imaging.io.video.folder import read_folder
from vivid_assets.imaging.io.video.joined import Segment, join_segments
from vivid_assets.imaging.io.video.read import ClipLimits, UnreadableClip, is_clip, read_video
from vivid_assets.imaging.io.video.write import NumberedPictures, composite_encoding, h264, with_alpha, writing

av = importlib.import_module("av")
COLORS = np.array([(200, 40, 30), (10, 180, 90), (255, 255, 255), (20, 30, 160)], np.uint8)


def bars(number=0, height=64, width=96):
    """Four bars of colour; the first is darker by the frame's number."""
    frame = np.repeat(COLORS, width // 4, axis=0)[None].repeat(height, axis=0)
    frame[:, : width // 4] -= np.uint8(number)
    return frame


def middles(frame):
    width = frame.shape[1]
    return frame[frame.shape[0] // 2, [width * (2 * bar + 1) // 8 for bar in range(4)]].astype(int)


def written(path, times, rate=25, **options):
    with writing(path, h264(6), Fraction(rate), **options) as sink:
        for number, time in enumerate(times):
            sink.add(bars(number), Fraction(time))
    return path


def raw(path, frames=3, codec="libx264", pixels="yuv420p", size=(96, 64), **context):
    """A file with what it declares set by hand."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "6"})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        matrix = {1: "ITU709", 5: "ITU601"}.get(context.get("colorspace"), "ITU601")
        wide = "JPEG" if context.get("color_range") == 2 else "MPEG"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(bars(number, size[1], size[0]), "rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=matrix, dst_color_range=wide)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def with_sound(path, codec="aac", begins=0):
    """A second of a tone beside a picture, both from the second ``begins`` on."""
    rate = 48000
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream(codec, rate=rate)
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(bars(), "rgb24").reformat(format="yuv420p")
            frame.pts = number + 25 * begins
            container.mux(picture.encode(frame))
        wave = np.sin(np.arange(rate) * 0.06).astype(np.float32)[None]
        for start in range(0, rate, 960):
            samples = av.AudioFrame.from_ndarray(wave[:, start : start + 960].copy(), format="fltp", layout="mono")
            samples.sample_rate, samples.pts = rate, start + begins * rate
            for one in av.AudioResampler(format=sound.format.name, layout="mono", rate=rate).resample(samples):
                container.mux(sound.encode(one))
        container.mux(picture.encode())
        container.mux(sound.encode())
    return path


def sound_of(path):
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        return stream.codec_context.name, float(sum(frame.samples for frame in container.decode(stream)))


def test_colors_come_back(tmp_path):
    clip = read_video(written(tmp_path / "a.mp4", [Fraction(n, 25) for n in range(4)]))
    assert (clip.size, clip.rate, clip.count, clip.notes) == ((96, 64), 25, 4, [])
    for number, frame in enumerate(clip):
        assert np.abs(middles(frame.rgb) - middles(bars(number))).max() <= 3
    assert sum(1 for _ in clip) == 4  # again, from the beginning


@pytest.mark.parametrize("declared", [{"colorspace": 1, "color_range": 1}, {"colorspace": 5, "color_range": 1},
                                      {"colorspace": 5, "color_range": 2}, {}])  # fmt: skip
def test_matrix_and_range_are_the_ones_that_the_file_declares(tmp_path, declared):
    (first, *_) = read_video(raw(tmp_path / "a.mp4", **declared))
    assert np.abs(middles(first.rgb) - middles(bars())).max() <= 4


def test_times_of_a_variable_frame_rate_are_kept(tmp_path):
    times = [Fraction(0), Fraction(1, 25), Fraction(1, 5), Fraction(1, 4), Fraction(2)]
    assert [frame.time for frame in read_video(written(tmp_path / "a.mp4", times))] == times


def decoded_times(monkeypatch):
    """Fills up with the times of the frames that are decoded."""
    from vivid_assets.imaging.io.video import read

    seen, plain = [], read._time
    monkeypatch.setattr(read, "_time", lambda *frame: seen.append(plain(*frame)) or seen[-1])
    return seen


@pytest.mark.parametrize(
    "make",
    [
        # Two frames that lie between two others, and a whole picture every six.
        lambda path: raw(path.with_suffix(".mp4"), 40, gop_size=6, max_b_frames=2),
        lambda path: raw(path.with_suffix(".webm"), 40, codec="libvpx-vp9", gop_size=6),
        lambda path: written(path.with_suffix(".mp4"), [Fraction(number * (number + 1), 50) for number in range(12)]),
        lambda path: raw(path.with_suffix(".gif"), 9, codec="gif", pixels="rgb8"),
    ],
    ids=["b-frames", "webm", "variable rate", "gif"],
)
def test_frames_behind_others_are_those_that_follow_them(tmp_path, make):
    clip = read_video(make(tmp_path / "a"))
    whole = list(clip)
    times = [frame.time for frame in whole]
    for first in (1, 2, len(whole) // 2, len(whole) - 1, len(whole)):
        behind = list(clip.behind(times[:first]))
        assert [frame.time for frame in behind] == times[first:]
        assert all(np.array_equal(one.rgb, other.rgb) for one, other in zip(behind, whole[first:], strict=True))


def test_frames_behind_others_are_sought(tmp_path, monkeypatch):
    clip = read_video(raw(tmp_path / "a.mp4", 60, gop_size=6))
    times = [frame.time for frame in clip]
    decoded = decoded_times(monkeypatch)
    assert len([*clip.behind(times[:57])]) == 3
    assert len(decoded) <= 10


def test_frames_behind_times_that_the_file_has_not_are_counted(tmp_path):
    clip = read_video(raw(tmp_path / "a.mp4", 20, gop_size=6))
    times = [frame.time for frame in clip]
    shifted = [time + Fraction(1, 100_000) for time in times[:15]]
    assert [frame.time for frame in clip.behind(shifted)] == times[15:]


def test_what_is_damaged_before_the_place_is_not_missed_behind_it(tmp_path, monkeypatch):
    """Whoever goes on with a clip has read it once, and it was whole enough."""
    from vivid_assets.imaging.io.video import read

    path = raw(tmp_path / "a.mp4", 20, gop_size=1)
    with av.open(str(path)) as file:
        third = [packet for packet in file.demux(video=0) if packet.size][2]
    data = bytearray(path.read_bytes())
    data[third.pos : third.pos + third.size] = bytes(third.size)
    path.write_bytes(data)
    clip = read_video(path)
    times = [frame.time for frame in clip]
    assert clip.notes == ["damaged frames of the file that are left out: 1"]
    monkeypatch.setattr(read, "_MOST_BROKEN", 0.0)
    assert [frame.time for frame in clip.behind(times[:15])] == times[15:]


@pytest.mark.parametrize("declared, name", [({"color_trc": 16}, "PQ"), ({"color_trc": 18}, "HLG"),
                                            ({"color_primaries": 9}, "BT.2020")])  # fmt: skip
def test_hdr_is_refused_by_name(tmp_path, declared, name):
    with pytest.raises(UnreadableClip, match=f"{name}.*export it"):
        read_video(raw(tmp_path / "a.mp4", **declared))


def test_a_turned_clip_is_shown_upright(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "6"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(90)
        frame = av.VideoFrame.from_ndarray(bars(), "rgb24").reformat(format="yuv420p")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    clip = read_video(path)
    (frame,) = clip
    assert clip.size == (64, 96)
    # Turned against the clock, the bar on the right comes to the top.
    assert np.abs(frame.rgb[6, 32].astype(int) - COLORS[3]).max() <= 6
    assert clip.notes == ["the clip is turned by 90 degrees, as it declares"]


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    clip = read_video(raw(tmp_path / "a.mp4", sample_aspect_ratio=Fraction(4, 3)))
    assert clip.size == (128, 64)


def test_fields_become_whole_frames(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "6", "x264-params": "tff=1"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(bars(number), "rgb24").reformat(format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    clip = read_video(path)
    frames = list(clip)
    assert len(frames) == 5
    assert clip.notes == ["the clip is interlaced: its fields are woven into whole frames"]


def test_what_is_no_clip_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"#EXTM3U\nhttp://example.invalid/secret.ts\n")
    with pytest.raises(UnreadableClip, match="no clip that can be read"):
        read_video(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(4000))
    with pytest.raises(UnreadableClip, match="damaged"):
        read_video(tmp_path / "b.mp4")


def test_a_clip_that_is_cut_off_is_damaged(tmp_path):
    whole = written(tmp_path / "a.mp4", [Fraction(n, 25) for n in range(30)])
    cut = tmp_path / "b.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(UnreadableClip, match=r"damaged|ends after"):
        list(read_video(cut))


def test_limits(tmp_path):
    path = written(tmp_path / "a.mp4", [Fraction(n, 25) for n in range(30)])
    for limits, word in ((ClipLimits(seconds=1), "seconds"), (ClipLimits(pixels=1000), "pixels"),
                         (ClipLimits(frames=20), "frames")):  # fmt: skip
        with pytest.raises(UnreadableClip, match=word):
            read_video(path, limits)


def test_sound_is_copied(tmp_path):
    source = with_sound(tmp_path / "a.mp4")
    target = written(tmp_path / "b.mp4", [Fraction(n, 25) for n in range(25)], sound=source, comment="mine")
    assert sound_of(target) == sound_of(source)
    assert read_video(target).has_audio


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_sound_stays_beside_the_frames_of_a_clip_that_begins_late(tmp_path, codec):
    source = with_sound(tmp_path / "a.mkv", codec, begins=3)
    times = [frame.time for frame in read_video(source)]
    target = written(tmp_path / "b.mp4", times, sound=source)
    with av.open(str(target)) as container:
        first = next(container.decode(audio=0))
    assert (times[0], times[-1]) == (0, pytest.approx(Fraction(24, 25), abs=0.01))
    assert first.time == pytest.approx(0, abs=0.03)


def test_a_damaged_piece_of_sound_is_left_out(tmp_path):
    source = with_sound(tmp_path / "a.mkv", "flac")
    with av.open(str(source)) as container:
        packet = [packet for packet in container.demux(audio=0) if packet.size][5]
    data = source.read_bytes()
    source.write_bytes(data.replace(bytes(packet), b"\xff" * packet.size))
    target = written(tmp_path / "b.mp4", [Fraction(n, 25) for n in range(25)], sound=source)
    assert 0.85 * 48000 < sound_of(target)[1] < 1.1 * 48000


def test_sound_that_the_container_cannot_hold_is_encoded(tmp_path):
    source = with_sound(tmp_path / "a.mkv", "libopus")
    target = written(tmp_path / "b.mov", [Fraction(n, 25) for n in range(25)], sound=source)
    codec, samples = sound_of(target)
    assert codec == "aac"
    assert samples == pytest.approx(48000, rel=0.1)


def test_odd_sizes_are_written(tmp_path):
    with writing(tmp_path / "a.mp4", h264(), Fraction(25)) as sink:
        sink.add(bars()[:63, :95], Fraction(0))
    assert read_video(tmp_path / "a.mp4").size == (96, 64)


@pytest.mark.parametrize("suffix, decoder", [(".mov", "prores"), (".webm", "libvpx-vp9")])
def test_cut_outs_keep_their_alpha(tmp_path, suffix, decoder):
    path = tmp_path / f"a{suffix}"
    cutout = np.dstack([bars(), np.zeros((64, 96), np.uint8)])
    cutout[:, 24:72, 3] = 255
    with writing(path, with_alpha(path), Fraction(25)) as sink:
        sink.add(cutout, Fraction(0))
    with av.open(str(path)) as container:
        context = av.CodecContext.create(decoder, "r")
        frames = [frame for packet in container.demux(video=0) for frame in context.decode(packet)]
    alpha = frames[0].to_ndarray(format="rgba")[..., 3]
    assert alpha[32, [8, 48, 88]].tolist() == [0, 255, 0]


def test_nothing_is_left_of_a_clip_that_fails(tmp_path):
    with pytest.raises(RuntimeError, match="in the middle"), writing(tmp_path / "a.mp4", h264(), Fraction(25)) as sink:
        sink.add(bars(), Fraction(0))
        raise RuntimeError("in the middle")
    assert list(tmp_path.iterdir()) == []


def test_numbered_pictures(tmp_path):
    sink = NumberedPictures(tmp_path, "mine")
    for number in range(3):
        sink.add(bars(number), Fraction(number, 25))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.png", "000001.png", "000002.png"]
    clip = read_folder(tmp_path)
    assert (clip.count, clip.size) == (3, (96, 64))
    assert [frame.rgb[0, 0, 0] for frame in clip] == [200, 199, 198]


def test_frames_are_ordered_by_their_numbers(tmp_path):
    for number in (10, 9, 100):
        Image.fromarray(bars(number)).save(tmp_path / f"shot_{number}.png")
    assert [200 - int(frame.rgb[0, 0, 0]) for frame in read_folder(tmp_path)] == [9, 10, 100]


def test_frames_of_two_sizes_and_pictures_without_numbers_are_refused(tmp_path):
    Image.fromarray(bars()).save(tmp_path / "1.png")
    Image.fromarray(bars()[:32]).save(tmp_path / "2.png")
    with pytest.raises(UnreadableClip, match=r"2\.png is 96 × 32 pixels, the first one 96 × 64"):
        list(read_folder(tmp_path))
    Image.fromarray(bars()).save(tmp_path / "cover.png")
    with pytest.raises(UnreadableClip, match=r"cover\.png has no number"):
        read_folder(tmp_path)


def test_suffixes(tmp_path):
    assert is_clip(tmp_path / "A.MP4")
    assert not is_clip(tmp_path / "a.jpg")


def test_joined_segments_have_the_frames_times_and_sound_of_the_whole(tmp_path):
    sound = with_sound(tmp_path / "sound.mp4")
    times = [Fraction(number, 25) + (number > 8) * Fraction(1, 3) for number in range(20)]
    parts = []
    for first in range(0, 20, 7):
        part = Segment(tmp_path / f"{first}.mp4", times[first : first + 7])
        with writing(part.path, h264(6), Fraction(25)) as sink:
            for number, time in enumerate(part.times, start=first):
                sink.add(bars(number), time)
        parts.append(part)
    join_segments(tmp_path / "whole.mp4", parts, sound=sound, comment="how it was made")
    frames = [*read_video(tmp_path / "whole.mp4")]
    assert [frame.time for frame in frames] == times
    assert all(np.abs(middles(frame.rgb) - middles(bars(number))).max() <= 3 for number, frame in enumerate(frames))
    assert sound_of(tmp_path / "whole.mp4") == sound_of(sound)
    with pytest.raises(ValueError, match="7 frames instead of 6"):
        join_segments(tmp_path / "other.mp4", [parts[0]._replace(times=times[:6])])


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_segment_in_which_nothing_comes_late_may_be_the_first(tmp_path, codec, monkeypatch):
    rng = np.random.default_rng(0)
    noise, plain = (lambda: rng.integers(0, 255, (64, 96, 3), np.uint8)), (lambda: np.full((64, 96, 3), 99, np.uint8))
    parts, opened = [], []
    for first, frame in ((0, noise), (12, plain), (24, noise)):
        part = Segment(tmp_path / f"{first}.mp4", [Fraction(number, 25) for number in range(first, first + 12)])
        with writing(part.path, composite_encoding(codec, 18), Fraction(25)) as sink:
            for time in part.times:
                sink.add(frame(), time)
        parts.append(part)
    real = av.open
    monkeypatch.setattr(
        av, "open", lambda path, *given, **options: opened.append(path) or real(path, *given, **options)
    )
    join_segments(tmp_path / "whole.mp4", parts)
    assert [path for path in opened if path in {str(part.path) for part in parts}] == [str(one.path) for one in parts]
    assert [frame.time for frame in read_video(tmp_path / "whole.mp4")] == [time for one in parts for time in one.times]


@pytest.mark.parametrize("suffix", [".mov", ".webm"])
def test_joined_cut_outs_keep_their_alpha(tmp_path, suffix):
    parts = []
    for first in range(0, 4, 2):
        part = Segment(tmp_path / f"{first}{suffix}", [Fraction(first, 25), Fraction(first + 1, 25)])
        with writing(part.path, with_alpha(part.path), Fraction(25)) as sink:
            for time in part.times:
                sink.add(np.dstack([bars(), np.full((64, 96), 255 - 60 * first, np.uint8)]), time)
        parts.append(part)
    path = tmp_path / f"whole{suffix}"
    join_segments(path, parts)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r") if suffix == ".webm" else stream
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
        alphas = [int(frame.to_ndarray(format="rgba")[32, 48, 3]) for frame in frames]
        assert stream.codec_context.codec_tag == {".mov": "ap4h"}.get(suffix, stream.codec_context.codec_tag)
    assert np.abs(np.array(alphas) - [255, 255, 135, 135]).max() <= 2
