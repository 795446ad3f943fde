"""Shards as Dagster knows them."""

import dagster as dg

SHARDS = dg.DynamicPartitionsDefinition(name="shards")
"""One definition for all stages, so that a run or a backfill may select any of them together."""
