"""What a stage is: the columns of its rows, what it reads, and the key that says when a row is stale."""

from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from functools import cached_property
from typing import Any, TypeVar, get_type_hints

import pyarrow as pa

from vivid_assets.rows.columns import DEGRADED, FILE, NAMED, columns_of, fits, marked, schema_of

Values = TypeVar("Values")

OK, FAILED, SKIPPED = "ok", "failed", "skipped"

COMMON = pa.schema(
    [
        pa.field("picture", pa.string(), nullable=False),
        pa.field("rendition", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("transient", pa.bool_(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("sizes", pa.list_(pa.int64())),
        pa.field("environment", pa.string()),
    ]
)
"""The columns that a row of every stage has."""

COMMON_MEANINGS = {
    "picture": "the picture: its path below the catalogue's folder",
    "rendition": "which of its picture's renditions the row is for; empty in a stage that has a row a picture, and "
    "where none is declared",
    "status": "ok, failed (this stage could not do it) or skipped (an earlier one could not)",
    "error": "why it failed or was skipped, a sentence for people",
    "transient": "whether trying again may help: also of a row that is ok and degraded, or skipped since an earlier "
    "stage has not been run",
    "key": "digest of everything that the row depends on",
    "seconds": "the work spent on this picture",
    "sizes": "bytes of the row's files, by which one that was lost or cut off is noticed",
    "environment": "libraries and devices that the row was computed with; no part of the key",
}
"""What they mean."""

_STATE = ("status", "error")


def row_name(picture: str, rendition: str) -> str:
    """What a row is called, in tables and to people: one of a kind in its stage.

    >>> row_name("a.jpg", ""), row_name("a.jpg", "beach")
    ('a.jpg', 'a.jpg (beach)')
    """
    return f"{picture} ({rendition})" if rendition else picture


def name_of(row: Mapping[str, Any]) -> str:
    """The name of a table's row, or of one of the ledger's."""
    return row_name(row["picture"], row.get("rendition", ""))


@dataclass(frozen=True)
class WhateverBecame:
    """A base of what is read of an earlier stage: a picture that it could not do, or has not done yet, is read too.

    The other columns are None then.
    """

    status: str | None
    error: str | None


@dataclass(frozen=True)
class Reads:
    """What a stage takes from an earlier stage's row of the same picture: a dataclass of some of its columns."""

    stage: "Stage"
    kind: type

    @property
    def required(self) -> bool:
        """Whether a picture is worked on only where the earlier stage has done it."""
        return not issubclass(self.kind, WhateverBecame)

    @property
    def columns(self) -> tuple[str, ...]:
        """The earlier stage's own columns that are read."""
        return tuple(one.name for one in columns_of(self.kind) if one.name not in _STATE)

    def take(self, source: Mapping[str, Any] | None) -> dict[str, Any]:
        """What is read of ``source``, the earlier stage's row."""
        names = self.columns if self.required else (*_STATE, *self.columns)
        return dict.fromkeys(names) if source is None else {name: source[name] for name in names}


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline, as the row engine sees it.

    A stage sees nothing but what it declares here (``asks``, ``reads``), its settings and its models'
    revision, and all of that is in the key: a result cannot depend on something that does not make it stale.
    """

    name: str
    version: str
    """Raised by hand when the code gives other results for the same input."""
    row: type
    """What a row of its holds: a frozen dataclass (``rows.columns``). Its columns come after the common ones.

    A field marked ``StoredFile`` is a path in the store; a row counts only while its files are there, whole. One marked
    ``Degraded`` says, in a sentence, that a row was made with less than was asked for, since a part of the machine
    failed or is not there. Such a row stands until it can be made whole, never takes the place of a whole one of the
    same key, and has a key of its own (``degraded_key``), so that what was made from it is stale then.
    """
    asks: type | None = None
    """Columns of the ledger that are read: the picture's content and what the user asks for it, as a dataclass."""
    reads: tuple[Reads, ...] = ()
    per_rendition: bool = False
    """Whether there is a row per picture and rendition, and not one a picture."""

    def __post_init__(self) -> None:
        if taken := {*self.columns.names} & {*COMMON.names}:
            raise ValueError(f"{self.name} has a column {min(taken)!r}, which every stage has")
        kinds = [read.kind for read in self.reads] + ([self.asks] if self.asks else [])
        if len({*kinds}) < len(kinds):
            raise ValueError(f"{self.name} reads two things as one type: each needs a dataclass of its own")
        for read in self.reads:
            if read.stage.per_rendition and not self.per_rendition:
                raise ValueError(f"{self.name} has a row a picture and reads {read.stage.name}, which has several")
            own = read.kind if read.required else make_dataclass("Own", _own_fields(read.kind))
            if why := fits(own, read.stage.row, optional=not read.required):
                raise ValueError(f"{self.name} reads {read.stage.name}.{why}")

    def name_for(self, picture: Mapping[str, Any]) -> str:
        """What this stage's row is called for a picture of the ledger, or one of its renditions."""
        return row_name(picture["picture"], picture.get("rendition", "") if self.per_rendition else "")

    @cached_property
    def columns(self) -> pa.Schema:
        """The stage's own columns."""
        return schema_of(self.row)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Those of the columns that hold a path in the store."""
        return marked(self.row, FILE)

    @cached_property
    def shared_files(self) -> tuple[str, ...]:
        """Those of these whose path says what is in them."""
        return marked(self.row, NAMED)

    @cached_property
    def degraded(self) -> str | None:
        """That of the columns which says that a row was made with less than was asked for."""
        return next(iter(marked(self.row, DEGRADED)), None)

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema([*COMMON, *self.columns])

    def asked_of(self, picture: Mapping[str, Any]) -> dict[str, Any]:
        """What the stage reads of a picture's row of the ledger."""
        return {column.name: picture[column.name] for column in columns_of(self.asks)} if self.asks else {}


def _own_fields(kind: type) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return [(column.name, hints[column.name]) for column in columns_of(kind) if column.name not in _STATE]


@dataclass(frozen=True)
class RowInput:
    """One picture, or one of its renditions, as a stage may see it."""

    picture: str
    """The picture's path below its catalogue's root; its name everywhere."""
    key: str
    """The digest of everything that the result depends on."""
    values: Mapping[type, Any] = field(default_factory=dict, repr=False)
    """What is read of the ledger and of earlier stages, by its type."""
    rendition: str = ""
    """Its rendition; empty where there is none."""

    @property
    def name(self) -> str:
        """The row's name."""
        return row_name(self.picture, self.rendition)

    def read(self, kind: type[Values]) -> Values:
        """What the stage declares to read as ``kind``, of the ledger (``Stage.asks``) or of an earlier stage."""
        found: Values = self.values[kind]
        return found


def artefact(catalogue: str, stage: Stage, key: str, suffix: str) -> str:
    """Where in the store a stage keeps the file that a row of that ``key`` is made with.

    Named by its key, a file is never another row's: whoever writes it twice writes the same.
    """
    return f"artefacts/{catalogue}/{stage.name}/{key[:2]}/{key}{suffix}"
