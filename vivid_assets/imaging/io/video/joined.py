"""Videos that were encoded one after the other as one file: nothing is encoded anew.

So the encoding of a long clip need not be one piece of work. Each segment is a file by the same ``Encoding``; its
packets are copied, with the times that its frames have in the whole.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from vivid_assets.imaging.io.video.write import TICKS, container_for, sound_of


class Segment(NamedTuple):
    """A part of a video, and where it belongs."""

    path: Path
    times: Sequence[Fraction]
    """Seconds from the whole's beginning, of each frame; the first is later than the last of the segment before."""


class _Placed(NamedTuple):
    """A packet, and its places in the whole: in the order of decoding, and of showing."""

    packet: Any
    decoded: int
    shown: int


def join_segments(path: Path, segments: Sequence[Segment], *, sound: Path | None = None, comment: str = "") -> None:
    """Write one video of ``segments``.

    Args:
        path: its suffix is that of the segments, and decides the container.
        segments: in their order; one or more.
        sound: the clip whose first sound track is copied beside the frames.
        comment: written into the file.

    Raises:
        OSError: the file cannot be written.
        ValueError: a segment has other frames than its times say.
    """
    times: list[int] = []
    for time in (time for segment in segments for time in segment.times):
        # No two frames may have one time, or a file cannot hold them.
        times.append(max(round(time * TICKS), times[-1] + 1 if times else 0))
    # A packet is decoded no later than it is shown, so decoding starts as many frames earlier as one comes late.
    late = max(one.decoded - one.shown for one in _placed(segments))
    step = times[1] - times[0] if len(times) > 1 else 1
    with container_for(path, comment) as container, sound_of(sound) as source:
        stream: Any = None
        beside: Any = None
        for packet, decoded, shown in _placed(segments):
            if stream is None:
                stream = container.add_stream_from_template(packet.stream, opaque=True)
                stream.time_base = Fraction(1, TICKS)
                stream.codec_context.codec_tag = packet.stream.codec_context.codec_tag
                stream.codec_context.framerate = packet.stream.average_rate
                # Whether WebM has alpha is said beside what a decoder needs.
                stream.metadata.update({k: v for k, v in packet.stream.metadata.items() if k.lower() == "alpha_mode"})
                beside = source.into(container) if source else None
            packet.stream, packet.time_base, packet.pts = stream, Fraction(1, TICKS), times[shown]
            at = decoded - late
            packet.dts = times[at] if at >= 0 else times[0] + at * step
            packet.duration = times[shown + 1] - times[shown] if shown + 1 < len(times) else step
            container.mux(packet)
            if beside:
                beside.copy_until(Fraction(times[shown], TICKS))
        if beside:
            beside.copy_until(None)


def _placed(segments: Sequence[Segment]) -> Iterator[_Placed]:
    """All packets in the order of decoding, those of one segment in memory at a time."""
    import av

    first = 0
    for segment in segments:
        with closing(av.open(str(segment.path))) as source:
            packets: list[Any] = [packet for packet in source.demux(video=0) if packet.size]
            if len(packets) != len(segment.times):
                raise ValueError(f"A segment has {len(packets)} frames instead of {len(segment.times)}.")
            order = sorted(range(len(packets)), key=lambda place: packets[place].pts)
            shown = {place: rank for rank, place in enumerate(order)}
            for place, packet in enumerate(packets):
                yield _Placed(packet, first + place, first + shown[place])
        first += len(packets)
