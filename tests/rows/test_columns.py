"""Typed rows: the Arrow schema of a dataclass, and what is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pytest

from vivid_assets.rows.columns import Degraded, Int8, Int32, StoredFile, as_columns, columns_of, from_columns, schema_of
from vivid_assets.rows.stage import Stage


@dataclass(frozen=True)
class Word:
    word: str
    reason: str | None


@dataclass(frozen=True)
class Figures:
    halo: float | None


@dataclass(frozen=True, kw_only=True)
class Full(Figures):
    file: StoredFile
    shadow: StoredFile | None
    lacks: Degraded
    rank: Int8
    width: Int32 | None
    seed: int
    good: bool
    picture_bytes: bytes | None
    origin: Literal["own", "person"]
    words: Sequence[Word]
    notes: tuple[str, ...]


def test_the_schema_comes_from_the_dataclass_its_own_columns_first():
    assert schema_of(Full) == pa.schema(
        [
            ("file", pa.string()),
            ("shadow", pa.string()),
            ("lacks", pa.string()),
            ("rank", pa.int8()),
            ("width", pa.int32()),
            ("seed", pa.int64()),
            ("good", pa.bool_()),
            ("picture_bytes", pa.binary()),
            ("origin", pa.string()),
            ("words", pa.list_(pa.struct([("word", pa.string()), ("reason", pa.string())]))),
            ("notes", pa.list_(pa.string())),
            ("halo", pa.float64()),
        ]
    )
    stage = Stage("full", "1", Full)
    assert (stage.files, stage.degraded) == (("file", "shadow"), "lacks")


def test_a_row_survives_its_table():
    row = Figures(halo=1.5)
    (back,) = pa.Table.from_pylist([as_columns(row)], schema=schema_of(Figures)).to_pylist()
    assert from_columns(Figures, back | {"another": 1}) == row
    nested = as_columns(
        Full(
            file="f",
            shadow=None,
            lacks=None,
            rank=1,
            width=None,
            seed=3,
            good=True,
            picture_bytes=b"x",
            origin="own",
            words=(Word("soft", None),),
            notes=("a",),
            halo=None,
        )
    )
    table = pa.Table.from_pylist([nested], schema=schema_of(Full))
    assert table.to_pylist() == [nested]
    assert nested["words"] == [{"word": "soft", "reason": None}]


def test_a_value_that_must_be_there_is():
    with pytest.raises(ValueError, match="Word has no 'word', which every row has"):
        as_columns(Word(None, "x"))


@dataclass(frozen=True)
class Odd:
    when: complex


@dataclass(frozen=True)
class EitherOr:
    one: int | str


class Plain:
    one: int


@pytest.mark.parametrize(
    ("kind", "why"), [(Odd, "Odd.when is a .*complex"), (EitherOr, "EitherOr.one"), (Plain, "Plain is no dataclass")]
)
def test_what_no_table_can_hold_is_refused_when_the_stage_is_declared(kind, why):
    with pytest.raises(TypeError, match=why):
        columns_of(kind)
