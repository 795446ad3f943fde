"""The files of a catalogue: names, sizes and stamps in one pass, digests only where something may have changed.

Files that are left out are named, and a folder that cannot be listed is an error: otherwise its pictures would seem to
be gone.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from upath import UPath

from resources.spelling import counted
from vivid_assets.catalogue.identity import ETAG, UNREADABLE
from vivid_assets.catalogue.names import collisions, why_refused
from vivid_assets.catalogue.pictures import (
    PICTURE_SUFFIXES,
    needs_its_bytes,
    sentence_on_others,
    suffix_of,
    why_no_picture,
)
from vivid_assets.imaging.io.formats import ENOUGH

LISTING = pa.schema([("picture", pa.string()), ("size", pa.int64()), ("stamp", pa.string())])

_LOCAL = ("", "file", "local")
_STORE = re.compile(r"(?:^|(.*?)/)catalogues/[^/]+/catalogue\.json")


@dataclass(frozen=True)
class Listing:
    """The contents of a catalogue's folder, or of one folder in it."""

    pictures: pa.Table
    """Schema LISTING, by name: POSIX paths below the catalogue's root."""
    others: pa.Table
    """Files that are no pictures that can be read; as ``pictures``."""
    refused: dict[str, str]
    """By name: a message for each file or folder that is left out because of its name or its target."""
    looked_at: dict[str, tuple[str, str]]
    """By name: the state (size and stamp) in which a file's first bytes were read, and why they are no picture's."""
    stores: list[str] = field(default_factory=list)
    """Folders that are left out because they are stores of this program."""

    def sentences(self) -> list[str]:
        """Messages on what was left out."""
        messages = [*self.refused.values()]
        messages += [f"The folder {name!r} is left out: it is a store of results." for name in self.stores]
        found = {name: what for name, (_, what) in self.looked_at.items()}
        if others := sentence_on_others(self.others["picture"].to_pylist(), found):
            messages.append(others)
        return messages


def list_files(
    root: UPath,
    *,
    below: str = "",
    besides: Iterable[str] = (),
    store: UPath | None = None,
    looked_at: Mapping[str, tuple[str, str]] | None = None,
) -> Listing:
    """Every file of the folder ``below`` ``root``, which is a local folder or a prefix of an object store.

    Hidden files, the folders ``besides`` (in any case) and stores of results are left out. Links that lead out of
    ``root`` are refused, and so are linked folders, pipes and devices, names that cannot be kept everywhere, and all
    but one of the names whose results would overwrite each other. ``looked_at`` is an earlier listing's: of a file in
    the same state nothing is read.

    Raises ValueError when a folder cannot be listed: what may be in it is not known.
    """
    skipped = {folder.strip("/").casefold() for folder in besides if folder.strip("/")}
    is_local = root.protocol in _LOCAL
    walk = _walk if is_local else _find
    entries, refused, stores = walk(root, below.strip("/"), skipped, store)
    for name in [name for name in entries if not name.isprintable()]:
        # Not only no name for a picture: no text that could be kept in a table.
        refused[name] = f"{name!r} {why_refused(name)}: rename it."
        del entries[name]
    asked = [(name, f"{size}-{stamp}") for name, (size, stamp) in entries.items() if needs_its_bytes(name)]
    known = looked_at or {}
    looked = {name: known[name] for name, state in asked if name in known and known[name][0] == state}
    fresh = [(name, state) for name, state in asked if name not in looked]
    with ThreadPoolExecutor(max_workers=16) as pool:
        answers = pool.map(lambda one: _look(root, one[0]), fresh)
        looked |= {name: (state, answer) for (name, state), answer in zip(fresh, answers, strict=True)}
    taken, others = [], []
    for name in entries:
        if suffix_of(name) not in PICTURE_SUFFIXES and (name not in looked or looked[name][1]):
            others.append(name)
        elif why := why_refused(name):
            refused[name] = f"{name!r} {why}: rename it."
        else:
            taken.append(name)
    taken.sort()
    # Results are named after pictures; of backgrounds and masks in their folders there are none.
    twins = {} if below else collisions(taken)
    for name, other in twins.items():
        refused[name] = f"{name!r} and {other!r} would overwrite each other's results: rename one."
    return Listing(
        _table([name for name in taken if name not in twins], entries),
        _table(sorted(others), entries),
        dict(sorted(refused.items())),
        looked,
        stores,
    )


def file_state(path: UPath) -> tuple[int, str]:
    """Size and stamp of one file, as in a listing. Raises OSError when it is not there."""
    if path.protocol in _LOCAL:
        return _state(os.stat(path.path))  # noqa: PTH116 - what Path.stat would do
    info = path.fs.info(path.path)
    return int(info.get("size") or 0), _stamp(info)


def content_digests(root: UPath, names: list[str], stamps: list[str]) -> list[str]:
    """What tells the files' contents apart: the store's entity tag where it has one, else a digest of the bytes.

    The digest is a 128-bit BLAKE2b in hexadecimal. A file that cannot be read is ``UNREADABLE`` and its stamp,
    so that it is looked at again once it changes.
    """

    def content(name: str, stamp: str) -> str:
        if stamp.startswith(ETAG):
            return stamp
        try:
            with (root / name).open("rb") as file:
                digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))  # type: ignore[arg-type]
                return digest.hexdigest()
        except OSError:
            return f"{UNREADABLE}{stamp}"

    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(content, names, stamps))


