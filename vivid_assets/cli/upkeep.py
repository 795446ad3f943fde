"""``vivid catalogue list``, ``rename``, ``remove`` and ``prune``: what there is, and what the store keeps of it."""

from typing import Annotated

import typer
from rich.table import Table

from resources.spelling import counted
from vivid_assets.cli.console import console, say
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_instance, open_store

Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def list_command(store: StoreOption = DEFAULT_STORE) -> None:
    """List the catalogues: folder, pictures and renditions.

    Example: `vivid catalogue list`
    """
    from vivid_assets.catalogue.progress import summary_of
    from vivid_assets.catalogue.scan import catalogue_settings
    from vivid_assets.catalogue.source import each_registered

    opened = open_store(store)
    table = Table(box=None, header_style="bold")
    for column in ("catalogue", "folder", "pictures", "renditions", "shards"):
        table.add_column(column, overflow="fold")
    count = 0
    for name, catalogue in each_registered(opened):
        count += 1
        if isinstance(catalogue, ValueError):
            table.add_row(name, str(catalogue), "", "", "")
            continue
        shards = [one for one in summary_of(opened, name).values() if one.pictures]
        renditions = ", ".join(catalogue_settings(opened, name).renditions) or "one composite a picture"
        pictures = sum(one.pictures for one in shards)
        table.add_row(name, catalogue.url, f"{pictures}", renditions, f"{len(shards)}")
    if not count:
        say("There is no catalogue yet. Add one with: vivid catalogue add NAME FOLDER")
        return
    console.print(table)


def remove_command(
    name: Annotated[str, typer.Argument(help="The catalogue's name.", show_default=False)],
    files: Annotated[bool, typer.Option("--files", help="Also delete all that was made of it.")] = False,
    yes: Yes = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Remove a catalogue from the list: it is no longer scanned, and its shards leave Dagster's lists.

    The folder of the pictures is not touched. Results stay, and added again under its name the catalogue continues with
    them; with `--files` they are deleted: composites, masks, rows, the dataset, review pages. Scenes stay for other
    catalogues until `vivid catalogue prune`. Asks first.

    Examples: `vivid catalogue remove spring`, `vivid catalogue remove spring --files`
    """
    from vivid_assets.catalogue.source import find, take_off
    from vivid_assets.cli.runs import forget_shards
    from vivid_assets.export.outputs import outputs_of
    from vivid_assets.scheduling.upkeep import megabytes
    from vivid_assets.stages.stage import all_stages

    opened = open_store(store, to_write=True)
    catalogue = find(opened, name)
    outputs = outputs_of(opened, name, all_stages()) if files else {}
    also = f" and delete {counted(len(outputs), 'file')}, {megabytes(outputs)}, that were made of it" if files else ""
    if not (yes or typer.confirm(f"Remove {name} ({catalogue.url}){also}?")):
        say("Nothing was changed.")
        raise typer.Exit(1)
    instance = open_instance(opened)
    forget_shards(instance, name)
    take_off(opened, name)
    opened.remove(outputs)
    rest = (
        f"Deleted {counted(len(outputs), 'file')}, {megabytes(outputs)}."
        if files
        else f"Its results stay in {opened.root}"
    )
    say("Catalogue ", (name, "bold"), f" ({catalogue.url}) is no longer registered. {rest}")


def rename_command(
    name: Annotated[str, typer.Argument(help="The catalogue's name now.", show_default=False)],
    to: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.", show_default=False)],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Give a catalogue another name. Its results are taken along, and nothing is computed again.

    Composites, dataset and review pages are published under the new name, and gone under the old one. Let its runs end
    first.

    Example: `vivid catalogue rename spring spring-2027`
    """
    from vivid_assets.cli.runs import forget_shards, register_shards
    from vivid_assets.scheduling.upkeep import rename_catalogue

    opened = open_store(store, to_write=True)
    shards = rename_catalogue(opened, name, to)
    instance = open_instance(opened)
    forget_shards(instance, name)
    register_shards(instance, shards)
    say("Catalogue ", (name, "bold"), " is ", (to, "bold"), " now.")


def prune_command(
    name: Annotated[str | None, typer.Argument(help="A catalogue's name. Default: all.", show_default=False)] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete. Without it the command only prints what it would delete.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Delete what nothing needs: results of pictures and renditions that are gone, of earlier settings, unused scenes.

    They are kept so that a picture, a rendition or a setting that returns costs nothing. Also deleted are files that
    killed runs left; these and scenes only once they are two days old; and trials, once nothing was written to them for
    30 days.

    Shards that are a quarter full or less are merged: their pictures are in other shards then, and nothing is computed
    again. Empty shards are forgotten; those that were merged by the next `prune` after the runs of their pictures.

    Examples: `vivid catalogue prune`, `vivid catalogue prune spring --yes`
    """
    from vivid_assets.pipeline import Pipeline
    from vivid_assets.scheduling.upkeep import megabytes, prune

    opened = open_store(store, to_write=yes)
    freed: dict[str, int] = {}
    forgotten: list[str] = []
    for found in prune(opened, name or "", delete=yes):
        say((found.of, "bold"), f": {found.sentence}")
        freed |= found.files
        forgotten += found.forgotten
    if yes and forgotten:
        Pipeline().forget(open_instance(opened), forgotten)
    said = f"{counted(len(freed), 'file')}, {megabytes(freed)}."
    say(f"Deleted {said}" if yes else f"{said} Nothing was deleted: add --yes to delete them.")
