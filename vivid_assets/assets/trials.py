"""Trials: other settings on one shard, beside its current result."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from partitions.definition import SHARDS
from partitions.shards import catalogue_of
from resources.models import own_models
from resources.store.overlay import TrialStore
from resources.store.store import Store
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.catalogue.scan import catalogue_settings
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.transparency import opaque
from vivid_assets.review.contact_sheet import as_markdown, contact_sheet
from vivid_assets.rows.stage import OK
from vivid_assets.rows.tables import read_rows
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.faults import retried_where_it_helps
from vivid_assets.stages.shard_asset import check_shard, shard_asset
from vivid_assets.stages.stage import all_stages, last_of

_TRIED = tuple(stage for stage in all_stages() if not stage.is_view)
_MODELS = tuple(own_models())
_SHOWN = 24


class TrialConfig(dg.Config):
    """What is tried. The same name again goes on with that trial."""

    name: str = Field(
        "trial", pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$", description="Where it lands: trials/<name>/ in the store."
    )
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="Entries by table, such as {composites: {mode: lab-deprojection}}; none: nothing changes.",
    )


@dg.asset(
    partitions_def=SHARDS,
    deps=[stage.name for stage in last_of(_TRIED)],
    group_name="catalogue",
    kinds={"numpy"},
    pool="gpu",
    required_resource_keys={"store", "settings", *_MODELS},
)
def trials(context: dg.AssetExecutionContext, config: TrialConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Other settings on one shard: source, current composite and the trial's, side by side.

    Materialise one shard with a `name` and the `settings` to try in the launchpad. Only what the settings change is
    computed, into `trials/<name>/` of the store; no table, picture or materialisation of the catalogue changes.
    """
    store: Store = context.resources.store
    check_shard(context, store)
    shard = context.partition_key
    tried = SettingsFile(path=context.resources.settings.path, trial=config.settings)
    # Said here and not by the first stage that reads the bad entry.
    tried.read(catalogue_settings(store, catalogue_of(shard)))
    trial_store = TrialStore(root=store.root, trial=config.name)
    # The stages run as they are, in an instance of their own that nobody keeps.
    with dg.DagsterInstance.ephemeral() as instance, retried_where_it_helps(context):
        instance.add_dynamic_partitions(str(SHARDS.name), [shard])
        result = dg.materialize(
            [shard_asset(stage) for stage in _TRIED],
            partition_key=shard,
            instance=instance,
            resources={name: getattr(context.resources, name) for name in _MODELS}
            | {"store": trial_store, "settings": tried},
        )
    computed = {
        event.asset_key.to_user_string(): event.materialization.metadata["computed"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    metadata: dict[str, Any] = {
        "settings": dg.MetadataValue.json(config.settings),
        "computed": dg.MetadataValue.json(computed),
        "folder": dg.MetadataValue.path(trial_store.own.root),
    }
    if groups := list(_side_by_side(store, trial_store, shard)):
        sheet = contact_sheet(groups, columns=9)
        metadata["source, current, trial"] = dg.MetadataValue.md(as_markdown(sheet, f"{config.name} {shard}"))
    return dg.MaterializeResult(metadata=metadata)


def _side_by_side(store: Store, trial_store: TrialStore, shard: str) -> Iterator[list[Any]]:
    """The shard's first pictures that the trial changes; the first of all if it changes none."""
    current, prepared = read_rows(store, COMPOSITES, shard), read_rows(trial_store, PREPARED_IMAGES, shard)
    rows = [row for row in read_rows(trial_store, COMPOSITES, shard).values() if row["status"] == OK]
    both = [row for row in rows if current.get(row["picture"], {}).get("status") == OK]
    changed = [row for row in both if row["key"] != current[row["picture"]]["key"]]
    for row in (changed or both)[:_SHOWN]:
        name = row["picture"]
        shown = (
            (trial_store, prepared[name]["file"]),
            (store, current[name]["file"]),
            (trial_store, row["file"]),
        )
        yield [opaque(decode(place.read(file), longest=256)) for place, file in shown]