_Found = tuple[dict[str, tuple[int, str]], dict[str, str], list[str]]


def _walk(root: UPath, below: str, skipped: set[str], store: UPath | None) -> _Found:
    """The files of a local folder (size and stamp by name), what is refused, and the stores in it."""
    base = root.path.rstrip("/") or "/"
    resolved = os.path.realpath(base)
    own = _identity(store.path) if store is not None and store.protocol in _LOCAL else None
    entries: dict[str, tuple[int, str]] = {}
    refused: dict[str, str] = {}
    stores, unlisted = [], []
    waiting = [below]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(base, folder)) as scanned:  # noqa: PTH118 - for a million names
                inside = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            unlisted.append(f"{folder or base} ({error.strerror or error})")
            continue
        if folder and (own == _identity(os.path.join(base, folder)) or _is_store(inside)):  # noqa: PTH118
            stores.append(folder)
            continue
        for entry in inside:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith(".") or entry.name in _THE_SYSTEMS:
                continue
            if entry.is_dir(follow_symlinks=False):
                if name.casefold() not in skipped:
                    waiting.append(name)
                continue
            if entry.is_symlink() and name.casefold() in skipped:
                continue
            try:
                if entry.is_symlink() and not os.path.realpath(entry.path).startswith(resolved + os.sep):
                    refused[name] = f"{name!r} is a link that leads out of the catalogue's folder."
                    continue
                found = entry.stat()
            except OSError:
                refused[name] = _NO_FILE.format(name)
                continue
            # Not opened to see: a pipe would be waited for without end.
            if stat.S_ISREG(found.st_mode):
                entries[name] = _state(found)
            else:
                refused[name] = _NO_FILE.format(name)
    if unlisted:
        raise ValueError(
            f"{counted(len(unlisted), 'folder')} of {base} cannot be listed: {', '.join(sorted(unlisted)[:5])}. "
            "Their contents are unknown, so no picture is removed."
        )
    return entries, refused, stores


_THE_SYSTEMS = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
"""Folders that file systems keep at the top of a disk, which nobody may list and nobody can take away."""

_NO_FILE = "{!r} is a link to nothing, a linked folder, a pipe or a device, and no file."


def _find(root: UPath, below: str, skipped: set[str], store: UPath | None) -> _Found:
    """As ``_walk``, of an object store."""
    base = root.path.rstrip("/")
    own = store.path.rstrip("/") + "/" if store is not None and store.protocol == root.protocol else None
    found = root.fs.find(f"{base}/{below}".rstrip("/"), detail=True)
    names = {path: path[len(base) :].lstrip("/") for path in found}
    stores = {match[1] or "" for match in map(_STORE.match, names.values()) if match}
    if own is not None and own.startswith(f"{base}/"):
        stores.add(own[len(base) :].strip("/"))
    apart = (*(f"{name}/" for name in stores if name),)
    entries = {}
    for path, info in found.items():
        name = names[path]
        parts = name.casefold().split("/")
        is_skipped = any("/".join(parts[:depth]) in skipped for depth in range(1, len(parts)))
        if not is_skipped and not name.startswith((".", *apart)) and "/." not in name:
            entries[name] = int(info.get("size") or 0), _stamp(info)
    return entries, {}, sorted(name for name in stores if any(one.startswith(f"{name}/") for one in names.values()))


def _is_store(inside: list[os.DirEntry[str]]) -> bool:
    """Whether a folder is a store of this program, or the home of a Dagster instance."""
    names = {entry.name: entry for entry in inside}
    if "dagster.yaml" in names:
        return True
    if ".parts" not in names or "catalogues" not in names:
        return False
    kept = names["catalogues"].path
    return os.path.isdir(kept) and any(  # noqa: PTH112
        os.path.exists(os.path.join(kept, one, "catalogue.json"))  # noqa: PTH110, PTH118
        for one in os.listdir(kept)  # noqa: PTH208
    )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _state(found: os.stat_result) -> tuple[int, str]:
    # The time of the last change to the file's record too: a copy or a swap that keeps the other time changes this one.
    return found.st_size, f"{found.st_mtime_ns}-{found.st_ctime_ns}"


def _stamp(info: Mapping[str, Any]) -> str:
    """Changes whenever the object does: its entity tag or checksum, else the modification time."""
    for name in ("ETag", "etag", "md5Hash", "content_md5"):
        if info.get(name):
            return f"{ETAG}{info[name]}"
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        if info.get(name):
            return str(info[name])
    return ""


def _look(root: UPath, name: str) -> str:
    """Nothing when the first bytes are a picture's that can be read; else what they are, as far as it is known."""
    path = root / name
    try:
        if root.protocol in _LOCAL:
            handle = os.open(path.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
            try:
                start = os.read(handle, ENOUGH)
            finally:
                os.close(handle)
        else:
            start = path.fs.cat_file(path.path, start=0, end=ENOUGH)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return why_no_picture(start)


def _table(names: list[str], entries: Mapping[str, tuple[int, str]]) -> pa.Table:
    return pa.table([names, [entries[name][0] for name in names], [entries[name][1] for name in names]], schema=LISTING)
