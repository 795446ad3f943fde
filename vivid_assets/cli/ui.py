"""``vivid ui``: Dagster's UI on a store."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, instance_home, open_instance, open_store
from vivid_assets.cli.stopping import before_the_end

_PATIENCE_S = 5
"""How long the servers, and the runs that they started, have to end in order."""
_PR_SET_PDEATHSIG = 1
DESK = "VIVID_DESK"
"""The variable with the desk's address, which the pages of partitions link to."""


def ui_command(
    store: StoreOption = DEFAULT_STORE,
    port: Annotated[int, typer.Option(help="Port of the web server.")] = 3000,
    desk_port: Annotated[int, typer.Option(help="Port of the review desk; 0: without it.")] = 3001,
) -> None:
    """Start Dagster's UI and daemon on a store, http://localhost:3000, and the review desk, http://localhost:3001.

    Ctrl-C stops all of its servers.
    """
    opened = open_store(store, to_write=True)
    open_instance(opened).dispose()
    # A tick that scans a large folder takes minutes; Dagster's default limit is one.
    patience = {f"DAGSTER_{what}_GRPC_TIMEOUT_SECONDS": "900" for what in ("SENSOR", "SCHEDULE")}
    dg, vivid = (str(Path(sys.executable).with_name(name)) for name in ("dg", "vivid"))
    commands = [[dg, "dev", "--module-name", "vivid_assets.definitions", "--port", str(port)]]
    environment = patience | os.environ
    if desk_port:
        commands.append([vivid, "desk", "--store", opened.root, "--port", str(desk_port)])
        environment = {DESK: f"http://localhost:{desk_port}"} | environment
    with _only_one(instance_home(opened), port):
        raise typer.Exit(_serve(commands, environment))


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


def _serve(commands: Sequence[Sequence[str]], environment: Mapping[str, str]) -> int:
    """Run the servers until the first one ends or this process is interrupted; all of them end with it."""
    # A group each, so that all that it starts can be reached, whoever started which.
    servers = [
        subprocess.Popen(command, env=dict(environment), start_new_session=True, preexec_fn=_end_with(os.getpid()))
        for command in commands
    ]

    def kill() -> None:
        for server in servers:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)

    with before_the_end(kill):
        try:
            return servers[0].wait()
        finally:
            _stop(servers)
            kill()


def _stop(servers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Interrupt the servers' processes, and wait until none of them is left or the patience is at its end."""
    until = time.monotonic() + _PATIENCE_S
    for server in servers:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGINT)
    while time.monotonic() < until and any(_is_there(server) for server in servers):
        time.sleep(0.1)


def _is_there(server: subprocess.Popen[bytes]) -> bool:
    server.poll()
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _end_with(parent: int) -> Callable[[], None] | None:
    """What makes a child end when ``parent`` is killed outright, where the system offers it (Linux)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        # A shell lets what it starts in the background ignore it; the servers end by it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
