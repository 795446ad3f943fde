"""Which process left something in a store, and whether it still runs."""

import os
from functools import cache
from pathlib import Path


def this_process() -> str:
    """A name for this process: the machine's boot, the space of process numbers (a container's), the number."""
    return f"{_place()}-{os.getpid()}"


def is_gone(process: str) -> bool:
    """Whether the process of that name certainly runs no more. False for one elsewhere, which cannot be known."""
    place, _, number = process.rpartition("-")
    if not place or place != _place() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


@cache
def _place() -> str:
    """Empty where the system does not tell: then nobody is ever taken for dead."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
        return f"{boot[:16]}-{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 - one plain number
    except OSError:
        return ""
