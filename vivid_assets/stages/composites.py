"""Composites: the subject before its new background, at the source's own size."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from threading import Lock
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resources.scenes.generators import BACKDROP, NOT_GENERATED
from resources.scenes.plain import COLOR, TRANSPARENT, rgb_of
from vivid_assets.catalogue.identity import is_clip
from vivid_assets.imaging.backdrop.render import look_of, render
from vivid_assets.imaging.blend.composite import compose
from vivid_assets.imaging.blend.measures import Measures
from vivid_assets.imaging.blend.options import BlendOptions, Rules
from vivid_assets.imaging.blend.placement import foot_on_scene
from vivid_assets.imaging.blend.rules import broken_rules
from vivid_assets.imaging.blend.separate import CutOut, separate
from vivid_assets.imaging.core.alpha import GIVEN, Alpha, Origin
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.core.own_alpha import shown_alpha
from vivid_assets.imaging.io.carried import Carried
from vivid_assets.imaging.io.codec import SUFFIXES, Format, Picture, SourceType, color_of, decode, encode
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.imaging.io.pixel_budget import budget_of_memory
from vivid_assets.imaging.io.transparency import opaque
from vivid_assets.imaging.plate.lay_shadow import multiply_layer
from vivid_assets.rows.columns import Int32, StoredFile
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.rows.stage import RowInput, Stage
from vivid_assets.rows.tables import read_rows
from vivid_assets.settings import CompositesSettings
from vivid_assets.stages.clips.composites import ClipScene, WantedClip, compose_whole_clip, union_of
from vivid_assets.stages.clips.kept import Parts
from vivid_assets.stages.clips.source import opened_clip, opened_pack
from vivid_assets.stages.masks import persons_mask
from vivid_assets.stages.stage import EachPicture, Pictures, Shard

BYTES_PER_PIXEL = 130
"""What a composite takes, from its source's decoding to its own encoding, with a margin.

Measured where all of it is soft and its mask of its own size: with 8 bits a channel 100, with 16 bits 113; where little
is soft 64 and 83, before a plain background 90 and 107 (``tests/imaging/blend/test_memory.py``).
"""

_OF_CANVAS = frozenset({"align", "fit_shadow", "most_enlarged", "least_canvas"})
_OF_DEPROJECTION = frozenset({"strength", "limit", "falloff"})
"""Settings that matter on a canvas, and in that mode."""

_MAKING = budget_of_memory(BYTES_PER_PIXEL)
_KEPT_PIXELS = 24_000_000
"""Of subjects off their sources that are kept for the next renditions, beside those in hand: up to 50 bytes a pixel,
1.2 GB, which no budget counts. A source of more than half of it is taken apart for each rendition."""


@dataclass(frozen=True, kw_only=True)
class Composite(Measures):
    """A finished picture, and the figures of its blend."""

    file: StoredFile
    mode: str
    """How it was blended."""
    scale: float
    """By how much the photograph was enlarged or reduced on its canvas."""
    alpha_verdict: str | None
    """How the mask's edge compares with the photograph; plate: it was solved against a plain background."""
    spill: float
    """Strength of the original background's light that was taken from the subject, 0 to 1."""
    shadow: str
    shadow_file: StoredFile | None
    shadow_area: float
    shadow_depth: float
    notes: Sequence[str]
    """What the photograph did not show, in words."""
    broken_rules: Sequence[str]
    """Which of its preset's rules it breaks, and how."""
    still_file: StoredFile | None = None
    """Of a clip, the frame that stands for it, as a picture."""


@dataclass(frozen=True)
class Given:
    """The picture's content and the user's own mask, as the ledger has them."""

    content: str
    mask: str
    mask_content: str


@dataclass(frozen=True)
class PreparedSource:
    """The source's format and size."""

    file: str
    source_format: str
    source_width: Int32
    source_height: Int32
    still: Int32 | None


@dataclass(frozen=True)
class Behind:
    """The background."""

    file: str | None
    generator: str
    recipe: str | None
    seed: int | None


@dataclass(frozen=True)
class MaskOf:
    """The mask, and where it comes from."""

    file: str
    origin: Origin
    frames_file: str | None


class _Taken(NamedTuple):
    """A subject off its source, and what of the source goes on into the files."""

    cut: CutOut
    carried: Carried


