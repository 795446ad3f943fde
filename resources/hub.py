"""Model files: a pinned revision on the Hugging Face hub or a local folder; found, fetched, checked, identified."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from resources.errors import ModelUnavailable

_CHUNK = 1 << 20
_SAMPLED_ABOVE = 4 << 20


@dataclass(frozen=True)
class Weights:
    """A model's files.

    ``source`` is a hub name (``org/name``) or, when it starts with ``/``, ``.`` or ``~``, a local folder or
    file. ``revision`` is the hub's commit; a branch such as ``main`` works, but moves under the row keys.
    """

    source: str
    revision: str
    files: tuple[str, ...] = ("*",)
    """Glob patterns of the files needed; each must match at least one."""

    @property
    def is_local(self) -> bool:
        """Whether ``source`` is a path on this machine."""
        return self.source.startswith(("/", ".", "~"))

    @property
    def identity(self) -> str:
        """What enters a row's key: the pinned commit, or the fingerprint of a local folder.

        Raises:
            ModelUnavailable: the local folder is not there.
        """
        if self.is_local:
            return f"local@{fingerprint(self._local())}"
        return f"{self.source}@{self.revision}"

    def folder(self, *, download: bool = False) -> Path:
        """The folder (or local file) that holds the files.

        Args:
            download: fetch what is missing from the hub. Without it the network is not touched.

        Raises:
            ModelUnavailable: not on this machine and not to be fetched, or the hub cannot be reached.
        """
        place = self._local() if self.is_local else self._snapshot(download)
        missing = [] if place.is_file() else [name for name in self.files if not any(place.glob(name))]
        if missing:
            raise ModelUnavailable(f"{self.source}: {place} has no {', '.join(missing)}. {self._remedy()}")
        return place

    def problems(self) -> list[str]:
        """A sentence for each file whose content does not have the digest that the hub gave it.

        Every byte is read. Empty for a local folder, which carries no digests.

        Raises:
            ModelUnavailable: see ``folder``.
        """
        place = self.folder()
        if self.is_local:
            return []
        return [
            f"{self.source}: {path.relative_to(place)} is damaged: its content is not what its digest says."
            for path in sorted(place.rglob("*"))
            if path.is_file() and not _is_intact(path)
        ]

    def _local(self) -> Path:
        place = Path(self.source).expanduser()
        if not place.exists():
            raise ModelUnavailable(f"{self.source} does not exist. {self._remedy()}")
        return place

    def _snapshot(self, download: bool) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        wanted: dict[str, Any] = {"revision": self.revision, "allow_patterns": list(self.files)}
        try:
            return Path(snapshot_download(self.source, local_files_only=True, **wanted))
        except LocalEntryNotFoundError as error:
            if not download:
                raise ModelUnavailable(
                    f"{self.source} (revision {self.revision}) is not on this machine. {self._remedy()}"
                ) from error
        try:
            return Path(snapshot_download(self.source, **wanted))
        except (HfHubHTTPError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelUnavailable(
                f"{self.source} (revision {self.revision}) could not be fetched from the hub: {reason}. "
                "Check the network, or copy the hub's cache from a machine that has it."
            ) from error

    def _remedy(self) -> str:
        if self.is_local:
            return "Correct the path in the settings."
        return (
            "Fetch it once with `vivid models pull NAME` (`vivid models list` has the names), or allow it in the "
            "settings with download: true."
        )


def check_digest(path: Path, sha256: str) -> None:
    """Check a file's SHA-256 (hexadecimal).

    Raises:
        ModelUnavailable: it is another, with both digests in the message.
    """
    found = _digest(hashlib.sha256(), path)
    if found != sha256.lower():
        raise ModelUnavailable(
            f"{path} has the SHA-256 {found}, but the settings ask for {sha256}. "
            "Fetch the file again, or correct the digest if the change is meant."
        )


def fingerprint(place: Path) -> str:
    """Content digest of a file or folder in milliseconds, for row keys (no protection against forgery).

    Names, sizes and contents; of a file above 4 MiB only the first, middle and last MiB are read. Equal
    copies have equal fingerprints wherever they lie.
    """
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        status = path.stat()
        name = path.name if path == place else path.relative_to(place).as_posix()
        digest.update(f"{name}\0{status.st_size}\0".encode())
        digest.update(_sample(str(path), status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


@lru_cache(maxsize=1024)
def _sample(path: str, size: int, modified: int) -> bytes:  # noqa: ARG001 - the cache's key
    digest = hashlib.blake2b(digest_size=16)
    with Path(path).open("rb") as file:
        if size <= _SAMPLED_ABOVE:
            digest.update(file.read())
        else:
            for start in (0, size // 2, size - _CHUNK):
                file.seek(start)
                digest.update(file.read(_CHUNK))
    return digest.digest()


def _is_intact(path: Path) -> bool:
    """Whether a file of the hub's cache has the digest that its blob is named by."""
    name = path.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return _digest(hashlib.sha256(), path) == name
    if re.fullmatch(r"[0-9a-f]{40}", name):
        # Small files are named as git names them.
        git = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        return _digest(git, path) == name
    return True


def _digest(digest: Any, path: Path) -> str:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
