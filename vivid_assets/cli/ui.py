"""``vivid ui``: Dagster's UI on a store."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_instance, open_store


def ui_command(
    store: StoreOption = DEFAULT_STORE,
    port: Annotated[int, typer.Option(help="Port of the web server.")] = 3000,
) -> None:
    """Open Dagster's UI, with its daemon, on a store: http://localhost:3000."""
    open_instance(open_store(store))
    # A night's scan of a large folder takes minutes; Dagster would give a tick one.
    patience = {f"DAGSTER_{what}_GRPC_TIMEOUT_SECONDS": "900" for what in ("SENSOR", "SCHEDULE")}
    dg = Path(sys.executable).with_name("dg")
    raise typer.Exit(
        subprocess.run(
            [str(dg), "dev", "--module-name", "vivid_assets.definitions", "--port", str(port)],
            check=False,
            env=patience | os.environ,
        ).returncode
    )
