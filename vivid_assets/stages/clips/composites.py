"""The composite of a clip, as the stage of composites makes it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.composite import Blend
from vivid_assets.imaging.blend.measures import Measures
from vivid_assets.imaging.blend.options import Rules
from vivid_assets.imaging.blend.rules import broken_rules
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.io.codec import encode
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.imaging.io.provenance import SourceType, xmp_packet
from vivid_assets.imaging.io.video.marking import add_xmp
from vivid_assets.imaging.io.video.read import Clip
from vivid_assets.imaging.io.video.write import composite_encoding, with_alpha, writing
from vivid_assets.one_picture.clip_frames import clip_shadow, compose_clip
from vivid_assets.settings import CompositesSettings
from vivid_assets.stages.clips.packed import Packed
from vivid_assets.stages.clips.source import Timed


@dataclass(frozen=True, eq=False)
class ClipScene:
    """What a clip's subject is put before."""

    rgb: NDArray[np.uint8] | None
    """H×W×3 sRGB; None for none."""
    floor: KeyLight | None
    source_type: SourceType


@dataclass(frozen=True, eq=False)
class ComposedClip:
    """A clip that is done."""

    data: bytes
    """The video."""
    suffix: str
    still: bytes
    """The frame that stands for it, as a picture."""
    still_suffix: str
    scale: float
    shadow: Literal["soft", "none", "kept"]
    shadow_area: float
    shadow_depth: float
    measures: Measures
    """Means over the frames."""
    notes: Sequence[str]
    broken_rules: Sequence[str]


class _Figures:
    """What is summed up over the frames."""

    def __init__(self, number: int, rules: Rules) -> None:
        self._number, self._rules = number, rules
        self.count = 0
        self.still: Blend | None = None
        self.broken: tuple[str, ...] = ()
        self.notes: dict[str, None] = {}
        self._measured: list[Measures] = []
        self._shadows: list[tuple[float, float]] = []

    def add(self, done: Blend) -> None:
        if self.count == self._number:
            self.still, self.broken = done, broken_rules(done, self._rules)
        self.count += 1
        self.notes |= dict.fromkeys(done.notes)
        self._measured.append(done.measures)
        self._shadows.append((done.shadow.area, done.shadow.depth))

    @property
    def measures(self) -> Measures:
        return Measures(**{one.name: self._mean(one.name) for one in fields(Measures)})  # type: ignore[arg-type]

    def _mean(self, name: str) -> float | None:
        known = [value for one in self._measured if (value := getattr(one, name)) is not None]
        return float(np.mean(known)) if known else None

    @property
    def shadow(self) -> tuple[float, float]:
        area, depth = np.mean(self._shadows, axis=0).tolist()
        return area, depth


def compose_whole_clip(
    clip: Clip,
    masks: Packed,
    union: Matte,
    scene: ClipScene,
    wanted: CompositesSettings,
    *,
    still: int,
    rules: Rules,
    provenance: str,
) -> ComposedClip:
    """Put a clip before its background, and encode it: one frame in memory at a time.

    Args:
        clip: its frames and sound.
        masks: of its frames.
        union: the most that any of them has.
        scene: what it is put before.
        wanted: the settings as they hold for it.
        still: number of the frame that stands for it.
        rules: what its preset demands.
        provenance: the digest that is written into the file.

    Raises:
        ValueError: the clip cannot be read, or its own shadow is to be kept.
    """
    clear = scene.rgb is None
    suffix = f".{wanted.clip_cutout}" if clear else ".mp4"
    encoding = (
        with_alpha(Path(f"cutout{suffix}")) if clear else composite_encoding(wanted.clip_codec, wanted.clip_quality)
    )
    figures, frames = _Figures(still, rules), Timed(clip)
    done = compose_clip(
        frames,
        _alphas(masks),
        union,
        scene.rgb,
        wanted.blend,
        shadow=clip_shadow(wanted.shadow, scene.floor),
        floor=scene.floor,
        placement=wanted.placement,
    )
    with TemporaryDirectory(prefix="vivid-composite-") as folder:
        path = Path(folder) / f"composite{suffix}"
        sound = clip.path if clip.has_audio and suffix != ".webm" else None
        comment = f"vivid_assets {provenance} {scene.source_type}"
        with writing(path, encoding, clip.rate, sound=sound, comment=comment) as sink:
            for one in done:
                figures.add(one)
                sink.add(one.cutout if one.is_transparent else one.composite.astype(np.uint8, copy=False), frames.time)
        add_xmp(path, xmp_packet(scene.source_type, provenance))
        data = path.read_bytes()
    assert figures.still is not None
    picture, picture_suffix = _as_picture(figures.still, scene.source_type, provenance)
    area, depth = figures.shadow
    return ComposedClip(
        data=data,
        suffix=suffix,
        still=picture,
        still_suffix=picture_suffix,
        scale=figures.still.place.scale,
        shadow=figures.still.shadow.kind,
        shadow_area=area,
        shadow_depth=depth,
        measures=figures.measures,
        notes=[*figures.notes],
        broken_rules=figures.broken,
    )


def _as_picture(done: Blend, source_type: SourceType, provenance: str) -> tuple[bytes, str]:
    if done.is_transparent:
        data = encode(done.composite, format="png", alpha=done.opacity, source_type=source_type, provenance=provenance)
        return data, ".png"
    picture: RGB8 = done.composite.astype(np.uint8, copy=False)
    return encode(picture, format="jpeg", quality=92, source_type=source_type, provenance=provenance), ".jpg"


def _alphas(masks: Packed) -> Iterator[Matte]:
    for png in masks.pictures():
        yield decode_mask(png)


def union_of(masks: Packed) -> Matte:
    """The most that any of the masks has: float32 h×w, 0..1."""
    union: Any = None
    for alpha in _alphas(masks):
        union = alpha if union is None else np.maximum(union, alpha)
    return np.asarray(union, np.float32)
