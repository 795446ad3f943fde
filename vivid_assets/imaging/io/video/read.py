"""Reading clips: frames as they are shown, one after the other, under limits.

A clip can be iterated again and again, and holds one frame at a time. What its file declares is applied: rotation,
pixels that are not square, fields, range and matrix of its colours. A file is known by its first bytes and read as that
and nothing else, so that none can name other files or addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vivid_assets.imaging.core.arrays import RGB8
from vivid_assets.imaging.io.unreadable import UnreadablePicture
from vivid_assets.imaging.io.video.limits import CLIP_SUFFIXES, ClipLimits

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.frame import VideoFrame

_HDR = {16: "HDR10 or Dolby Vision (PQ)", 18: "HDR (HLG)"}
_WIDE = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_MOST_BROKEN = 0.1
"""Share of a clip's frames that may be damaged."""


class _NotFound(Exception):
    """The frames of a file do not lie where its times say."""


class UnreadableClip(UnreadablePicture):
    """The file holds no clip that can be used. The message is for its owner: what, and what to do."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame as it is shown."""

    rgb: RGB8
    """uint8 H×W×3 sRGB."""
    time: Fraction
    """Seconds from the clip's beginning."""


class Clip(Protocol):
    """Frames that can be iterated again and again, one in memory at a time."""

    @property
    def path(self) -> Path:
        """Its file or folder."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as shown."""

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average."""

    @property
    def count(self) -> int:
        """Frames, as far as the file declares it; 0 where it does not."""

    @property
    def has_audio(self) -> bool:
        """Whether it has sound."""

    @property
    def notes(self) -> list[str]:
        """What was done to the frames and what is wrong with them; complete when they have been read."""

    def __iter__(self) -> Iterator[Frame]:
        """Begin again."""

    def behind(self, times: Sequence[Fraction]) -> Iterator[Frame]:
        """The frames behind the first ones, which were at these times, without decoding all of these."""


def is_clip(path: Path) -> bool:
    """Whether a file's suffix is a clip's."""
    return path.suffix.lower() in CLIP_SUFFIXES


@dataclass(eq=False)
class VideoFile:
    """A clip in a file; see ``Clip``."""

    path: Path
    limits: ClipLimits
    size: tuple[int, int] = (0, 0)
    rate: Fraction = Fraction(25)
    count: int = 0
    has_audio: bool = False
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Frame]:
        """Decode it from its beginning. Raises UnreadableClip."""
        with opened(self.path) as container:
            yield from self._frames(container)

    def behind(self, times: Sequence[Fraction]) -> Iterator[Frame]:
        """See ``Clip``; decodes from the last whole picture before them, where it is found. Raises UnreadableClip."""
        if times:
            with suppress(_NotFound), opened(self.path) as container:
                yield from self._frames(container, times)
                return
        yield from islice(self, len(times), None)

    def _frames(self, container: InputContainer, times: Sequence[Fraction] = ()) -> Iterator[Frame]:
        """Decode the frames behind those at ``times``. Raises _NotFound before the first, where they are not there."""
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        shown, made, last = _Shown(stream, self), len(times), times[-1] if times else Fraction(-1)
        start = self._sought(container, last) if times else None
        decoded, known = _Decoded(container, stream), bool(times)
        for frame in shown.frames(decoded):
            at = _time(frame, made, self.rate)
            start = at if start is None else start
            if known:
                if at - start > last:
                    raise _NotFound
                known = at - start < last
                continue
            # Two frames of one time, or times that run backwards, are none that a file can be written with.
            last = max(at - start, last + Fraction(1, 100_000))
            made += 1
            if made > self.limits.frames or last > self.limits.seconds:
                raise UnreadableClip(
                    f"The clip has more than {self.limits.frames:,} frames or {self.limits.seconds:,.0f} seconds: "
                    "cut it."
                )
            yield Frame(shown.pixels(frame), last)
        if known:
            raise _NotFound
        if times:  # whoever gave them has counted the frames of the whole file
            return
        broken = decoded.broken
        if not made or broken > _MOST_BROKEN * (made + broken):
            raise UnreadableClip(f"{broken} of {made + broken} frames of the clip are damaged: copy it again.")
        if made + broken < (1 - _MOST_BROKEN) * stream.frames:
            raise UnreadableClip(f"The clip ends after {made:,} of {stream.frames:,} frames: copy it again.")
        if broken:
            self._remark(f"damaged frames of the file that are left out: {broken}")

    def _sought(self, container: InputContainer, time: Fraction) -> Fraction:
        """Go to the last whole picture up to a time of the clip, and give the time of its first frame."""
        from av.error import FFmpegError

        stream = container.streams.video[0]
        first = next(iter(_Decoded(container, stream)), None)
        if first is None or first.pts is None or first.time_base is None:
            raise _NotFound
        start = _time(first, 0, self.rate)
        try:
            container.seek(int((start + time) / first.time_base), stream=stream, backward=True)
        except FFmpegError as error:
            raise _NotFound from error
        return start

    def _remark(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def read_video(path: Path, limits: ClipLimits | None = None) -> VideoFile:
    """Open a clip: what it declares is checked, nothing is decoded but its first frame.

    Raises:
        UnreadableClip: it is none, or damaged, too large, or has colours beyond sRGB; the message says what to do.
        OSError: the file cannot be read.
    """
    clip = VideoFile(path, limits or ClipLimits())
    with opened(path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        if context.width * context.height > clip.limits.pixels:
            raise UnreadableClip(
                f"The clip's frames are {context.width} × {context.height} pixels, over the limit of "
                f"{clip.limits.pixels / 1e6:,.0f} megapixels: make a smaller copy."
            )
        _check_colors(context)
        seconds = float(container.duration or 0) / 1e6
        if seconds > clip.limits.seconds or stream.frames > clip.limits.frames:
            raise UnreadableClip(
                f"The clip has {seconds:,.0f} seconds and {stream.frames:,} frames; the limits are "
                f"{clip.limits.seconds:,.0f} and {clip.limits.frames:,}: cut it."
            )
        clip.rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        clip.count = stream.frames or round(seconds * clip.rate)
        clip.has_audio = bool(container.streams.audio)
    first = next(iter(clip))
    clip.size = first.rgb.shape[1], first.rgb.shape[0]
    return clip


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The file as a container, with a video stream. Raises UnreadableClip."""
    import av
    from av.error import FFmpegError

    with path.open("rb") as file:
        start = file.read(16)
        file.seek(0)
        kind = _kind(start)
        if not kind:
            raise UnreadableClip("The file is no clip that can be read: save it as MP4, MOV, WebM, MKV or GIF.")
        try:
            with av.open(file, "r", format=kind, metadata_errors="ignore") as container:
                if not container.streams.video:
                    raise UnreadableClip("The file has no picture, only sound.")
                yield container
        except FFmpegError as error:
            raise UnreadableClip(f"The clip is damaged ({error.strerror or error}): copy it again.") from error


