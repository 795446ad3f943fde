"""The manifest: a table of pictures and what is asked for each (CSV or Parquet)."""

import difflib

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from upath import UPath

COLUMNS = {
    "image": "the picture's path below the catalogue's folder",
    "prompt": "the background wanted",
    "negative_prompt": "what the background must not show",
    "seed": "a whole number; the same prompt, size and seed give the same background",
    "scene": "a name instead of a seed: pictures of one scene share one background",
    "background": "a picture below the catalogue's folder to use as the background",
    "tier": "the mask tier to use: birefnet, u2net, u2netp or gradients",
    "box": "where the subject is: left, top, right, bottom in pixels, as '10,20,300,400'",
}
MANIFEST_NAMES = ("manifest.parquet", "manifest.csv")

_LONGEST_TEXT = 10_000


def read_manifest(path: UPath) -> tuple[pa.Table, list[str]]:
    """The manifest's known columns as text (empty where nothing is said), and a sentence per refused line or column.

    Raises ValueError when it cannot be read, lacks the column ``image`` or misspells a column.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path.path, filesystem=path.fs)
        else:
            with path.open("rb") as file:
                table = pyarrow.csv.read_csv(file, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"The manifest {path} cannot be read: {error}") from error
    table = table.rename_columns([name.strip().lower().replace(" ", "_") for name in table.column_names])
    if "image" not in table.column_names:
        raise ValueError(f"The manifest {path} has no column 'image', only {', '.join(table.column_names)}.")
    notes = _look_at_names(table.column_names, path)
    text = pa.table({name: _as_text(table, name) for name in COLUMNS})
    text, refused = _refuse(text)
    return text, notes + refused


def _look_at_names(names: list[str], path: UPath) -> list[str]:
    unknown = [name for name in names if name not in COLUMNS]
    for name in unknown:
        meant = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.8)
        if meant:
            raise ValueError(f"The manifest {path} has a column {name!r}: is {meant[0]!r} meant?")
    return [f"The manifest's column {name!r} is not used." for name in unknown]


def _as_text(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        return pa.chunked_array([pa.array([""] * len(table), pa.string())])
    column = table[name]
    if pa.types.is_floating(column.type):
        column = column.cast(pa.int64(), safe=False)
    return pc.fill_null(column.cast(pa.string()), "")


def _refuse(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """The lines that can be used, and a sentence for each of the others."""
    rules = [
        (pc.equal(pc.utf8_trim_whitespace(table["image"]), ""), "names no image"),
        (
            pc.match_substring_regex(table["image"], r"^([/\\~]|[A-Za-z]:|[A-Za-z0-9+.-]+://)"),
            "is not a path below the catalogue's folder",
        ),
        (pc.match_substring_regex(table["image"], r"(^|[/\\])\.\.([/\\]|$)"), "leads out of the catalogue's folder"),
        (pc.match_substring_regex(table["image"], r"[\x00-\x1f\x7f\\]"), "has a control character or backslash"),
        *(
            (pc.greater(pc.utf8_length(table[name]), _LONGEST_TEXT), f"has a {name} of over {_LONGEST_TEXT} characters")
            for name in ("prompt", "negative_prompt")
        ),
        (pc.invert(pc.match_substring_regex(table["seed"], r"^\d{0,18}$")), "has a seed that is no whole number"),
        (
            pc.invert(pc.match_substring_regex(table["box"], r"^(\s*\d+\s*(,\s*\d+\s*){3})?$")),
            "has a box that is not 'left,top,right,bottom'",
        ),
        (
            pc.match_substring_regex(
                table["background"], r"^([/\\~]|[A-Za-z]:|[A-Za-z0-9+.-]+://)|(^|[/\\])\.\.([/\\]|$)"
            ),
            "has a background outside the catalogue's folder",
        ),
        (_seen_before(table["image"]), "is listed a second time"),
    ]
    good = pa.chunked_array([pa.array([True] * len(table), pa.bool_())])
    sentences = []
    for bad, why in rules:
        here = pc.and_(good, bad)
        sentences += [f"The manifest's line for {image!r} {why}." for image in table["image"].filter(here).to_pylist()]
        good = pc.and_(good, pc.invert(bad))
    return table.filter(good), sentences


def _seen_before(names: pa.ChunkedArray) -> pa.Array:
    if len(pc.unique(names)) == len(names):
        return pa.array([False] * len(names), pa.bool_())
    seen: set[str] = set()
    again = []
    for name in names.to_pylist():
        again.append(name in seen)
        seen.add(name)
    return pa.array(again, pa.bool_())
