"""One process per GPU: whoever computes on a GPU holds its lock file, and the others wait or take another GPU.

A Dagster pool keeps the number of GPU steps down, but it does not say which GPU a step gets, and the command
line knows no pools. The lock is the kernel's (``flock``), so a killed process holds nothing.
"""

import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from resources.errors import MachineFault

_log = logging.getLogger(__name__)
_in_process = threading.Lock()
_held: dict[Path, tuple[IO[str], int]] = {}
"""This process's locks and how many holders each has: within a process a lock is shared."""


@contextmanager
def hold_one_of(
    names: Sequence[str], *, wait_s: float | None = None, folder: Path | None = None, poll_s: float = 0.2
) -> Iterator[str]:
    """Hold the first of ``names`` that no other process holds, waiting while all are taken.

    Args:
        names: what is to be held, e.g. the UUIDs of the GPUs, in order of preference. One that this process
            holds already comes first: its models may lie side by side, and a second GPU stays free.
        wait_s: give up after so many seconds; None waits as long as it takes.
        folder: where the lock files lie; the machine's temporary folder unless told.
        poll_s: seconds between two tries.

    Yields:
        The name that is held.

    Raises:
        MachineFault: nothing became free in time.
    """
    place = folder or Path(tempfile.gettempdir()) / "vivid-assets-locks"
    place.mkdir(parents=True, exist_ok=True)
    paths = {place / f"{name}.lock": name for name in names}
    started = time.monotonic()
    told = False
    while (path := _take(list(paths))) is None:
        if wait_s is not None and time.monotonic() - started > wait_s:
            raise MachineFault(f"{', '.join(names)}: still used by another process after {wait_s:.0f} s.")
        if not told:
            _log.info("Waiting: %s", "; ".join(f"{name} is used by {_holder(p)}" for p, name in paths.items()))
            told = True
        time.sleep(poll_s)
    try:
        yield paths[path]
    finally:
        _give_back(path)


def _take(paths: list[Path]) -> Path | None:
    with _in_process:
        for path in paths:
            if path in _held:
                file, holders = _held[path]
                _held[path] = (file, holders + 1)
                return path
        for path in paths:
            file = path.open("a+")
            if _lock(file):
                file.truncate(0)
                file.write(f"process {os.getpid()}")
                file.flush()
                _held[path] = (file, 1)
                return path
            file.close()
    return None


def _give_back(path: Path) -> None:
    with _in_process:
        file, holders = _held.pop(path)
        if holders > 1:
            _held[path] = (file, holders - 1)
        else:
            file.close()  # which unlocks; the file stays, since removing it would let two hold "the same" lock


def _lock(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:
        import msvcrt  # Windows

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    try:
        return path.read_text() or "another process"
    except OSError:
        return "another process"
