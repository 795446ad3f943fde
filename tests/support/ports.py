"""Free ports for servers."""

import random
import socket
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _USUAL = 10_000, 32_768
"""Below it are the ports of well-known servers; from the other one on those that a system gives to clients."""


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on, and that no client is given by chance before their server has started."""
    first = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _USUAL
    below = range(_LOWEST, max(first, _LOWEST + 1000))
    with ExitStack() as held:
        # Its own, since what is drawn must not be the same in each process.
        drawn = random.SystemRandom().sample(below, len(below))
        return [*islice((port for port in drawn if _hold(held, port)), number)]


def _hold(held: ExitStack, port: int) -> bool:
    try:
        held.enter_context(socket.create_server(("127.0.0.1", port)))
    except OSError:
        return False
    return True
