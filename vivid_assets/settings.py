"""The settings of every stage: defaults here, overridden by ``vivid.toml``, overridden by a catalogue's file.

A stage's settings are part of its rows' keys: what is changed here reruns exactly the stages that read it.

There are two domains of trust. ``vivid.toml`` belongs to whoever runs the pipeline and may say everything. A
catalogue's file belongs to whoever may put a picture into its folder: what it can reach is ``CatalogueSettings``, how
pictures look, and never which model's files and code are loaded, on which device, or how much is taken at a time.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from upath import UPath

from resources.masks.tier import MaskTier
from resources.masks.tiers import MASK_TIERS
from resources.models import model_named, tables
from resources.registry import BrokenPlugin, Registry
from resources.resource import Model as NamedModel
from resources.resource import Resource
from resources.scenes.generator import SceneGenerator
from resources.scenes.generators import AUTO, BACKDROP, GENERATORS, generator_names
from resources.scenes.plain import TRANSPARENT
from resources.spelling import did_you_mean
from vivid_assets.flow import STAGE_NAMES, stage_named
from vivid_assets.imaging.blend.options import (
    ALIGNED,
    Align,
    BlendOptions,
    Falloff,
    Fit,
    Mode,
    Padding,
    Placement,
    Rules,
)
from vivid_assets.imaging.io.video.limits import ClipLimits
from vivid_assets.imaging.matte.quality import Thresholds
from vivid_assets.presets import presets

_BLEND = BlendOptions()
_PLACEMENT = Placement()
_LARGEST_CANVAS = 120_000_000
VIVID_TOML = "vivid.toml"
LONGEST_TEXT = 10_000
"""Characters of a prompt."""


class StageSettings(BaseModel):
    """One stage's settings: immutable, and closed to names that do not exist."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    for_catalogues: ClassVar[type[BaseModel] | None] = None
    """What of them a catalogue may set for itself, of stages that ``CatalogueSettings`` does not name."""


def _one_of(name: str, names: Iterable[str]) -> str:
    """``name``, if it is one of ``names``. Raises ValueError as pydantic does for a literal."""
    *others, last = (repr(one) for one in names)
    if repr(name) not in (*others, last):
        raise ValueError(f"Input should be {', '.join(others)} or {last}, and not {name!r}")
    return name


def tier_name(name: str) -> str:
    """``name``, if it is a mask tier's, with a model after a colon or without. Raises ValueError."""
    return _model_name(name, MASK_TIERS, MASK_TIERS.names)


def generator_name(name: str) -> str:
    """``name``, if the settings may ask for such a generator: as ``tier_name``. Raises ValueError."""
    return name if name in (AUTO, BACKDROP) else _model_name(name, GENERATORS, generator_names)


def _model_name(name: str, models: Registry[Any], names: Callable[[], Iterable[str]]) -> str:
    kind, colon, model = name.partition(":")
    if kind not in models.own:
        _one_of(kind, names())
    if colon:
        models.load(kind)().of_model(model)
    return name


def _is_listed(name: str, models: Registry[Any]) -> bool:
    """Whether a name has no model of somebody's after a colon, but one of a list, or none."""
    kind, colon, model = name.partition(":")
    return not colon or model in models.load(kind).models()


class PreparedImagesLook(StageSettings):
    """The size that the models see."""

    longest: int = Field(1024, ge=64, le=4096, description="Longest side of the models' picture, in pixels.")


class PreparedImagesSettings(PreparedImagesLook):
    """Decoding, and the size that the models see."""

    max_megapixels: float = Field(120.0, gt=0, description="A larger picture is refused by its header.")
    max_clip_megapixels: float = Field(9.44, gt=0, description="A clip with larger frames is refused.")
    max_clip_seconds: float = Field(600.0, gt=0, description="A longer clip is refused.")
    max_clip_frames: int = Field(20_000, ge=1, description="A clip with more frames is refused.")

    @property
    def clips(self) -> ClipLimits:
        """What a clip may have at most."""
        return ClipLimits(self.max_clip_seconds, round(self.max_clip_megapixels * 1e6), self.max_clip_frames)