def _kind(start: bytes) -> str:
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if start[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    return "gif" if start[:4] == b"GIF8" else ""


def _check_colors(context: Any) -> None:
    if (name := _HDR.get(context.color_trc)) is not None:
        raise UnreadableClip(f"The clip is {name}, which is not read: export it in SDR (BT.709).")
    if (name := _WIDE.get(context.color_primaries)) is not None:
        raise UnreadableClip(f"The clip's colours are {name}, which is not read: export it in BT.709.")


def _time(frame: VideoFrame, number: int, rate: Fraction) -> Fraction:
    if frame.pts is None or frame.time_base is None:
        return Fraction(number) / rate
    return Fraction(frame.pts) * Fraction(frame.time_base)


class _Decoded:
    """The frames of a stream; those that cannot be decoded are counted."""

    def __init__(self, container: InputContainer, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.broken = 0

    def __iter__(self) -> Iterator[VideoFrame]:
        from av.error import EOFError as Ended
        from av.error import FFmpegError

        for packet in self._container.demux(self._stream):
            try:
                decoded = packet.decode()
            except Ended:
                return
            except FFmpegError:
                self.broken += 1
                continue
            yield from decoded


class _Shown:
    """From decoded frames to frames as they are shown."""

    def __init__(self, stream: Any, clip: VideoFile) -> None:
        self._stream, self._clip = stream, clip
        self._graph: av.filter.Graph | None = None
        aspect = stream.sample_aspect_ratio
        self._stretch = Fraction(aspect) if aspect and Fraction(aspect) > 0 else Fraction(1)

    def frames(self, decoded: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """The frames, or what their fields make of them."""
        for frame in decoded:
            if self._graph is None and not frame.interlaced_frame:
                yield frame
                continue
            if self._graph is None:
                self._graph = self._deinterlacer()
                self._clip._remark("the clip is interlaced: its fields are woven into whole frames")
            self._graph.push(frame)
            yield from self._woven(self._graph)
        if self._graph is not None:
            self._graph.push(None)
            yield from self._woven(self._graph)

    def _woven(self, graph: av.filter.Graph) -> Iterator[VideoFrame]:
        from av.error import BlockingIOError as NotYet
        from av.error import EOFError as Ended

        while True:
            try:
                yield graph.pull()  # type: ignore[misc]
            except (NotYet, Ended):
                return

    def pixels(self, frame: VideoFrame) -> RGB8:
        """The pixels: full range, upright, square."""
        width = round(frame.width * self._stretch)
        # Where a file declares no matrix, players go by the size.
        matrix = None if frame.colorspace not in (2, 0) or frame.format.is_rgb else _usual(frame.height)
        shown = frame.reformat(width=width, height=frame.height, format="rgb24", src_colorspace=matrix)
        pixels = shown.to_ndarray()
        if self._stretch != 1:
            self._clip._remark("the clip's pixels are not square: its frames are stretched")
        if turn := round(frame.rotation / 90) % 4:
            self._clip._remark(f"the clip is turned by {90 * turn} degrees, as it declares")
            pixels = np.rot90(pixels, turn)
        return np.ascontiguousarray(pixels)

    def _deinterlacer(self) -> av.filter.Graph:
        from av.filter import Graph

        graph = Graph()
        graph.link_nodes(
            graph.add_buffer(template=self._stream), graph.add("bwdif", "mode=send_frame"), graph.add("buffersink")
        ).configure()
        return graph


def _usual(height: int) -> str:
    return "ITU709" if height >= 720 else "ITU601"
