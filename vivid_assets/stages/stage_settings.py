"""The settings of each stage, as assets that the stages depend on."""

import warnings
from collections.abc import Sequence

import dagster as dg

from resources.store.store import Store
from vivid_assets.catalogue.settings_versions import settings_key, tables_by_stage, what_holds
from vivid_assets.rows.keys import digest
from vivid_assets.settings import SettingsFile


def _settings_asset(stage: str, tables: Sequence[str]) -> dg.SourceAsset:
    @dg.observable_source_asset(
        key=settings_key(stage),
        group_name="catalogue",
        description=(
            f"The settings of `{stage}` that hold: the tables {', '.join(tables)} of vivid.toml, and where a "
            f"catalogue's own catalogue.toml differs. Its version changes with them, and puts `{stage}` out of date."
        ),
    )
    def stage_settings(store: dg.ResourceParam[Store], settings: dg.ResourceParam[SettingsFile]) -> dg.DataVersion:
        return dg.DataVersion(digest(what_holds(store, settings)[stage]))

    return stage_settings


with warnings.catch_warnings():
    # Dagster calls observable source assets a beta; what is relied on is pinned and tested.
    warnings.simplefilter("ignore", dg.BetaWarning)
    STAGE_SETTINGS = [_settings_asset(stage, tables) for stage, tables in tables_by_stage().items()]