class BackgroundsSettings(StageSettings):
    """Where backgrounds come from; a catalogue's own folder of backgrounds goes before both."""

    generator: Annotated[str, AfterValidator(generator_name)] = Field(
        AUTO,
        description="sdxl; text_to_image or text_to_image:ORG/NAME@COMMIT, another pipeline of diffusers; backdrop, "
        "the drawn studio; auto, SDXL where it can be used (GPU, weights), else backdrop.",
    )
    place: Literal["scene", "inpaint"] = Field(
        "scene",
        description="scene: shared by all pictures with equal requests. inpaint: SDXL paints around the picture's "
        "subject, so that ground and light match it; one scene a picture, generated again when its mask changes.",
    )

    @model_validator(mode="after")
    def _who_can_inpaint(self) -> "BackgroundsSettings":
        knows = self.generator == AUTO or (self.generator != BACKDROP and GENERATORS.load(self.generator).paints_around)
        if self.place == "inpaint" and not knows:
            raise ValueError(f"place inpaint needs SDXL: the generator {self.generator} knows no subject")
        return self


class MasksSettings(StageSettings):
    """The ladder of mask tiers."""

    tiers: tuple[Annotated[str, AfterValidator(tier_name)], ...] = Field(
        ("birefnet", "u2net", "gradients"),
        min_length=1,
        description="Tried in this order until a mask passes the quality check.",
    )
    refine: bool = Field(True, description="Follow the picture's own edges with a guided filter.")
    stretch_low: float = Field(0.1, ge=0, lt=1, description="Probability that becomes alpha 0.")
    stretch_high: float = Field(0.9, gt=0, le=1, description="Probability that becomes alpha 1.")
    line_art_threshold: float = Field(0.5, ge=0, le=1, description="Probability from which a picture is line art.")
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict,
        description="Thresholds of the verdicts, by name (docs/masks.md); the others keep their defaults.",
    )
    matting: Literal["none", "vitmatte"] = Field(
        "none", description="Matting model that refines alpha along the edges of photographs' masks."
    )

    @field_validator("thresholds")
    @classmethod
    def _known_thresholds(cls, given: dict[str, float]) -> dict[str, float]:
        known = [field.name for field in fields(Thresholds)]
        if unknown := sorted(given.keys() - set(known)):
            raise ValueError(_no_entry(unknown[0], known, "threshold"))
        return given


