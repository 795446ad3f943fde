"""Export: the published composites and dataset of a catalogue."""

import dagster as dg
import pyarrow.compute as pc

from partitions.shards import catalogue_of
from resources.store.store import Store
from vivid_assets.catalogue.progress import state_of
from vivid_assets.export.card import meanings_of_dataset
from vivid_assets.export.part import schema
from vivid_assets.export.publish import Published, part_path, publish_shard
from vivid_assets.pipeline import Pipeline
from vivid_assets.rows.keys import digest
from vivid_assets.rows.stage import OK
from vivid_assets.stages.faults import retried_where_it_helps
from vivid_assets.stages.shard_asset import check_shard, column_schema, recorded_once
from vivid_assets.stages.stage import all_stages, last_of

EXPORTED = tuple(stage for stage in all_stages() if not stage.is_view)

PUBLISH = "vivid/publish"
"""A run with this tag publishes every shard of its catalogue that has to be, and not its own alone."""


_DESCRIPTION = """The composites under their sources' names in `composites/<catalogue>/`, and a dataset.

`datasets`, DuckDB and PyArrow open the dataset, `export/<catalogue>/`, as it is. A row is one picture that is in the
catalogue now: paths, prompts, seed, generator, tier, verdict, figures, models, and the keys, of which `provenance` is
also in the composite's own XMP packet. A removed picture loses its published file and its row; shards whose pictures
have moved here are updated too. Stale when a row of any stage changes.
"""


def export_asset(pipeline: Pipeline) -> dg.AssetsDefinition:
    """The asset that publishes a shard."""

    @pipeline.over_shards(
        "export",
        description=_DESCRIPTION,
        # The last of the stages that are read: naming all would only tangle the graph.
        deps=[pipeline.key(stage.name) for stage in last_of(EXPORTED)],
        group_name=pipeline.group_name,
        kinds={"parquet", "huggingface"},
        code_version="3",
        metadata={"dagster/column_schema": column_schema(schema(), meanings_of_dataset())},
        required_resource_keys=pipeline.keys("store"),
    )
    def export(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        store: Store = pipeline.resource(context, "store")
        check_shard(pipeline, context, store)
        shard = context.partition_key
        catalogue = catalogue_of(shard)
        with retried_where_it_helps(context):
            published = publish(store, shard)
            table, also = published.part, {*published.also}
            if PUBLISH in context.run.tags:
                also |= {*publish_catalogue(store, catalogue)}
        result: dg.MaterializeResult[None] = dg.MaterializeResult(
            metadata={
                "folder": dg.MetadataValue.path(str(store.path(f"export/{catalogue}"))),
                "part": dg.MetadataValue.path(str(store.path(part_path(shard)))),
                "dagster/row_count": len(table),
                "with a composite": pc.sum(pc.equal(table["status"], OK)).as_py() or 0,
                "written": published.changed,
                "names given": published.named,
                "names taken away": published.taken_away,
                "other shards published": len(also),
                **pipeline.desk_of(shard),
            },
            data_version=dg.DataVersion(digest(table.to_pylist())),
        )
        return recorded_once(context, result)

    return export


def publish(store: Store, shard: str) -> Published:
    """Publish one shard, and those whose pictures have moved there."""
    return publish_shard(store, shard, EXPORTED)


def publish_catalogue(store: Store, catalogue: str) -> list[str]:
    """Publish every shard of the catalogue that is not published as it stands; these shards."""
    shards = state_of(store, catalogue, [], [stage.name for stage in EXPORTED]).unpublished
    for shard in shards:
        publish(store, shard)
    return shards
