"""``vivid ui``: Dagster's UI on a store."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, instance_home, open_instance, open_store
from vivid_assets.cli.servers import Helper, listen, serve

DESK, UI = "VIVID_DESK", "VIVID_UI"
"""The variables with the desk's address, which the pages of partitions link to, and with Dagster's, for alerts."""


def ui_command(
    store: StoreOption = DEFAULT_STORE,
    port: Annotated[int, typer.Option(max=65535, help="Port of the web server.")] = 3000,
    desk_port: Annotated[int, typer.Option(max=65535, help="Port of the review desk; 0: without it.")] = 3001,
) -> None:
    """Start Dagster's UI and daemon on a store, http://localhost:3000, and the review desk, http://localhost:3001.

    Ctrl-C stops all of its servers.
    """
    opened = open_store(store, to_write=True)
    open_instance(opened).dispose()
    # A tick that scans a large folder takes minutes; Dagster's default limit is one.
    given = {f"DAGSTER_{what}_GRPC_TIMEOUT_SECONDS": "900" for what in ("SENSOR", "SCHEDULE")}
    # A backfill of 10,000 shards is a record of 9 MB, which Dagster writes anew after each 25 runs; it looks only then
    # whether it is cancelled.
    given["DAGSTER_ASSET_BACKFILL_RUN_CHUNK_SIZE"] = "100"
    given[UI] = f"http://localhost:{port}"
    dg, vivid = (str(Path(sys.executable).with_name(name)) for name in ("dg", "vivid"))
    dagster = [dg, "dev", "--module-name", "vivid_assets.definitions", "--port", str(port)]
    environment, desk = given | os.environ, None
    if desk_port:
        command = [vivid, "desk", "--store", opened.root, "--port", str(desk_port)]
        desk = Helper("The review desk", command, "vivid ui --desk-port 0 starts without it.")
        environment = {DESK: f"http://localhost:{desk_port}"} | environment
    with _only_one(instance_home(opened), port):
        _check_ports({"--port": port} | ({"--desk-port": desk_port} if desk_port else {}))
        raise typer.Exit(serve(dagster, desk, environment))


def _check_ports(ports: dict[str, int]) -> None:
    """Raise ValueError naming the option of a port that is in use, before anything is started."""
    with ExitStack() as held:
        for option, port in ports.items():
            held.enter_context(listen("127.0.0.1", port, option))


@contextmanager
def _only_one(home: Path, port: int) -> Iterator[None]:
    """Two daemons on one instance would both launch every run. Raises ValueError when there is one already."""
    from filelock import FileLock, Timeout

    note = home / ".vivid-ui.json"
    try:
        with FileLock(home / ".vivid-ui.lock", timeout=0):
            note.write_text(json.dumps({"process": os.getpid(), "url": f"http://localhost:{port}"}))
            try:
                yield
            finally:
                note.unlink(missing_ok=True)
    except Timeout:
        other = json.loads(note.read_text()) if note.exists() else {}
        who = f"process {other['process']}, {other['url']}" if other else "another process"
        raise ValueError(
            f"Dagster's UI runs on the instance in {home} already ({who}). Use that one, or stop it first."
        ) from None
