"""``vivid settings``: every setting, its meaning, and the value that holds now."""

from typing import TYPE_CHECKING, Annotated

import typer

from vivid_assets.cli.console import say
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_store, settings_file

if TYPE_CHECKING:
    from vivid_assets.settings_page import Entry


def settings_command(
    table: Annotated[
        str | None, typer.Argument(help="A table, such as masks. Default: the values of all.", show_default=False)
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of all settings.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Show the settings that hold now, and what each entry means.

    Example: `vivid settings masks`
    """
    from resources.models import model_named
    from vivid_assets.settings_page import entries, heading, page, tables

    if markdown:
        typer.echo(page(), nl=False)
        return
    named = [table] if table else tables()
    listed = {name: entries(name) for name in named}
    settings = settings_file(open_store(store)).read()
    for name, own in listed.items():
        if name == "renditions":
            held_by = {f"renditions.{one}": held for one, held in settings.renditions.items()}
            for title, rendition in (held_by or ({heading(name): settings.rendition("")} if table else {})).items():
                _say(title, own, rendition, whole=bool(table))
            continue
        held = getattr(settings, name, None) if name in type(settings).model_fields else None
        if held is None:
            model = model_named(name)
            held = (model or type(settings))(**settings.entries(name))
        _say(name, own, held, whole=bool(table))


def _say(title: str, own: "list[Entry]", held: object, *, whole: bool) -> None:
    """Print what holds; ``whole``: with what each entry means."""
    from vivid_assets.settings_page import toml

    say((f"[{title}]", "bold"))
    for one in own:
        say(f"{one.name} = {toml(getattr(held, one.name, None))}")
        if whole:
            values = [f"default {one.default}"] if one.default else []
            values += [one.range.replace("`", "")] if one.range else []
            say((f"    {one.meaning} ({'; '.join(values)})" if values else f"    {one.meaning}", "dim"))
