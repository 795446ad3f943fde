"""Where tables and pictures lie: a folder or an object-store prefix, reached through fsspec."""

import errno
import io
import os
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field
from upath import UPath

from resources.errors import MachineFault

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT}


class Store(dg.ConfigurableResource):
    """Files by relative path under one root; every file is written whole or not at all.

    On a local disk a file is written under a hidden temporary name and renamed; an object store's upload
    is atomic by itself. Works outside Dagster too: ``Store(root="somewhere")``.
    """

    root: str = Field(description="Folder or fsspec URL (s3://…, gs://…) under which everything is kept.")

    @cached_property
    def _root(self) -> UPath:
        return UPath(self.root)

    @property
    def is_local(self) -> bool:
        return self._root.protocol in ("", "file", "local")

    def path(self, relative: str) -> UPath:
        """The full path of ``relative``, a POSIX path below the root. Raises ValueError if it leaves it."""
        if relative.startswith("/") or ".." in relative.split("/"):
            raise ValueError(f"{relative!r} is not a path below the store")
        return self._root / relative

    def exists(self, relative: str) -> bool:
        return self.path(relative).exists()

    def present(self, relatives: Iterable[str]) -> set[str]:
        """Those of the paths that exist, asked for side by side (a request each on an object store)."""
        paths = list(dict.fromkeys(relatives))
        if not paths:
            return set()
        with ThreadPoolExecutor(max_workers=min(32, len(paths))) as pool:
            return {path for path, there in zip(paths, pool.map(self.exists, paths), strict=True) if there}

    def names(self, folder: str) -> list[str]:
        """File names directly in ``folder``, sorted, temporary ones left out; none if it is not there."""
        directory = self.path(folder)
        if not directory.exists():
            return []
        return sorted(entry.name for entry in directory.iterdir() if not entry.name.startswith("."))

    def read(self, relative: str) -> bytes:
        return self.path(relative).read_bytes()

    def write(self, relative: str, data: bytes) -> None:
        """Put ``data`` at ``relative``, replacing what is there. Raises MachineFault when the disk is full."""
        target = self.path(relative)
        if not self.is_local:
            target.fs.pipe_file(target.path, data)
            return
        temporary = self._write_temporary(Path(target.path), data)
        temporary.replace(target.path)

    def create(self, relative: str, data: bytes) -> bool:
        """Put ``data`` at ``relative`` only if nothing is there; False when somebody else was first."""
        target = self.path(relative)
        if not self.is_local:
            try:
                target.fs.pipe_file(target.path, data, mode="create")
            except FileExistsError:
                return False
            return True
        temporary = self._write_temporary(Path(target.path), data)
        try:
            # A link fails where the name is taken, so the file appears whole and at most once.
            os.link(temporary, target.path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True

    def remove(self, relatives: Iterable[str]) -> None:
        for relative in relatives:
            self.path(relative).unlink(missing_ok=True)

    def read_table(self, relative: str, filters: list | None = None) -> pa.Table | None:
        """The Parquet table at ``relative`` (rows that meet ``filters``), or None if there is none."""
        path = self.path(relative)
        if not path.exists():
            return None
        return pq.read_table(path.path, filesystem=path.fs, filters=filters, partitioning=None)

    def write_table(self, relative: str, table: pa.Table, *, rows_per_group: int | None = None) -> None:
        self.write(relative, table_bytes(table, rows_per_group=rows_per_group))

    @staticmethod
    def _write_temporary(target: Path, data: bytes) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            temporary.write_bytes(data)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            if error.errno in _FULL_DISK:
                raise MachineFault(f"No room left to write {target}: free some disk space and run again.") from error
            raise
        return temporary


def table_bytes(table: pa.Table, *, rows_per_group: int | None = None) -> bytes:
    """``table`` as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=rows_per_group)
    return buffer.getvalue()