class CompositesSettings(StageSettings):
    """Blending, and the file that comes out."""

    mode: Mode = Field(_BLEND.mode, description="How the original background is removed from the edges.")
    refine: bool = Field(
        _BLEND.refine, description="Correct an alpha that the photograph shows to be blurred or coarse."
    )
    spill: bool = Field(
        _BLEND.spill, description="Remove the original background's light from the subject's rim, if there is any."
    )
    spill_strength: float = Field(
        _BLEND.spill_strength, ge=0, le=1, description="Share of the reflected light that is removed."
    )
    strength: float = Field(_BLEND.strength, ge=0, le=1, description="Of the deprojection, in mode lab-deprojection.")
    limit: float = Field(
        _BLEND.limit, ge=1, le=60, description="Lab distance to the original background where the deprojection ends."
    )
    falloff: Falloff = Field(_BLEND.falloff, description="How the deprojection falls with that distance.")
    shadow: Literal["auto", "keep", "soft", "none"] = Field(
        "auto",
        description="keep: the shadow on a plain original background. soft: a drawn contact shadow. auto: keep it "
        "if it is credible; otherwise soft in a scene, under a subject that stands.",
    )
    canvas: str = Field(
        "source",
        description="Size of the composites, WIDTHxHEIGHT in pixels; 'source' keeps the picture's own.",
    )
    fit: Fit = Field(
        _PLACEMENT.fit,
        description="What fills the canvas less its padding: the whole photograph, or its subject alone.",
    )
    padding: float | tuple[float, float, float, float] = Field(
        0.0,
        description="Room on the canvas: a share of its side below 1, else pixels; one number, or left, top, right and "
        "bottom.",
    )
    align: Align = Field("center", description="Where the subject stands in the room that is left.")
    fit_shadow: bool = Field(
        _PLACEMENT.with_shadow, description="Whether the shadow counts as part of the subject that is fitted."
    )
    most_enlarged: float = Field(
        _PLACEMENT.most_enlarged, gt=0, le=16, description="The largest factor by which a photograph is enlarged."
    )
    least_canvas: str = Field(
        "",
        description="How small the canvas may become, in its shape, for a photograph that would have to be enlarged; "
        "empty: it keeps its size.",
    )
    format: Literal["source", "png", "jpeg", "webp"] = Field(
        "source", description="The composites' file format; 'source' keeps the picture's own."
    )
    quality: int = Field(92, ge=1, le=100, description="JPEG and WebP quality.")
    clip_codec: Literal["h264", "hevc"] = Field("h264", description="Codec of clips' composites, which are MP4.")
    clip_quality: int = Field(
        18, ge=0, le=51, description="Quality of clips' composites: lower is better, 0 is lossless."
    )
    clip_cutout: Literal["mov", "webm", "png"] = Field(
        "mov",
        description="File of a clip without a background, with alpha: mov, ProRes 4444; webm, VP9; png, a ZIP with a "
        "PNG a frame.",
    )

    @field_validator("canvas", "least_canvas")
    @classmethod
    def _is_a_size(cls, given: str, info: ValidationInfo) -> str:
        nothing = "source" if info.field_name == "canvas" else ""
        if given == nothing:
            return given
        if not re.fullmatch(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}", given):
            either = nothing or "leave it empty"
            raise ValueError(f"write WIDTHxHEIGHT in pixels, such as 2000x2000, or {either}, not {given!r}")
        width, height = _size_of(given) or (0, 0)
        if width * height > _LARGEST_CANVAS:
            raise ValueError(f"a canvas has at most {_LARGEST_CANVAS / 1e6:.0f} megapixels, not {given}")
        return given

    @field_validator("padding")
    @classmethod
    def _sensible_padding(cls, given: float | tuple[float, float, float, float]) -> Any:
        Padding(*given) if isinstance(given, tuple) else Padding.all_round(given)
        return given

    @property
    def blend(self) -> BlendOptions:
        """How the subject is taken off its photograph."""
        return BlendOptions(
            **self.model_dump(include={field.name for field in fields(BlendOptions)} & {*type(self).model_fields})
        )

    @property
    def placement(self) -> Placement:
        """Where the subject stands on which canvas."""
        room = Padding(*self.padding) if isinstance(self.padding, tuple) else Padding.all_round(self.padding)
        return Placement(
            _size_of(self.canvas),
            room,
            self.fit,
            ALIGNED[self.align],
            self.fit_shadow,
            self.most_enlarged,
            _size_of(self.least_canvas),
        )


def _size_of(canvas: str) -> tuple[int, int] | None:
    if canvas in ("source", ""):
        return None
    width, height = canvas.split("x")
    return int(width), int(height)


OF_RENDITIONS = (
    "shadow",
    "canvas",
    "fit",
    "padding",
    "align",
    "fit_shadow",
    "most_enlarged",
    "least_canvas",
    "format",
    "quality",
)
"""The entries of CompositesSettings that a rendition may have for itself."""


class Rendition(StageSettings):
    """One of the pictures that are made of each product: where it differs from the catalogue's own.

    Beside the entries below it may have those of ``[composites]`` that say how the picture is laid out
    (``OF_RENDITIONS``).
    """

    model_config = ConfigDict(extra="allow")

    preset: str = Field("", description="Preset whose entries it starts from.")
    prompt: str = Field("", max_length=LONGEST_TEXT, description="Its background, in words.")
    negative_prompt: str = Field("", max_length=LONGEST_TEXT, description="What its background must not show.")
    background: str = Field(
        "",
        max_length=LONGEST_TEXT,
        description="Its background in place of words: a picture, a colour such as '#ffffff', or 'transparent'.",
    )
    seed: int | None = Field(None, ge=0, lt=2**63, description="Seed of its background.")
    generator: Annotated[str, AfterValidator(generator_name)] | None = Field(
        None, description="How its background is made; without it as [backgrounds] says."
    )

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, given: str) -> str:
        if given and given not in presets():
            raise ValueError(_no_entry(given, presets(), "preset"))
        return given

    @model_validator(mode="after")
    def _known_entries(self) -> "Rendition":
        known = [*type(self).model_fields, *OF_RENDITIONS]
        if unknown := sorted((self.model_extra or {}).keys() - {*known}):
            raise ValueError(_no_entry(unknown[0], known))
        if self.prompt and self.background:
            raise ValueError("prompt and background exclude each other: keep one of them")
        try:
            laid_out = self.composites(CompositesSettings())
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {said(first)}") from error
        if canvas := laid_out.placement.canvas:
            laid_out.placement.padding.room(*canvas)
        if self.entries.get("background") == TRANSPARENT and laid_out.format == "jpeg":
            raise ValueError("format: JPEG holds no transparency: set it to png or webp")
        return self

    @property
    def entries(self) -> dict[str, Any]:
        """All that it says, its preset's too."""
        given = self.model_dump(exclude_unset=True)
        start = {**presets()[self.preset].entries} if self.preset else {}
        if given.get("prompt"):
            start.pop("background", None)
        return start | given

    @property
    def rules(self) -> Rules:
        """What its preset demands; nothing without one."""
        return presets()[self.preset].rules if self.preset else Rules()

    def composites(self, common: CompositesSettings) -> CompositesSettings:
        """``[composites]`` as it holds for this rendition."""
        own = {name: value for name, value in self.entries.items() if name in OF_RENDITIONS}
        return CompositesSettings(**common.model_dump() | own)


