"""Servers that this process starts, and that end with it."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from resources.errors import MachineFault
from vivid_assets.cli.console import complain
from vivid_assets.cli.stopping import before_the_end

_PATIENCE_S = 5
"""How long the servers, and the runs that they started, have to end in order."""
_LOOK_S = 0.5
_SOON_S = 60
"""A server that ends so soon after its start would do so again."""
_PR_SET_PDEATHSIG = 1


def listen(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens on a port. Raises ValueError naming ``option`` where it cannot be had."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0].lower()
        raise ValueError(f"Port {port} of {host} cannot be used ({why}): choose another with {option}.") from None


@dataclass(frozen=True)
class Helper:
    """A server beside the first one: one that ends is started again."""

    name: str
    command: Sequence[str]
    advice: str
    """What to do where it cannot run at all."""


def serve(command: Sequence[str], helper: Helper | None, environment: Mapping[str, str]) -> int:
    """Run a server, and its helper, until it ends or this process is interrupted; all that they started ends with them.

    Returns:
        The server's exit status.

    Raises:
        MachineFault: the helper ended as soon as it was started.

    """
    servers: list[subprocess.Popen[bytes]] = []

    def start(what: Sequence[str]) -> subprocess.Popen[bytes]:
        # A group each, so that all that it starts can be reached, whoever started which.
        process = subprocess.Popen(
            what, env=dict(environment), start_new_session=True, preexec_fn=_end_with(os.getpid())
        )
        servers.append(process)
        return process

    def kill() -> None:
        for server in servers:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)

    with before_the_end(kill):
        try:
            first = start(command)
            beside, since = start(helper.command) if helper else None, time.monotonic()
            while (status := first.poll()) is None:
                if helper and beside and (ended := beside.poll()) is not None:
                    what = f"{helper.name} has ended, with the exit status {ended}"
                    if time.monotonic() - since < _SOON_S:
                        raise MachineFault(f"{what}, so all ends. {helper.advice}")
                    complain(("! ", "yellow"), f"{what}, and is started again.")
                    servers.remove(beside)
                    beside, since = start(helper.command), time.monotonic()
                time.sleep(_LOOK_S)
            return status
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
