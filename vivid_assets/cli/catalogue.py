"""``vivid catalogue``: add a folder of pictures, scan it, run it, show its status."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from resources.spelling import counted
from vivid_assets.cli.console import console, say
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, instance_home, open_instance, open_store
from vivid_assets.flow import STAGE_NAMES

# What a command needs it imports itself: help is shown at once, and only what runs or registers waits for Dagster.
if TYPE_CHECKING:
    from resources.store.store import Store
    from vivid_assets.catalogue.scan import Scan
    from vivid_assets.catalogue.source import Catalogue

catalogue_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Manage catalogues: add a folder of pictures, scan it, run it, show its status.",
)

_SHOWN_PICTURES = 60
_SHOWN_NOTES = 10

Name = Annotated[
    str, typer.Argument(help="The catalogue's name, as given to `vivid catalogue add`.", show_default=False)
]


@catalogue_app.command()
def add(
    name: Name,
    folder: Annotated[str, typer.Argument(help="Folder or URL of the pictures.", show_default=False)],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Register a folder of pictures under a name. Reads and writes nothing in the folder.

    The folder may contain a `catalogue.toml` (defaults such as the prompt) and a `manifest.csv`, `.tsv`, `.jsonl` or
    `.parquet` (image, prompt, negative_prompt, seed, scene, background, tier, box; or Hugging Face's `metadata.csv`).

    Example: `vivid catalogue add spring ./pictures`
    """
    from vivid_assets.catalogue.source import register

    catalogue = register(open_store(store, to_write=True), name, folder)
    say("Catalogue ", (catalogue.name, "bold"), f" is {catalogue.url}. Next: vivid catalogue run {name}")


