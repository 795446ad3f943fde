"""The jobs: one shard through all stages, with or without pictures that failed for good."""

import dagster as dg

from vivid_assets.flow import STAGE_NAMES

_ALL_STAGES = dg.AssetSelection.assets(*STAGE_NAMES, "export")

catalogue_job = dg.define_asset_job(
    "catalogue",
    selection=_ALL_STAGES,
    description="One shard through all stages. Rows that are up to date are reused.",
)

RETRY_FAILED = {"ops": {name: {"config": {"retry_failed": True}} for name in STAGE_NAMES}}

retry_job = dg.define_asset_job(
    "retry_shard",
    selection=_ALL_STAGES,
    config=RETRY_FAILED,
    description="One shard through all stages, including pictures that failed for good, such as corrupt files.",
)
