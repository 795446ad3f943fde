"""Files on a local disk that appear whole or not at all, whenever the process or the power dies.

A file is written under a temporary name in ``.parts`` below the root and renamed, so folders that people and tools
look into never hold a half-written one, and what a killed process leaves lies in one place.
"""

import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from resources.errors import MachineFault
from resources.store.processes import is_gone, this_process

PARTS = ".parts"

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
"""What file systems without hard links say, and such as have enough of one file's."""
_BAD_NAME = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ}
_ABANDONED_AFTER_S = 7 * 24 * 3600
_ONE_TIME_NS = 1000
_PIECE = 1 << 20


def write(root: Path, target: Path, data: bytes, *, durable: bool) -> None:
    """Put ``data`` at ``target`` below ``root``, replacing what is there.

    Raises MachineFault when the disk takes no file.
    """
    with _spoken(target), _part(root, lambda file: file.write(data), durable=durable) as part:
        _move(part, target)
        if durable:
            _sync_folder(target.parent)


def write_file(root: Path, target: Path, source: Path) -> None:
    """Put a copy of the file ``source`` at ``target``, a piece at a time; else as ``write`` does."""

    def fill(file: BinaryIO) -> None:
        with source.open("rb") as whole:
            shutil.copyfileobj(whole, file, _PIECE)

    with _spoken(target), _part(root, fill, durable=False) as part:
        _move(part, target)


def create(root: Path, target: Path, data: bytes) -> bool:
    """Put ``data`` at ``target`` unless something is there; False if so. Durable; raises as ``write`` does."""
    with _spoken(target), _part(root, lambda file: file.write(data), durable=True) as part:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # A link fails where the name is taken, so the file appears whole and at most once.
            os.link(part, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # exFAT, some network shares: at most once all the same; whoever reads it too early finds it damaged.
            if not _create_plainly(target, data):
                return False
        _sync_folder(target.parent)
    return True


def _create_plainly(target: Path, data: bytes) -> bool:
    try:
        with target.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True


def link(root: Path, source: Path, target: Path) -> None:
    """Give ``source`` the name ``target`` too, replacing what is there; a copy where the disk has no hard links.

    Raises FileNotFoundError where there is no source, ValueError where ``target`` cannot be a file's name on this disk;
    else as ``write`` does.
    """
    folder = root / PARTS
    part = folder / f"{this_process()}~{uuid.uuid4().hex}.part"
    with _spoken(target, source):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            try:
                os.link(source, part)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                _copy(source, part)
            _move(part, target)
        finally:
            # Still there where both names were the same file already.
            part.unlink(missing_ok=True)


def is_linked(source: Path, target: Path) -> bool:
    """Whether ``target`` is ``source``'s other name, or a whole copy of it. Raises as ``stat`` does."""
    first, second = source.stat(), target.stat()
    if first.st_ino and os.path.samestat(first, second):
        return True
    if not stat.S_ISREG(second.st_mode) or first.st_size != second.st_size:
        return False
    # Disks round the time that a copy takes over (SMB to 100 ns, exFAT and HFS+ to a second or two), or refuse it. Two
    # files of one size may well be made within two seconds, so a time that is only near proves nothing and the content
    # is read, which costs less than to copy it again. What the clocks of ext4 and SMB cannot tell apart is one time.
    return abs(first.st_mtime_ns - second.st_mtime_ns) <= _ONE_TIME_NS or _same_content(source, target)


def _same_content(one: Path, other: Path) -> bool:
    # Not filecmp.cmp, which remembers its answers by the times of the files.
    try:
        with one.open("rb") as first, other.open("rb") as second:
            while (piece := first.read(_PIECE)) == second.read(_PIECE):
                if not piece:
                    return True
    except OSError:
        # What cannot be read is not known to be a copy. Linking it anew puts that right, or says what is wrong.
        return False
    return False


def _copy(source: Path, copy: Path) -> None:
    """Copy a file's content and, where the disk lets us, its time, by which ``is_linked`` knows it without reading."""
    shutil.copyfile(source, copy)
    times = source.stat()
    # SMB, some NAS and files of another user refuse it; a copy is whole without it.
    with suppress(OSError):
        os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))


def sweep(root: Path) -> None:
    """Remove the parts that dead processes of this machine left, and week-old ones of any."""
    for part in (root / PARTS).glob("*.part"):
        owner = part.name.split("~")[0]
        with suppress(OSError):
            # What somebody is just giving a second name may have been written long ago.
            since = max(part.stat().st_mtime, part.stat().st_ctime)
            if is_gone(owner) or time.time() - since > _ABANDONED_AFTER_S:
                part.unlink()


@contextmanager
def _part(root: Path, fill: Callable[[BinaryIO], object], *, durable: bool) -> Iterator[Path]:
    """A temporary file that ``fill`` has written, which is gone afterwards unless it was moved."""
    folder = root / PARTS
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{this_process()}~{uuid.uuid4().hex}.part"
    try:
        with part.open("wb") as file:
            fill(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def _move(part: Path, target: Path) -> None:
    try:
        part.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # A folder of the store lies on another disk: go there first, under a hidden name.
        near = target.with_name(f".{part.name}")
        try:
            _copy(part, near)
            near.replace(target)
        finally:
            near.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename last; some file systems (and other systems than POSIX) do not offer it."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _spoken(target: Path, source: Path | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and source is not None and not source.exists():
            raise
        if error.errno in _FULL_DISK:
            raise MachineFault(f"No room left to write {target}: free some disk space and run again.") from error
        # Other names than those that people gave are the program's own, and no picture's fault.
        if error.errno in _BAD_NAME and source is not None:
            raise ValueError(f"{target.name!r} cannot be a file in the store ({error.strerror}): rename it.") from error
        raise MachineFault(f"The store took no file {target}: {error.strerror or error}") from error