@catalogue_app.command("scan")
def scan_(
    name: Name,
    accept_removals: Annotated[
        bool, typer.Option("--accept-removals", help="Confirm that all or most pictures were removed on purpose.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Find new, changed and removed pictures and assign them to shards. Runs nothing.

    If all or most pictures are gone, the scan stops and changes nothing: an unmounted share looks the same.

    Example: `vivid catalogue scan spring`
    """
    from vivid_assets.catalogue.scan import scan
    from vivid_assets.catalogue.source import find

    opened = open_store(store, to_write=True)
    catalogue = find(opened, name)
    instance_home(opened)
    found = scan(opened, catalogue, accept_removals=accept_removals)
    if found.assignment.new_shards:
        from vivid_assets.cli.runs import register_shards

        register_shards(open_instance(opened), found.assignment.new_shards)
    _print_scan(found)
    if found.shards_to_run:
        say(f"To run: {', '.join(found.shards_to_run[:10])}{' …' if len(found.shards_to_run) > 10 else ''}")


@catalogue_app.command()
def run(name: Name, store: StoreOption = DEFAULT_STORE) -> None:
    """Scan, then bring every shard up to date. What is up to date is reused.

    On a machine with several GPUs a process for each runs its share of the shards, if a model uses them.

    Exits with status 1 if a shard's run failed. Failed pictures are listed and do not fail the others.

    Example: `vivid catalogue run spring`
    """
    opened = open_store(store, to_write=True)
    failed = bring_up_to_date(opened, name)
    console.print(picture_table(opened, name))
    say(f"Composites: {opened.path(f'composites/{name}')}")
    if failed:
        raise ValueError(f"The runs of {', '.join(failed)} failed; see above, or the Dagster UI (vivid ui).")


@catalogue_app.command()
def retry(name: Name, store: StoreOption = DEFAULT_STORE) -> None:
    """Run the shards with failed pictures again, including pictures that failed for good, such as corrupt files.

    Exits with status 1 if a shard's run failed.

    Example: `vivid catalogue retry spring`
    """
    from vivid_assets.catalogue.ledger import shards_of
    from vivid_assets.catalogue.progress import shards_with_failures
    from vivid_assets.catalogue.source import find

    opened = open_store(store, to_write=True)
    shards = shards_with_failures(opened, shards_of(opened, find(opened, name).name))
    if not shards:
        say("No picture has failed.")
        return
    from vivid_assets.cli.runs import register_shards, run_shards

    instance = open_instance(opened)
    register_shards(instance, shards)
    failed = run_shards(instance, opened, shards, retry_failed=True)
    console.print(picture_table(opened, name))
    if failed:
        raise ValueError(f"The runs of {', '.join(failed)} failed; see above, or the Dagster UI (vivid ui).")


@catalogue_app.command("run-shards", hidden=True)
def run_shards_(
    report: Annotated[Path, typer.Argument(help="File for the shards that failed and the number of computed rows.")],
    shards: Annotated[list[str], typer.Argument(help="Of one catalogue.")],
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="As `vivid catalogue retry`.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Run some shards in this process: what `vivid catalogue run` starts for each of several GPUs."""
    from vivid_assets.cli.runs import run_here

    opened = open_store(store, to_write=True)
    failed, computed = run_here(open_instance(opened), opened, shards, retry_failed=retry_failed)
    report.write_text(json.dumps({"failed": failed, "computed": computed}))


@catalogue_app.command()
def move(
    name: Name,
    folder: Annotated[str, typer.Argument(help="Folder or URL where the pictures are now.", show_default=False)],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Change the folder of a catalogue that has moved. Unchanged pictures are not computed again.

    Example: `vivid catalogue move spring /mnt/new/pictures`
    """
    from vivid_assets.catalogue.source import move_to

    catalogue = move_to(open_store(store, to_write=True), name, folder)
    say("Catalogue ", (catalogue.name, "bold"), f" is {catalogue.url} now. Next: vivid catalogue run {name}")


@catalogue_app.command()
def purge(
    name: Name,
    pictures: Annotated[
        list[str], typer.Argument(help="Names of pictures, relative to the folder.", show_default=False)
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete. Without it the command only prints what it would delete.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Delete the results of single pictures that are no longer in the catalogue: a takedown.

    First remove the picture from the folder and scan. Deleted: its rows, small pictures, mask, composites with their
    published names, and scenes that nothing else uses. Not deleted: trials (`trials/` in the store), and the contact
    sheets in Dagster's run records. `vivid catalogue prune` deletes what is left of all pictures that are gone.

    Example: `vivid catalogue purge spring shoes/red.jpg --yes`
    """
    from vivid_assets.assets.export import publish_catalogue
    from vivid_assets.assets.review import REVIEW
    from vivid_assets.catalogue.ledger import live_pictures, shards_of
    from vivid_assets.catalogue.source import find
    from vivid_assets.catalogue.wishes import forget_pictures
    from vivid_assets.export.purge import delete_rubbish, find_rubbish
    from vivid_assets.stages.stage import all_stages

    opened = open_store(store, to_write=yes)
    find(opened, name)
    found = find_rubbish(opened, name, all_stages(), pictures)
    what = (
        f"{counted(len(found.pictures), 'picture')} gone from {name}, or changed: rows in "
        f"{counted(len(found.tables), 'table')}, {counted(len(found.files), 'file')}, "
        f"{sum(found.files.values()) / 1e6:.1f} MB"
    )
    if not yes:
        say(f"The store has results of {what}. Nothing was deleted: add --yes to delete them.")
        return
    delete_rubbish(opened, found, REVIEW, pictures)
    live = {one["picture"] for shard in shards_of(opened, name) for one in live_pictures(opened, shard)}
    forget_pictures(opened, name, live, pictures)
    publish_catalogue(opened, name)
    say(f"Deleted the results of {what}.")


@catalogue_app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="A catalogue's name. Default: all.", show_default=False)] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Show how many pictures are done, failed or pending, per stage.

    Example: `vivid catalogue status`
    """
    from resources.errors import MachineFault
    from vivid_assets.catalogue.source import each_registered, find, registered

    opened = open_store(store)
    catalogues = [find(opened, name)] if name else registered(opened)
    if not catalogues:
        say("There is no catalogue yet. Add one with: vivid catalogue add NAME FOLDER")
    for broken, why in [] if name else each_registered(opened):
        if isinstance(why, ValueError):
            say((f"{broken}: {why}", "red"))
    for catalogue in catalogues:
        try:
            console.print(_stage_table(opened, catalogue.name))
            _print_outcome(opened, catalogue)
        except (ValueError, MachineFault) as error:
            # A damaged record of one catalogue hides nothing of the others.
            say((f"{catalogue.name}: {error}", "red"))


def _stage_table(store: "Store", name: str) -> Table:
    """A table of how many of the catalogue's pictures are done, failed or pending, per stage."""
    from vivid_assets.catalogue.progress import counts_of, summary_of
    from vivid_assets.rows.stage import FAILED, OK, SKIPPED

    summary = summary_of(store, name).values()
    shards, clips = sum(wanted.pictures > 0 for wanted in summary), sum(wanted.clips for wanted in summary)
    with_clips = f", {counted(clips, 'clip')}" if clips else ""
    table = Table("stage", "ok", "failed", "skipped", "to do", title=f"{name} ({counted(shards, 'shard')}{with_clips})")
    for stage, counts in counts_of(store, name, STAGE_NAMES).items():
        table.add_row(stage, *(str(counts[column]) for column in (OK, FAILED, SKIPPED, "to do")))
    return table


def _print_outcome(store: "Store", catalogue: "Catalogue") -> None:
    """Print what the last scan could not do or left out, and whether its settings are still current."""
    from vivid_assets.catalogue.outcomes import read_outcome
    from vivid_assets.catalogue.scan import changed_since

    outcome = read_outcome(store, catalogue.name)
    notes = outcome.get("notes", [])
    lines = [(f"The last scan failed: {outcome['fault']}", "red")] if outcome.get("fault") else []
    lines += [(note, "yellow") for note in notes[:_SHOWN_NOTES]]
    if outcome.get("count", 0) > _SHOWN_NOTES:
        lines.append((f"and {outcome['count'] - _SHOWN_NOTES} more (vivid catalogue scan {catalogue.name})", "yellow"))
    if changed := changed_since(store, catalogue):
        lines.append((changed, "yellow"))
    for line, style in lines:
        say((f"  {line}", style))


def bring_up_to_date(store: "Store", name: str) -> list[str]:
    """Scan and run the catalogue's shards; the shards whose run failed."""
    from vivid_assets.catalogue.ledger import shards_of
    from vivid_assets.catalogue.scan import scan
    from vivid_assets.catalogue.source import find
    from vivid_assets.cli.runs import register_shards, run_shards, with_work

    catalogue = find(store, name)
    instance = open_instance(store)
    found = scan(store, catalogue)
    _print_scan(found)
    shards = shards_of(store, name)
    due = with_work(instance, store, name, shards)
    register_shards(instance, shards)
    if due and len(due) < len(shards):
        say(f"{len(shards) - len(due)} of {counted(len(shards), 'shard')} up to date.")
    failed = run_shards(instance, store, due)
    # What has left the catalogue is of shards that nothing runs.
    from vivid_assets.assets.export import publish_catalogue

    publish_catalogue(store, name)
    return failed


def picture_table(store: "Store", name: str) -> Table:
    """What happened to each picture; the first ones of a large catalogue, failures before all."""
    from vivid_assets.rows.stage import OK

    rows, count = _first_rows(store, name)
    table = Table("picture", "background", "by", "mask by", "verdict", "result", box=None, header_style="bold")
    for row in rows:
        result = Text("ok", "green") if row["status"] == OK else Text(row["error"], "red")
        table.add_row(row["picture"], row["prompt"], row["generator"], row["tier"], row["verdict"], result)
    if count > len(rows):
        table.caption = f"and {count - len(rows):,} more"
    return table


def _first_rows(store: "Store", name: str) -> tuple[list[dict[str, Any]], int]:
    """The rows to show, and how many there are. Of shards in which all went well only the first are read."""
    from heapq import nsmallest

    from vivid_assets.catalogue.progress import read_progress, summary_of
    from vivid_assets.rows.stage import OK

    shards = {shard: wanted for shard, wanted in summary_of(store, name).items() if wanted.pictures}
    progress = read_progress(store, shards)
    is_whole = {
        shard: all(progress[shard].get(stage, {}).get("counts") == {OK: wanted.rows(stage)} for stage in STAGE_NAMES)
        for shard, wanted in shards.items()
    }
    rows: list[dict[str, Any]] = []
    for shard in sorted(shards, key=lambda shard: (is_whole[shard], shard)):
        if len(rows) == _SHOWN_PICTURES and (is_whole[shard] or rows[-1]["status"] != OK):
            break
        found = [*rows, *_picture_rows(store, shard)]
        rows = nsmallest(_SHOWN_PICTURES, found, key=lambda row: (row["status"] == OK, row["picture"]))
    return rows, sum(wanted.renditions for wanted in shards.values())


def _picture_rows(store: "Store", shard: str) -> list[dict[str, Any]]:
    from vivid_assets.assets.review import REVIEW
    from vivid_assets.catalogue.ledger import live_pictures
    from vivid_assets.catalogue.renditions import each_rendition
    from vivid_assets.review.look import outcome_of
    from vivid_assets.rows.stage import WhateverBecame, name_of
    from vivid_assets.rows.tables import read_rows

    rows = {reads.stage.name: read_rows(store, reads.stage, shard) for reads in REVIEW.reads}
    pictures = []
    for asked in each_rendition(live_pictures(store, shard)):
        found = {
            reads.stage.name: rows[reads.stage.name].get(reads.stage.name_for(asked), {}) for reads in REVIEW.reads
        }
        prompts, scenes, masks = (found[stage] for stage in ("enhanced_prompts", "backgrounds", "masks"))
        status, error = outcome_of(
            {stage: WhateverBecame(row.get("status"), row.get("error")) for stage, row in found.items()}
        )
        pictures.append(
            {
                "picture": name_of(asked),
                "status": status,
                "error": error,
                "prompt": prompts.get("user_prompt") or "",
                "generator": scenes.get("generator") or "",
                "tier": masks.get("tier") or "",
                "verdict": masks.get("verdict") or "",
            }
        )
    return pictures


def _print_scan(found: "Scan") -> None:
    say(str(found))
    for sentence in found.refused[:20]:
        say((f"  {sentence}", "yellow"))
    if len(found.refused) > 20:
        say((f"  and {len(found.refused) - 20} more", "yellow"))
