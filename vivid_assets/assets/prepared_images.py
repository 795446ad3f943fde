"""Decoding: from whatever a catalogue holds to pictures that every later stage can rely on."""

from typing import Any

import dagster as dg
import pyarrow as pa

from partitions.assignment import NO_FILE
from partitions.shards import catalogue_of
from resources.store.store import Store
from vivid_assets.catalogue.source import find
from vivid_assets.imaging.core.own_alpha import packaging
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.mask_files import encode_mask
from vivid_assets.imaging.io.transparency import opaque
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.rows.stage import Row, Stage, artefact
from vivid_assets.rows.work import each
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.shard_asset import Groups, ShardConfig, materialize_shard, settings_of, shard_asset

PREPARED_IMAGES = Stage(
    name="prepared_images",
    version="3",
    columns=pa.schema(
        [
            ("file", pa.string()),
            ("alpha_file", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("source_width", pa.int32()),
            ("source_height", pa.int32()),
            ("source_format", pa.string()),
            ("notes", pa.list_(pa.string())),
        ]
    ),
    files=("file", "alpha_file"),
    asks=("content",),
)


@shard_asset(PREPARED_IMAGES, kinds={"pillow", "opencv"})
def prepared_images(
    context: dg.AssetExecutionContext,
    config: ShardConfig,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[SettingsFile],
) -> dg.MaterializeResult:
    """Every picture decoded, upright, in sRGB and at the models' size.

    A row is one picture: `file` is a PNG of at most 1024 pixels, `alpha_file` the source's own transparency where
    it has any, `notes` says what was converted. The source stays where it is and is read again for the composite.
    Stale when the picture's content or the size that is asked for changes.
    """
    all_settings = settings_of(context, store, settings)
    wanted = all_settings.prepared_images
    source = find(store, catalogue_of(context.partition_key))

    def prepare(row: Row) -> dict[str, Any]:
        if row.asked["content"] == NO_FILE:
            raise PictureFailure("The manifest names this picture, but it is not in the catalogue's folder.")
        data = source.read(row.picture, row.asked["content"])
        picture = decode(data, longest=wanted.longest, max_pixels=round(wanted.max_megapixels * 1e6))
        rgb, alpha, notes = picture.rgb, picture.alpha, list(picture.notes)
        file = artefact(source.name, PREPARED_IMAGES, row.key, ".png")
        alpha_file = None
        if alpha is not None:
            alpha_file = artefact(source.name, PREPARED_IMAGES, row.key, ".alpha.png")
            store.write(alpha_file, encode_mask(alpha))
            if (why := packaging(alpha)) is not None:
                notes.append(f"its own transparency is no cut-out: {why}")
            rgb = opaque(picture)
        store.write(file, encode(rgb))
        return {
            "file": file,
            "alpha_file": alpha_file,
            "width": rgb.shape[1],
            "height": rgb.shape[0],
            "source_width": picture.size[0],
            "source_height": picture.size[1],
            "source_format": picture.format,
            "notes": notes,
        }

    def show(rows: Any) -> Groups:
        for row in rows:
            yield [decode(store.read(row["file"])).rgb]

    return materialize_shard(
        context,
        PREPARED_IMAGES,
        lambda: each(prepare),
        store=store,
        config=config,
        limits=all_settings.checks,
        settings={"longest": wanted.longest},
        decoding={"max_megapixels": wanted.max_megapixels},
        pictures=show,
        count="source_format",
    )
