"""The checks of a stage, as Dagster has them."""

import warnings

import dagster as dg

from resources.store.store import Store
from vivid_assets.checks.check import Check, Context
from vivid_assets.checks.complete import COMPLETE
from vivid_assets.pipeline import Pipeline
from vivid_assets.rows.engine import Outcome
from vivid_assets.settings import ChecksSettings
from vivid_assets.stages.stage import PipelineStage

_SEVERITY = {"error": dg.AssetCheckSeverity.ERROR, "warn": dg.AssetCheckSeverity.WARN}


def check_specs(pipeline: Pipeline, stage: PipelineStage) -> list[dg.AssetCheckSpec]:
    """The checks of a stage. Partitioned: otherwise the next good shard would hide a bad one."""
    with warnings.catch_warnings():
        # Dagster calls partitions on checks a preview; what we rely on is pinned and tested.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                name=check.name,
                asset=pipeline.key(stage.name),
                blocking=check.blocking,
                partitions_def=pipeline.shards,
                description=check.description,
            )
            for check in _checks(stage)
        ]


def judge_shard(
    pipeline: Pipeline, stage: PipelineStage, shard: str, outcome: Outcome, store: Store, limits: ChecksSettings
) -> tuple[list[dg.AssetCheckResult], dict[str, float]]:
    """The results of the stage's checks for a shard, and their figures."""
    context = Context(store, stage, shard, limits)
    results: list[dg.AssetCheckResult] = []
    figures: dict[str, float] = {}
    for check in _checks(stage):
        judged = check.judge(outcome, context)
        figures.update(judged.figures)
        results.append(
            dg.AssetCheckResult(
                check_name=check.name,
                asset_key=pipeline.key(stage.name),
                passed=judged.passed,
                severity=_SEVERITY[judged.severity or limits.severity],
                description=judged.sentence,
                metadata=dict(judged.figures),
            )
        )
    return results, figures


def _checks(stage: PipelineStage) -> tuple[Check, ...]:
    return (COMPLETE, *stage.checks)
