"""A shard's part of the exported dataset: a table with a row per live picture and rendition."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa

from vivid_assets.export.columns import KEY, LEDGER, Column, all_columns
from vivid_assets.flow import stage_named
from vivid_assets.review.look import outcome_of
from vivid_assets.rows.stage import WhateverBecame


@cache
def schema() -> pa.Schema:
    """The dataset's."""
    return pa.schema(
        [
            pa.field("status", pa.string(), nullable=False),
            pa.field("error", pa.string()),
            *(pa.field(column.name, column.type) for column in all_columns()),
            pa.field("models", pa.string()),
            pa.field("shard", pa.string(), nullable=False),
        ]
    )


Rows = Mapping[str, Mapping[str, Any]]
"""A stage's rows by their names."""


def export_part(
    shard: str, pictures: Sequence[Mapping[str, Any]], stages: Mapping[str, Rows], models: Mapping[str, Any]
) -> pa.Table:
    """The shard's part (of ``schema``), from its live rows of the ledger and the stages' rows.

    Args:
        shard: its partition key.
        pictures: the ledger's rows, one for each rendition.
        stages: the rows of every stage that a column reads, by the stage's name.
        models: the revision of each model, as the stages' tables note it.
    """
    revisions = json.dumps(models, sort_keys=True)
    return pa.Table.from_pylist([_row(shard, picture, stages, revisions) for picture in pictures], schema=schema())


def _row(shard: str, picture: Mapping[str, Any], stages: Mapping[str, Rows], revisions: str) -> dict[str, Any]:
    nothing = {"status": None, "error": None}
    sources: dict[str, Mapping[str, Any]] = {
        name: rows.get(stage_named(name).name_for(picture), nothing) for name, rows in stages.items()
    }
    status, error = outcome_of({name: WhateverBecame(row["status"], row["error"]) for name, row in sources.items()})
    sources[LEDGER] = picture
    values = {column.name: _value(column, sources[column.source]) for column in all_columns()}
    return {"status": status, "error": error, **values, "models": revisions, "shard": shard}


def _value(column: Column, source: Mapping[str, Any]) -> Any:
    value = source.get(column.column)
    if column.column == KEY:
        # A failed row has a key, but no file: a digest would mislead here.
        return value if source["status"] == "ok" else None
    if value is None:
        return None
    if column.is_file:
        return f"../../{value}"
    return json.loads(value).get(column.within) if column.within else value
