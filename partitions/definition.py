"""Shards as Dagster knows them."""

import dagster as dg


def shards_of_pipeline(name: str) -> dg.DynamicPartitionsDefinition:
    """One definition for all stages of a pipeline, so that a run or a backfill may select any of them together."""
    return dg.DynamicPartitionsDefinition(name=f"{name}_shards")