def _rendition_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise ValueError("a rendition's name has small letters, digits, - and _, 40 at most")
    return name


RenditionName = Annotated[str, AfterValidator(_rendition_name)]


class ReviewSettings(StageSettings):
    """The review page."""

    high_leakage: float = Field(
        0.75, gt=0, description="Leakage of the original background into the edge above which a picture needs review."
    )
    review_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of a shard's pictures that need review: certain faults, then the least sure masks. "
        "Without it those that the verdicts name.",
    )


class ChecksSettings(StageSettings):
    """What the asset checks tolerate. No row depends on it, so a change here reruns nothing."""

    tolerated_share: float = Field(
        0.05, ge=0, le=1, description="Largest share of failed pictures that does not stop a shard."
    )
    tolerated_pictures: int = Field(
        10, ge=0, description="Number of failed pictures that never stops a shard, however small."
    )
    last_tier_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Tolerated share of masks by the last tier although another was requested, or degraded.",
    )
    leakage: float = Field(
        0.75,
        gt=0,
        description="Leakage of the original background into the edge from which a halo is visible.",
    )
    halo_share: float = Field(0.05, ge=0, le=1, description="Tolerated share of composites with a visible halo.")
    black_share: float = Field(0.0, ge=0, le=1, description="Tolerated share of black generated backgrounds.")
    flicker: float = Field(
        0.03,
        gt=0,
        description="Share of a clip's subject that may come or go between two frames though nothing moves it, on "
        "average.",
    )
    lost_share: float = Field(
        0.1, ge=0, le=1, description="Tolerated share of a clip's frames in which the subject is not found."
    )
    verdict_sigmas: float = Field(
        4.0, gt=0, description="Standard deviations by which a shard's doubtful masks may exceed its catalogue's."
    )
    history: int = Field(
        10_000, ge=100, description="Earlier pictures of the catalogue that a shard's verdicts are compared with."
    )
    severity: Literal["warn", "error"] = Field(
        "warn", description="Severity of all checks but `complete`, which warns, and stops above its tolerance."
    )


class NightsSettings(StageSettings):
    """How much the sensor and the schedule ask of Dagster."""

    runs_per_tick: int = Field(
        100, ge=1, le=2000, description="Most runs requested per tick; the next tick requests the rest."
    )
    changed_settings: bool = Field(
        False,
        description="Whether the schedule also requests shards that were made with other settings; otherwise they wait "
        "for the job update.",
    )


class CatalogueSettings(StageSettings):
    """What a catalogue may set for itself, in ``catalogue.toml``: how its pictures look, and nothing else.

    Models, consent to their code, downloads, devices, batch sizes, decoding limits, checks and nights are not here:
    they are ``vivid.toml``'s, since whoever may put a picture into a folder must not own the machine. The tables of
    models (``Resource.for_catalogues``) are beside the stages', by their names.
    """

    model_config = ConfigDict(extra="allow")

    prepared_images: PreparedImagesLook = PreparedImagesLook()
    backgrounds: BackgroundsSettings = BackgroundsSettings()
    masks: MasksSettings = MasksSettings()
    composites: CompositesSettings = CompositesSettings()
    review: ReviewSettings = ReviewSettings()
    renditions: dict[RenditionName, Rendition] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _tables_of_models(cls, given: Any) -> Any:
        return _with_models(cls, given, _taste_of)

    @model_validator(mode="after")
    def _no_models_of_its_own(self) -> "CatalogueSettings":
        """A tier or a generator may be chosen, but no folder or repository from which weights and code are loaded."""
        generators = [self.backgrounds.generator, *(one.generator or "" for one in self.renditions.values())]
        asked: list[tuple[str, Registry[Any]]] = [(name, MASK_TIERS) for name in self.masks.tiers]
        asked += [(name, GENERATORS) for name in generators]
        for name, models in asked:
            if not _is_listed(name, models):
                raise ValueError(
                    f"{name} is not a catalogue's to name: a model of your own belongs in vivid.toml, the settings of "
                    "whoever runs the pipeline (VIVID_SETTINGS)"
                )
        return self

    def said(self) -> dict[str, dict[str, Any]]:
        """The entries that were given, by table; defaults are left out."""
        return self.model_dump(mode="json", exclude_unset=True)


