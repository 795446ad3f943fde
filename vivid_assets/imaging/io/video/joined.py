"""Videos that were encoded one after the other as one file: nothing is encoded anew.

So the encoding of a long clip need not be one piece of work. Each segment is a file by the same ``Encoding``; its
packets are copied, with the times that its frames have in the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vivid_assets.imaging.io.video.write import TICKS, Sound, container_for, sound_of

if TYPE_CHECKING:
    from av.container import OutputContainer


class Segment(NamedTuple):
    """A part of a video, and where it belongs."""

    path: Path
    times: Sequence[Fraction]
    """Seconds from the whole's beginning, of each frame; the first is later than the last of the segment before."""


def join_segments(path: Path, segments: Sequence[Segment], *, sound: Path | None = None, comment: str = "") -> None:
    """Write one video of ``segments``; each is read once, and one is in memory at a time.

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
    with container_for(path, comment) as container, sound_of(sound) as source:
        whole, first = _Whole(container, times), 0
        for segment in segments:
            with _packets(segment) as packets:
                whole.begin(packets, source)
                order = sorted(range(len(packets)), key=lambda place: packets[place].pts)
                for shown, place in sorted(enumerate(order), key=lambda pair: pair[1]):
                    whole.add(packets[place], first + place, first + shown)
            first += len(segment.times)
        whole.finish()


class _Whole:
    """The file that the packets of all segments go into."""

    def __init__(self, container: OutputContainer, times: Sequence[int]) -> None:
        self._container, self._times = container, times
        self._step = times[1] - times[0] if len(times) > 1 else 1
        self._late = 0
        self._stream: Any = None
        self._sound: Sound | None = None

    def begin(self, packets: Sequence[Any], sound: Sound | None) -> None:
        """Begin the tracks, as the first segment's packets are, with ``sound`` beside them."""
        if self._stream is not None:
            return
        source = packets[0].stream
        # A packet is decoded no later than it is shown, so decoding starts as many frames earlier as the encoder may
        # let one come late: the same number in all segments, however still the first one is.
        self._late = sum(packet.dts < min(one.pts for one in packets) for packet in packets)
        self._stream = self._container.add_stream_from_template(source, opaque=True)
        self._stream.time_base = Fraction(1, TICKS)
        self._stream.codec_context.codec_tag = source.codec_context.codec_tag
        self._stream.codec_context.framerate = source.average_rate
        # Whether WebM has alpha is said beside what a decoder needs.
        self._stream.metadata.update({k: v for k, v in source.metadata.items() if k.lower() == "alpha_mode"})
        self._sound = sound.into(self._container) if sound else None

    def add(self, packet: Any, decoded: int, shown: int) -> None:
        """Write the packet of the frame number ``shown``, as number ``decoded`` in the order of decoding."""
        times, at = self._times, decoded - self._late
        if at > shown:
            raise ValueError(f"Frame {shown} is decoded later than it is shown: the segments' encodings differ.")
        packet.stream, packet.time_base, packet.pts = self._stream, Fraction(1, TICKS), times[shown]
        packet.dts = times[at] if at >= 0 else times[0] + at * self._step
        packet.duration = times[shown + 1] - times[shown] if shown + 1 < len(times) else self._step
        self._container.mux(packet)
        if self._sound:
            self._sound.copy_until(Fraction(times[shown], TICKS))

    def finish(self) -> None:
        """Write what is left of the sound."""
        if self._sound:
            self._sound.copy_until(None)


@contextmanager
def _packets(segment: Segment) -> Iterator[list[Any]]:
    """The packets of a segment, in the order of decoding."""
    import av

    with closing(av.open(str(segment.path))) as source:
        packets: list[Any] = [packet for packet in source.demux(video=0) if packet.size]
        if len(packets) != len(segment.times):
            raise ValueError(f"A segment has {len(packets)} frames instead of {len(segment.times)}.")
        yield packets
