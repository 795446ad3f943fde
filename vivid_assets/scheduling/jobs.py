"""The job that brings one shard through all stages, and how a job of one step is made."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from vivid_assets.flow import STAGE_NAMES
from vivid_assets.pipeline import Pipeline

CATALOGUE = "catalogue"


def catalogue_job(pipeline: Pipeline) -> Any:
    """The job that brings one shard through all stages."""
    return dg.define_asset_job(
        pipeline.named(CATALOGUE),
        selection=dg.AssetSelection.assets(*map(pipeline.key, (*STAGE_NAMES, "export"))),
        description="One shard through all stages. Rows that are up to date are reused.",
        tags=pipeline.tags,
        # One process a run, so that a model is loaded once and not by every step; runs are what is parallel.
        executor_def=dg.in_process_executor,
    )


def retry_failed(pipeline: Pipeline, stages: Iterable[str] = STAGE_NAMES) -> dict[str, Any]:
    """The config of a run of ``stages`` that tries pictures again that failed for good."""
    return {"ops": {pipeline.step(name): {"config": {"retry_failed": True}} for name in stages}}


def one_step(pipeline: Pipeline, name: str, op: dg.OpDefinition, description: str) -> dg.JobDefinition:
    """A job that is one step, whose launchpad has just that step's entries."""
    return dg.GraphDefinition(name=pipeline.named(name), node_defs=[op]).to_job(
        description=description, tags=pipeline.tags, executor_def=dg.in_process_executor
    )