class Settings(BaseModel):
    """The settings of the stages that have any, of checks and nights; the tables of ``vivid.toml`` have these names.

    The tables of models are beside them, by their names: ``entries`` reads one.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    prepared_images: PreparedImagesSettings = PreparedImagesSettings()
    backgrounds: BackgroundsSettings = BackgroundsSettings()
    masks: MasksSettings = MasksSettings()
    composites: CompositesSettings = CompositesSettings()
    review: ReviewSettings = ReviewSettings()
    renditions: dict[RenditionName, Rendition] = Field(default_factory=dict)
    checks: ChecksSettings = ChecksSettings()
    nights: NightsSettings = NightsSettings()

    @model_validator(mode="before")
    @classmethod
    def _tables_of_models(cls, given: Any) -> Any:
        return _with_models(cls, given, _entries_of)

    @model_validator(mode="after")
    def _large_pictures_reach_their_model(self) -> "Settings":
        for name, entries in (self.model_extra or {}).items():
            with suppress(BrokenPlugin):
                if (model := model_named(name)) and issubclass(model, MaskTier):
                    model(**entries).check_longest(self.prepared_images.longest)
        return self

    def rendition(self, name: str) -> Rendition:
        """The rendition of that name, or of a preset's; without a name what the catalogue says for all.

        Raises:
            ValueError: there is none.
        """
        if not name:
            return Rendition()
        if name in self.renditions:
            return self.renditions[name]
        if name not in presets():
            raise ValueError(_no_entry(name, [*self.renditions, *presets()], "rendition"))
        return Rendition(preset=name)

    def entries(self, model: str) -> dict[str, Any]:
        """What the table of a model says; empty where there is none."""
        found: dict[str, Any] = (self.model_extra or {}).get(model, {})
        return found


def _with_models(cls: type[BaseModel], given: Any, read: Callable[[str, Any], dict[str, Any]]) -> Any:
    """What is ``given`` with the tables of models checked by ``read``; what has no such name is refused."""
    if not isinstance(given, Mapping):
        return given
    for name in given:
        if not _has_table(cls, name):
            raise ValueError(unknown_entry(name, _tables(cls)))
    return {name: value if name in cls.model_fields else read(name, value) for name, value in given.items()}


def _has_table(cls: type[BaseModel], name: str) -> bool:
    return name in cls.model_fields or bool(_declared(cls, name))


def _tables(cls: type[BaseModel]) -> list[str]:
    """The tables that ``cls`` may have."""
    return [*cls.model_fields, *(name for name in (*STAGE_NAMES, *tables()) if _is_beside(cls, name))]


def _is_beside(cls: type[BaseModel], name: str) -> bool:
    return name not in cls.model_fields and bool(_declared(cls, name))


def _declared(cls: type[BaseModel], name: str) -> type[BaseModel] | None:
    """What says which entries the table of that name may have in ``cls``; None where it may have no such table."""
    if name == "renditions":
        return Rendition
    if field := cls.model_fields.get(name):
        return cast("type[BaseModel]", field.annotation)
    try:
        own: Any = stage_named(name).settings if name in STAGE_NAMES else model_named(name)
    except BrokenPlugin:
        # Whoever asks for the model is told; to the others it is nothing.
        return _Anything if cls is Settings else None
    declared: type[BaseModel] | None = own if cls is Settings else own and own.for_catalogues
    return declared


class _Anything(BaseModel):
    """The settings of a model whose package is broken, which nobody can check."""

    model_config = ConfigDict(extra="allow")


def _taste_of(name: str, entries: Any) -> dict[str, Any]:
    """A catalogue's ``entries`` for a model, checked. Raises ValueError naming a bad one."""
    return _checked(CatalogueSettings, name, entries, ".").model_dump(mode="json", exclude_unset=True)


