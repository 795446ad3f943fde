"""Model files: a pinned revision on the Hugging Face hub or a local folder; found, fetched, checked, identified."""

import hashlib
import re
import shlex
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from resources.errors import ModelUnavailable, first_line
from resources.weights.remote_code import absent_files

COMMIT = re.compile(r"[0-9a-f]{40}")
_CHUNK = 1 << 20
_SAMPLED_ABOVE = 4 << 20


def after_colon(kind: str, model: str) -> tuple[str, str]:
    """Source and commit of the model that a name such as ``birefnet:ORG/NAME@COMMIT`` has after its colon.

    Args:
        kind: what is before the colon.
        model: ``ORG/NAME@COMMIT``, or a path, whose commit is empty.

    Raises:
        ValueError: it is neither.
    """
    name, _, commit = model.partition("@")
    if model.startswith(("/", "./", "~")):
        return model, ""
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and COMMIT.fullmatch(commit):
        return name, commit
    raise ValueError(
        f"{kind}:{model} is no model: name it with a full commit, as {kind}:ORG/NAME@{'0123abcd' * 5}, or a folder, as "
        f"{kind}:/a/folder."
    )


@dataclass(frozen=True)
class Weights:
    """A model's files.

    ``source`` is a hub name (``org/name``) or, when it starts with ``/``, ``.`` or ``~``, a local folder or
    file. ``revision`` is the hub's commit; a branch such as ``main`` works, but moves under the row keys.
    """

    source: str
    revision: str
    files: tuple[str, ...] = ("*",)
    """The files needed, by name or glob pattern; ``a|b`` is either. With ``*.py``, all that the code needs of them."""
    optional: tuple[str, ...] = ()
    """Files that are fetched where there are any, and not missed where there are none."""
    variant: str | None = None
    """What ``vivid models pull`` must be told to fetch these files of a repository that has several kinds."""

    @property
    def is_local(self) -> bool:
        """Whether ``source`` is a path on this machine."""
        return self.source.startswith(("/", ".", "~"))

    @property
    def is_file(self) -> bool:
        """Whether ``source`` names a single file of weights on this machine, there or not."""
        return self.is_local and self.source.endswith(".safetensors")

    @property
    def patterns(self) -> list[str]:
        """What is fetched, as the hub's client takes it."""
        return [pattern for name in (*self.files, *self.optional) for pattern in name.split("|")]

    @property
    def identity(self) -> str:
        """What enters a row's key: the pinned commit, or the fingerprint of a local folder.

        Raises:
            ModelUnavailable: the local folder is not there.
        """
        if self.is_local:
            return f"local@{fingerprint(self._local())}"
        return f"{self.source}@{self.revision}"

    @property
    def pull_command(self) -> str:
        """The command that fetches these files."""
        from resources.weights.registry import name_of

        if name := name_of(self):
            return f"vivid models pull {name}"
        variant = "" if self.variant is None else f" --variant {shlex.quote(self.variant)}"
        return f"vivid models pull {shlex.quote(f'{self.source}@{self.revision}')}{variant}"

    def folder(self, *, download: bool = False) -> Path:
        """The folder (or local file) that holds the files.

        Args:
            download: fetch what is missing from the hub. Without it the network is not touched.

        Raises:
            ModelUnavailable: not on this machine and not to be fetched, or the hub cannot be reached.
        """
        if not self.is_local and not self.revision:
            raise ModelUnavailable(
                f"{self.source} has no revision in the settings: name a full commit of it on the hub."
            )
        place = self._local() if self.is_local else self._cached()
        if download and not self.is_local and (place is None or self._absent(place)):
            place = self._fetched()
        if place is None:
            raise ModelUnavailable(f"{self.source} (revision {self.revision}) is not on this machine. {self._remedy()}")
        if absent := self._absent(place):
            remedy = f"The repository has none at {self.revision}: correct the settings."
            named = f"{self.source}: {place} has no {', '.join(absent)}."
            raise ModelUnavailable(f"{named}{_other_variant(place, absent)} {remedy if download else self._remedy()}")
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

    def _cached(self) -> Path | None:
        """The snapshot in the hub's cache, whole or not; None if there is none."""
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        repository = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=self.source, repo_type="model")
        reference = repository / "refs" / self.revision
        commit = reference.read_text().strip() if reference.is_file() else self.revision
        place = repository / "snapshots" / commit
        return place if place.is_dir() else None

    def _fetched(self) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            return Path(snapshot_download(self.source, revision=self.revision, allow_patterns=self.patterns))
        except (HfHubHTTPError, HFValidationError, OSError) as error:
            reason = first_line(error)
            raise ModelUnavailable(
                f"{self.source} (revision {self.revision}) could not be fetched from the hub: {reason}. "
                "Check its name, its revision and the network, or copy the hub's cache from a machine that has it."
            ) from error

    def _absent(self, place: Path) -> list[str]:
        """What is needed and not there; a file whose content has not come yet is not there."""
        if place.is_file():
            return []
        absent = [
            name.replace("|", " or ")
            for name in self.files
            if not any(_has(place, pattern) for pattern in name.split("|"))
        ]
        if "*.py" in self.files:
            absent += absent_files(place)
        return absent

    def _remedy(self) -> str:
        if self.is_local:
            return "Correct the path in the settings."
        return f"Fetch it once with `{self.pull_command}`, or allow it in the settings with download = true."


def _has(place: Path, pattern: str) -> bool:
    if "*" in pattern:
        return any(path.is_file() for path in place.glob(pattern))
    return (place / pattern).is_file()


def _other_variant(place: Path, absent: list[str]) -> str:
    """A hint where the files are there under the name of another variant."""
    halves = [name for name in absent if ".fp16." in name]
    if halves and all((place / name.replace(".fp16.", ".")).is_file() for name in halves):
        return ' It has the files without fp16 in their names, which variant = "" takes.'
    whole = [name for name in absent if name.endswith(".safetensors") and ".fp16." not in name]
    if whole and all((place / f"{name.removesuffix('.safetensors')}.fp16.safetensors").is_file() for name in whole):
        return ' It has the files with fp16 in their names, which variant = "fp16" takes.'
    return ""


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
    return str(digest.hexdigest())


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
    return str(digest.hexdigest())
