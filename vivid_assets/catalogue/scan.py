"""A scan: what is new, changed, removed or asked for differently since the last one."""

import json
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from partitions.assignment import FOUND, Assignment, assign
from resources.errors import DamagedTable, MachineFault
from resources.store import Store
from vivid_assets.catalogue.ledger import commit_ledger, last_sound_ledger, read_ledger
from vivid_assets.catalogue.listing import content_digests, list_pictures
from vivid_assets.catalogue.manifest import COLUMNS, MANIFEST_NAMES, read_manifest
from vivid_assets.catalogue.requests import choose_backgrounds, fill_requests, match_overrides
from vivid_assets.catalogue.source import OVERRIDES, Catalogue, CatalogueFile
from vivid_assets.settings import CatalogueSettings, parse_catalogue_settings

_log = logging.getLogger(__name__)

MISSING = "missing"
"""The content of a picture that the manifest names and the folder lacks."""


@dataclass(frozen=True)
class Scan:
    """What a scan found."""

    catalogue: Catalogue
    assignment: Assignment
    refused: list[str]
    """A sentence for each file or manifest line that was left out, and for whatever else needs a look."""

    @property
    def shards_to_run(self) -> list[str]:
        return self.assignment.shards_to_run

    def __str__(self) -> str:
        found = self.assignment
        return (
            f"{self.catalogue.name}: {found.new} new, {found.changed} changed, {found.rerequested} asked for "
            f"differently, {found.removed} removed, {found.unchanged} unchanged pictures; "
            f"{len(found.new_shards)} new shards"
        )


def scan(store: Store, catalogue: Catalogue) -> Scan:
    """Compare the catalogue's source with the ledger and commit the ledger that results.

    Only files whose size or stamp differ are read. Nothing is written when nothing changed. Raises ValueError
    when ``catalogue.toml`` or the manifest cannot be used.
    """
    while True:
        file = catalogue.read_file()
        try:
            (ledger, generation), is_sound = read_ledger(store, catalogue.name), True
        except DamagedTable:
            (ledger, generation), is_sound = last_sound_ledger(store, catalogue.name), False
        found, refused = _find(store, catalogue, file, ledger)
        assignment = assign(ledger, found, catalogue=catalogue.name, shard_size=file.shard_size)
        _record_settings(store, catalogue, file)
        is_same = is_sound and assignment.ledger.equals(ledger)
        if is_same or commit_ledger(store, catalogue.name, assignment.ledger, after=generation):
            return Scan(catalogue, assignment, refused)
        # Another scan committed in between: look again from its result.


def catalogue_settings(store: Store, catalogue: str) -> CatalogueSettings:
    """What the catalogue's file says for itself, as of the last scan.

    Raises ValueError when what an earlier version has kept there is not a catalogue's to set.
    """
    path = _settings_path(catalogue)
    settings = _json(store, path)
    if settings is None and store.exists(path):
        # Not the defaults: a whole catalogue would be made anew with settings that nobody asked for.
        raise MachineFault(f"{store.path(path)} is damaged: scan the catalogue again, which writes it anew.")
    where = f"{store.path(path)}, kept from {catalogue}'s catalogue.toml"
    return parse_catalogue_settings(settings or {}, where=where)


def _find(store: Store, catalogue: Catalogue, file: CatalogueFile, ledger: pa.Table) -> tuple[pa.Table, list[str]]:
    """The source as it is now (schema FOUND) and what was refused."""
    manifest_path = _manifest_path(catalogue, file)
    manifest, notes = read_manifest(manifest_path) if manifest_path else (None, [])
    if manifest is not None and _says_contents(manifest):
        refused = notes
        manifest = manifest.sort_by("image")
        identity = _identity_of_digests(manifest)
    else:
        listing, refused = list_pictures(catalogue.root, besides=(OVERRIDES, file.background_folder))
        refused += notes
        if manifest is None:
            pictures = listing["picture"]
            manifest = pa.table({name: pictures if name == "image" else [""] * len(listing) for name in COLUMNS})
        manifest = manifest.sort_by("image")
        identity = _identity_of_files(catalogue, ledger, manifest["image"], listing)
    pictures = manifest["image"]

    available = _folder(catalogue, file.background_folder, refused)
    backgrounds = choose_backgrounds(manifest, sorted(available))
    masks = _folder(catalogue, OVERRIDES, refused)
    overrides = pa.array(match_overrides(pictures, sorted(masks)), pa.string())
    own = sorted({*pc.unique(manifest["background"]).to_pylist()} - {""} - available.keys())
    stamps = available | masks | _stat(catalogue, own)
    used = sorted({*pc.unique(backgrounds).to_pylist(), *pc.unique(overrides).to_pylist()} - {""})
    contents = _remembered(store, catalogue, {name: stamps.get(name, MISSING) for name in used})
    columns = {
        "picture": pictures,
        **identity,
        **fill_requests(manifest, file),
        "background": backgrounds,
        "background_content": _look_up(contents, backgrounds),
        "mask": overrides,
        "mask_content": _look_up(contents, overrides),
    }
    return pa.table([columns[name] for name in FOUND.names], schema=FOUND), refused


def _says_contents(manifest: pa.Table) -> bool:
    """Whether every line has a digest. Lines with and without would leave it open which files have been looked at."""
    return len(manifest) > 0 and bool(pc.all(pc.not_equal(manifest["digest"], "")).as_py())


