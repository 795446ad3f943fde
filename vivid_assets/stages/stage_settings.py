"""The settings of each stage, as assets that the stages depend on."""

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from vivid_assets.catalogue.settings_versions import settings_key, tables_by_stage, what_holds
from vivid_assets.pipeline import Pipeline
from vivid_assets.rows.keys import digest


def settings_assets(pipeline: Pipeline) -> list[dg.SourceAsset]:
    """An asset for the settings of each stage that has any, in a group of their own."""
    with warnings.catch_warnings():
        # Dagster calls observable source assets a beta; what is relied on is pinned and tested.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return [_settings_asset(pipeline, stage, tables) for stage, tables in tables_by_stage().items()]


def _settings_asset(pipeline: Pipeline, stage: str, tables: Sequence[str]) -> dg.SourceAsset:
    @dg.observable_source_asset(
        key=settings_key(pipeline, stage),
        group_name=f"{pipeline.group_name}_settings",
        tags=pipeline.tags,
        description=(
            f"The settings of `{stage}` that hold: the tables {', '.join(tables)} of vivid.toml, and where a "
            f"catalogue's own catalogue.toml differs. Its version changes with them, and puts `{stage}` out of date."
        ),
        required_resource_keys=pipeline.keys("store", "settings"),
    )
    def stage_settings(context: Any) -> dg.DataVersion:
        held = what_holds(pipeline.resource(context, "store"), pipeline.resource(context, "settings"))
        return dg.DataVersion(digest(held[stage]))

    return stage_settings
