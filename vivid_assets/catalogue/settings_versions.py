"""Settings as versions: a digest per stage of the settings in ``vivid.toml`` and in every catalogue's own file.

Spelling out a default or writing a comment changes no version; a changed value changes that of the stage that reads
it, and of no other.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from resources.errors import MachineFault
from resources.store.store import Store
from vivid_assets.catalogue.scan import catalogue_settings
from vivid_assets.catalogue.source import registered
from vivid_assets.flow import STAGE_NAMES, stage_named
from vivid_assets.pipeline import Pipeline
from vivid_assets.rows.keys import digest
from vivid_assets.settings import Settings, SettingsFile


def settings_key(pipeline: Pipeline, stage: str) -> dg.AssetKey:
    """The asset that stands for a stage's settings."""
    return pipeline.key(f"{stage}_settings")


def tables_by_stage() -> dict[str, tuple[str, ...]]:
    """The tables of the settings that a stage's rows may depend on, for each stage that has any."""
    tables = {name: stage_named(name).tables() for name in STAGE_NAMES}
    return {name: found for name, found in tables.items() if found}


def what_holds(store: Store, settings: SettingsFile) -> dict[str, dict[str, Any]]:
    """By stage: the settings of all catalogues, and of each whose own file differs.

    Raises ValueError naming a bad entry of ``vivid.toml``; a catalogue's error takes the place of its settings.
    """
    common = settings.read()
    catalogues: dict[str, Settings | str] = {}
    for one in registered(store):
        try:
            catalogues[one.name] = settings.read(catalogue_settings(store, one.name))
        except (ValueError, MachineFault) as error:
            # Its own runs stop with this message; the other catalogues are unaffected.
            catalogues[one.name] = str(error)
    held: dict[str, dict[str, Any]] = {}
    for stage, tables in tables_by_stage().items():
        everywhere = _tables(common, tables)
        own = {
            name: {"refused": read} if isinstance(read, str) else _tables(read, tables)
            for name, read in catalogues.items()
        }
        held[stage] = {"": everywhere} | {name: what for name, what in own.items() if what != everywhere}
    return held


def observations(
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    store: Store,
    settings: SettingsFile,
    *,
    only_changed: bool = True,
) -> list[dg.AssetObservation]:
    """An observation with its data version for each stage's settings, where it is another than the last one."""
    return [
        dg.AssetObservation(
            asset_key=settings_key(pipeline, stage),
            tags={"dagster/data_version": version},
            metadata={_title(catalogue): dg.MetadataValue.json(tables) for catalogue, tables in held.items()},
        )
        for stage, held in what_holds(store, settings).items()
        if (version := digest(held)) != _last_version(instance, settings_key(pipeline, stage)) or not only_changed
    ]


def _tables(settings: Settings, tables: Sequence[str]) -> dict[str, Any]:
    values = settings.model_dump(mode="json")
    # Where none is declared nothing says so: it is as if there could be none.
    return {table: values.get(table, {}) for table in tables if table != "renditions" or values[table]}


def _title(catalogue: str) -> str:
    return f"in {catalogue}" if catalogue else "in vivid.toml"


def _last_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    records = instance.fetch_observations(key, limit=1).records
    observation = records[0].asset_observation if records else None
    return observation.data_version if observation else None
