"""Tuning: changed settings are observed, so that the UI shows what they put out of date."""

import dagster as dg

from vivid_assets.catalogue.settings_versions import observations
from vivid_assets.pipeline import Pipeline


def settings_changes_sensor(pipeline: Pipeline, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor that observes settings."""

    @dg.sensor(
        name=pipeline.named("settings_changes"),
        minimum_interval_seconds=30,
        default_status=status,
        description="Observes the settings, so that shards made with others are shown as out of date. Starts no run.",
        required_resource_keys={*pipeline.resources(store=None, settings=None)},
    )
    def settings_changes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        store, settings = pipeline.resource(context, "store"), pipeline.resource(context, "settings")
        changed = observations(pipeline, context.instance, store, settings)
        return dg.SensorResult(asset_events=changed) if changed else dg.SkipReason("The settings have not changed.")

    return settings_changes
