"""The manifest: a table of pictures and their requests (CSV, Parquet or JSON lines).

It comes from spreadsheets, scripts and people: separators, encodings and empty columns are theirs to choose. What
cannot be understood without a guess is refused by name.
"""

import codecs
import csv
import difflib
import functools
import io
import json
import re
from collections.abc import Callable, Hashable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from upath import UPath

from resources.registry import BrokenPlugin
from resources.scenes.plain import is_plain
from vivid_assets.catalogue.names import LEADS_OUT, NOT_BELOW, why_refused
from vivid_assets.settings import LONGEST_TEXT, tier_name

COLUMNS = {
    "image": "the picture's path below the catalogue's folder",
    "prompt": "the background, in words",
    "negative_prompt": "what the background must not show",
    "seed": "a whole number; the same prompt, size and seed give the same background",
    "scene": "a name instead of a seed: pictures of one scene share one background",
    "background": "a picture below the catalogue's folder, a colour such as '#ffffff', or 'transparent'",
    "rendition": "the rendition that the line is for; without it the line is for all of the picture's",
    "tier": "the mask tier to use, by its name in `tiers` of [masks]",
    "box": "where the subject is: left, top, right, bottom in pixels, as '10,20,300,400'",
    "digest": "a checksum or entity tag of the file; if every line has one, the scan lists and reads no files",
}
MANIFEST_NAMES = (
    "manifest.parquet",
    "manifest.csv",
    "manifest.tsv",
    "manifest.jsonl",
    "metadata.parquet",
    "metadata.csv",
    "metadata.jsonl",
)
"""In order of precedence. Hugging Face's image folders have ``metadata.*``."""

ALIASES = {"file_name": "image", "text": "prompt"}
"""Columns of Hugging Face's image folders, and what they are here."""

_LARGEST_LINE = 64 << 20
"""Bytes that are searched for the end of a line; one overlong cell must not fail the others."""

_SEPARATORS = (",", ";", "\t", "|")

# What a spreadsheet that opens an exported table would run, and what a terminal would obey.
_FORMULA = r"^\s*([=+@]|-[^|(]*[|(])"
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}]"


class NoImages(ValueError):
    """A table that names no images."""


def read_manifest(path: UPath, hint: Callable[[str], str]) -> tuple[pa.Table, list[str]]:
    r"""The manifest's known columns as text (empty where nothing is said), and a sentence per refused line or column.

    Paths are tidied (``./a.jpg``, ``shoes\a.jpg``, spaces around); ``hint`` says what is meant by one that leads
    elsewhere, as ``did_you_mean`` does. Raises ValueError when the file cannot be read, is
    cut off, lacks the column ``image`` or misspells a column.
    """
    notes: list[str] = []
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path.path, filesystem=path.fs)
        elif path.suffix.lower() in (".jsonl", ".ndjson"):
            table = _from_json_lines(_as_unicode(path.read_bytes(), path, notes), path, notes)
        else:
            table = _from_csv(_as_unicode(path.read_bytes(), path, notes), path, notes)
    except (pa.ArrowException, csv.Error, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"The manifest {path} cannot be read: {reason}") from error
    names = [name.strip().lower().replace(" ", "_") for name in table.column_names]
    for alias, name in ALIASES.items():
        if alias in names and name not in names:
            names[names.index(alias)] = name
            notes.append(f"The manifest's column {alias!r} is read as {name!r}.")
    table = table.rename_columns(names)
    if twice := sorted({name for name in table.column_names if table.column_names.count(name) > 1}):
        raise ValueError(f"The manifest {path} has more than one column {twice[0]!r}.")
    if "image" not in table.column_names:
        found = ", ".join(map(repr, filter(None, table.column_names))) or "nothing"
        raise NoImages(
            f"The manifest {path} has no column 'image', only {found}: name the column of the pictures' paths 'image'."
        )
    notes += _look_at_names(table.column_names, path)
    text = pa.table({name: _as_text(table, name, path) for name in COLUMNS})
    # Lines of nothing but separators, as spreadsheets leave them below the last one.
    empty = functools.reduce(pc.and_, (pc.equal(pc.utf8_trim_whitespace(text[name]), "") for name in COLUMNS))
    if pc.any(empty).as_py():
        text = text.filter(pc.invert(empty))
    for name in ("seed", "rendition", "tier", "box", "digest"):
        text = _replaced(text, name, pc.utf8_trim_whitespace)
    # As pandas writes whole numbers in a column with gaps, and spreadsheets with a decimal comma. Not 1.000, which is a
    # thousand there.
    text = _replaced(text, "seed", lambda seeds: pc.replace_substring_regex(seeds, r"^(\d+)[.,]0$", r"\1"))
    for name in ("image", "background"):
        text = _replaced(text, name, _tidy)
    text, refused = _refuse(text, hint)
    return text, notes + refused


