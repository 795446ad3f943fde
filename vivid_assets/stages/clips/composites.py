"""The composite of a clip, as the stage of composites makes it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.composite import Blend
from vivid_assets.imaging.blend.measures import Measures
from vivid_assets.imaging.blend.options import Rules
from vivid_assets.imaging.blend.rules import broken_rules
from vivid_assets.imaging.core.arrays import RGB8, LinearRGB, Matte
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.io.codec import encode
from vivid_assets.imaging.io.layer_files import decode_layer
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.imaging.io.provenance import SourceType, xmp_packet
from vivid_assets.imaging.io.unreadable import UnreadablePicture
from vivid_assets.imaging.io.video.joined import Segment, join_segments
from vivid_assets.imaging.io.video.marking import add_xmp
from vivid_assets.imaging.io.video.read import Clip
from vivid_assets.imaging.io.video.write import FrameSink, composite_encoding, with_alpha, writing
from vivid_assets.imaging.plate.lay_shadow import multiply_layer
from vivid_assets.one_picture.clip_frames import Masked, compose_clip
from vivid_assets.one_picture.clip_shadows import ClipShadows
from vivid_assets.settings import CompositesSettings
from vivid_assets.stages.clips.kept import Parts
from vivid_assets.stages.clips.masks import Note
from vivid_assets.stages.clips.packed import DamagedPack, Packed, shadow_name
from vivid_assets.stages.clips.pictures import SUFFIX, join_pictures, writing_pictures
from vivid_assets.stages.clips.segments import SegmentedVideo
from vivid_assets.stages.clips.source import Timed


@dataclass(frozen=True, eq=False)
class ClipScene:
    """What a clip's subject is put before."""

    rgb: NDArray[np.uint8] | None
    """H×W×3 sRGB; None for none."""
    floor: KeyLight | None
    source_type: SourceType


@dataclass(frozen=True, eq=False)
class WantedClip:
    """A composite of a clip that is to be made."""

    look: CompositesSettings
    """The settings as they hold for it."""
    still: int
    """Number of the frame that stands for it."""
    rules: Rules
    """What its preset demands."""
    provenance: str
    """The digest that is written into the files."""
    keep: Callable[[str, bytes | Path], str]
    """Writes a file of that suffix, its bytes or a copy of one, and gives its path in the store."""


@dataclass(frozen=True, eq=False)
class ComposedClip:
    """A clip that is done."""

    file: str
    """The video, in the store."""
    still_file: str
    """The frame that stands for it, as a picture."""
    shadow_file: str | None
    """The layers of its frames' shadows, as pictures in a ZIP; see ``stages.clips.packed``."""
    scale: float
    shadow: Literal["soft", "none", "kept"]
    shadow_area: float
    shadow_depth: float
    measures: Measures
    """Means over the frames."""
    notes: Sequence[str]
    broken_rules: Sequence[str]


def compose_whole_clip(
    clip: Clip, masks: Packed, union: Matte, scene: ClipScene, wanted: WantedClip, parts: Parts
) -> ComposedClip:
    """Put a clip before its background, and encode it, or go on with it: one frame in memory at a time.

    Args:
        clip: its frames and sound.
        masks: of its frames, and their shadows.
        union: the most that any of them has.
        scene: what it is put before.
        wanted: how.
        parts: where what is unfinished is kept.

    Raises:
        ValueError: the clip cannot be read.
    """
    look, output = wanted.look, _output(clip, scene, wanted)
    shadows = ClipShadows(partial(_layer, masks), [Note(*note).scene for note in masks.notes["frames"]])
    shadow = shadows.choice(look.shadow, partial(_alpha, masks), scene.floor)
    with (
        TemporaryDirectory(prefix="vivid-composite-") as folder,
        SegmentedVideo(parts, Path(folder), output.suffix, output.begin) as video,
    ):
        video.earlier()
        begin, frames = len(video.notes), Timed(clip, video.times)
        done = compose_clip(
            _masked(frames, masks, shadows if shadow == "keep" else None, begin),
            union,
            scene.rgb,
            look.blend,
            shadow=shadow,
            floor=scene.floor,
            placement=look.placement,
        )
        for number, one in enumerate(done, start=begin):
            note = _note(one, frames.times[number])
            if number == wanted.still:
                note |= _still(one, scene.source_type, wanted)
            pixels = one.cutout if one.is_transparent else one.composite.astype(np.uint8, copy=False)
            video.add(pixels, note, _shade(one, wanted.provenance))
        path = video.finish(output.join)
        add_xmp(path, xmp_packet(scene.source_type, wanted.provenance))
        file = wanted.keep(output.suffix, path)
        shadow_file = wanted.keep(".shadow.zip", video.shadows) if video.shadows else None
    parts.remove()
    return ComposedClip(
        file=file, shadow_file=shadow_file, **video.notes[wanted.still]["still"], **_summed_up(video.notes)
    )


