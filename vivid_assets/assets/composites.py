"""Composites: the subject before its new background, at the source's own size."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from partitions.shards import catalogue_of
from resources.scenes.generators import BACKDROP, NOT_GENERATED
from resources.store.store import Store
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.masks import MASKS, persons_mask
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.catalogue.source import Catalogue, find
from vivid_assets.imaging.backdrop.render import look_of, render
from vivid_assets.imaging.blend.cast_shadow import multiply_layer
from vivid_assets.imaging.blend.measures import Measures
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.core.own_alpha import shown_alpha
from vivid_assets.imaging.io.codec import SUFFIXES, Format, Picture, SourceType, decode, encode
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.imaging.io.pixel_budget import budget_of_memory
from vivid_assets.rows.stage import Reads, Row, Stage, artefact
from vivid_assets.rows.tables import read_rows
from vivid_assets.rows.work import each
from vivid_assets.settings import BLEND_OPTIONS, CompositesSettings, SettingsFile
from vivid_assets.stages.shard_asset import Groups, ShardConfig, materialize_shard, settings_of, shard_asset
from vivid_assets.stages.stored import read_stored

COMPOSITES = Stage(
    name="composites",
    version="6",
    columns=pa.schema(
        [
            ("file", pa.string()),
            ("mode", pa.string()),
            ("alpha_verdict", pa.string()),
            ("spill", pa.float64()),
            ("shadow", pa.string()),
            ("shadow_file", pa.string()),
            ("shadow_area", pa.float64()),
            ("shadow_depth", pa.float64()),
            ("notes", pa.list_(pa.string())),
            *((field.name, pa.float64()) for field in fields(Measures)),
        ]
    ),
    files=("file", "shadow_file"),
    asks=("content", "mask", "mask_content"),
    reads=(
        Reads(PREPARED_IMAGES, ("file", "source_format", "source_width", "source_height")),
        Reads(BACKGROUNDS, ("file", "generator", "recipe", "seed")),
        Reads(MASKS, ("file", "origin")),
    ),
)

BYTES_PER_PIXEL = 130
"""What a composite takes, from its source's decoding to its own encoding, with a margin.

Measured where all of it is soft and its mask of its own size: with 8 bits a channel 100, with 16 bits 113; where little
is soft 64 and 83, before a plain background 90 and 107 (``tests/imaging/blend/test_memory.py``).
"""

_MAKING = budget_of_memory(BYTES_PER_PIXEL)


@shard_asset(COMPOSITES, kinds={"numpy"})
def composites(
    context: dg.AssetExecutionContext,
    config: ShardConfig,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[SettingsFile],
) -> dg.MaterializeResult:
    """The finished pictures, at their sources' size.

    A row has the file, which **export** gives its source's name, and the blend's figures: the halo that is left, how
    much of the old wall leaks, how many pixels were changed. `shadow` is the one that was laid over the background,
    `kept` from the photograph or `soft`, with its layer as a file of its own, its area and depth; `notes` say what
    could not be seen. The file itself says that it is a composite, and whether a model generated a part of it. Stale
    when the picture, its mask, its background or a blending setting changes.
    """
    shard = context.partition_key
    source = find(store, catalogue_of(shard))
    all_settings = settings_of(context, store, settings)
    wanted, max_pixels = all_settings.composites, round(all_settings.prepared_images.max_megapixels * 1e6)

    def compose(row: Row) -> dict[str, Any]:
        prepared = row.read["prepared_images"]
        with _MAKING.take(prepared["source_width"] * prepared["source_height"]):
            return composed(row)

    def composed(row: Row) -> dict[str, Any]:
        mask, background = row.read["masks"], row.read["backgrounds"]
        # A source with transparency holds pure foreground colour: there is no old wall to take out.
        mode = "alpha" if mask["origin"] == "own" else wanted.mode
        file_format = output_format(row.read["prepared_images"]["source_format"], wanted)
        picture = decode(source.read(row.picture, row.asked["content"]), max_pixels=max_pixels)
        # Of the formats that come out, PNG alone holds 16 bits.
        deep = picture.rgb16 if file_format == "png" else None
        file = artefact(source.name, COMPOSITES, row.key, SUFFIXES[file_format])
        source_type: SourceType = (
            "composite" if background["generator"] in NOT_GENERATED else "compositeWithTrainedAlgorithmicMedia"
        )
        alpha = _alpha(store, source, row, picture)
        scene = _scene(store, background, *picture.rgb.shape[:2])
        blended = blend_native(
            picture.rgb if deep is None else deep,
            alpha,
            scene,
            mode=mode,
            floor=_floor(background),
            visible=None if picture.alpha is None or alpha.origin == "own" else shown_alpha(picture.alpha),
            **wanted.model_dump(include=BLEND_OPTIONS),
        )
        data = encode(
            blended.composite,
            format=file_format,
            quality=None if file_format == "png" else wanted.quality,
            source_type=source_type,
            provenance=row.key,
            carried=picture.carried,
        )
        store.write(file, data)
        shadow, shadow_file = blended.shadow, None
        if shadow.layer is not None:
            shadow_file = artefact(source.name, COMPOSITES, row.key, ".shadow.png")
            store.write(shadow_file, encode(multiply_layer(shadow.layer), format="png", provenance=row.key))
        return {
            "file": file,
            "mode": mode,
            "alpha_verdict": blended.alpha_verdict,
            "spill": blended.spill.strength,
            "shadow": shadow.kind,
            "shadow_file": shadow_file,
            "shadow_area": shadow.area,
            "shadow_depth": shadow.depth,
            "notes": list(blended.notes),
            **asdict(blended.measures),
        }

    def show(rows: Any) -> Groups:
        prepared = read_rows(store, PREPARED_IMAGES, shard)
        for row in rows:
            before = prepared[row["picture"]]["file"]
            yield [decode(store.read(path), longest=256).rgb for path in (before, row["file"])]

    return materialize_shard(
        context,
        COMPOSITES,
        lambda: each(compose),
        store=store,
        config=config,
        limits=all_settings.checks,
        settings=wanted.model_dump(mode="json"),
        pictures=show,
        count="mode",
    )


def _alpha(store: Store, source: Catalogue, row: Row, picture: Picture) -> Alpha:
    """A given alpha as exactly as it was given, from where it lies; else the networks', at their size."""
    mask = row.read["masks"]
    if mask["origin"] == "own" and picture.alpha is not None:
        return Alpha(picture.alpha, "own")
    if mask["origin"] == "person":
        return persons_mask(source, row.asked, *picture.rgb.shape[:2])
    return Alpha(read_stored(store, mask["file"], decode_mask), mask["origin"])


def _scene(store: Store, background: Mapping[str, Any], height: int, width: int) -> NDArray[np.uint8]:
    """The background: a backdrop drawn at the picture's size, so that its grain is a photograph's; others as stored."""
    if background["generator"] == BACKDROP:
        return render(look_of(background["recipe"]), height, width, seed=background["seed"])
    return read_stored(store, background["file"], decode).rgb


def _floor(background: Mapping[str, Any]) -> KeyLight | None:
    """Where the background's key light stands, where it has a floor; None for a picture of the user's."""
    if background["generator"] == BACKDROP:
        return look_of(background["recipe"]).key_light
    return None if background["generator"] in NOT_GENERATED else "above"


def output_format(source_format: str, wanted: CompositesSettings) -> Format:
    """The composite's format: the one that is asked for, or the source's; PNG where that cannot be written."""
    kept = source_format.lower()
    return wanted.format if wanted.format != "source" else kept if kept in SUFFIXES else "png"