def _as_unicode(data: bytes, path: UPath, notes: list[str]) -> str:
    """The text of a file as spreadsheets and editors leave it."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in data[:4]:
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if "end of data" in error.reason or encoding != "utf-8-sig":
            raise ValueError(
                f"The manifest {path} is cut off in the middle of a character, or is not UTF-8: copy it again, or save "
                "it as UTF-8."
            ) from error
        line = data.count(b"\n", 0, error.start) + 1
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise ValueError(f"The manifest {path} is not UTF-8 text (line {line}): save it as UTF-8.") from error
    notes.append(
        f"The manifest {path.name} is not UTF-8 (line {line}) and was read as Windows-1252: check its special "
        "characters, or save it as UTF-8."
    )
    return text


def _from_csv(text: str, path: UPath, notes: list[str]) -> pa.Table:
    if "\n" not in text:
        text = text.replace("\r", "\n")
    if match := re.match(r'"?sep=(.)"?[;,|\t ]*(?:\r\n?|\n)', text, re.IGNORECASE):
        # Excel's own first line, also as other spreadsheets save it.
        separator, text = match[1], text[match.end() :]
    else:
        text = text.lstrip("\r\n")
        separator = _separator(text)
    ragged = False

    def note_ragged(_row: pyarrow.csv.InvalidRow) -> str:
        nonlocal ragged
        ragged = True
        return "skip"

    # A quote that is never closed would swallow every line after it: those with an odd number are read with more care.
    if text.count('"') % 2 == 0:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(text.encode()),
            read_options=pyarrow.csv.ReadOptions(block_size=_LARGEST_LINE),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=note_ragged
            ),
            convert_options=pyarrow.csv.ConvertOptions(column_types=_types(text, separator)),
        )
        if not ragged and all(name.strip() for name in table.column_names):
            return table
    return _from_ragged_csv(text, separator, path, notes)


def _types(text: str, separator: str) -> dict[str, pa.DataType]:
    """Every column as text, without guessing types: 007, 1e9 and NA stay as they are."""
    return dict.fromkeys(_header(text, separator), pa.string())


def _header(text: str, separator: str) -> list[str]:
    return next(csv.reader(io.StringIO(text[: 1 << 20], newline=""), delimiter=separator), [])


def _separator(text: str) -> str:
    """The separator that gives the header a column for images; a comma if none does, which is then an error."""
    for separator in _SEPARATORS:
        names = {name.strip().lower().replace(" ", "_") for name in _header(text, separator)}
        if names & {"image", "file_name"}:
            return separator
    return max(_SEPARATORS, key=lambda one: len(_header(text, one)))


def _from_ragged_csv(text: str, separator: str, path: UPath, notes: list[str]) -> pa.Table:
    """Line by line: cells that are missing or empty do no harm, and a line with too many spoils itself alone."""
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_LINE))
    end = "\x00the end"
    whole = text if text.endswith(("\n", "\r")) else f"{text}\n"
    lines = [row for row in csv.reader(io.StringIO(f"{whole}{end}\n", newline=""), delimiter=separator) if any(row)]
    if not lines or lines[-1] != [end]:
        first = lines[-1][0][:60] if lines else ""
        raise ValueError(
            f"The manifest {path} is cut off, or has a quotation mark that is not closed, in the line for {first!r}."
        )
    if len(lines) < 2:
        raise ValueError(f"The manifest {path} is empty.")
    header = lines[0]
    while header and not header[-1].strip():
        header.pop()
    if "" in (name.strip() for name in header):
        header = [name.strip() or f"column {number}" for number, name in enumerate(header, start=1)]
    rows = []
    for row in lines[1:-1]:
        if len(row) < len(header) and row is lines[-2] and whole != text:
            raise ValueError(f"The manifest {path} is cut off in its last line, for {row[0][:60]!r}: copy it again.")
        if any(cell.strip() for cell in row[len(header) :]):
            notes.append(
                f"The manifest's line for {_short(row[0])!r} has more cells than the header: put quotation marks "
                f"around a text that contains {separator!r}."
            )
            continue
        rows.append([*row[: len(header)], *[""] * (len(header) - len(row))])
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return pa.Table.from_arrays([pa.array([*column], pa.string()) for column in columns], names=header)


def _from_json_lines(text: str, path: UPath, notes: list[str]) -> pa.Table:
    rows = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                raise ValueError(
                    f"The manifest {path} is cut off in its last line ({number}): copy it again."
                ) from error
            row = None
        flat = isinstance(row, dict) and {
            name: "" if value is None else str(value)
            for name, value in row.items()
            if not isinstance(value, dict | list) or name.strip().lower().replace(" ", "_") not in _KNOWN
        }
        if flat and len(flat) == len(row):
            rows.append(flat)
        else:
            notes.append(f"The manifest's line {number} is no JSON object of texts and numbers.")
    names = [*dict.fromkeys(name for row in rows for name in row)]
    return pa.table({name: pa.array([row.get(name, "") for row in rows], pa.string()) for name in names})


_ELSEWHERE = (NOT_BELOW, LEADS_OUT)
_KNOWN = (*COLUMNS, *ALIASES)


def _replaced(table: pa.Table, name: str, change: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, change(table[name]))


def _tidy(names: pa.ChunkedArray) -> pa.ChunkedArray:
    r"""Paths as they are below the folder: ``./shoes\a.jpg`` is ``shoes/a.jpg``."""
    names = pc.utf8_trim_whitespace(names)
    is_drive = pc.match_substring_regex(names, r"^[A-Za-z]:")
    names = pc.if_else(is_drive, names, pc.replace_substring(names, "\\", "/"))
    names = pc.replace_substring_regex(names, r"^(\./+)+", "")
    return pc.replace_substring_regex(names, r"([^:/])/+(?:\./+)*", r"\1/")


def _look_at_names(names: list[str], path: UPath) -> list[str]:
    unknown = [name for name in names if name not in COLUMNS]
    for name in unknown:
        meant = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.8)
        if meant:
            raise ValueError(f"The manifest {path} has a column {name!r}: did you mean {meant[0]!r}?")
    return [f"The manifest's column {name!r} is not used." for name in unknown]


def _as_text(table: pa.Table, name: str, path: UPath) -> pa.ChunkedArray:
    if name not in table.column_names:
        return pa.chunked_array([pa.array([""] * len(table), pa.string())])
    column = table[name]
    try:
        if pa.types.is_floating(column.type):
            column = column.cast(pa.int64())
        return pc.fill_null(column.cast(pa.string()), "")
    except pa.ArrowException as error:
        raise ValueError(
            f"The manifest {path} has a column {name!r} that is neither UTF-8 text nor whole numbers ({column.type})."
        ) from error


def _unknown_tiers(column: pa.ChunkedArray) -> pa.Array:
    """The entries that name no mask tier; empty ones name none on purpose."""
    unknown = []
    for name in column.unique().to_pylist():
        try:
            if name:
                tier_name(name)
        except (ValueError, BrokenPlugin):
            unknown.append(name)
    return pa.array(unknown, column.type)


def _refuse(table: pa.Table, hint: Callable[[str], str]) -> tuple[pa.Table, list[str]]:
    """The lines that can be used, and a message for each of the others."""
    lines = [*zip(table["image"].to_pylist(), table["rendition"].to_pylist(), strict=True)]
    rules = [
        (pc.equal(pc.utf8_trim_whitespace(table["image"]), ""), "names no image"),
        *_bad_names(table["image"]),
        *(rule for name in ("prompt", "negative_prompt", "scene") for rule in _bad_texts(table, name)),
        (pc.is_in(table["tier"], _unknown_tiers(table["tier"])), "has an unknown tier"),
        (pc.invert(pc.match_substring_regex(table["seed"], r"^\d{0,18}$")), "has a seed that is no whole number"),
        (
            pc.invert(pc.match_substring_regex(table["box"], r"^(\s*\d+\s*(,\s*\d+\s*){3})?$")),
            "has a box that is not 'left,top,right,bottom'",
        ),
        *((bad, f"has a background that {why}") for bad, why in _bad_names(table["background"], besides=is_plain)),
        (seen_before(lines), "is listed a second time"),
    ]
    good = pa.chunked_array([pa.array([True] * len(table), pa.bool_())])
    sentences = []
    for bad, why in rules:
        here = pc.and_(good, bad)
        named = table["image"].filter(here).to_pylist()
        is_path = why in _ELSEWHERE
        sentences += [
            f"The manifest's line for {_short(image)!r} {why}{(is_path and hint(image)) or '.'}" for image in named
        ]
        good = pc.and_(good, pc.invert(bad))
    return table.filter(good), sentences


def _bad_names(
    names: pa.ChunkedArray, *, besides: Callable[[str], bool] = lambda _: False
) -> list[tuple[pa.Array, str]]:
    """For each reason why a path is refused, which of ``names`` are; empty ones, and those ``besides``, are skipped."""
    reasons = [why_refused(name) if name and not besides(name) else None for name in names.to_pylist()]
    return [(pa.array([one == why for one in reasons]), why) for why in sorted({why for why in reasons if why})]


def _bad_texts(table: pa.Table, name: str) -> list[tuple[pa.ChunkedArray, str]]:
    return [
        (pc.greater(pc.utf8_length(table[name]), LONGEST_TEXT), f"has a {name} of over {LONGEST_TEXT:,} characters"),
        (pc.match_substring_regex(table[name], _CONTROL), f"has a control character in its {name}"),
        (pc.match_substring_regex(table[name], _FORMULA), f"has a {name} that starts like a formula"),
    ]


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:100]}…"


def seen_before(names: Sequence[Hashable]) -> pa.Array:
    """Which of ``names`` stand further up already."""
    seen: set[Hashable] = set()
    again = []
    for name in names:
        again.append(name in seen)
        seen.add(name)
    return pa.array(again, pa.bool_())
