"""``vivid demo``: eleven pictures through the whole pipeline."""

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from vivid_assets.cli.catalogue import bring_up_to_date, picture_table
from vivid_assets.cli.console import console, say
from vivid_assets.cli.home import open_store


def demo_command(
    folder: Annotated[Path, typer.Option(help="Folder for the demo's pictures, results and Dagster instance.")] = Path(
        "vivid-demo"
    ),
    fresh: Annotated[bool, typer.Option("--fresh", help="First delete the results of the last demo.")] = False,
) -> None:
    """Take eleven photographs and drawings through the whole pipeline, on any machine, in about a minute.

    A second run computes nothing: every row is up to date. To view the result: `vivid ui --store vivid-demo/store`.
    """
    from resources.weights import pull as weights
    from vivid_assets.catalogue.source import register
    from vivid_assets.demo.catalogue import write_demo_catalogue

    started = time.monotonic()
    store = open_store(str(folder / "store"), to_write=True)
    pictures = folder / "catalogue"
    # The folder may be anybody's: only what a demo made there goes.
    if fresh and store.exists("catalogues/demo/catalogue.json"):
        for made in (pictures, folder / "store"):
            shutil.rmtree(made, ignore_errors=True)
    if not pictures.exists():
        # Under its name once it is whole: a demo that was stopped here would go on with half its pictures.
        part = folder / ".catalogue.part"
        shutil.rmtree(part, ignore_errors=True)
        write_demo_catalogue(part)
        part.rename(pictures)
    if not weights.available("u2netp"):
        say("Getting the weights of U²-NetP (4.6 MB) …")
        weights.pull("u2netp", say=say)
    register(store, "demo", str(pictures))
    failed = bring_up_to_date(store, "demo")
    console.print(picture_table(store, "demo"))
    say(f"Composites: {folder / 'store' / 'composites' / 'demo'}")
    say(f"View it in Dagster: vivid ui --store {folder / 'store'}   ({time.monotonic() - started:.0f} s)")
    if failed:
        raise ValueError("The demo's run failed; see above.")
