"""Where tables and pictures lie: a folder or an object-store prefix, reached through fsspec."""

import errno
import io
import json
import logging
import os
import re
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field
from upath import UPath

from resources.errors import DamagedTable, MachineFault
from resources.resource import Resource
from resources.store import local_files
from resources.store.reach import reached

_LOCAL = ("", "file", "local")
_WRITTEN = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
"""What the clients of object stores, and of servers, call the time at which a file was written."""

_MD5 = re.compile(r"[0-9a-f]{32}")
_S3 = ("s3", "s3a")
_COPIED_ETAG = "copied-etag"
"""The metadata of a copy on S3: its source's ETag at the time."""

_log = logging.getLogger(__name__)


class Store(Resource):
    """Files by relative path under one root; every file is written whole or not at all.

    On a local disk a file is written under a temporary name in ``.parts`` and renamed; an object store's upload
    is atomic by itself, and looked at afterwards. Works outside Dagster too: ``Store(root="somewhere")``.
    """

    root: str = Field(description="Folder or fsspec URL (s3://…, gs://…) under which everything is kept.")

    @cached_property
    def _root(self) -> UPath:
        return as_path(self.root)

    @property
    def is_local(self) -> bool:
        return self._root.protocol in _LOCAL

    def path(self, relative: str) -> UPath:
        """The full path of ``relative``, a POSIX path below the root. Raises ValueError if it leaves it."""
        if relative.startswith("/") or ".." in relative.split("/"):
            raise ValueError(f"{relative!r} is not a path below the store")
        return self._root / relative

    def exists(self, relative: str) -> bool:
        return self.path(relative).exists()

    def size(self, relative: str) -> int | None:
        """The file's size in bytes, or None if there is none."""
        path = self.path(relative)
        try:
            return Path(path.path).stat().st_size if self.is_local else int(path.fs.info(path.path)["size"])
        except FileNotFoundError:
            return None

    def sizes(self, relatives: Iterable[str]) -> dict[str, int]:
        """The sizes of those paths that exist, asked for side by side (a request each on an object store)."""
        paths = list(dict.fromkeys(relatives))
        if not paths:
            return {}
        with ThreadPoolExecutor(max_workers=min(32, len(paths))) as pool:
            found = zip(paths, pool.map(self.size, paths), strict=True)
            return {path: size for path, size in found if size is not None}

    def present(self, relatives: Iterable[str]) -> set[str]:
        """Those of the paths that exist."""
        return {*self.sizes(relatives)}

    def names(self, folder: str) -> list[str]:
        """File names directly in ``folder``, sorted, hidden ones left out; none if it is not there."""
        try:
            names = [entry.name for entry in self.path(folder).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in names if not name.startswith("."))

    def files_below(self, folder: str) -> dict[str, int]:
        """The files anywhere below ``folder``, and their sizes in bytes."""
        return {path: int(info["size"]) for path, info in self._infos(folder).items()}

    def written_before(self, folder: str, when: datetime) -> dict[str, int]:
        """Those of the files anywhere below ``folder`` that were last written before ``when``, and their sizes.

        Raises MachineFault where the store does not tell when a file was written.
        """
        found: dict[str, int] = {}
        for path, info in self._infos(folder).items():
            written = _modified(info)
            if isinstance(written, (int, float)):
                written = datetime.fromtimestamp(written, UTC)
            if not isinstance(written, datetime):
                raise MachineFault(
                    f"The store does not tell how old {self.path(path)} is, so nothing can be called unused."
                )
            if written < when:
                found[path] = int(info["size"])
        return found

    def _infos(self, folder: str) -> dict[str, dict[str, Any]]:
        """What the store tells of each file anywhere below ``folder``."""
        top = self.path(folder)
        found = top.fs.find(top.path, detail=True)
        return {f"{folder}/{path.removeprefix(top.path.rstrip('/')).lstrip('/')}": one for path, one in found.items()}

    def read(self, relative: str) -> bytes:
        path = self.path(relative)
        with reached(path):
            # Opened as a file, an object takes two requests or more.
            return path.read_bytes() if self.is_local else bytes(path.fs.cat_file(path.path))

    def local_copy(self, relative: str, folder: Path) -> Path:
        """The file as one of this machine, which is not to be written to: itself, or a copy in ``folder``.

        For what is too large for memory. Raises FileNotFoundError, and MachineFault as ``read`` does.
        """
        path = self.path(relative)
        if self.is_local:
            there = Path(path.path)
            if not there.is_file():
                raise FileNotFoundError(errno.ENOENT, "there is no such file", str(there))
            return there
        copy = folder / f"{uuid.uuid4().hex}{path.suffix}"
        with reached(path):
            path.fs.get_file(path.path, str(copy))
        return copy

    def read_json(self, relative: str) -> dict[str, Any] | None:
        """The JSON object at ``relative``; None where there is none, or it is damaged, which is logged.

        For records that are made anew where they are missing.
        """
        try:
            found = json.loads(self.read(relative))
        except FileNotFoundError:
            return None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            _log.error("%s cannot be read and counts as missing.", self.path(relative))
            return None
        return found

    def tail(self, relative: str, count: int) -> bytes | None:
        """The file's last ``count`` bytes, or None if there is no such file."""
        path = self.path(relative)
        try:
            with path.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - count))
                return file.read(count)
        except FileNotFoundError:
            return None

    def write(self, relative: str, data: bytes, *, durable: bool = False) -> None:
        """Put ``data`` at ``relative``, replacing what is there.

        Args:
            relative: where.
            data: the whole file.
            durable: on a local disk, wait until a power cut could not take it back. For what other files are
                judged by; a picture that is lost so is noticed by its size and made again.

        Raises:
            MachineFault: the store takes no file: full, not reachable, or other than it says.
        """
        target = self.path(relative)
        if self.is_local:
            local_files.write(self._local_root, Path(target.path), data, durable=durable)
            return
        self._upload(relative, data, mode="overwrite")

    def write_file(self, relative: str, source: Path) -> None:
        """Put a copy of the local file ``source`` at ``relative``, a piece at a time; else as ``write`` does."""
        target = self.path(relative)
        if self.is_local:
            local_files.write_file(self._local_root, Path(target.path), source)
            return
        try:
            target.fs.put_file(str(source), target.path)
        except OSError as error:
            raise MachineFault(f"The store took no file {target}: {error}") from error
        self._check_taken(relative, source.stat().st_size)

    def create(self, relative: str, data: bytes) -> bool:
        """Put ``data`` at ``relative`` only if nothing is there; False when somebody else was first. Durable."""
        target = self.path(relative)
        if self.is_local:
            return local_files.create(self._local_root, Path(target.path), data)
        return self._upload(relative, data, mode="create")

    def link(self, source: str, target: str) -> None:
        """Have the file ``source`` at ``target`` too: a hard link, or a copy made by the store itself.

        Raises FileNotFoundError where there is no ``source``, ValueError where ``target`` cannot be a name there, and
        MachineFault as ``write`` does.
        """
        if self.is_local:
            local_files.link(self._local_root, Path(self.path(source).path), Path(self.path(target).path))
            return
        origin, place = self.path(source), self.path(target)
        try:
            place.fs.copy(origin.path, place.path, **_noting_source(origin))
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise ValueError(f"{target!r} is too long a name for the store: shorten it.") from error
            raise MachineFault(f"The store took no file {place}: {error}") from error
        place.fs.invalidate_cache(place.path)

    def is_linked(self, source: str, target: str) -> bool:
        """Whether ``target`` is ``source``'s other name, or a whole copy of it.

        A copy is known by its size and, on a disk, by the time that it took over from ``source``, else by its content;
        in an object store by its digest or by the ETag that it notes of its source (S3), and where the store tells
        neither by having been made since ``source`` was written.
        """
        origin, place = self.path(source), self.path(target)
        try:
            if self.is_local:
                return local_files.is_linked(Path(origin.path), Path(place.path))
            one, other = origin.fs.info(origin.path), place.fs.info(place.path)
            if one.get("size") != other.get("size"):
                return False
            first, second = _digest_told(one), _digest_told(other)
            if first and first == second:
                return True
            if noted := _source_noted(place):
                return noted == _etag(one)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return False
            raise
        if first and second:
            return False
        written, copied = (_modified(info) for info in (one, other))
        return written is not None and written <= copied

    def remove(self, relatives: Iterable[str]) -> None:
        for relative in relatives:
            self.path(relative).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what killed runs of this machine left half-written."""
        if self.is_local:
            local_files.sweep(self._local_root)

    def read_table(
        self, relative: str, filters: list[Any] | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table | None:
        """The Parquet table at ``relative`` (rows that meet ``filters``, these ``columns``), or None if there is none.

        Raises DamagedTable when the file is there but cannot be read.
        """
        path = self.path(relative)
        try:
            if filters is None:
                # One request, where a part of a table takes several.
                data = pa.BufferReader(self.read(relative))
                return pq.read_table(data, columns=columns, page_checksum_verification=True)
            return pq.read_table(
                path.path,
                filesystem=path.fs,
                filters=filters,
                columns=columns,
                partitioning=None,
                page_checksum_verification=True,
            )
        except FileNotFoundError:
            return None
        except (pa.ArrowException, OSError) as error:
            # The system's own errors carry a number; what Arrow says of a file's content does not.
            if getattr(error, "errno", None):
                raise
            reason = " ".join(str(error).split())[:200]
            raise DamagedTable(f"The table {path} is damaged and cannot be read ({reason}).") from error

    def write_table(self, relative: str, table: pa.Table, *, rows_per_group: int | None = None) -> None:
        self.write(relative, table_bytes(table, rows_per_group=rows_per_group), durable=True)

    @property
    def _local_root(self) -> Path:
        return Path(self._root.path)

    def assert_creates_once(self) -> None:
        """Raises ValueError where the store creates what is there already, though claims and ledger rest on a no."""
        probe = f"probes/{uuid.uuid4().hex}"
        try:
            if [self.create(probe, data) for data in (b"first", b"second")] != [True, False]:
                raise ValueError(
                    f"{self.root} cannot be a store for several runs: it replaces an object that should only be "
                    "created (If-None-Match: *). Use a server that refuses it, or a shared folder."
                )
        finally:
            self.remove([probe])

    def _there(self, relative: str) -> bytes | None:
        with suppress(OSError):
            return self.read(relative)
        return None

    def _upload(self, relative: str, data: bytes, mode: str) -> bool:
        target = self.path(relative)
        try:
            target.fs.pipe_file(target.path, data, mode=mode)
        except FileExistsError:
            # It may be this very one: an answer was lost, and the client asked again.
            return self._there(relative) == data
        except OSError as error:
            # Servers say in many ways that an object is there; after a lost answer it may be this very one.
            if mode == "create" and (found := self._there(relative)) is not None:
                return found == data
            raise MachineFault(f"The store took no file {target}: {error}") from error
        self._check_taken(relative, len(data))
        return True

    def _check_taken(self, relative: str, size: int) -> None:
        """Raises MachineFault where an object store has not the whole file that it took."""
        # One request more, so that no row vouches for a file that a faulty store has lost or cut off.
        target = self.path(relative)
        target.fs.invalidate_cache(target.path)
        there = self.size(relative)
        if there != size:
            raise MachineFault(
                f"The store said that it took {target} ({size:,} bytes), but "
                + (f"has {there:,} bytes of it." if there is not None else "does not have it.")
            )


def _modified(info: dict[str, Any]) -> Any:
    """When an object was written, as its store tells; None where it does not."""
    return next((info[name] for name in _WRITTEN if info.get(name)), None)


def _digest_told(info: dict[str, Any]) -> str:
    """The digest of an object's content that its store tells; empty where it tells none.

    S3's ETag is the MD5 of what was uploaded in one piece, or copied; of what came in several it has a dash. Under a
    key of KMS, or of the customer, it only looks like one and is another for each copy: equal ones are proof all the
    same, and of others a copy notes its source.
    """
    etag = _etag(info)
    return str(info.get("md5Hash") or (etag if _MD5.fullmatch(etag) else ""))


def _etag(info: dict[str, Any]) -> str:
    return str(info.get("ETag", "")).strip('"')


def _noting_source(origin: UPath) -> dict[str, Any]:
    """What a copy on S3 is asked for so that it notes its source's ETag; nothing elsewhere.

    Raises FileNotFoundError where there is no source.
    """
    if origin.protocol not in _S3:
        return {}
    # Told before the copy: if the source is replaced meanwhile, the copy counts as one of the earlier.
    info = origin.fs.info(origin.path)
    # Metadata are replaced as a whole, and the kind of content with them.
    noted = {"MetadataDirective": "REPLACE", "Metadata": {_COPIED_ETAG: _etag(info)}}
    return noted | ({"ContentType": info["ContentType"]} if info.get("ContentType") else {})


def _source_noted(copy: UPath) -> str:
    """The ETag of its source that a copy on S3 notes; empty where it notes none, as those that others made."""
    return str(copy.fs.metadata(copy.path).get(_COPIED_ETAG, "")) if copy.protocol in _S3 else ""


def as_path(url: str) -> UPath:
    """The folder or fsspec URL as a path that is looked at anew each time; a local one is absolute.

    A client of an object store remembers what a folder held; what others put there or take away would not be seen.
    Raises ValueError for what is neither.
    """
    place = place_of(url)
    if "://" not in place:
        return UPath(place)
    try:
        return UPath(place, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise ValueError(f"{url} cannot be reached: {error}") from error


def place_of(url: str) -> str:
    """What a person wrote for a folder (``~/store``, ``file:///srv/store``, ``store``) as its absolute path.

    Other URLs come back as they are. Raises ValueError for what names no folder.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", url)
    if (scheme and scheme[1].lower() not in _LOCAL) or ("://" in url and "::" in url) or url.startswith("data:"):
        return url
    folder = url
    if scheme:
        folder = unquote(url[scheme.end() :])
        if not folder.startswith("/"):
            raise ValueError(f"{url} does not say which folder: write it as a path, or with three slashes (file:///…).")
    if not folder or "\0" in folder:
        raise ValueError(f"{url!r} cannot be a folder: name one, or an object store's URL such as s3://bucket/folder.")
    if folder.startswith("~"):
        folder = os.path.expanduser(folder)  # noqa: PTH111 - Path's raises what means nothing to a person
        if folder.startswith("~"):
            raise ValueError(f"{url} names the home of a user who does not exist; a folder of that name is ./{url}.")
    return str(Path(folder).absolute())


def table_bytes(table: pa.Table, *, rows_per_group: int | None = None) -> bytes:
    """``table`` as a Parquet file. Its pages carry checksums: Parquet by itself does not notice a flipped bit."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=rows_per_group, write_page_checksum=True)
    return buffer.getvalue()