def _entries_of(name: str, entries: Any) -> dict[str, Any]:
    """The operator's ``entries`` for a model, checked. Raises ValueError naming a bad one."""
    _checked(Settings, name, entries, ": ")
    return dict(entries)


def _checked(cls: type[BaseModel], name: str, entries: Any, colon: str) -> BaseModel:
    model = cast("type[BaseModel]", _declared(cls, name))
    if not isinstance(entries, Mapping):
        raise ValueError(f"{name}: {_no_table(name)}")
    unknown = sorted(entries.keys() - model.model_fields.keys())
    if unknown and model is not _Anything:
        where = f"{name}.{unknown[0]}" if colon == "." else name
        raise ValueError(f"{where}: {_no_entry(unknown[0], model.model_fields)}")
    try:
        return model(**entries)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{name}{colon}{'.'.join(map(str, first['loc']))}: {said(first)}") from error


Model = TypeVar("Model", bound=Resource)


def configured(model: Model, entries: Mapping[str, Any]) -> Model:
    """``model`` with ``entries`` of the settings on top. Raises ValueError when one does not fit."""
    try:
        # What nobody has set may still follow from the model that is named.
        return type(model)(**{**model.model_dump(exclude_unset=True), **entries}) if entries else model
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"]))
        raise ValueError(f"The settings of {type(model).__name__} do not fit: {entry}: {said(first)}") from error


Named = TypeVar("Named", bound=NamedModel)


def find_model(
    models: Registry[Named], name: str, settings: Settings, given: Mapping[str, Resource] | None = None
) -> Named:
    """The model of that name as the settings have it, on top of what a run was ``given``.

    Raises:
        ValueError: there is none of that name, or none that it has after a colon.
        BrokenPlugin: an installed package brings it, and it cannot be loaded.
    """
    kind, colon, which = name.partition(":")
    model = cast("Named", (given or {}).get(kind) or models.load(kind)())
    model = configured(model, settings.entries(kind))
    return model.of_model(which) if colon else model


def scene_generators(
    settings: Settings, given: Mapping[str, Resource] | None = None, *, asked: str = ""
) -> dict[str, SceneGenerator]:
    """The models that can make scenes, by the generator's name, as the settings have them; the first is ``auto``'s.

    Of installed packages' the one that is ``asked`` for, by the settings if not here, is among them.
    """
    asked = asked or settings.backgrounds.generator
    names = dict.fromkeys((*GENERATORS.own, *([] if asked in (AUTO, BACKDROP) else [asked])))
    return {name: find_model(GENERATORS, name, settings, given) for name in names}


class SettingsFile(Resource):
    """``vivid.toml``: settings by stage for all catalogues."""

    path: str = Field("", description="Path or URL of vivid.toml; empty: the one in the store, if there is one.")
    store: str = Field("", description="Folder or URL of the store, where vivid.toml is looked for without a path.")
    trial: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Settings by table, on top of all.")

    def read(self, catalogue: CatalogueSettings | None = None) -> Settings:
        """The settings, with a catalogue's on top and its renditions. Raises ValueError naming a bad entry."""
        on_top = catalogue.said() | {"renditions": catalogue.said().get("renditions", {})} if catalogue else {}
        for table, entries in self.trial.items():
            on_top[table] = {**on_top.get(table, {}), **entries}
        place = self.place
        return parse_settings(self._text(place), where=place or "vivid.toml", overrides=on_top)

    def tried(self, trial: Mapping[str, Mapping[str, Any]]) -> "SettingsFile":
        """The same with a trial's settings on top."""
        return SettingsFile(path=self.path, store=self.store, trial={name: dict(one) for name, one in trial.items()})

    @property
    def place(self) -> str:
        """Where the file is looked for now: it may appear in the store while others read it. Empty for nowhere."""
        if self.path or not self.store:
            return self.path
        from resources.store.store import as_path  # pyarrow, which a single picture does not need

        return str(as_path(self.store) / VIVID_TOML)

    def _text(self, place: str) -> str:
        path = UPath(place) if place else None
        if path is None or not path.exists():
            if self.path:
                raise ValueError(f"There is no settings file {self.path} (VIVID_SETTINGS names it).")
            return ""
        return toml_text(path.read_bytes(), where=place)


