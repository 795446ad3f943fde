"""The settings of every stage: defaults here, overridden by ``vivid.toml``, overridden by a catalogue's file.

A stage's settings are part of its rows' keys: what is changed here reruns exactly the stages that read it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from upath import UPath

from resources.birefnet import BiRefNet
from resources.open_clip import OpenClip
from resources.resource import Resource
from resources.sdxl import SDXL
from resources.vitmatte import VitMatte
from vivid_assets.imaging.verdict import Thresholds


class StageSettings(BaseModel):
    """One stage's settings: immutable, and closed to names that do not exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PreparedImagesSettings(StageSettings):
    """Decoding, and the size that the models see."""

    longest: int = Field(1024, ge=64, le=4096, description="Longest side of the models' picture, in pixels.")
    max_megapixels: float = Field(120.0, gt=0, description="A picture beyond this is refused, unread.")


class BackgroundsSettings(StageSettings):
    """Where backgrounds come from; a catalogue's own folder of backgrounds goes before both."""

    generator: Literal["auto", "sdxl", "backdrop"] = Field(
        "auto",
        description="sdxl; backdrop, the drawn studio; auto, SDXL where it can be used (GPU, weights), else backdrop.",
    )
    place: Literal["scene", "inpaint"] = Field(
        "scene",
        description="scene: shared by all pictures that ask for the same. inpaint: SDXL paints around the picture's "
        "subject, so that ground and light answer to it; one scene a picture, made again when its mask changes.",
    )

    @model_validator(mode="after")
    def _who_can_inpaint(self) -> "BackgroundsSettings":
        if self.place == "inpaint" and self.generator == "backdrop":
            raise ValueError("place inpaint needs SDXL: the drawn backdrop knows no subject")
        return self


class MasksSettings(StageSettings):
    """The ladder of mask tiers."""

    tiers: tuple[Literal["birefnet", "u2net", "u2netp", "gradients"], ...] = Field(
        ("birefnet", "u2net", "gradients"), min_length=1, description="Asked in this order until a mask is good."
    )
    refine: bool = Field(True, description="Follow the picture's own edges with a guided filter.")
    stretch_low: float = Field(0.1, ge=0, lt=1, description="Probability that becomes alpha 0.")
    stretch_high: float = Field(0.9, gt=0, le=1, description="Probability that becomes alpha 1.")
    line_art_threshold: float = Field(0.5, ge=0, le=1, description="Probability from which a picture is line art.")
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict, description="Of the verdicts, by name (docs/masks.md); the others stay as they are."
    )
    matting: Literal["none", "vitmatte"] = Field(
        "none", description="Who solves alpha about the edges of photographs' masks, after the tiers."
    )

    @field_validator("thresholds")
    @classmethod
    def _known_thresholds(cls, given: dict[str, float]) -> dict[str, float]:
        known = [field.name for field in fields(Thresholds)]
        if unknown := sorted(given.keys() - set(known)):
            raise ValueError(f"there is no threshold {unknown[0]!r}; there are {', '.join(known)}")
        return given


class CompositesSettings(StageSettings):
    """Blending, and the file that comes out."""

    mode: Literal["unmix", "article", "alpha"] = Field("unmix", description="How the old background leaves the edges.")
    refine: bool = Field(True, description="Correct an alpha that the photograph shows to be blurred or coarse.")
    spill: bool = Field(True, description="Take the wall's reflected light off the subject's rim where it is found.")
    spill_strength: float = Field(0.85, ge=0, le=1, description="Share of the reflected light that is taken off.")
    strength: float = Field(0.85, ge=0, le=1, description="Article mode: strength of the Lab deprojection.")
    limit: float = Field(18.0, ge=1, le=60, description="Article mode: Lab distance to the old wall where it ends.")
    falloff: Literal["linear", "smoothstep", "double-smoothstep"] = Field(
        "linear", description="Article mode: how the strength falls with that distance."
    )
    format: Literal["source", "png", "jpeg", "webp"] = Field("source", description="'source' keeps the picture's own.")
    quality: int = Field(92, ge=1, le=100, description="JPEG and WebP quality.")


BLEND_OPTIONS = {"refine", "spill", "spill_strength", "strength", "limit", "falloff"}
"""The entries of CompositesSettings that are handed to the blend as they are."""


class ReviewSettings(StageSettings):
    """The review page."""

    high_leakage: float = Field(0.75, gt=0, description="A picture whose edge keeps more of the old wall wants a look.")


class ChecksSettings(StageSettings):
    """What the asset checks tolerate. No row depends on it, so a change here reruns nothing."""

    tolerated_share: float = Field(0.05, ge=0, le=1, description="Share of failed pictures that stops a shard.")
    tolerated_pictures: int = Field(10, ge=0, description="Failed pictures that never stop a shard, however small.")
    last_tier_share: float = Field(
        0.5, ge=0, le=1, description="Share of masks by the last tier, or by one that stood in for a broken one."
    )
    leakage: float = Field(
        0.75,
        gt=0,
        description="Leakage of the old wall into the edge that is a visible halo; 1 is no un-mixing at all.",
    )
    halo_share: float = Field(0.05, ge=0, le=1, description="Share of composites with a visible halo.")
    black_share: float = Field(0.0, ge=0, le=1, description="Share of generated backgrounds that are black.")
    verdict_sigmas: float = Field(
        4.0, gt=0, description="Standard deviations by which a shard's doubtful masks may exceed its catalogue's."
    )
    history: int = Field(20, ge=1, le=500, description="Earlier shards that a shard's verdicts are compared with.")
    severity: Literal["warn", "error"] = Field(
        "warn", description="Severity of all checks but `complete`, which warns, and stops above its tolerance."
    )


