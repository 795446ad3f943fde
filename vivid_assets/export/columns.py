"""The columns of the exported dataset: where each comes from and what it means."""

from dataclasses import dataclass
from functools import cache

import pyarrow as pa

from vivid_assets.flow import STAGE_NAMES, stage_named

LEDGER = "ledger"
KEY = "key"


@dataclass(frozen=True)
class Column:
    """A column of the dataset: ``source`` is a stage or the ledger, ``column`` its column there."""

    name: str
    type: pa.DataType
    source: str
    column: str
    meaning: str
    is_file: bool = False
    """A path in the store, exported relative to the dataset's folder."""
    within: str = ""
    """The column is JSON, and this its entry."""


def _text(name: str, source: str, column: str, meaning: str, *, is_file: bool = False) -> Column:
    return Column(name, pa.string(), source, column, meaning, is_file)


def _number(name: str, source: str, column: str, meaning: str, within: str = "") -> Column:
    return Column(name, pa.float64(), source, column, meaning, within=within)


def _key(stage: str) -> Column:
    return _text(f"{stage}_key", stage, KEY, f"digest of everything that the picture's {stage} depends on")


@dataclass(frozen=True)
class Exported:
    """A column that a stage adds to the dataset (``PipelineStage.exported``)."""

    column: str
    """Of the stage's rows."""
    meaning: str
    name: str = ""
    """In the dataset; empty: the stage's name and the column's."""


