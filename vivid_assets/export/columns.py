"""The columns of the exported dataset: where each comes from and what it says."""

from dataclasses import dataclass

import pyarrow as pa

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


COLUMNS = (
    _text("picture", LEDGER, "picture", "the source's name: its path below the catalogue's folder"),
    _text("source_digest", LEDGER, "content", "digest of the source file, or the object store's entity tag"),
    Column("source_bytes", pa.int64(), LEDGER, "size", "size of the source file"),
    Column("width", pa.int32(), "prepared_images", "source_width", "pixels of the source, and so of the composite"),
    Column("height", pa.int32(), "prepared_images", "source_height", "pixels of the source, and so of the composite"),
    _text("composite", "composites", "file", "the finished picture", is_file=True),
    _text("mask", "masks", "file", "the mask, 8-bit grey, white is subject", is_file=True),
    _text("background", "backgrounds", "file", "the background alone", is_file=True),
    _text("shadow", "composites", "shadow", "the shadow before it: kept from the photograph, soft (drawn) or none"),
    _text("shadow_layer", "composites", "shadow_file", "that shadow, for a layer that multiplies", is_file=True),
    _text("prompt", "enhanced_prompts", "prompt", "the whole prompt, with the words added by rule"),
    _text("negative_prompt", "enhanced_prompts", "negative_prompt", "the whole negative prompt"),
    _text("user_prompt", "enhanced_prompts", "user_prompt", "the user's own words, which the prompt begins with"),
    _text("user_negative_prompt", "enhanced_prompts", "user_negative_prompt", "the user's own negative words"),
    Column("seed", pa.int64(), "backgrounds", "seed", "seed of the background"),
    _text(
        "generator",
        "backgrounds",
        "generator",
        "sdxl, sdxl_inpaint (around the subject), text_to_image, backdrop (drawn) or own",
    ),
    _text("background_degraded", "backgrounds", "degraded", "which generator was wanted, and why it did not make it"),
    _text("subject_type", "analysis", "subject_type", "what CLIP sees; unknown or unavailable else"),
    _number("subject_confidence", "analysis", "subject_confidence", "CLIP's probability for it"),
    _text("lighting", "analysis", "lighting", "what CLIP says of the picture's light; unknown or unavailable else"),
    _number("lighting_confidence", "analysis", "lighting_confidence", "CLIP's probability for it"),
    _text("atmosphere", "analysis", "atmosphere", "what CLIP says of its mood; unknown or unavailable else"),
    _number("atmosphere_confidence", "analysis", "atmosphere_confidence", "CLIP's probability for it"),
    _text("temperature", "analysis", "temperature", "warm, neutral or cool light"),
    Column("line_art", pa.bool_(), "masks", "line_art", "whether the picture is line art"),
    _text("tier", "masks", "tier", "who made the mask"),
    _text("verdict", "masks", "verdict", "how good the mask is: good, or the fault's name"),
    _text("verdict_reason", "masks", "reason", "why, in a sentence"),
    _text("degraded", "masks", "degraded", "which better tier could not answer, and why"),
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
            ("halo", "Lab chroma of the subject's rim towards the old wall's hue; null: not measurable"),
            ("leakage", "how far the edge goes over to the old wall; 1: not un-mixed; null: not measurable"),
            ("shadow_area", "share of the picture that the shadow darkens"),
            ("shadow_depth", "share of the light that it takes where it is darkest"),
            ("moved_share", "share of pixels whose colour was changed"),
            ("moved_delta_e", "their mean colour difference (CIEDE2000)"),
            ("old_background_spread", "spread of the original background's colour (Lab); 0: one colour"),
        )
    ),
    _text("provenance", "composites", KEY, "the digest in the composite's XMP packet (vivid:Provenance)"),
    *(_key(stage) for stage in ("prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks")),
)
