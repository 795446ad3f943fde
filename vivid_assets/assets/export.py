"""Export: the catalogue as a dataset that other tools open as it is."""

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partitions.definition import SHARDS
from partitions.shards import catalogue_of
from resources.store import Store, table_bytes
from vivid_assets.assets.analysis import ANALYSIS
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.assets.shard_asset import check_shard
from vivid_assets.catalogue.ledger import live_pictures, read_ledger
from vivid_assets.export.card import dataset_card
from vivid_assets.export.part import SCHEMA, export_part
from vivid_assets.rows.stage import OK, digest
from vivid_assets.rows.tables import read_made_with, read_rows

EXPORTED = (PREPARED_IMAGES, ANALYSIS, ENHANCED_PROMPTS, BACKGROUNDS, MASKS, COMPOSITES)


@dg.asset(
    partitions_def=SHARDS,
    # The last of the stages that are read: naming all would only tangle the graph.
    deps=[COMPOSITES.name],
    group_name="catalogue",
    kinds={"parquet", "huggingface"},
    code_version="2",
)
def export(context: dg.AssetExecutionContext, store: dg.ResourceParam[Store]) -> dg.MaterializeResult:
    """The shard's part of a dataset that `datasets`, DuckDB and PyArrow open as it is: `export/<catalogue>/`.

    A row is one picture that is in the catalogue now: paths, prompts, seed, generator, tier, verdict, figures, models,
    and the keys, of which `provenance` is also in the composite's own XMP packet. Parts of other shards that hold
    pictures changed or removed since are brought up to date too. Stale when a row of any stage changes.
    """
    check_shard(context, store)
    shard = context.partition_key
    catalogue = catalogue_of(shard)
    table, changed = _write_part(store, shard)
    outdated = [other for other in _outdated(store, catalogue) if other != shard]
    for other in outdated:
        _write_part(store, other)
    card, text = f"export/{catalogue}/README.md", dataset_card(catalogue)
    if not store.exists(card) or store.read(card) != text:
        store.write(card, text)
    return dg.MaterializeResult(
        metadata={
            "folder": dg.MetadataValue.path(str(store.path(f"export/{catalogue}"))),
            "part": dg.MetadataValue.path(str(store.path(_part_path(shard)))),
            "dagster/row_count": len(table),
            "with a composite": pc.sum(pc.equal(table["status"], OK)).as_py() or 0,
            "written": changed,
            "other parts mended": len(outdated),
            "dagster/column_schema": dg.TableSchema(
                columns=[dg.TableColumn(name=field.name, type=str(field.type)) for field in SCHEMA]
            ),
        },
        data_version=dg.DataVersion(digest(table.to_pylist())),
    )


def _write_part(store: Store, shard: str) -> tuple[pa.Table, bool]:
    """Bring the shard's part up to date; the part, and whether it was written. One without pictures is removed."""
    stages = {stage.name: read_rows(store, stage, shard) for stage in EXPORTED}
    models = {
        stage.name: revision for stage in EXPORTED if (revision := read_made_with(store, stage, shard).get("revision"))
    }
    table = export_part(shard, live_pictures(store, shard), stages, models)
    path = _part_path(shard)
    if not len(table):
        store.remove([path])
        return table, False
    data = table_bytes(table)
    changed = not store.exists(path) or store.read(path) != data
    if changed:
        store.write(path, data)
    return table, changed


def _outdated(store: Store, catalogue: str) -> list[str]:
    """The shards whose part holds pictures that have been retired since.

    A shard only ever loses pictures, so a part with as many rows as there are live ones has just these.
    """
    ledger, _ = read_ledger(store, catalogue)
    retired = pc.not_equal(ledger["retired"], "")
    counts = pc.value_counts(ledger.filter(pc.invert(retired))["shard"])
    live = {entry["values"].as_py(): entry["counts"].as_py() for entry in counts}
    shards = pc.unique(ledger.filter(retired)["shard"]).to_pylist()
    return sorted(shard for shard in shards if _length(store, _part_path(shard)) not in (None, live.get(shard, 0)))


def _length(store: Store, path: str) -> int | None:
    """How many rows a Parquet file has, from its last bytes; None where there is no file."""
    target = store.path(path)
    if not target.exists():
        return None
    return pq.read_metadata(target.path, filesystem=target.fs).num_rows


def _part_path(shard: str) -> str:
    return f"export/{catalogue_of(shard)}/data/{shard}.parquet"
