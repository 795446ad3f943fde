"""Trials: other settings on one shard, beside its current result."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from partitions.shards import catalogue_of
from resources.models import own_models
from resources.store.overlay import TrialStore
from resources.store.store import Store
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.catalogue.scan import catalogue_settings
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.transparency import opaque
from vivid_assets.pipeline import Pipeline
from vivid_assets.review.contact_sheet import as_markdown, contact_sheet
from vivid_assets.rows.stage import OK, name_of
from vivid_assets.rows.tables import read_rows
from vivid_assets.stages.faults import retried_where_it_helps
from vivid_assets.stages.settings_schema import settings_schema
from vivid_assets.stages.shard_asset import check_shard, recorded_once, shard_asset
from vivid_assets.stages.stage import all_stages, last_of

_TRIED = tuple(stage for stage in all_stages() if not stage.is_view)
_MODELS = tuple(own_models())
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_SHOWN = 24


def _config() -> dict[str, dg.Field]:
    """What is tried, and where it lands."""
    return {
        "name": dg.Field(
            str,
            default_value="trial",
            description="Where it lands: trials/<name>/ in the store. The same name again goes on with that trial.",
        ),
        "settings": dg.Field(settings_schema(tuple(stage.name for stage in _TRIED)), is_required=False),
    }


_DESCRIPTION = """Other settings on one shard: source, current composite and the trial's, side by side.

Materialise one shard with a `name` and the `settings` to try in the launchpad. Only what the settings change is
computed, into `trials/<name>/` of the store; no table, picture or materialisation of the catalogue changes.
"""


def trials_asset(pipeline: Pipeline) -> dg.AssetsDefinition:
    """The asset that tries settings."""

    @pipeline.over_shards(
        "trials",
        description=_DESCRIPTION,
        deps=[pipeline.key(stage.name) for stage in last_of(_TRIED)],
        # Apart, so that "Materialize all" in the group of the stages leaves it out.
        group_name=f"{pipeline.group_name}_trials",
        kinds={"numpy"},
        pool=pipeline.pool("gpu"),
        config_schema=_config(),
        required_resource_keys=pipeline.keys("store", "settings", *_MODELS),
    )
    def trials(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        store: Store = pipeline.resource(context, "store")
        check_shard(pipeline, context, store)
        shard = context.partition_key
        name, entries = _asked(context.op_execution_context.op_config)
        tried = pipeline.resource(context, "settings").tried(entries)
        # Said here and not by the first stage that reads the bad entry.
        tried.read(catalogue_settings(store, catalogue_of(shard)))
        trial_store = TrialStore(root=store.root, trial=name)
        models = pipeline.models(context, _MODELS)
        with retried_where_it_helps(context):
            computed = _run(pipeline, shard, pipeline.resources(store=trial_store, settings=tried, **models))
        metadata: dict[str, Any] = {
            "settings": dg.MetadataValue.json(entries),
            "computed": dg.MetadataValue.json(computed),
            "folder": dg.MetadataValue.path(trial_store.own.root),
        }
        if groups := list(_side_by_side(store, trial_store, shard)):
            sheet = contact_sheet(groups, columns=9, tile=112)
            metadata["source, current, trial"] = dg.MetadataValue.md(as_markdown(sheet, f"{name} {shard}"))
        return recorded_once(context, dg.MaterializeResult(metadata=metadata))

    return trials


def _asked(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The trial's name, and its settings by table. Raises ValueError where the name cannot be a folder's."""
    name = config["name"]
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a trial's name: use small letters, digits, - and _, 60 at most.")
    return name, dict(config.get("settings", {}))


def _run(pipeline: Pipeline, shard: str, resources: Mapping[str, Any]) -> dict[str, Any]:
    """How many rows each stage computed."""
    # The stages run as they are, in an instance of their own that nobody keeps.
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(pipeline.shards_name, [shard])
        result = dg.materialize(
            [shard_asset(pipeline, stage) for stage in _TRIED],
            partition_key=shard,
            instance=instance,
            resources=resources,
        )
    return {
        event.asset_key.path[-1]: event.materialization.metadata["computed"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def _side_by_side(store: Store, trial_store: TrialStore, shard: str) -> Iterator[list[Any]]:
    """The shard's first pictures that the trial changes; the first of all if it changes none."""
    current, prepared = read_rows(store, COMPOSITES, shard), read_rows(trial_store, PREPARED_IMAGES, shard)
    rows = [row for row in read_rows(trial_store, COMPOSITES, shard).values() if row["status"] == OK]
    both = [row for row in rows if current.get(name_of(row), {}).get("status") == OK]
    changed = [row for row in both if row["key"] != current[name_of(row)]["key"]]
    for row in (changed or both)[:_SHOWN]:
        name = name_of(row)
        shown = (
            (trial_store, prepared[row["picture"]]["file"]),
            (store, current[name]["still_file"] or current[name]["file"]),
            (trial_store, row["still_file"] or row["file"]),
        )
        yield [opaque(decode(place.read(file), longest=256)) for place, file in shown]