_COLUMNS = (
    _text("picture", LEDGER, "picture", "the source's name: its path below the catalogue's folder"),
    _text("rendition", LEDGER, "rendition", "which of the picture's renditions; empty where none is declared"),
    _text("source_digest", LEDGER, "content", "digest of the source file, or the object store's entity tag"),
    Column("source_bytes", pa.int64(), LEDGER, "size", "size of the source file"),
    Column("width", pa.int32(), "prepared_images", "source_width", "pixels of the source"),
    Column("height", pa.int32(), "prepared_images", "source_height", "pixels of the source"),
    _text("composite", "composites", "file", "the finished picture", is_file=True),
    _text("mask", "masks", "file", "the mask, 8-bit grey, white is subject", is_file=True),
    _text("background", "backgrounds", "file", "the background alone", is_file=True),
    _text("shadow", "composites", "shadow", "the shadow on it: kept from the photograph, soft (drawn) or none"),
    _text("shadow_layer", "composites", "shadow_file", "that shadow as a layer; of a clip a ZIP of them", is_file=True),
    _text("prompt", "enhanced_prompts", "prompt", "the whole prompt, with the words added by rule"),
    _text("negative_prompt", "enhanced_prompts", "negative_prompt", "the whole negative prompt"),
    _text("user_prompt", "enhanced_prompts", "user_prompt", "the user's own words, with which the prompt begins"),
    _text("user_negative_prompt", "enhanced_prompts", "user_negative_prompt", "the user's own negative words"),
    Column("seed", pa.int64(), "backgrounds", "seed", "seed of the background"),
    _text(
        "generator",
        "backgrounds",
        "generator",
        "sdxl, sdxl_inpaint (around the subject), text_to_image, backdrop (drawn), own, color or transparent",
    ),
    _text(
        "background_degraded",
        "backgrounds",
        "degraded",
        "which generator was requested, and why it did not make the background",
    ),
    _text("subject_type", "analysis", "subject_type", "the subject by CLIP, or unknown, or unavailable"),
    _number("subject_confidence", "analysis", "subject_confidence", "CLIP's probability for it"),
    _text("lighting", "analysis", "lighting", "the picture's light by CLIP, or unknown, or unavailable"),
    _number("lighting_confidence", "analysis", "lighting_confidence", "CLIP's probability for it"),
    _text("atmosphere", "analysis", "atmosphere", "its mood by CLIP, or unknown, or unavailable"),
    _number("atmosphere_confidence", "analysis", "atmosphere_confidence", "CLIP's probability for it"),
    _text("temperature", "analysis", "temperature", "warm, neutral or cool light"),
    Column("line_art", pa.bool_(), "masks", "line_art", "whether the picture is line art"),
    _text("tier", "masks", "tier", "who made the mask"),
    _text("verdict", "masks", "verdict", "the quality verdict: good, or the fault's name"),
    _text("verdict_reason", "masks", "reason", "the reason of the verdict"),
    _text("degraded", "masks", "degraded", "which better tier could not answer, and why"),
    _number("mask_right", "masks", "right", "estimated probability that the mask is right; null: not estimated"),
    _number("mask_edge_right", "masks", "edge_right", "estimated probability that its edge is right"),
    *(
        _number(f"mask_{name}", "masks", "figures", meaning, within=name)
        for name, meaning in (
            ("coverage", "share of the picture that is subject"),
            ("confidence", "mean probability inside the subject"),
            ("uncertain", "share of the subject undecided away from edges"),
            ("components", "parts of the subject"),
            ("largest", "the largest part's share of the subject"),
            ("border", "share of the picture's frame that is subject"),
            ("agreement", "overlap (IoU) of the mask with the network's own answer"),
            ("added", "what finishing added to that answer, as a share of its subject"),
            ("removed", "what finishing took from that answer, as a share of its subject"),
        )
    ),
    *(
        _number(name, "composites", name, meaning)
        for name, meaning in (
            ("halo", "Lab chroma of the subject's rim towards the original background's hue; null: not measurable"),
            (
                "leakage",
                "how much of the original background is left in the edge; 1: all of it; null: not measurable",
            ),
            ("scale", "by how much the photograph was enlarged or reduced on its canvas; 1: not at all"),
            ("shadow_area", "share of the picture that the shadow darkens"),
            ("shadow_depth", "share of the light that it takes at its darkest"),
            ("moved_share", "share of pixels whose colour was changed"),
            ("moved_delta_e", "their mean colour difference (CIEDE2000)"),
            ("old_background_spread", "spread of the original background's colour (Lab); 0: one colour"),
        )
    ),
    Column(
        "broken_rules",
        pa.list_(pa.string()),
        "composites",
        "broken_rules",
        "which of the rules of its rendition's preset the composite breaks, and how",
    ),
    Column(
        "composite_notes",
        pa.list_(pa.string()),
        "composites",
        "notes",
        "what was asked of the composite and cannot be, and why its shadow is not the expected one",
    ),
    Column("frames", pa.int32(), "prepared_images", "frames", "frames of a clip; null: a picture"),
    _number("fps", "prepared_images", "fps", "frames a second of a clip, on average"),
    _text("clip_masks", "masks", "frames_file", "a clip's masks: a ZIP with a PNG a frame", is_file=True),
    _number("flicker", "masks", "flicker", "share of a clip's subject that comes or goes though nothing moves it"),
    Column("flagged_frames", pa.int32(), "masks", "flagged_frames", "frames whose masks are their neighbours'"),
    Column("lost_frames", pa.int32(), "masks", "lost_frames", "those of them in which the subject was not found"),
    _text("provenance", "composites", KEY, "the digest in the composite's XMP packet (vivid:Provenance)"),
    *(_key(stage) for stage in ("prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks")),
)
"""Those that the dataset has had from the start, in their order."""


@cache
def all_columns() -> tuple[Column, ...]:
    """The dataset's columns: those of old, and what stages add."""
    added = []
    for name in STAGE_NAMES:
        stage = stage_named(name)
        for one in stage.exported:
            type_ = stage.columns.field(one.column).type
            own = one.name or f"{name}_{one.column}"
            added.append(Column(own, type_, name, one.column, one.meaning, one.column in stage.files))
        added += [_key(name)] if stage.exported else []
    return (*_COLUMNS, *added)
