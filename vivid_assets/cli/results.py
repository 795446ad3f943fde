"""The files of the commands for single pictures: all are known and checked before anything is computed.

A result carries the mark of its picture and its command. An existing file is replaced only if it has that mark, or by
``--force``; a file that the command reads is never replaced.
"""

import hashlib
import os
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vivid_assets.catalogue.pictures import (
    PICTURE_SUFFIXES,
    needs_its_bytes,
    sentence_on_others,
    suffix_of,
    why_no_picture,
)
from vivid_assets.imaging.io.codec import ENOUGH, SUFFIXES, Format, UnreadablePicture, read_provenance

FORMATS: dict[str, Format] = {**{suffix: format_ for format_, suffix in SUFFIXES.items()}, ".jpeg": "jpeg"}
"""What is written, by the file's suffix."""
WITH_ALPHA = (".png", ".webp")

_MARK = "one-picture:"


def mark_of(command: str, what: str, source: Path) -> str:
    """The mark of a file that is made of ``source`` by a command."""
    known = "\0".join((command, what, str(source.resolve())))
    return _MARK + hashlib.blake2b(known.encode(errors="surrogateescape"), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Result:
    """A file that is to be written."""

    what: str
    """composite, cut-out or mask."""
    path: Path
    suffixes: tuple[str, ...]
    """The suffixes of the formats that can store it."""


@dataclass(frozen=True)
class Job:
    """One picture, and where its results go."""

    command: str
    picture: Path
    results: tuple[Result, ...]

    def mark(self, result: Result) -> str:
        """The mark in ``result``'s file that names this picture and this command."""
        return mark_of(self.command, result.what, self.picture)

    def check(self, reads: Iterable[Path], *, force: bool) -> None:
        """Check that every result can be written, and make its folder. Raises ValueError or OSError with advice.

        ``reads`` is all that the command reads.
        """
        for result in self.results:
            path = result.path
            if path.suffix.lower() not in result.suffixes:
                known = " or ".join(result.suffixes)
                raise ValueError(
                    f"A {result.what} can be {known}, but {str(path)!r} has another suffix: change the name."
                )
            if path.is_dir():
                raise ValueError(f"{str(path)!r} is a folder: give the {result.what} a file name.")
            if twin := next((read for read in reads if _are_one(path, read)), None):
                raise ValueError(
                    f"The {result.what} would overwrite {str(twin)!r}, which the command reads: choose another file "
                    "with --output."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(path.parent, os.W_OK):
                raise ValueError(f"The folder {str(path.parent)!r} is not writable: choose another --output.")
            self._check_free(result, force=force)

    def write(self, files: Mapping[str, bytes], *, force: bool) -> None:
        """Write the results by ``what`` they are, each whole or not at all."""
        for result in self.results:
            # Checked again: minutes may have passed.
            self._check_free(result, force=force)
            part = result.path.with_name(f".{uuid.uuid4().hex}.part")
            try:
                part.write_bytes(files[result.what])
                part.replace(result.path)
            except OSError as error:
                # The error of a full disk names no file.
                raise OSError(error.errno, error.strerror, str(result.path)) from error
            finally:
                part.unlink(missing_ok=True)

    def _check_free(self, result: Result, *, force: bool) -> None:
        if os.path.lexists(result.path) and not force and mark_in(result.path) != self.mark(result):
            raise ValueError(
                f"{str(result.path)!r} exists, and is not this command's {result.what} of "
                f"{str(self.picture)!r}: choose another file with --output, or replace it with --force."
            )


def find_pictures(given: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The given files, and the pictures directly in the given folders; messages on what was left out.

    Raises ValueError when there is no picture.
    """
    found: dict[Path, Path] = {}
    left_out: list[str] = []
    for path in given:
        if not path.is_dir():
            found.setdefault(path.resolve(), path)
            continue
        results, others, folders, odd = [], [], [], []
        whats: dict[str, str] = {}
        for entry in sorted(path.iterdir()):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif not entry.is_file():
                odd.append(entry.name)
            elif (what := _why_no_picture(entry)) != "":
                others.append(entry.name)
                if what is not None:
                    whats[entry.name] = what
            elif mark_in(entry).startswith(_MARK):
                results.append(entry.name)
            else:
                found.setdefault(entry.resolve(), entry)
        for names, why in (
            (results, "results of earlier commands"),
            (odd, "links to nothing, pipes or devices"),
            (folders, "sub-folders"),
        ):
            if names:
                left_out.append(f"{str(path)!r}: left out {len(names)}, {why}: {_listed(names)}.")
        if sentence := sentence_on_others(others, whats):
            left_out.append(f"{str(path)!r}: {sentence}")
    if not found:
        raise ValueError(" ".join([f"There is no picture in {_listed(str(path) for path in given)}.", *left_out]))
    return list(found.values()), left_out


def place(
    command: str,
    pictures: Sequence[Path],
    endings: Mapping[str, str],
    suffixes: Mapping[str, tuple[str, ...]],
    *,
    output: Path | None,
    to_folder: bool,
) -> list[Job]:
    """A job a picture. Its results are named as it is, with ``endings`` by what they are, beside it or in ``output``.

    ``output`` names a folder where there is one of that name, it has no suffix or ``to_folder``, else the file of the
    only picture's first result; the others are named after it. Pictures of one name but for the suffix keep theirs in
    the results'. Raises ValueError when ``output`` does not fit, or two pictures would have the same results.
    """
    folder = output if output is not None and (to_folder or output.is_dir() or not output.suffix) else None
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file: for several pictures --output is a folder.")
    if folder is not None and not folder.exists() and folder.suffix.lower() in FORMATS:
        raise ValueError(f"{str(folder)!r} has the name of a picture: for several pictures --output is a folder.")
    if output is not None and folder is None:
        (picture,) = pictures
        first = next(iter(endings))
        stem = output.stem.removesuffix(Path(endings[first]).stem)
        paths = {what: output.with_name(stem + ending) for what, ending in endings.items()} | {first: output}
        return [_job(command, picture, paths, suffixes)]
    place_of = {picture: folder or picture.parent for picture in pictures}
    stems = Counter((place_of[picture].resolve(), picture.stem.casefold()) for picture in pictures)
    jobs = []
    for picture in pictures:
        alone = stems[place_of[picture].resolve(), picture.stem.casefold()] == 1
        name = picture.stem if alone else picture.name
        paths = {what: place_of[picture] / (name + ending) for what, ending in endings.items()}
        jobs.append(_job(command, picture, paths, suffixes))
    owner: dict[str, Path] = {}
    for job in jobs:
        for result in job.results:
            other = owner.setdefault(str(result.path).casefold(), job.picture)
            if other is not job.picture:
                raise ValueError(
                    f"{str(other)!r} and {str(job.picture)!r} would both be written to {str(result.path)!r}: process "
                    "them one after the other, each with its own --output."
                )
    return jobs


def _job(command: str, picture: Path, paths: Mapping[str, Path], suffixes: Mapping[str, tuple[str, ...]]) -> Job:
    return Job(command, picture, tuple(Result(what, path, suffixes[what]) for what, path in paths.items()))


def _are_one(path: Path, other: Path) -> bool:
    """Whether two names are one file, here or on a case-insensitive disk."""
    with suppress(OSError):
        if path.samefile(other):
            return True
    first, second = (str(one.parent.resolve() / one.name).casefold() for one in (path, other))
    return first == second


def mark_in(path: Path) -> str:
    """The mark in a file; empty where there is none, or no picture."""
    try:
        return read_provenance(path.read_bytes()).get("provenance", "")
    except (OSError, UnreadablePicture):
        return ""


def _why_no_picture(path: Path) -> str | None:
    """What a file is that is no picture, by the rule of catalogues; None if its name decides. Empty for a picture."""
    if suffix_of(path.name) in PICTURE_SUFFIXES:
        return ""
    if not needs_its_bytes(path.name):
        return None
    try:
        with path.open("rb") as file:
            return why_no_picture(file.read(ENOUGH))
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