class _CutOuts:
    """The last subjects that were taken off their sources: the renditions of a picture share one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: dict[Hashable, tuple[Future[_Taken], int]] = {}

    def get(self, key: Hashable, pixels: int, make: Callable[[], _Taken]) -> _Taken:
        """What ``make`` makes for that key, of so many pixels; who comes while it is made waits for it."""
        with self._lock:
            is_first = key not in self._made
            if is_first:
                self._made[key] = Future(), pixels
                while sum(size for _, size in self._made.values()) > _KEPT_PIXELS:
                    del self._made[next(iter(self._made))]
            future, _ = self._made[key]
        if is_first:
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)
        return future.result()


class Compose(EachPicture[Composite]):
    """Blend each picture, as many at a time as memory allows."""

    def __init__(self, stage: Stage, shard: Shard, leases: ExitStack) -> None:
        super().__init__(stage, shard, leases)
        self.settings = shard.settings.composites.model_dump(mode="json")
        self._looks: dict[str, CompositesSettings] = {}
        self._cut_outs = _CutOuts()
        self.order = self.alone = lambda row: is_clip(row.read(Given).content)

    def settings_of(self, row: RowInput) -> Mapping[str, Any]:
        used = self._of_clip(row) if is_clip(row.read(Given).content) else self._of_picture(row)
        if self._look(row).placement.is_as_photographed:
            used = {name: value for name, value in used.items() if name not in _OF_CANVAS}
        rules = self.shard.rendition(row.rendition).rules
        return used if rules == Rules() else used | {"rules": asdict(rules)}

    def _of_clip(self, row: RowInput) -> dict[str, Any]:
        is_clear = row.read(Behind).generator == TRANSPARENT
        idle = {"format", "quality", "refine", "spill", "spill_strength"}
        idle |= {"clip_codec", "clip_quality"} if is_clear else {"clip_cutout"}
        used = self._look(row).model_dump(mode="json", exclude=idle)
        if used["mode"] != "lab-deprojection":
            used = {name: value for name, value in used.items() if name not in _OF_DEPROJECTION}
        return used

    def _of_picture(self, row: RowInput) -> dict[str, Any]:
        wanted, origin = self._look(row), row.read(MaskOf).origin
        source_format = row.read(PreparedSource).source_format
        # Whether JPEG was asked for matters where it cannot be: it holds no transparency.
        is_clear = row.read(Behind).generator == TRANSPARENT
        file_format = wanted.format if is_clear else output_format(source_format, wanted)
        mode = "alpha" if origin == "own" else wanted.mode
        idle = {"clip_codec", "clip_quality", "clip_cutout"} | ({"quality"} if file_format == "png" else set())
        if mode != "decontaminate":
            idle |= {"refine", "spill", "spill_strength"}
        elif not wanted.spill:
            idle |= {"spill_strength"}
        if mode != "lab-deprojection":
            idle |= _OF_DEPROJECTION
        if origin in GIVEN:
            idle |= {"refine"}
        return wanted.model_dump(mode="json", exclude=idle) | {"mode": mode, "format": file_format}

    def make(self, row: RowInput) -> Composite:
        prepared = row.read(PreparedSource)
        width, height = self._look(row).placement.canvas or (0, 0)
        with _MAKING.take(prepared.source_width * prepared.source_height + width * height):
            return self._clip(row) if is_clip(row.read(Given).content) else self._composed(row)

    def _clip(self, row: RowInput) -> Composite:
        mask, background, wanted = row.read(MaskOf), row.read(Behind), self._look(row)
        prepared = row.read(PreparedSource)
        width, height = wanted.placement.canvas or (prepared.source_width, prepared.source_height)
        wanted_clip = WantedClip(
            look=wanted,
            still=prepared.still or 0,
            rules=self.shard.rendition(row.rendition).rules,
            provenance=row.key,
            keep=partial(self.keep, row.key),
        )
        parts = Parts(self.shard.store, self.shard.source.name, self.stage, row.key)
        with (
            opened_pack(self.shard.store, mask.frames_file or "") as masks,
            opened_clip(self.shard, row.picture, row.read(Given).content) as clip,
        ):
            union = union_of(masks)
            foot = foot_on_scene(union, wanted.placement, prepared.source_width)
            behind = self._scene(background, height, width, foot)
            scene = ClipScene(behind, _floor(background), _source_type(background))
            made = compose_whole_clip(clip, masks, union, scene, wanted_clip, parts)
        return Composite(
            file=made.file,
            mode=wanted.mode,
            scale=made.scale,
            alpha_verdict=None,
            spill=0.0,
            shadow=made.shadow,
            shadow_file=made.shadow_file,
            shadow_area=made.shadow_area,
            shadow_depth=made.shadow_depth,
            notes=made.notes,
            broken_rules=made.broken_rules,
            still_file=made.still_file,
            **asdict(made.measures),
        )

    def _composed(self, row: RowInput) -> Composite:
        mask, background, wanted = row.read(MaskOf), row.read(Behind), self._look(row)
        # A source with transparency holds pure foreground colour: there is no original background to remove.
        mode = "alpha" if mask.origin == "own" else wanted.mode
        file_format = output_format(row.read(PreparedSource).source_format, wanted)
        if background.generator == TRANSPARENT and file_format == "jpeg":
            if wanted.format == "jpeg":
                raise PictureFailure("JPEG holds no transparency: set the format of [composites] to png or webp.")
            file_format = "png"
        # Of the formats that come out, PNG alone holds 16 bits.
        taken = self._taken(row, replace(wanted.blend, mode=mode), deep=file_format == "png")
        height, width = taken.cut.alpha.shape
        if wanted.placement.canvas:
            width, height = wanted.placement.canvas
        foot = foot_on_scene(taken.cut.alpha, wanted.placement, taken.cut.alpha.shape[1])
        scene = self._scene(background, height, width, foot)
        blended = compose(taken.cut, scene, shadow=wanted.shadow, floor=_floor(background), placement=wanted.placement)
        encoded = encode(
            blended.composite,
            format=file_format,
            alpha=blended.opacity,
            quality=None if file_format == "png" else wanted.quality,
            source_type=_source_type(background),
            provenance=row.key,
            carried=taken.carried,
            exact=color_of(scene),
        )
        file = self.keep(row.key, SUFFIXES[file_format], encoded)
        shadow, shadow_file = blended.shadow, None
        if blended.shade is not None:
            layer = encode(multiply_layer(blended.shade), format="png", provenance=row.key)
            shadow_file = self.keep(row.key, ".shadow.png", layer)
        return Composite(
            file=file,
            mode=mode,
            scale=blended.place.scale,
            alpha_verdict=blended.alpha_verdict,
            spill=blended.spill.strength,
            shadow=shadow.kind,
            shadow_file=shadow_file,
            shadow_area=shadow.area,
            shadow_depth=shadow.depth,
            notes=blended.notes,
            broken_rules=broken_rules(blended, self.shard.rendition(row.rendition).rules),
            **asdict(blended.measures),
        )

    def _taken(self, row: RowInput, options: BlendOptions, *, deep: bool) -> _Taken:
        """The subject off its source: once for those renditions of a picture that can share it."""

        def take() -> _Taken:
            data = self.shard.source.read(row.picture, row.read(Given).content)
            picture = decode(data, max_pixels=self.shard.max_pixels)
            alpha = self._alpha(row, picture)
            cut = separate(
                picture.rgb16 if deep and picture.rgb16 is not None else picture.rgb,
                alpha,
                options.for_alpha(alpha.origin),
                visible=None if picture.alpha is None or alpha.origin == "own" else shown_alpha(picture.alpha),
            )
            return _Taken(cut, picture.carried)

        source = row.read(PreparedSource)
        pixels = source.source_width * source.source_height
        if not row.rendition or 2 * pixels > _KEPT_PIXELS:
            return take()
        # Of the shadow only whether it is measured.
        shadow: Literal["keep", "none"] = "keep" if options.shadow in ("auto", "keep") else "none"
        return self._cut_outs.get((row.picture, replace(options, shadow=shadow), deep), pixels, take)

    def _look(self, row: RowInput) -> CompositesSettings:
        """The settings as they hold for the row's rendition."""
        if row.rendition not in self._looks:
            self._looks[row.rendition] = self.shard.rendition(row.rendition).composites(self.shard.settings.composites)
        return self._looks[row.rendition]

    def show(self, picture: str, made: Composite) -> Pictures:
        files = (self._prepared[picture]["file"], made.still_file or made.file)
        return [opaque(decode(self.shard.store.read(file), longest=256)) for file in files]

    @cached_property
    def _prepared(self) -> Mapping[str, Mapping[str, Any]]:
        """The rows of the prepared pictures."""
        (stage,) = (reads.stage for reads in self.stage.reads if reads.kind is PreparedSource)
        return read_rows(self.shard.store, stage, self.shard.name)

    def _alpha(self, row: RowInput, picture: Picture) -> Alpha:
        """A given alpha as exactly as it was given, from where it lies; else the networks', at their size."""
        mask, given = row.read(MaskOf), row.read(Given)
        if mask.origin == "own" and picture.alpha is not None:
            return Alpha(picture.alpha, "own")
        if mask.origin == "person":
            return persons_mask(self.shard, given.mask, given.mask_content, *picture.rgb.shape[:2])
        return Alpha(self.stored(mask.file, decode_mask), mask.origin)

    def _scene(self, background: Behind, height: int, width: int, foot: float) -> NDArray[np.uint8] | None:
        """The background: a backdrop drawn at the picture's size, to its subject's foot; others as stored."""
        if background.file is None:
            return None
        if background.generator == COLOR and background.recipe is not None:
            return np.array([[rgb_of(background.recipe)]], np.uint8)
        if background.recipe is not None and background.seed is not None:
            return render(look_of(background.recipe), height, width, seed=background.seed, foot=foot)
        return self.stored(background.file, decode).rgb


def _source_type(background: Behind) -> SourceType:
    return "composite" if background.generator in NOT_GENERATED else "compositeWithTrainedAlgorithmicMedia"


def _floor(background: Behind) -> KeyLight | None:
    """Where the background's key light stands, where it has a floor; None for a picture of the user's."""
    if background.generator == BACKDROP and background.recipe is not None:
        return look_of(background.recipe).key_light
    return None if background.generator in NOT_GENERATED else "above"


def output_format(source_format: str, wanted: CompositesSettings) -> Format:
    """The composite's format: the one that is asked for, or the source's; PNG where that cannot be written."""
    kept = source_format.lower()
    return wanted.format if wanted.format != "source" else kept if kept in SUFFIXES else "png"