class _Output(NamedTuple):
    """The file that a clip becomes."""

    suffix: str
    begin: Callable[[Path], AbstractContextManager[FrameSink]]
    """Begins a segment of it."""
    join: Callable[[Path, Sequence[Segment]], None]
    """Makes it of all segments."""


def _output(clip: Clip, scene: ClipScene, wanted: WantedClip) -> _Output:
    look, clear = wanted.look, scene.rgb is None
    if clear and look.clip_cutout == "png":
        return _Output(SUFFIX, partial(writing_pictures, provenance=wanted.provenance), join_pictures)
    suffix = f".{look.clip_cutout}" if clear else ".mp4"
    encoding = with_alpha(Path(f"cutout{suffix}")) if clear else composite_encoding(look.clip_codec, look.clip_quality)
    return _Output(
        suffix,
        partial(writing, encoding=encoding, rate=clip.rate),
        partial(
            join_segments,
            sound=clip.path if clip.has_audio and suffix != ".webm" else None,
            comment=f"vivid_assets {wanted.provenance} {scene.source_type}",
        ),
    )


def _note(done: Blend, time: Fraction) -> dict[str, Any]:
    """What is kept of a frame."""
    return {
        "time": time.as_integer_ratio(),
        "notes": [*done.notes],
        "measures": {name: None if value is None else float(value) for name, value in asdict(done.measures).items()},
        "shadow": done.shadow.kind,
        "shadow_size": (float(done.shadow.area), float(done.shadow.depth)),
    }


def _still(done: Blend, source_type: SourceType, wanted: WantedClip) -> dict[str, Any]:
    """What is kept of the frame that stands for the clip, whose picture is written."""
    picture, suffix = _as_picture(done, source_type, wanted.provenance)
    said = {
        "still_file": wanted.keep(f".still{suffix}", picture),
        "scale": float(done.place.scale),
        "broken_rules": [*broken_rules(done, wanted.rules)],
    }
    return {"still": said}


def _summed_up(notes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is said of the clip: means over its frames, and what any of them says."""

    def mean(name: str) -> float | None:
        known = [value for note in notes if (value := note["measures"][name]) is not None]
        return float(np.mean(known)) if known else None

    area, depth = np.mean([note["shadow_size"] for note in notes], axis=0).tolist()
    kinds = {note["shadow"] for note in notes}
    return {
        "shadow": next((kind for kind in ("kept", "soft") if kind in kinds), "none"),
        "measures": Measures(**{one.name: mean(one.name) for one in fields(Measures)}),  # type: ignore[arg-type]
        "shadow_area": area,
        "shadow_depth": depth,
        "notes": [*dict.fromkeys(said for note in notes for said in note["notes"])],
    }


def _as_picture(done: Blend, source_type: SourceType, provenance: str) -> tuple[bytes, str]:
    if done.is_transparent:
        data = encode(done.composite, format="png", alpha=done.opacity, source_type=source_type, provenance=provenance)
        return data, ".png"
    picture: RGB8 = done.composite.astype(np.uint8, copy=False)
    return encode(picture, format="jpeg", quality=92, source_type=source_type, provenance=provenance), ".jpg"


def _shade(done: Blend, provenance: str) -> bytes | None:
    """The layer of a frame's shadow on the canvas as a picture, white where there is none; None for none at all."""
    if done.shade is None:
        return None
    return encode(multiply_layer(done.shade), format="png", provenance=provenance)


def _masked(frames: Iterable[RGB8], masks: Packed, shadows: ClipShadows | None, first: int) -> Iterator[Masked]:
    """Frames from the ``first`` on, each with its mask, and its shadow where that is to be kept."""
    for number, frame in enumerate(frames, start=first):
        yield Masked(frame, _alpha(masks, number), shadows.steady(number) if shadows else None)


def _alpha(masks: Packed, number: int) -> Matte:
    return _undamaged(decode_mask, masks.picture(number))


def _layer(masks: Packed, number: int) -> LinearRGB | None:
    name = shadow_name(number)
    return _undamaged(decode_layer, masks.read(name)) if masks.has(name) else None


def _undamaged(decode: Callable[[bytes], Matte], data: bytes) -> Matte:
    """What a file of the store's own holds. Raises DamagedPack."""
    try:
        return decode(data)
    except UnreadablePicture as error:
        raise DamagedPack(error) from error


def union_of(masks: Packed) -> Matte:
    """The most that any of the masks has: float32 h×w, 0..1."""
    union: Any = None
    for number in masks.numbers:
        alpha = _alpha(masks, number)
        union = alpha if union is None else np.maximum(union, alpha)
    return np.asarray(union, np.float32)
