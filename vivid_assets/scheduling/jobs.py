"""The jobs: one shard through all stages, with or without pictures that failed for good."""

from typing import Any

import dagster as dg

from vivid_assets.flow import STAGE_NAMES
from vivid_assets.pipeline import Pipeline

CATALOGUE = "catalogue"
RETRY_SHARD = "retry_shard"


def shard_jobs(pipeline: Pipeline) -> list[Any]:
    """The jobs over one shard."""
    return [
        _job(pipeline, CATALOGUE, "One shard through all stages. Rows that are up to date are reused."),
        _job(
            pipeline,
            RETRY_SHARD,
            "One shard through all stages, including pictures that failed for good, such as corrupt files.",
            retry_failed(pipeline),
        ),
    ]


def retry_failed(pipeline: Pipeline) -> dict[str, Any]:
    """The config of a run that tries pictures again that failed for good."""
    return {"ops": {pipeline.step(name): {"config": {"retry_failed": True}} for name in STAGE_NAMES}}


def _job(pipeline: Pipeline, name: str, description: str, config: dict[str, Any] | None = None) -> Any:
    return dg.define_asset_job(
        pipeline.named(name),
        selection=dg.AssetSelection.assets(*map(pipeline.key, (*STAGE_NAMES, "export"))),
        config=config,
        description=description,
        tags=pipeline.tags,
        # One process a run, so that a model is loaded once and not by every step; runs are what is parallel.
        executor_def=dg.in_process_executor,
    )
