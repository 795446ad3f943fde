"""The settings as the launchpad shows them: a schema with what each entry means, and what it takes."""

from collections.abc import Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import dagster as dg

from vivid_assets.settings import table_type
from vivid_assets.settings_page import Entry, entries, read_by, tables

_SCALARS = (bool, int, float, str)


@cache
def settings_schema(stages: tuple[str, ...]) -> dg.Permissive:
    """The tables that rows of these stages depend on; every table and entry may be left out.

    Installed packages may have tables of their own.
    """
    read = [table for table in tables() if {*read_by(table)} & {*stages}]
    return dg.Permissive(  # type: ignore[no-untyped-call]
        {table: dg.Field(_table(table), is_required=False, description=_about(table)) for table in read},
        description="Entries of vivid.toml, by table. What is left out stays as it is.",
    )


def _table(table: str) -> Any:
    declared = table_type(table)
    if table == "renditions" or declared is None:
        return dict
    said = {entry.name: entry for entry in entries(table)}
    return dg.Shape(  # type: ignore[no-untyped-call]
        {
            name: dg.Field(_kind(f"{table}_{name}", field.annotation), is_required=False, description=_says(said[name]))
            for name, field in declared.model_fields.items()
        }
    )


def _about(table: str) -> str:
    return f"[{table}] of vivid.toml: what {', '.join(read_by(table))} read."


def _says(entry: Entry) -> str:
    # Choices are the type's, which the launchpad shows.
    bounds = "" if entry.range.startswith("`") else entry.range
    default = f"Default: {entry.default}" if entry.default else "No default"
    return f"{entry.meaning} {default}{f'; {bounds}' if bounds else ''}."


def _kind(name: str, annotation: Any) -> Any:
    """A field's type in Dagster's configuration; anything where that has none, which the settings check themselves."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in _SCALARS:
        return annotation
    if origin is Annotated:
        return _kind(name, parts[0])
    if origin is Literal:
        return dg.Enum(f"vivid_{name}", [dg.EnumValue(part) for part in parts])
    if origin is tuple and len({*parts} - {Ellipsis}) == 1:
        return dg.Array(_kind(name, parts[0]))
    if origin in (Union, UnionType):
        return _union(name, parts)
    return dict if origin in (dict, Mapping) else dg.Any


def _union(name: str, parts: Iterable[Any]) -> Any:
    """Of a kind or none, or of one thing or several of them."""
    first, *others = (part for part in parts if part is not type(None))
    if not others:
        return dg.Noneable(_kind(name, first))
    if first in _SCALARS and get_origin(others[0]) is tuple:
        return dg.ScalarUnion(scalar_type=first, non_scalar_schema=_kind(name, others[0]))
    return dg.Any