class NightsSettings(StageSettings):
    """How much the sensor and the schedule ask of Dagster."""

    runs_per_tick: int = Field(100, ge=1, le=2000, description="Runs requested at a time; the rest at the next tick.")


class Settings(BaseModel):
    """The settings of the stages that have any, of checks and nights; the tables of ``vivid.toml`` have these names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prepared_images: PreparedImagesSettings = PreparedImagesSettings()
    backgrounds: BackgroundsSettings = BackgroundsSettings()
    masks: MasksSettings = MasksSettings()
    composites: CompositesSettings = CompositesSettings()
    review: ReviewSettings = ReviewSettings()
    checks: ChecksSettings = ChecksSettings()
    nights: NightsSettings = NightsSettings()
    open_clip: dict[str, Any] = Field(default_factory=dict, description="Entries of the OpenClip resource.")
    sdxl: dict[str, Any] = Field(default_factory=dict, description="Entries of the SDXL resource.")
    birefnet: dict[str, Any] = Field(default_factory=dict, description="Entries of the BiRefNet resource.")
    vitmatte: dict[str, Any] = Field(default_factory=dict, description="Entries of the VitMatte resource.")

    @field_validator("open_clip", "sdxl", "birefnet", "vitmatte")
    @classmethod
    def _known_entries(cls, entries: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        models = {"open_clip": OpenClip, "sdxl": SDXL, "birefnet": BiRefNet, "vitmatte": VitMatte}
        model: Any = models[info.field_name or ""]
        unknown = sorted(entries.keys() - model.model_fields.keys())
        if unknown:
            raise ValueError(f"there is no entry {unknown[0]!r}; there are {', '.join(model.model_fields)}")
        try:
            model(**entries)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {_said(first)}") from error
        return entries

    @model_validator(mode="after")
    def _large_pictures_reach_their_model(self) -> "Settings":
        longest = self.prepared_images.longest
        hr_from = self.birefnet.get("hr_from", BiRefNet.model_fields["hr_from"].default)
        if self.birefnet.get("hr_model") and longest < hr_from:
            raise ValueError(
                f"birefnet.hr_model answers for pictures from {hr_from} pixels, but prepared_images.longest makes none "
                f"larger than {longest}: raise that, or lower birefnet.hr_from"
            )
        return self


READ_BY = {
    "prepared_images": ("prepared_images",),
    "analysis": ("open_clip",),
    "backgrounds": ("backgrounds", "sdxl"),
    "masks": ("masks", "birefnet", "vitmatte"),
    "composites": ("composites",),
    "review": ("review",),
}
"""The tables whose entries are in a stage's row keys."""

Model = TypeVar("Model", bound=Resource)


def configured(model: Model, entries: Mapping[str, Any]) -> Model:
    """``model`` with ``entries`` of the settings on top. Raises ValueError when one does not fit."""
    try:
        return type(model)(**{**model.model_dump(), **entries}) if entries else model
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"]))
        raise ValueError(f"The settings of {type(model).__name__} do not fit: {entry}: {first['msg']}") from error


class SettingsFile(Resource):
    """``vivid.toml``: settings by stage for all catalogues."""

    path: str = Field("", description="Path or URL of vivid.toml; empty: the defaults hold.")
    trial: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Settings by table, on top of all.")

    def read(self, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
        """The settings, with a catalogue's ``overrides`` on top. Raises ValueError naming a bad entry."""
        on_top = {**(overrides or {})}
        for table, entries in self.trial.items():
            on_top[table] = {**on_top.get(table, {}), **entries}
        return parse_settings(self._text(), where=self.path or "vivid.toml", overrides=on_top)

    def _text(self) -> str:
        if not self.path:
            return ""
        path = UPath(self.path)
        if not path.exists():
            raise ValueError(f"There is no settings file {self.path} (VIVID_SETTINGS names it).")
        return path.read_text(encoding="utf-8")


def parse_settings(text: str, *, where: str, overrides: Mapping[str, Mapping[str, Any]]) -> Settings:
    """TOML ``text`` and ``overrides`` as Settings. Raises ValueError with a sentence that names the bad entry."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where} is not valid TOML: {error}") from error
    merged = {**tables}
    for stage, entries in overrides.items():
        merged[stage] = {**merged.get(stage, {}), **entries}
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"]))
        raise ValueError(": ".join(part for part in (where, entry, _said(first)) if part)) from error


def _said(error: Any) -> str:
    """Pydantic's message, without the words that it puts before a validator's own."""
    return str(error["msg"]).removeprefix("Value error, ")
