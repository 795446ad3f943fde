"""Typed rows: what a stage's row holds is a frozen dataclass, and the table's Arrow schema comes from it.

Text, numbers, truth values, bytes, sequences and dataclasses of these are what a field may be, with `| None` where a
row need not have it. A column is named once, and one that is misspelt or forgotten is refused where it is written.
"""

import ast
import inspect
import textwrap
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

FILE = "file in the store"
"""Marks a field that holds a path in the store: a row counts only while the file is there, whole."""
NAMED = "named by its content"
"""Marks a file whose path is a digest of all that it is made of: the same path is the same file."""
DEGRADED = "degraded"
"""Marks the field which says, in a sentence, that a row was made with less than was asked for; see ``Stage``."""

StoredFile = Annotated[str, FILE]
SharedFile = Annotated[str, FILE, NAMED]
"""A file that several rows share, under a path that says what it is made of."""
Degraded = Annotated[str | None, DEGRADED]
Int8 = Annotated[int, pa.int8()]
Int32 = Annotated[int, pa.int32()]

Values = TypeVar("Values")

_PLAIN = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}


@dataclass(frozen=True)
class Column:
    """A field of a row."""

    name: str
    type: pa.DataType
    may_be_none: bool
    marks: tuple[str, ...]


def columns_of(kind: type) -> tuple[Column, ...]:
    """The columns of a dataclass, its own before those of its bases.

    Raises:
        TypeError: it is none, or a field's type is none that a table can hold.
    """
    return _columns_of(kind)


@lru_cache(maxsize=256)
def _columns_of(kind: Hashable) -> tuple[Column, ...]:
    assert isinstance(kind, type)
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is no dataclass: decorate it with @dataclass(frozen=True)")
    hints = get_type_hints(kind, include_extras=True)
    names = dict.fromkeys(name for base in kind.__mro__ for name in inspect.get_annotations(base))
    known = {field.name for field in fields(kind)}
    return tuple(_column(f"{kind.__name__}.{name}", name, hints[name]) for name in names if name in known)


def schema_of(kind: type) -> pa.Schema:
    """The Arrow schema of a dataclass. Every column may be null, as it is in rows that failed."""
    return pa.schema([pa.field(column.name, column.type) for column in columns_of(kind)])


def meanings_of(kind: type) -> dict[str, str]:
    """What the columns of a dataclass mean, by name: the docstrings below its fields, its own before its bases'.

    A column without one is left out; so is all of a class whose source is not there.
    """
    found: dict[str, str] = {}
    for base in kind.__mro__:
        if is_dataclass(base):
            with suppress(OSError):
                found = _docstrings(textwrap.dedent(inspect.getsource(base))) | found
    return {column.name: found[column.name] for column in columns_of(kind) if column.name in found}


def _docstrings(source: str) -> dict[str, str]:
    """Of a class's fields."""
    (declared,) = ast.parse(source).body
    assert isinstance(declared, ast.ClassDef)
    found = {}
    for field, below in pairwise(declared.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            found[field.target.id] = " ".join(ast.literal_eval(below.value).split())
    return found


def as_columns(row: Any) -> dict[str, Any]:
    """A row's values by column.

    Raises:
        ValueError: a value is None, and its field may not be.
    """
    values = {}
    for column in columns_of(type(row)):
        value = getattr(row, column.name)
        if value is None and not column.may_be_none:
            raise ValueError(f"{type(row).__name__} has no {column.name!r}, which every row has")
        values[column.name] = _as_plain(value)
    return values


def from_columns(kind: type[Values], values: Mapping[str, Any]) -> Values:
    """The values of a table's row that ``kind`` has, as one."""
    return kind(**{column.name: values[column.name] for column in columns_of(kind)})


def _column(where: str, name: str, annotation: Any) -> Column:
    type_, may_be_none, marks = _read(where, annotation)
    return Column(name, type_, may_be_none, marks)


def _read(where: str, annotation: Any) -> tuple[pa.DataType, bool, tuple[str, ...]]:
    """The Arrow type, whether it may be None, and the marks."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        type_, may_be_none, marks = _read(where, arguments[0])
        given = [one for one in arguments[1:] if isinstance(one, pa.DataType)]
        return given[0] if given else type_, may_be_none, (*marks, *(one for one in arguments[1:] if one not in given))
    if origin in (Union, UnionType) and NoneType in arguments and len(arguments) == 2:
        type_, _, marks = _read(where, next(one for one in arguments if one is not NoneType))
        return type_, True, marks
    if origin is Literal and all(isinstance(one, str) for one in arguments):
        return pa.string(), False, ()
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return pa.list_(_read(where, arguments[0])[0]), False, ()
    if annotation in _PLAIN:
        return _PLAIN[annotation], False, ()
    if isinstance(annotation, type) and is_dataclass(annotation):
        return pa.struct([(one.name, one.type) for one in columns_of(annotation)]), False, ()
    raise TypeError(f"{where} is a {annotation}, which no column of a table can hold")


def _as_plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_as_plain(one) for one in value]
    return as_columns(value) if is_dataclass(value) else value


def marked(kind: type, mark: str) -> tuple[str, ...]:
    """The names of the columns that have that mark."""
    return tuple(column.name for column in columns_of(kind) if mark in column.marks)


def fits(kind: type, source: type, *, optional: bool) -> str | None:
    """Why the columns of ``kind`` cannot be read from rows of ``source``, as a phrase; None when they can.

    Args:
        kind: what is read.
        source: the rows.
        optional: whether a row may be read that does not have its values, so that all must allow for None.
    """
    there = {column.name: column for column in columns_of(source)}
    for column in columns_of(kind):
        one = there.get(column.name)
        if one is None:
            return f"{column.name}, which does not exist"
        if one.type != column.type:
            return f"{column.name} as {column.type}, and it is {one.type}"
        if (one.may_be_none or optional) and not column.may_be_none:
            return f"{column.name} as a value that is always there, and it may be None"
    return None
