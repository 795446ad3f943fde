"""``vivid``: the command line."""

import logging
import sys
import traceback
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

import vivid_assets
from resources.errors import MachineFault
from vivid_assets.cli.blend import blend_command
from vivid_assets.cli.catalogue import catalogue_app
from vivid_assets.cli.console import complain, console, listening, shown
from vivid_assets.cli.demo import demo_command
from vivid_assets.cli.desk import desk_command
from vivid_assets.cli.estimate import estimate_command
from vivid_assets.cli.models import models_app
from vivid_assets.cli.replace import mask_command, replace_command
from vivid_assets.cli.review import review_app
from vivid_assets.cli.settings import settings_command
from vivid_assets.cli.stopping import Stopped, stoppable
from vivid_assets.cli.ui import ui_command
from vivid_assets.cli.upkeep import list_command, prune_command, remove_command, rename_command

_UsageError: Any = typer.BadParameter.__base__
"""A command that is not written as it must be; Typer exports this kind of it alone."""


class _Sentences(TyperGroup):
    """Prints an error as a message on standard error, with an exit status; a traceback only with ``--debug``."""

    def invoke(self, ctx: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                # A terminal or pipe that cannot show a character must not stop the command.
                stream.reconfigure(errors="replace")
        try:
            with listening(logging.WARNING), stoppable():
                return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except _UsageError as error:
            error.message = shown(error.message)
            raise
        except KeyboardInterrupt as stop:
            complain("Stopped. Finished work is kept; run the command again to continue.")
            raise typer.Exit(stop.exit_code if isinstance(stop, Stopped) else 130) from None
        except Exception as error:
            if ctx.params.get("debug"):
                complain("".join(traceback.format_exception(error)).rstrip())
            complain(("✗ ", "red"), _sentence(error))
            raise typer.Exit(1) from None


def _sentence(error: Exception) -> str:
    """The message of ``error`` for a person."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg']}, and not {first['input']!r}." if where else f"{first['msg']}."
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, (ValueError, MachineFault, OSError)):
        return str(error)
    return (
        f"Unexpected {type(error).__name__}: {error}\n"
        "This is a bug in vivid_assets. Set VIVID_DEBUG=1 to see the traceback, and report it."
    )


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"vivid_assets {vivid_assets.__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_Sentences,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)


@app.callback(help="Replace the backgrounds of pictures: single pictures, or whole catalogues through Dagster.")
def vivid(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="VIVID_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Options of all commands."""


app.command("demo")(demo_command)
app.command("replace")(replace_command)
app.command("mask")(mask_command)
app.command("blend")(blend_command)
catalogue_app.command("estimate")(estimate_command)
catalogue_app.command("list")(list_command)
catalogue_app.command("rename")(rename_command)
catalogue_app.command("remove")(remove_command)
catalogue_app.command("prune")(prune_command)
app.add_typer(catalogue_app, name="catalogue")
app.add_typer(models_app, name="models")
app.add_typer(review_app, name="review")
app.command("settings")(settings_command)
app.command("desk")(desk_command)
app.command("ui")(ui_command)
