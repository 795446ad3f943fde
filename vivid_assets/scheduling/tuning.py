"""Tuning: changed settings are observed, so that the UI shows what they put out of date."""

import dagster as dg

from resources.store.store import Store
from vivid_assets.catalogue.settings_versions import observations
from vivid_assets.settings import SettingsFile


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Observes the settings, so that shards made with others are shown as out of date. Starts no run.",
)
def settings_changes(
    context: dg.SensorEvaluationContext, store: dg.ResourceParam[Store], settings: dg.ResourceParam[SettingsFile]
) -> dg.SensorResult | dg.SkipReason:
    changed = observations(context.instance, store, settings)
    return dg.SensorResult(asset_events=changed) if changed else dg.SkipReason("The settings have not changed.")