def _identity_of_digests(manifest: pa.Table) -> dict[str, pa.ChunkedArray | pa.Array]:
    """Size, stamp and content as the manifest's digests say; a file that is not there fails when it is read."""
    content = pc.binary_join_element_wise("manifest", manifest["digest"], ":")
    return {"size": pa.array(np.zeros(len(manifest), np.int64)), "stamp": content, "content": content}


def _identity_of_files(
    catalogue: Catalogue, ledger: pa.Table, pictures: pa.ChunkedArray, listing: pa.Table
) -> dict[str, pa.ChunkedArray | pa.Array]:
    """Size, stamp and content as the files are."""
    position = pc.index_in(pictures, listing["picture"])
    there = pc.is_valid(position)
    size = pc.fill_null(listing["size"].take(position), 0)
    stamp = pc.fill_null(listing["stamp"].take(position), "")
    return {"size": size, "stamp": stamp, "content": _contents(catalogue, ledger, pictures, size, stamp, there)}


def _manifest_path(catalogue: Catalogue, file: CatalogueFile) -> UPath | None:
    if file.manifest:
        path = catalogue.root / file.manifest
        if not path.exists():
            raise ValueError(f"{catalogue.url} has no manifest {file.manifest!r}, which its catalogue.toml names.")
        return path
    return next((path for path in (catalogue.root / name for name in MANIFEST_NAMES) if path.exists()), None)


def _contents(
    catalogue: Catalogue,
    ledger: pa.Table,
    pictures: pa.ChunkedArray,
    size: pa.ChunkedArray,
    stamp: pa.ChunkedArray,
    there: pa.ChunkedArray,
) -> pa.ChunkedArray:
    """Each picture's content: the ledger's where size and stamp are the same, else looked at."""
    live = ledger.filter(pc.equal(ledger["retired"], ""))
    known = pc.index_in(pictures, live["picture"])
    same = pc.and_(
        pc.and_(pc.equal(size, live["size"].take(known)), pc.equal(stamp, live["stamp"].take(known))),
        pc.not_equal(stamp, ""),
    )
    trusted = pc.and_(there, pc.fill_null(same, False))
    look = pc.and_(there, pc.invert(trusted))
    looked_at = content_digests(catalogue.root, pictures.filter(look).to_pylist(), stamp.filter(look).to_pylist())
    content = pc.if_else(trusted, live["content"].take(known), MISSING)
    return pc.replace_with_mask(_one_chunk(content), _one_chunk(look), pa.array(looked_at, pa.string()))


def _folder(catalogue: Catalogue, folder: str, refused: list[str]) -> dict[str, str]:
    """The pictures in a folder of the catalogue by their path below its root, and their stamps."""
    root = catalogue.root / folder
    if not folder or not root.is_dir():
        if folder and folder != OVERRIDES:
            raise ValueError(f"{catalogue.url} has no folder {folder!r}, which its catalogue.toml names.")
        return {}
    listing, notes = list_pictures(root)
    refused += notes
    return {f"{folder.strip('/')}/{row['picture']}": f"{row['size']}-{row['stamp']}" for row in listing.to_pylist()}


def _stat(catalogue: Catalogue, names: list[str]) -> dict[str, str]:
    """Stamps of single files; one that is not there is left out."""
    stamps = {}
    for name in names:
        path = catalogue.root / name
        # A link out of the folder, or to a pipe, is as good as not there: it is neither read nor waited for.
        if path.exists() and catalogue.holds(name):
            info = path.fs.info(path.path)
            stamps[name] = f"{info.get('size')}-{info.get('mtime') or info.get('ETag') or info.get('LastModified')}"
    return stamps


def _remembered(store: Store, catalogue: Catalogue, stamps: dict[str, str]) -> dict[str, str]:
    """The digests of backgrounds and masks; read only where the stamp is another than last time."""
    path = f"catalogues/{catalogue.name}/digests.json"
    before = _json(store, path) or {}
    look = [name for name, stamp in stamps.items() if before.get(name, ["", ""])[0] != stamp and stamp != MISSING]
    fresh = dict(zip(look, content_digests(catalogue.root, look, [stamps[name] for name in look]), strict=True))
    after = {
        name: [stamp, MISSING if stamp == MISSING else fresh.get(name) or before[name][1]]
        for name, stamp in stamps.items()
    }
    if after != before:
        store.write(path, json.dumps(after).encode())
    return {name: content for name, (_, content) in after.items()}


def _look_up(contents: dict[str, str], names: pa.ChunkedArray | pa.Array) -> pa.Array:
    keys = pa.array([*contents], pa.string())
    return pc.fill_null(pa.array([*contents.values()], pa.string()).take(pc.index_in(names, keys)), "")


def _one_chunk(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _json(store: Store, path: str) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is none, or none that can be read: a scan writes it anew."""
    if not store.exists(path):
        return None
    try:
        found = json.loads(store.read(path))
    except ValueError:
        _log.error("%s cannot be read and is taken as not there.", path)
        return None
    return found if isinstance(found, dict) else None


def _record_settings(store: Store, catalogue: Catalogue, file: CatalogueFile) -> None:
    text = json.dumps(file.settings.said(), sort_keys=True).encode()
    path = _settings_path(catalogue.name)
    if not store.exists(path) or store.read(path) != text:
        store.write(path, text)


def _settings_path(catalogue: str) -> str:
    return f"catalogues/{catalogue}/settings.json"
