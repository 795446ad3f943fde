"""One process per GPU: whoever computes on a GPU holds its lock file, and the others wait or take another GPU.

A Dagster pool keeps the number of GPU steps down, but it does not say which GPU a step gets, and the command
line knows no pools. The lock is the kernel's (``flock``), so a killed process holds nothing.

The files lie where all users of the machine see the same ones, whatever their TMPDIR, and anyone may lock them. So they
are opened with care: no link is followed, nothing but a plain file is written to.
"""

import logging
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from resources.errors import MachineFault

_log = logging.getLogger(__name__)
_in_process = threading.Lock()
_held: dict[Path, tuple[int, int]] = {}
"""This process's locks (open files) and how many holders each has: within a process a lock is shared."""
_PLACES = ("/run/lock", "/tmp")


@contextmanager
def hold_one_of(
    names: Sequence[str], *, wait_s: float | None = None, folder: Path | None = None, poll_s: float = 0.2
) -> Iterator[str]:
    """Hold the first of ``names`` that no other process holds, waiting while all are taken.

    Args:
        names: what is to be held, e.g. the UUIDs of the GPUs, in order of preference. One that this process
            holds already comes first: its models may lie side by side, and a second GPU stays free.
        wait_s: give up after so many seconds; None waits as long as it takes.
        folder: where the lock files lie; unless told, the machine's folder for locks, or for temporary files.
        poll_s: seconds between two tries.

    Yields:
        The name that is held.

    Raises:
        MachineFault: nothing became free in time, or a lock file cannot be used.
    """
    place = folder or _shared_place()
    paths = {place / f"vivid-assets-{name}.lock": name for name in names}
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
            file = _open(path)
            if _lock(file) and _is_still_there(file, path):
                with suppress(OSError):  # another user's file that may be locked but not written to
                    os.ftruncate(file, 0)
                    os.write(file, f"process {os.getpid()}".encode())
                _held[path] = (file, 1)
                return path
            os.close(file)
    return None


def _give_back(path: Path) -> None:
    with _in_process:
        file, holders = _held.pop(path)
        if holders > 1:
            _held[path] = (file, holders - 1)
        else:
            os.close(file)  # which unlocks; the file stays, since removing it would let two hold "the same" lock


def _shared_place() -> Path:
    """The first folder that all users of the machine may write to, asked of its mode, so that all choose the same."""
    for place in _PLACES:
        with suppress(OSError):
            mode = Path(place).stat().st_mode
            if mode & stat.S_ISVTX and mode & stat.S_IWOTH and os.access(place, os.W_OK):
                return Path(place)
    return Path(tempfile.gettempdir())


def _open(path: Path) -> int:
    """The lock file, made if it is not there, open for writing if possible; locking needs no more than reading.

    Raises:
        MachineFault: it cannot be opened, or is no plain file.
    """
    try:
        file = _opened(path)
    except OSError as error:
        raise MachineFault(
            f"The GPU's lock file {path} cannot be opened ({error.strerror}). Remove it, or have its owner remove it."
        ) from error
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(file)
        raise MachineFault(f"{path} should be a GPU's lock file, but is no plain file of its own. Remove it.")
    return file


def _opened(path: Path) -> int:
    # Not blocked by a pipe that somebody has put there.
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    # A file that is there is opened without O_CREAT: where the folder is everybody's, the kernel refuses that for the
    # files of others (sysctl fs.protected_regular).
    for access in (os.O_RDWR, os.O_RDONLY):
        with suppress(FileNotFoundError, PermissionError):
            return os.open(path, access | careful)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | careful, 0o666)
    except FileExistsError:
        # Made by another process meanwhile, or there and not to be opened.
        return os.open(path, os.O_RDONLY | careful)
    if hasattr(os, "fchmod"):
        os.fchmod(file, 0o666)  # whatever the umask
    return file


def _is_still_there(file: int, path: Path) -> bool:
    """Whether the locked file is the one of that name: it may have been cleaned away between opening and locking."""
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


def _lock(file: int) -> bool:
    try:
        import fcntl
    except ImportError:
        import msvcrt  # Windows

        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    """Who holds the lock, from the file, which anyone may have written."""
    try:
        file = _open(path)
    except MachineFault:
        return "another process"
    try:
        said = os.pread(file, 40, 0) if hasattr(os, "pread") else b""
    finally:
        os.close(file)
    return said.decode() if re.fullmatch(rb"process \d+", said) else "another process"
