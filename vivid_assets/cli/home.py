"""Where the command line finds its store and its Dagster instance."""

import os
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import dagster as dg
import typer

from resources.store import Store

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="VIVID_STORE",
        help="Folder or URL (s3://…) where tables, masks and composites are kept.",
        rich_help_panel="Where things are",
    ),
]
DEFAULT_STORE = "vivid_store"


def open_store(root: str) -> Store:
    """The store at ``root``, for this process and for the runs that it starts."""
    if "://" not in root:
        root = str(Path(root).absolute())
    os.environ["VIVID_STORE"] = root
    return Store(root=root)


def open_instance(store: Store) -> dg.DagsterInstance:
    """The Dagster instance of ``DAGSTER_HOME``; without it, one in the store's folder, set up as shipped.

    Raises ValueError when the store is not on this machine and ``DAGSTER_HOME`` is not set.
    """
    if "DAGSTER_HOME" not in os.environ:
        if not store.is_local:
            raise ValueError(f"Set DAGSTER_HOME: the store {store.root} cannot hold a Dagster instance.")
        os.environ["DAGSTER_HOME"] = str(Path(store.root) / "dagster")
    home = Path(os.environ["DAGSTER_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.exists():
        shipped = files("vivid_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8")
        configuration.write_text(shipped, encoding="utf-8")
    return dg.DagsterInstance.get()
