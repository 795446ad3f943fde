"""Every setting of ``vivid.toml`` and ``catalogue.toml``, from the types that parse them: for a page and a command."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from resources.models import own_models
from vivid_assets.catalogue.source import CatalogueFile
from vivid_assets.flow import STAGE_NAMES, stage_named
from vivid_assets.settings import Settings, catalogue_tables, table_type

_BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}", "min_length": "at least {} entries"}


@dataclass(frozen=True)
class Entry:
    """One setting."""

    table: str
    """Empty for the entries at the top of ``catalogue.toml``."""
    name: str
    meaning: str
    default: str
    """As TOML has it; empty where there is none."""
    range: str
    """What values it takes; empty where the type says all."""
    for_catalogues: bool
    """Whether a catalogue may set it for its own pictures."""


def tables() -> list[str]:
    """The tables of ``vivid.toml``: of the stages in the order of the flow, of checks and schedules, of models."""
    own = [name for name in STAGE_NAMES if table_type(name)]
    others = [name for name in Settings.model_fields if name not in own]
    return [*own, *others, *own_models()]


def heading(table: str) -> str:
    """What stands above a table's entries; of renditions there is one a name."""
    return "renditions.<name>" if table == "renditions" else table


def entries(table: str) -> list[Entry]:
    """The entries of a table of ``vivid.toml``.

    Raises:
        ValueError: there is no such table.
    """
    declared = table_type(table)
    if declared is None:
        raise ValueError(f"There is no table [{table}]. There are {', '.join(tables())}.")
    taste = catalogue_tables().get(table, [])
    return [_entry(table, name, field, name in taste) for name, field in declared.model_fields.items()]


def catalogue_entries() -> list[Entry]:
    """The entries at the top of ``catalogue.toml``."""
    fields = {name: field for name, field in CatalogueFile.model_fields.items() if name != "settings"}
    return [_entry("", name, field, True) for name, field in fields.items()]


def read_by(table: str) -> list[str]:
    """The stages whose rows depend on a table; none for one that no row depends on."""
    return [name for name in STAGE_NAMES if table in stage_named(name).tables()]


def page() -> str:
    """The page of all settings, in Markdown."""
    return "\n".join([_HEAD, *_tables(), "", *_catalogue()]) + "\n"


_HEAD = """# Settings

*Made by `vivid settings --markdown` from the types that parse the files; a test keeps it so.*

`vivid.toml` is the deployment's: `VIVID_SETTINGS` names it, a path or a URL; without that, `vivid.toml` in the store is
read if it is there. `catalogue.toml` is a catalogue's own, in its folder, and may set the entries marked ✓. A run reads
`vivid.toml` when it starts; `catalogue.toml` holds from the next scan, and a run before it says that it has changed.

`vivid settings` prints what holds now, `vivid settings masks` one table with the meaning of each entry. A changed entry
starts no run by itself ([Tuning](operating.md#tuning)).
"""


def _tables() -> Iterator[str]:
    yield "## vivid.toml"
    for table in tables():
        yield f"\n### `[{heading(table)}]`\n"
        readers = read_by(table)
        yield f"{_sentence(table_type(table))} {_makes_new(readers)}\n"
        yield from _as_rows(entries(table), with_catalogues=True)


def _catalogue() -> Iterator[str]:
    yield "## catalogue.toml\n"
    yield "At the top of the file, before any table. A new prompt or seed makes backgrounds and composites new.\n"
    yield from _as_rows(catalogue_entries(), with_catalogues=False)
    named = ", ".join(f"`[{heading(name)}]`" for name in catalogue_tables())
    yield f"\nThe tables {named} may follow, with the entries that are marked above."


def _makes_new(readers: list[str]) -> str:
    if not readers:
        return "No row depends on it."
    return f"A change makes new: {', '.join(readers)}, and what follows from {'it' if len(readers) == 1 else 'them'}."


def _as_rows(listed: list[Entry], *, with_catalogues: bool) -> Iterator[str]:
    yield "| entry | meaning | default | values |" + (" catalogue |" if with_catalogues else "")
    yield "|---|---|---|---|" + ("---|" if with_catalogues else "")
    for one in listed:
        cells = [f"`{one.name}`", one.meaning, f"`{one.default}`" if one.default else "", one.range]
        cells += ["✓" if one.for_catalogues else ""] if with_catalogues else []
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _sentence(declared: type[BaseModel] | None) -> str:
    return " ".join(((declared.__doc__ if declared else "") or "").split("\n\n")[0].split())


def _entry(table: str, name: str, field: FieldInfo, for_catalogues: bool) -> Entry:
    default = field.get_default(call_default_factory=True) if not field.is_required() else PydanticUndefined
    return Entry(table, name, " ".join((field.description or "").split()), toml(default), _range(field), for_catalogues)


def toml(value: Any) -> str:
    """``value`` as TOML has it; empty for none."""
    if value is PydanticUndefined or value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {toml(one)}' for name, one in value.items())}}}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _range(field: FieldInfo) -> str:
    annotation = field.annotation
    options = get_args(annotation) if get_origin(annotation) is not None else ()
    choices = [one for kind in (annotation, *options) if get_origin(kind) is Literal for one in get_args(kind)]
    if choices:
        return ", ".join(f"`{toml(choice)}`" for choice in choices)
    if bool in (annotation, *options):
        return "`true`, `false`"
    found = [
        text.format(limit)
        for one in field.metadata
        for bound, text in _BOUNDS.items()
        if (limit := getattr(one, bound, None)) is not None
    ]
    return ", ".join(found)
