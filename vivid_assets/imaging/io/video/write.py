"""Writing clips: H.264 in MP4, cut-outs with alpha as ProRes 4444 or VP9, or numbered pictures.

A frame is written when it comes. Times are kept, so that a clip of variable frame rate stays one; sound is copied, or
encoded as AAC where the container cannot hold it as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.io.codec import encode
from vivid_assets.imaging.io.video.read import opened

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

COMPOSITE_SUFFIXES = (".mp4", ".mov", ".mkv")
CUTOUT_SUFFIXES = (".mov", ".webm")
TICKS = 90_000
"""Of a second, that times are written in."""
_COPIED = frozenset({"aac", "ac3", "alac", "mp3"})
"""Sound that MP4, MOV and MKV hold as it is."""


@dataclass(frozen=True)
class Encoding:
    """A codec and what it is to be asked for."""

    codec: str
    pixels: str
    options: dict[str, str]
    tag: str = ""
    """What the container calls the codec, where not as usual."""


def h264(quality: int = 18) -> Encoding:
    """H.264 that every player shows; ``quality`` is its CRF, 0 (lossless) to 51, lower is better."""
    return Encoding("libx264", "yuv420p", {"crf": str(quality), "preset": "medium"})


def composite_encoding(codec: Literal["h264", "hevc"], quality: int) -> Encoding:
    """A composite's: ``h264``, or ``hevc``, which is smaller and slower; ``quality`` is the CRF of both."""
    if codec == "h264":
        return h264(quality)
    # Apple's players know it by this tag alone.
    options = {"crf": str(quality), "preset": "medium", "x265-params": "log-level=error"}
    return Encoding("libx265", "yuv420p", options, "hvc1")


_WITH_ALPHA = {
    ".mov": Encoding("prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}),
    ".webm": Encoding("libvpx-vp9", "yuva420p", {"crf": "18", "b": "0", "row-mt": "1", "cpu-used": "4"}),
}


class FrameSink(Protocol):
    """What takes frames one after the other."""

    def add(self, pixels: NDArray[np.uint8], time: Fraction) -> None:
        """Take a frame (uint8 H×W×3, or H×W×4 with straight alpha) at a time in seconds, later than the last."""


@contextmanager
def writing(
    path: Path, encoding: Encoding, rate: Fraction, *, sound: Path | None = None, comment: str = ""
) -> Iterator[FrameSink]:
    """A sink for a video file, which is there when the block ends without an error, and whole.

    Args:
        path: its suffix decides the container.
        encoding: of the frames.
        rate: frames a second, on average.
        sound: the clip whose first sound track is copied.
        comment: written into the file.

    Raises:
        OSError: the file cannot be written.
    """
    with container_for(path, comment) as container, sound_of(sound) as source:
        sink = _VideoSink(container, encoding, rate, source)
        yield sink
        sink.finish()


@contextmanager
def container_for(path: Path, comment: str = "") -> Iterator[OutputContainer]:
    """A video file to write into, which is there when the block ends without an error, and whole.

    Raises OSError where it cannot be written.
    """
    import av

    part = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        options = {"movflags": "+faststart"} if path.suffix.lower() in (".mp4", ".mov") else {}
        with av.open(str(part), "w", options=options) as container:
            if comment:
                container.metadata["comment"] = comment
            yield container
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def with_alpha(path: Path) -> Encoding:
    """The encoding of a cut-out by its file's suffix: ``.mov`` or ``.webm``."""
    return _WITH_ALPHA[path.suffix.lower()]


@dataclass
class NumberedPictures:
    """A sink that writes PNG pictures named by six digits, from 000000 on."""

    folder: Path
    provenance: str
    number: int = 0

    def add(self, pixels: NDArray[np.uint8], time: Fraction) -> None:
        """See ``FrameSink``; the time is not kept."""
        del time
        (self.folder / f"{self.number:06d}.png").write_bytes(frame_png(pixels, self.provenance))
        self.number += 1


def frame_png(pixels: NDArray[np.uint8], provenance: str) -> bytes:
    """A frame (uint8 H×W×3, or H×W×4 with straight alpha) as PNG."""
    alpha: Matte | None = None
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3].astype(np.float32) / np.float32(255)
    return encode(np.ascontiguousarray(pixels[..., :3]), format="png", alpha=alpha, provenance=provenance)


