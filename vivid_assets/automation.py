"""Jobs, schedules and sensors."""

import dagster as dg


catalogue_job = dg.define_asset_job(
    "catalogue",
    selection=dg.AssetSelection.all(),
    description="One shard through all stages. What is up to date is taken over, not computed.",
)
