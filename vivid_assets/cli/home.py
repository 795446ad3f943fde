"""Where the commands find their store and Dagster instance. An unusable place is refused before anything is made."""

import os
from contextlib import nullcontext
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote

import typer

from resources.errors import MachineFault
from resources.runtime.caches import may_write

# What is imported here is paid for by every command's help.
if TYPE_CHECKING:
    import dagster as dg

    from resources.store.store import Store
    from vivid_assets.settings import SettingsFile

DEFAULT_STORE = "vivid_store"

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="VIVID_STORE",
        help="Folder or URL (s3://…) of tables, masks and composites.",
        rich_help_panel="Locations",
    ),
]
_ONLY_READ = ("http://", "https://", "ftp://", "data:")


def open_store(root: str, *, to_write: bool = False) -> "Store":
    """The store at ``root``, for this process and for the runs that it starts.

    Raises ValueError when it cannot be a store, or when it is ``to_write`` and this user may not.
    """
    from resources.store.store import Store, place_of

    root = place_of(root)
    if root.startswith(_ONLY_READ):
        raise ValueError(f"{root} cannot be a store, since it is read-only: use a folder or s3://….")
    store = Store(root=root)
    if store.is_local:
        _check_folder(Path(root), "store", "with --store or VIVID_STORE", to_write=to_write)
    os.environ["VIVID_STORE"] = root
    return store


def settings_file(store: "Store") -> "SettingsFile":
    """The settings file that ``VIVID_SETTINGS`` names, or the store's."""
    from vivid_assets.settings import SettingsFile

    return SettingsFile(path=os.environ.get("VIVID_SETTINGS", ""), store=store.root)


def instance_home(store: "Store") -> Path:
    """The folder of ``DAGSTER_HOME``; without it, one in the store's. Raises ValueError when it can be in neither."""
    home = _dagster_home(store)
    configuration = home / "dagster.yaml"
    is_set_up = configuration.exists()
    _check_folder(home, "Dagster instance", "with DAGSTER_HOME", to_write=not is_set_up)
    if not is_set_up and ("?" in str(home) or unquote(str(home)) != str(home)):
        raise ValueError(
            f"Dagster cannot keep its records in {home}, since the path contains a ? or a %, which SQLite interprets: "
            "set DAGSTER_HOME to another folder."
        )
    return home


def open_instance(store: "Store") -> "dg.DagsterInstance":
    """The Dagster instance in its home, set up as shipped.

    Raises ValueError when it can be nowhere, and MachineFault when its records cannot be opened.
    """
    home = instance_home(store)
    configuration = home / "dagster.yaml"
    home.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)
    import dagster as dg
    from filelock import FileLock
    from sqlalchemy.exc import DBAPIError

    # Two first commands at once would both make the tables.
    with FileLock(home / ".vivid.lock") if may_write(home) else nullcontext():
        if not configuration.exists():
            shipped = files("vivid_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8")
            configuration.write_text(shipped, encoding="utf-8")
        try:
            return dg.DagsterInstance.get()
        except DBAPIError as error:
            raise MachineFault(f"Dagster cannot open its records, set up in {configuration}: {error.orig}") from error


def _dagster_home(store: "Store") -> Path:
    from resources.store.store import place_of

    if named := os.environ.get("DAGSTER_HOME"):
        if "://" in named:
            raise ValueError(f"DAGSTER_HOME is {named}: it must be a folder of this machine.")
        return Path(place_of(named))
    if not store.is_local:
        raise ValueError(f"Set DAGSTER_HOME: the store {store.root} cannot hold a Dagster instance.")
    return Path(store.root) / "dagster"


def _check_folder(folder: Path, what: str, how: str, *, to_write: bool) -> None:
    """Raise ValueError unless ``folder`` exists or can be made, and, with ``to_write``, is writable."""
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise ValueError(f"The {what} cannot be at {folder}: {there} is no folder. Choose another {how}.")
    if to_write and not may_write(folder):
        raise ValueError(f"The {what} is not writable: this user may not write to {there}. Choose another {how}.")
