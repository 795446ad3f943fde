"""``vivid``: the command line."""

from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from resources.errors import MachineFault
from vivid_assets.cli.blend import blend_command
from vivid_assets.cli.catalogue import catalogue_app
from vivid_assets.cli.demo import demo_command
from vivid_assets.cli.estimate import estimate_command
from vivid_assets.cli.models import models_app
from vivid_assets.cli.replace import mask_command, replace_command
from vivid_assets.cli.ui import ui_command


class _Sentences(TyperGroup):
    """What went wrong as a sentence on standard error and exit code 1; a traceback only for what is a bug."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (ValueError, MachineFault, OSError) as error:
            Console(stderr=True).print(f"[red]✗[/red] {error}", highlight=False, soft_wrap=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Sentences,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    help="Replace the backgrounds of pictures: one at a time, or whole catalogues through Dagster.",
)
app.command("demo")(demo_command)
app.command("replace")(replace_command)
app.command("mask")(mask_command)
app.command("blend")(blend_command)
catalogue_app.command("estimate")(estimate_command)
app.add_typer(catalogue_app, name="catalogue")
app.add_typer(models_app, name="models")
app.command("ui")(ui_command)