def toml_text(data: bytes, *, where: str) -> str:
    """The text of a TOML file; the mark that Notepad puts first is dropped. Raises ValueError naming the file."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{where} is not UTF-8 text (line {line}): save it as UTF-8.") from error


def parse_settings(text: str, *, where: str, overrides: Mapping[str, Mapping[str, Any]]) -> Settings:
    """TOML ``text`` and ``overrides`` as Settings. Raises ValueError with a sentence that names the bad entry."""
    merged = {**parse_toml(text, where=where)}
    for stage, entries in overrides.items():
        if isinstance(table := merged.get(stage, {}), dict):
            # A catalogue has its own renditions; those of vivid.toml are for single pictures.
            merged[stage] = {**entries} if stage == "renditions" else {**table, **entries}
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ValueError(f"{where}: {_sentence(error)}") from error


def parse_catalogue_settings(tables: Mapping[str, Any], *, where: str) -> CatalogueSettings:
    """What a catalogue says, by table. Raises ValueError naming an entry that is bad, or not a catalogue's to set."""
    for table, entries in tables.items():
        given = [*entries] if isinstance(entries, dict) else []
        own = _entries(CatalogueSettings, table)
        for entry in given or [""]:
            if entry not in own and (entry in _entries(Settings, table) or (is_table(table) and not own)):
                what = f"{table}.{entry}" if entry else f"the table {table}"
                may = f" ({table} has {', '.join(own)} for a catalogue)" if own else ""
                raise ValueError(
                    f"{where}: {what} is not a catalogue's to set{may}: it belongs in vivid.toml, the settings of "
                    "whoever runs the pipeline (VIVID_SETTINGS)."
                )
    try:
        return CatalogueSettings.model_validate(tables)
    except ValidationError as error:
        raise ValueError(f"{where}: {_sentence(error, CatalogueSettings)}") from error


def is_table(name: str) -> bool:
    """Whether ``vivid.toml`` may have a table of that name."""
    return _has_table(Settings, name)


def table_type(name: str) -> type[BaseModel] | None:
    """The type of that table of ``vivid.toml``; None where there is no such table."""
    return _declared(Settings, name)


def catalogue_tables() -> dict[str, list[str]]:
    """The tables that a catalogue's own file may have, and their entries."""
    return {table: _entries(CatalogueSettings, table) for table in _tables(CatalogueSettings)}


def parse_toml(text: str, *, where: str) -> dict[str, Any]:
    """TOML ``text``. Raises ValueError naming the file and the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where} is not valid TOML: {error}") from error


def unknown_entry(name: str, known: Iterable[str]) -> str:
    """A sentence for an entry that does not exist at the top of a settings file."""
    for table in _tables(Settings):
        if name in _entries(Settings, table) and name not in known:
            return f"{name}: there is no such entry at the top of the file; it belongs in the table [{table}]"
    return f"{name}: {_no_entry(name, known)}"


def _sentence(error: ValidationError, model: type[BaseModel] = Settings) -> str:
    """The first fault: its entry, and what is wrong with it."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        return ": ".join(filter(None, (".".join(location), said(first))))
    return f"{'.'.join(location)}: {_no_entry(location[-1], _entries(model, location[0]))}"


def _entries(cls: type[BaseModel], table: str) -> list[str]:
    """The entries that ``table`` may have in ``cls``."""
    declared = _declared(cls, table)
    return [*declared.model_fields] if declared else []


def _no_entry(name: str, known: Iterable[str], what: str = "entry") -> str:
    known = [*known]
    return f"there is no {what} {name!r}{did_you_mean(name, known) or '.'} There are {', '.join(known)}."


def _no_table(name: str) -> str:
    return f"Input should be a table, written [{name}] on a line of its own, and its entries below it"


def said(error: Any) -> str:
    """Pydantic's message in a person's words: a validator's own, or what should be there and what is."""
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] in ("model_type", "dict_type"):
        return _no_table(".".join(map(str, error["loc"])))
    if error["type"] == "tuple_type":
        return f"Input should be a list, as in [{error['input']!r}]"
    given = repr(error["input"])
    return str(error["msg"]) + (f", and not {given}" if len(given) <= 60 else "")
