"""``vivid settings``: every setting, its meaning, and the value that holds now."""

import os
from typing import Annotated

import typer

from vivid_assets.cli.console import say
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_store


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
    from vivid_assets.settings import SettingsFile
    from vivid_assets.settings_page import entries, page, tables, toml

    if markdown:
        typer.echo(page(), nl=False)
        return
    named = [table] if table else tables()
    listed = {name: entries(name) for name in named}
    settings = SettingsFile(path=os.environ.get("VIVID_SETTINGS", ""), store=open_store(store).root).read()
    for name, own in listed.items():
        held = getattr(settings, name, None) if name in type(settings).model_fields else None
        if held is None:
            model = model_named(name)
            held = (model or type(settings))(**settings.entries(name))
        say((f"[{name}]", "bold"))
        for one in own:
            say(f"{one.name} = {toml(getattr(held, one.name, None))}")
            if table:
                values = [f"default {one.default}"] if one.default else []
                values += [one.range.replace("`", "")] if one.range else []
                say((f"    {one.meaning} ({'; '.join(values)})" if values else f"    {one.meaning}", "dim"))
