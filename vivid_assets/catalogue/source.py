"""A catalogue's source: a folder or object-store prefix of pictures, and its ``catalogue.toml``.

my_catalogue/
    catalogue.toml         optional: defaults for every picture, and settings that differ for this catalogue
    manifest.csv           optional (or .parquet): the pictures and their requests
    shoes/red.jpg …        the pictures
    backgrounds/…          optional: own backgrounds in place of generated ones
    overrides/shoes/red.png   optional: a mask drawn by hand, used as it is
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from upath import UPath

from partitions.assignment import NO_FILE
from partitions.shards import check_catalogue_name, is_catalogue_name
from resources.scenes.plain import is_plain
from resources.spelling import counted
from resources.store.reach import reached
from resources.store.store import Store, as_path
from vivid_assets.catalogue.clips import content_of_bytes, frames_content
from vivid_assets.catalogue.identity import CLIP, FRAMES, MANIFEST, fits, is_clip
from vivid_assets.catalogue.listing import file_state
from vivid_assets.catalogue.names import why_refused
from vivid_assets.imaging.io.video.limits import FRAME_SUFFIXES
from vivid_assets.rows.failures import PictureFailure
from vivid_assets.settings import (
    LONGEST_TEXT,
    CatalogueSettings,
    catalogue_tables,
    is_table,
    parse_catalogue_settings,
    parse_toml,
    said,
    toml_text,
    unknown_entry,
)

CATALOGUE_FILE = "catalogue.toml"
OVERRIDES = "overrides"
LARGEST_FILE = 1 << 30
"""Bytes; the largest picture that decoding takes, uncompressed in 16 bits with alpha, has less."""

_LOCAL = ("", "file", "local")
_LARGEST_TOML = 4 << 20
_NO_STORES = {"http", "https", "ftp", "data"}


class CatalogueFile(BaseModel):
    """The contents of ``catalogue.toml``; ``settings`` is its tables, which are written without that word."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(
        "", max_length=LONGEST_TEXT, description="Background of pictures without a prompt in the manifest."
    )
    negative_prompt: str = Field(
        "",
        max_length=LONGEST_TEXT,
        description="What the background must not show, for pictures without a negative prompt in the manifest.",
    )
    seed: int = Field(42, ge=0, lt=2**63, description="Seed of pictures with neither seed nor scene in the manifest.")
    manifest: str = Field("", description="Manifest file; empty: manifest.csv or manifest.parquet if there is one.")
    background: str = Field(
        "",
        max_length=LONGEST_TEXT,
        description="Background in place of the prompt, for pictures without one in the manifest: a picture below the "
        "folder, a colour such as '#ffffff', or 'transparent'.",
    )
    background_folder: str = Field("", description="Folder of own backgrounds; empty: backgrounds are generated.")
    clips: tuple[str, ...] = Field(
        (),
        description="Videos and folders of numbered frames that are clips, as paths below the folder: * is any name, "
        "** any path.",
    )
    shard_size: int = Field(512, ge=1, le=100_000, description="Pictures in a shard, the Dagster partition.")
    settings: CatalogueSettings = CatalogueSettings()

    @field_validator("manifest", "background", "background_folder")
    @classmethod
    def _is_below(cls, name: str) -> str:
        if name and not is_plain(name) and (why := why_refused(name.rstrip("/") or name)):
            raise ValueError(f"{name!r} {why}")
        return name

    @field_validator("clips")
    @classmethod
    def _are_below(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not pattern.strip("/") or (why := why_refused(re.sub(r"[*?]", "x", pattern.strip("/")))):
                raise ValueError(f"{pattern!r} {why if pattern.strip('/') else 'names nothing'}")
        return patterns

    @model_validator(mode="after")
    def _one_background(self) -> "CatalogueFile":
        if self.background and self.background_folder:
            raise ValueError("background and background_folder exclude each other: keep one of them")
        for name, rendition in self.settings.renditions.items():
            if why := why_refused(name):
                raise ValueError(f"renditions.{name}: {name!r} {why}")
            try:
                self._is_below(rendition.background)
            except ValueError as error:
                raise ValueError(f"renditions.{name}.background: {error}") from error
        return self


class Catalogue(BaseModel):
    """A catalogue that the store knows: its name, and where its pictures lie."""

    name: str
    url: str

    @property
    def root(self) -> UPath:
        return as_path(self.url)

    def read_file(self) -> CatalogueFile:
        """The contents of ``catalogue.toml``; defaults if there is none. Raises ValueError naming the bad entry."""
        found = self.top_files(CATALOGUE_FILE)
        if not found:
            return CatalogueFile()
        path = self.root / found[0]
        if len(found) > 1:
            raise ValueError(f"{self.url} has both {found[0]} and {found[1]}: keep one of them.")
        if not self.holds(found[0]):
            raise ValueError(f"{path} leads out of the catalogue's folder, or is no ordinary file.")
        if int(path.fs.info(path.path).get("size") or 0) > _LARGEST_TOML:
            raise ValueError(f"{path} is too large for a file of this name.")
        return parse_catalogue_file(toml_text(path.read_bytes(), where=str(path)), where=str(path))

    def check_there(self, store: Store) -> None:
        """Raises ValueError when the folder is away, cannot be listed, or is the store itself."""
        root = self.root
        if root.protocol not in _LOCAL:
            return
        try:
            with os.scandir(root.path):
                pass
        except OSError as error:
            raise ValueError(
                f"{self.url} cannot be listed ({error.strerror or error}): is the disk or share mounted? "
                "No picture is removed."
            ) from error
        if store.is_local and Path(store.root).resolve() == Path(root.path).resolve():
            raise ValueError(f"{self.url} is the store itself: use another folder for results (--store).")

    def top_files(self, *names: str) -> list[str]:
        """Those files at the top that have one of ``names``, in their order; on a local disk in any case."""
        if self.root.protocol not in _LOCAL:
            return [name for name in names if (self.root / name).exists()]
        try:
            there = sorted(os.listdir(self.root.path))  # noqa: PTH208 - only names are needed
        except OSError:
            return []
        wanted = {name.lower(): position for position, name in enumerate(names)}
        found = [name for name in there if name.lower() in wanted]
        return sorted(found, key=lambda name: (wanted[name.lower()], name not in names, name))

    def tail_of(self, name: str) -> str:
        """``; did you mean 'shoes/a.jpg'?`` for a path of another machine or folder whose end is a file here."""
        parts = [part for part in re.split(r"[/\\]", name) if part]
        for count in range(min(len(parts), 6), 0, -1):
            below = "/".join(parts[-count:])
            if not why_refused(below) and (self.root / below).exists() and self.holds(below):
                return f"; did you mean {below!r}?"
        return ""

    def has_folder(self, name: str) -> bool:
        """Whether ``name`` is a folder that really lies below the root, links followed."""
        path = self.root / name
        if path.protocol not in _LOCAL:
            return True
        real = Path(path.path).resolve()
        return real.is_dir() and real.is_relative_to(Path(self.root.path).resolve())

    def holds(self, name: str) -> bool:
        """Whether ``name`` is an ordinary file that really lies below the root, links followed."""
        path = self.root / name
        if path.protocol not in _LOCAL:
            return True
        real = Path(path.path).resolve()
        return real.is_file() and real.is_relative_to(Path(self.root.path).resolve())

    def read(self, name: str, expected: str) -> bytes:
        """The file ``name`` below the root, whose content the scan recorded as ``expected``.

        Raises ValueError when it has become a link that leads out, no ordinary file, or too large to be a picture, and
        PictureFailure, worth another try, when it is not there, or not the file that the scan found: made of it, a
        result would stand for what it does not show, and for ever.
        """
        with self._reached(name, expected) as path:
            return self._read(path, name, expected)

    def fetch(self, name: str, expected: str, folder: Path, *, most: int) -> Path:
        """The clip ``name`` as a file, or a folder of frames, in a local ``folder``; raises as ``read``.

        Args:
            name: its path below the root.
            expected: its content, as the scan recorded it.
            folder: where it is copied to.
            most: the most frames that a folder may have.
        """
        target = folder / name.rpartition("/")[2]
        with self._reached(name, expected) as path:
            if expected.startswith(FRAMES):
                target.mkdir()
                self._fetch_frames(name, expected, target, most)
            else:
                self._check(path, name)
                with path.open("rb") as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                if fits(expected, _chunks(UPath(target)), self._stamp(path)) is False:
                    raise PictureFailure(self._other_than_expected(name, expected), transient=True)
        return target

    def _fetch_frames(self, name: str, expected: str, target: Path, most: int) -> None:
        if not self.has_folder(name):
            raise ValueError(f"{name!r} is a link that leads out of the catalogue's folder, or no folder.")
        names = sorted(one.name for one in (self.root / name).iterdir() if not one.name.startswith("."))
        frames = [one for one in names if Path(one).suffix.lower() in FRAME_SUFFIXES and not why_refused(one)]
        if len(frames) > most:
            raise ValueError(f"The clip has {counted(len(frames), 'frame')}; the limit is {most:,}.")
        contents = {}
        for frame in frames:
            path = self.root / name / frame
            data = self._read(path, f"{name}/{frame}", "")
            (target / frame).write_bytes(data)
            contents[frame] = content_of_bytes(data, self._stamp(path))
        is_said = expected.startswith(f"{FRAMES}{MANIFEST}")
        if not is_said and frames_content(contents, "") != expected:
            raise PictureFailure(self._other_than_expected(name, expected), transient=True)

    @contextmanager
    def _reached(self, name: str, expected: str) -> Iterator[UPath]:
        path = self.root / name
        try:
            with reached(path):
                yield path
        except FileNotFoundError as error:
            # No scan looks for the files of a manifest with digests: whether one has come, only another try tells.
            raise PictureFailure(
                f"{name!r} is not in the catalogue's folder: copy it there, or remove it from the manifest.",
                transient=expected != NO_FILE,
            ) from error

    def _read(self, path: UPath, name: str, expected: str) -> bytes:
        self._check(path, name)
        data = path.read_bytes()
        if expected and fits(expected, [data], self._stamp(path)) is False:
            raise PictureFailure(self._other_than_expected(name, expected), transient=True)
        return data

    def _check(self, path: UPath, name: str) -> None:
        # Looked at again: what was a picture at the scan may have been replaced by a link since.
        if path.exists() and not self.holds(name):
            raise ValueError(f"{name!r} is a link that leads out of the catalogue's folder, or no ordinary file.")
        size = int(path.fs.info(path.path).get("size") or 0)
        if size > LARGEST_FILE:
            raise ValueError(f"{name!r} has {size / 1e9:.1f} GB, over the limit of {LARGEST_FILE / 1e9:.1f} GB.")

    def _stamp(self, path: UPath) -> str:
        return "" if path.protocol in _LOCAL else file_state(path)[1]

    def is_still(self, name: str, before: str, now: str) -> bool:
        """Whether ``before`` and ``now``, contents of two kinds, are both the file's, the first for certain."""
        path = self.root / name
        try:
            if is_clip(before) != is_clip(now) or not self.holds(name):
                return False
            _, stamp = file_state(path)
            # Read twice, since it may be large: a change of kind is rare.
            return fits(before, _chunks(path), stamp) is True and fits(now, _chunks(path), stamp) is not False
        except OSError:
            return False

    def _other_than_expected(self, name: str, expected: str) -> str:
        if expected.removeprefix(CLIP).startswith(MANIFEST):
            return (
                f"{name!r} does not match its checksum in the manifest (column 'digest'): one of them is outdated. "
                "Write 'version:' before a value that is no MD5, SHA-1 or SHA-256 of the file."
            )
        return f"{name!r} has been replaced since the last scan: the next scan records it."


def _chunks(path: UPath) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def parse_catalogue_file(text: str, *, where: str) -> CatalogueFile:
    """``text`` as a CatalogueFile. Raises ValueError with ``where`` and the bad entry."""
    entries = parse_toml(text, where=where)
    tables = {name: entries.pop(name) for name in list(entries) if is_table(name)}
    settings = parse_catalogue_settings(tables, where=where)
    own = CatalogueFile.model_fields.keys() - {"settings"}
    for name, value in entries.items():
        if name in ("settings", "stages") and isinstance(value, dict):
            table = next(iter(value), "masks")
            raise ValueError(f"{where}: there is no table [{name}]: write [{table}] for [{name}.{table}].")
        if name not in own:
            raise ValueError(f"{where}: {unknown_entry(name, sorted([*own, *catalogue_tables()]))}")
    try:
        return CatalogueFile.model_validate(entries | {"settings": settings})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{where}: {'.'.join(map(str, first['loc']))}: {said(first)}") from error


def register(store: Store, name: str, url: str) -> Catalogue:
    """Make the catalogue known to the store. Raises ValueError for a bad name, a missing folder, or a name in use."""
    catalogue = _at(name, url)
    if not store.is_local:
        store.assert_creates_once()
    if not store.create(_record(name), catalogue.model_dump_json(indent=2).encode()):
        known = find(store, name)
        if known.url != catalogue.url:
            raise ValueError(
                f"There is a catalogue {name!r} already, at {known.url}. Choose another name, or, if its folder "
                f"has moved: vivid catalogue move {name} FOLDER"
            )
    return catalogue


def move_to(store: Store, name: str, url: str) -> Catalogue:
    """Note that the catalogue's folder is at ``url`` now. Raises ValueError as ``register`` and ``find`` do."""
    find(store, name)
    catalogue = _at(name, url)
    store.write(_record(name), catalogue.model_dump_json(indent=2).encode(), durable=True)
    return catalogue


def take_off(store: Store, name: str) -> None:
    """Have the store know the catalogue no more. What was made of it stays."""
    store.remove([_record(name)])


def find(store: Store, name: str) -> Catalogue:
    """The catalogue of that name. Raises ValueError when the store does not know it."""
    if not store.exists(_record(name)):
        known = ", ".join(catalogue.name for catalogue in registered(store)) or "none"
        raise ValueError(f"There is no catalogue {name!r} here (known: {known}). Add it with: vivid catalogue add")
    try:
        return Catalogue.model_validate_json(store.read(_record(name)))
    except ValidationError as error:
        raise ValueError(
            f"{store.path(_record(name))} is damaged: delete it, and add the catalogue again (vivid catalogue add)."
        ) from error


def registered(store: Store) -> list[Catalogue]:
    """All catalogues of the store whose record can be read, by name."""
    return [one for _, one in each_registered(store) if isinstance(one, Catalogue)]


def each_registered(store: Store) -> Iterator[tuple[str, Catalogue | ValueError]]:
    """By name: each catalogue of the store, or what is wrong with its record, which is no fault of the others'."""
    for name in store.names("catalogues"):
        if not is_catalogue_name(name) or not store.exists(_record(name)):
            continue
        try:
            yield name, find(store, name)
        except ValueError as error:
            yield name, error


def _at(name: str, url: str) -> Catalogue:
    root = as_path(url)
    if root.protocol in _NO_STORES or url.partition(":")[0].lower() in _NO_STORES:
        raise ValueError(f"{url} is no folder or object store: a web server's files cannot be listed. Copy them first.")
    if not root.is_dir():
        raise ValueError(f"{url} is not a folder that can be read.")
    if root.protocol in _LOCAL:
        url = str(root.absolute())
    catalogue = Catalogue(name=check_catalogue_name(name), url=url)
    catalogue.read_file()
    return catalogue


def _record(name: str) -> str:
    return f"catalogues/{check_catalogue_name(name)}/catalogue.json"
