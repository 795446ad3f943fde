"""The manifest: a table of pictures and what is asked for each (CSV or Parquet)."""

import difflib

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from upath import UPath

from vivid_assets.catalogue.names import why_refused

COLUMNS = {
    "image": "the picture's path below the catalogue's folder",
    "prompt": "the background wanted",
    "negative_prompt": "what the background must not show",
    "seed": "a whole number; the same prompt, size and seed give the same background",
    "scene": "a name instead of a seed: pictures of one scene share one background",
    "background": "a picture below the catalogue's folder to use as the background",
    "tier": "the mask tier to use: birefnet, u2net, u2netp or gradients",
    "box": "where the subject is: left, top, right, bottom in pixels, as '10,20,300,400'",
    "digest": "what tells the file's contents apart, such as a checksum; with one in every line no file is listed",
}
MANIFEST_NAMES = ("manifest.parquet", "manifest.csv")

LONGEST_TEXT = 10_000
_LARGEST_LINE = 64 << 20
"""Bytes that pyarrow looks at for the end of a line; one overlong cell must not take the others down."""

# Nothing is guessed from what a cell looks like: 007 and 1e9 stay what they are, and a bad cell spoils its line alone.
_TEXT = {
    spelt: pa.string()
    for name in COLUMNS
    for known in (name, name.replace("_", " "))
    for spelt in (known, known.upper(), known.capitalize(), known.title())
}

# What a spreadsheet that opens an exported table would run, and what a terminal would obey.
_FORMULA = r"^\s*([=+@]|-[^|(]*[|(])"
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}]"
_TIERS = r"^(birefnet|u2net|u2netp|gradients)?$"


def read_manifest(path: UPath) -> tuple[pa.Table, list[str]]:
    """The manifest's known columns as text (empty where nothing is said), and a sentence per refused line or column.

    Raises ValueError when it cannot be read, lacks the column ``image`` or misspells a column.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path.path, filesystem=path.fs)
        else:
            with path.open("rb") as file:
                table = pyarrow.csv.read_csv(
                    file,
                    read_options=pyarrow.csv.ReadOptions(block_size=_LARGEST_LINE),
                    parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                    convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True, column_types=_TEXT),
                )
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"The manifest {path} cannot be read: {reason}") from error
    table = table.rename_columns([name.strip().lower().replace(" ", "_") for name in table.column_names])
    if twice := sorted({name for name in table.column_names if table.column_names.count(name) > 1}):
        raise ValueError(f"The manifest {path} has more than one column {twice[0]!r}.")
    if "image" not in table.column_names:
        raise ValueError(f"The manifest {path} has no column 'image', only {', '.join(table.column_names)}.")
    notes = _look_at_names(table.column_names, path)
    text = pa.table({name: _as_text(table, name, path) for name in COLUMNS})
    # As pandas writes whole numbers in a column with gaps.
    text = text.set_column(
        text.column_names.index("seed"), "seed", pc.replace_substring_regex(text["seed"], r"\.0+$", "")
    )
    text, refused = _refuse(text)
    return text, notes + refused


def _look_at_names(names: list[str], path: UPath) -> list[str]:
    unknown = [name for name in names if name not in COLUMNS]
    for name in unknown:
        meant = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.8)
        if meant:
            raise ValueError(f"The manifest {path} has a column {name!r}: is {meant[0]!r} meant?")
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


def _refuse(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """The lines that can be used, and a sentence for each of the others."""
    rules = [
        (pc.equal(pc.utf8_trim_whitespace(table["image"]), ""), "names no image"),
        *_bad_names(table["image"]),
        *(rule for name in ("prompt", "negative_prompt", "scene") for rule in _bad_texts(table, name)),
        (pc.invert(pc.match_substring_regex(table["tier"], _TIERS)), "has a tier that does not exist"),
        (pc.invert(pc.match_substring_regex(table["seed"], r"^\d{0,18}$")), "has a seed that is no whole number"),
        (
            pc.invert(pc.match_substring_regex(table["box"], r"^(\s*\d+\s*(,\s*\d+\s*){3})?$")),
            "has a box that is not 'left,top,right,bottom'",
        ),
        *((bad, f"has a background that {why}") for bad, why in _bad_names(table["background"])),
        (_seen_before(table["image"]), "is listed a second time"),
    ]
    good = pa.chunked_array([pa.array([True] * len(table), pa.bool_())])
    sentences = []
    for bad, why in rules:
        here = pc.and_(good, bad)
        named = table["image"].filter(here).to_pylist()
        sentences += [f"The manifest's line for {_short(image)!r} {why}." for image in named]
        good = pc.and_(good, pc.invert(bad))
    return table.filter(good), sentences


def _bad_names(names: pa.ChunkedArray) -> list[tuple[pa.Array, str]]:
    """For each reason why a path is refused, which of ``names`` are; empty ones are not looked at."""
    reasons = [why_refused(name) if name else None for name in names.to_pylist()]
    return [(pa.array([one == why for one in reasons]), why) for why in sorted({why for why in reasons if why})]


def _bad_texts(table: pa.Table, name: str) -> list[tuple[pa.ChunkedArray, str]]:
    return [
        (pc.greater(pc.utf8_length(table[name]), LONGEST_TEXT), f"has a {name} of over {LONGEST_TEXT:,} characters"),
        (pc.match_substring_regex(table[name], _CONTROL), f"has a control character in its {name}"),
        (pc.match_substring_regex(table[name], _FORMULA), f"has a {name} that starts as a formula does"),
    ]


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:100]}…"


def _seen_before(names: pa.ChunkedArray) -> pa.Array:
    if len(pc.unique(names)) == len(names):
        return pa.array([False] * len(names), pa.bool_())
    seen: set[str] = set()
    again = []
    for name in names.to_pylist():
        again.append(name in seen)
        seen.add(name)
    return pa.array(again, pa.bool_())
