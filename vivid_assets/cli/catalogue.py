"""``vivid catalogue``: add a folder of pictures, see what is new, run it, see how it stands."""

from collections import Counter
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from resources.store import Store
from vivid_assets.catalogue.ledger import live_pictures, shards_of
from vivid_assets.catalogue.progress import shards_with_failures
from vivid_assets.catalogue.scan import Scan, scan
from vivid_assets.catalogue.source import find, register, registered
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_instance, open_store
from vivid_assets.cli.runs import register_shards, run_shards
from vivid_assets.rows.stage import FAILED, OK
from vivid_assets.rows.tables import read_rows

catalogue_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Whole catalogues: add a folder of pictures, see what is new, run it, see how it stands.",
)
console = Console()

_SHOWN_PICTURES = 60

Name = Annotated[str, typer.Argument(help="The catalogue's name, as in `vivid catalogue add`.", show_default=False)]


@catalogue_app.command()
def add(
    name: Name,
    folder: Annotated[str, typer.Argument(help="Folder or URL of the pictures.", show_default=False)],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Make a folder of pictures known under a name. Nothing is read or written there.

    The folder may hold a `catalogue.toml` (defaults such as the prompt) and a `manifest.csv` or `.parquet`
    (image, prompt, negative_prompt, seed, scene, background, tier, box).

    Example: `vivid catalogue add spring ./pictures`
    """
    catalogue = register(open_store(store), name, folder)
    console.print(f"Catalogue [bold]{catalogue.name}[/bold] is {catalogue.url}. Next: vivid catalogue run {name}")


@catalogue_app.command("scan")
def scan_(name: Name, store: StoreOption = DEFAULT_STORE) -> None:
    """Find new, changed and removed pictures and give them their shards; run nothing.

    Example: `vivid catalogue scan spring`
    """
    opened = open_store(store)
    found = scan(opened, find(opened, name))
    register_shards(open_instance(opened), found.assignment.new_shards)
    _tell(found)
    if found.shards_to_run:
        console.print(f"To run: {', '.join(found.shards_to_run[:10])}{' …' if len(found.shards_to_run) > 10 else ''}")


@catalogue_app.command()
def run(name: Name, store: StoreOption = DEFAULT_STORE) -> None:
    """Scan, then bring every shard up to date, in this process. What is up to date is taken over.

    Ends with 1 if a shard's run failed. Pictures that failed are listed and do not fail the rest.

    Example: `vivid catalogue run spring`
    """
    opened = open_store(store)
    failed = bring_up_to_date(opened, name)
    console.print(picture_table(opened, name))
    console.print(f"Composites: {opened.path(f'composites/{name}')}", soft_wrap=True, highlight=False)
    if failed:
        raise ValueError(f"The runs of {', '.join(failed)} failed; see above, or the Dagster UI (vivid ui).")


@catalogue_app.command()
def retry(name: Name, store: StoreOption = DEFAULT_STORE) -> None:
    """Try the failed pictures again, those too that failed for good, such as corrupt files. Runs only their shards.

    Ends with 1 if a shard's run failed.

    Example: `vivid catalogue retry spring`
    """
    opened = open_store(store)
    shards = shards_with_failures(opened, shards_of(opened, find(opened, name).name))
    if not shards:
        console.print("No picture has failed.")
        return
    instance = open_instance(opened)
    register_shards(instance, shards)
    failed = run_shards(instance, opened, shards, console, retry_failed=True)
    console.print(picture_table(opened, name))
    if failed:
        raise ValueError(f"The runs of {', '.join(failed)} failed; see above, or the Dagster UI (vivid ui).")


@catalogue_app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="A catalogue's name; all without it.", show_default=False)] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """How many pictures each stage has done, failed and still has before it.

    Example: `vivid catalogue status`
    """
    from vivid_assets.assets.stages import STAGES

    opened = open_store(store)
    catalogues = [find(opened, name)] if name else registered(opened)
    if not catalogues:
        console.print("There is no catalogue yet. Add one with: vivid catalogue add NAME FOLDER")
    for catalogue in catalogues:
        shards = shards_of(opened, catalogue.name)
        table = Table("stage", "ok", "failed", "skipped", "to do", title=f"{catalogue.name} ({len(shards)} shards)")
        for stage in STAGES:
            counts: Counter[str] = Counter()
            for shard in shards:
                rows = read_rows(opened, stage, shard)
                live = [picture["picture"] for picture in live_pictures(opened, shard)]
                counts.update(rows[picture]["status"] if picture in rows else "to do" for picture in live)
            table.add_row(stage.name, *(str(counts[column]) for column in (OK, FAILED, "skipped", "to do")))
        console.print(table)


def bring_up_to_date(store: Store, name: str) -> list[str]:
    """Scan and run the catalogue's shards; the shards whose run failed."""
    found = scan(store, find(store, name))
    instance = open_instance(store)
    shards = shards_of(store, name)
    register_shards(instance, shards)
    _tell(found)
    return run_shards(instance, store, shards, console)


def picture_table(store: Store, name: str) -> Table:
    """What happened to each picture; the first ones of a large catalogue, failures before all."""
    rows = sorted(_picture_rows(store, name), key=lambda row: (row["status"] == OK, row["picture"]))
    table = Table("picture", "background", "by", "mask by", "verdict", "result", box=None, header_style="bold")
    for row in rows[:_SHOWN_PICTURES]:
        result = "[green]ok[/green]" if row["status"] == OK else f"[red]{row['error']}[/red]"
        table.add_row(row["picture"], row["prompt"], row["generator"], row["tier"], row["verdict"], result)
    if len(rows) > _SHOWN_PICTURES:
        table.caption = f"and {len(rows) - _SHOWN_PICTURES} more"
    return table


def _picture_rows(store: Store, name: str) -> list[dict[str, Any]]:
    from vivid_assets.assets.stages import BACKGROUNDS, COMPOSITES, ENHANCED_PROMPTS, MASKS

    pictures = []
    for shard in shards_of(store, name):
        prompts, scenes, masks, composites = (
            read_rows(store, stage, shard) for stage in (ENHANCED_PROMPTS, BACKGROUNDS, MASKS, COMPOSITES)
        )
        for picture in (row["picture"] for row in live_pictures(store, shard)):
            composite = composites.get(picture, {"status": "to do", "error": "not run yet"})
            pictures.append(
                {
                    "picture": picture,
                    "status": composite["status"],
                    "error": composite["error"],
                    "prompt": prompts.get(picture, {}).get("user_prompt") or "",
                    "generator": scenes.get(picture, {}).get("generator") or "",
                    "tier": masks.get(picture, {}).get("tier") or "",
                    "verdict": masks.get(picture, {}).get("verdict") or "",
                }
            )
    return pictures


def _tell(found: Scan) -> None:
    console.print(str(found), highlight=False)
    for sentence in found.refused[:20]:
        console.print(f"  [yellow]{sentence}[/yellow]", highlight=False)
    if len(found.refused) > 20:
        console.print(f"  [yellow]and {len(found.refused) - 20} more[/yellow]")