def even(pixels: RGB8) -> RGB8:
    """Repeat the last row or column of a frame of odd size, which H.264 cannot hold."""
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


class _VideoSink:
    """Encodes frames, and copies the sound beside them as far as they have come."""

    def __init__(self, container: OutputContainer, encoding: Encoding, rate: Fraction, sound: Sound | None) -> None:
        self._container, self._encoding, self._rate = container, encoding, rate
        self._stream: Any = None
        self._last = -1
        self._sound = sound.into(container) if sound else None

    def add(self, pixels: NDArray[np.uint8], time: Fraction) -> None:
        from av import VideoFrame

        pixels = np.ascontiguousarray(even(pixels))
        if self._stream is None:
            self._stream = self._begun(pixels.shape[1], pixels.shape[0])
        frame = VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")
        frame = frame.reformat(format=self._encoding.pixels, dst_colorspace="ITU709", dst_color_range="MPEG")
        # No two frames may have one time.
        self._last = max(round(time * TICKS), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._container.mux(self._stream.encode(frame))
        if self._sound:
            self._sound.copy_until(time)

    def finish(self) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        if self._sound:
            self._sound.copy_until(None)

    def _begun(self, width: int, height: int) -> Any:
        stream: Any = self._container.add_stream(self._encoding.codec, rate=self._rate, options=self._encoding.options)
        stream.width, stream.height, stream.pix_fmt = width, height, self._encoding.pixels
        context = stream.codec_context
        context.time_base = stream.time_base = Fraction(1, TICKS)
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1
        if self._encoding.tag:
            context.codec_tag = self._encoding.tag
        return stream


class Sound:
    """The sound of a clip, read beside its frames; its times are counted from the first frame, as theirs are."""

    def __init__(self, source: Any) -> None:
        self._source, self._stream = source, source.streams.audio[0]
        picture = source.streams.video[0]
        begins = (picture.start_time or 0) * picture.time_base
        self._late = round(begins / self._stream.time_base)
        """Ticks of the sound's own at which the frames begin."""
        self._packets = source.demux(self._stream)
        self._waiting: Any = None
        self._out: AudioStream | Any = None
        self._container: OutputContainer | Any = None

    def into(self, container: OutputContainer) -> Sound:
        """Begin a track in ``container``."""
        self._container = container
        self._is_copied = self._stream.codec_context.name in _COPIED
        if self._is_copied:
            self._out = container.add_stream_from_template(self._stream)
        else:
            self._out = container.add_stream("aac", rate=self._stream.codec_context.sample_rate)
        return self

    def copy_until(self, time: Fraction | None) -> None:
        """Write what sounds up to ``time``; all that is left where it is None."""
        while True:
            packet, self._waiting = self._waiting or self._next(), None
            if packet is None or (packet.dts is None and self._is_copied):
                break
            if time is not None and packet.dts is not None and packet.dts * packet.time_base > time:
                self._waiting = packet
                return
            self._write(packet)
        if time is None and not self._is_copied:
            self._container.mux(self._out.encode())

    def _next(self) -> Any:
        packet = next(self._packets, None)
        if packet is not None and packet.dts is not None:
            packet.dts -= self._late
        if packet is not None and packet.pts is not None:
            packet.pts -= self._late
        return packet

    def _write(self, packet: Any) -> None:
        from av.error import FFmpegError

        if self._is_copied:
            packet.stream = self._out
            self._container.mux(packet)
            return
        try:
            frames = packet.decode()
        except FFmpegError:
            # A gap in the sound is no reason to have no clip, as one among the frames is none.
            return
        for frame in frames:
            self._container.mux(self._out.encode(frame))


def sound_of(path: Path | None) -> AbstractContextManager[Sound | None]:
    """The first sound track of a clip, to be written beside frames; None where no clip is given."""
    return nullcontext() if path is None else _opened_sound(path)


@contextmanager
def _opened_sound(path: Path) -> Iterator[Sound]:
    with opened(path) as source:
        yield Sound(source)
