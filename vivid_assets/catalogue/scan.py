"""A scan: which pictures are new, changed, removed or have new requests since the last one."""

import difflib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from partitions.assignment import FOUND, NO_FILE, Assignment, assign
from resources.errors import DamagedTable, MachineFault
from resources.scenes.plain import HOW_WRITTEN, is_plain
from resources.spelling import Nearest, counted, did_you_mean
from resources.store.store import Store
from vivid_assets.catalogue.clips import Clips, declared_clips, kinds_said
from vivid_assets.catalogue.identity import IS_CLIP, MANIFEST, UNREADABLE, is_clip, kind_of_content
from vivid_assets.catalogue.ledger import commit_ledger, last_sound_ledger, read_ledger
from vivid_assets.catalogue.listing import Listing, content_digests, file_state, list_files
from vivid_assets.catalogue.manifest import COLUMNS, MANIFEST_NAMES, NoImages, read_manifest
from vivid_assets.catalogue.matching import ALSO_COMPARED, match_images, match_overrides, without_collisions
from vivid_assets.catalogue.outcomes import record_outcome
from vivid_assets.catalogue.renditions import as_column, assert_apart, fill_renditions, one_line_each
from vivid_assets.catalogue.requests import choose_backgrounds, fill_requests
from vivid_assets.catalogue.source import CATALOGUE_FILE, OVERRIDES, Catalogue, CatalogueFile
from vivid_assets.catalogue.wishes import AT_DESK, MASK_CONTENT, read_wishes, with_wishes
from vivid_assets.imaging.io.formats import EXTRAS, PLUGINS
from vivid_assets.settings import CatalogueSettings, parse_catalogue_settings

_log = logging.getLogger(__name__)

_BACKGROUNDS = "backgrounds"
"""A folder of this name contains no pictures, whether catalogue.toml names it or not."""


@dataclass(frozen=True)
class Scan:
    """What a scan found."""

    catalogue: Catalogue
    assignment: Assignment
    refused: list[str]
    """A message for each file or manifest line that was left out, and for whatever else needs attention."""

    @property
    def shards_to_run(self) -> list[str]:
        return self.assignment.shards_to_run

    def __str__(self) -> str:
        found = self.assignment
        return (
            f"{self.catalogue.name}: {found.new} new, {found.changed} changed, {found.rerequested} with new "
            f"requests, {found.removed} removed, {counted(found.unchanged, 'unchanged picture')}"
            + (f", {found.returned} of them returned" if found.returned else "")
            + (f", {found.renamed} of them renamed" if found.renamed else "")
            + f"; {counted(len(found.new_shards), 'new shard')}"
        )


def scan(store: Store, catalogue: Catalogue, *, accept_removals: bool = False) -> Scan:
    """Compare the catalogue's source with the ledger and commit the ledger that results.

    Only files whose size or stamp differ are read. Nothing is written when nothing changed. Problems are recorded for
    ``vivid catalogue status``.

    Raises:
        ValueError: nothing was changed, since the folder is missing or cannot be listed, ``catalogue.toml`` or the
            manifest cannot be used, or, unless ``accept_removals``, all or most pictures seem to be gone: an unmounted
            share and a half-copied manifest look the same.
    """
    try:
        found = _scan(store, catalogue, accept_removals=accept_removals)
    except Exception as fault:
        with suppress(OSError, MachineFault):
            record_outcome(store, catalogue.name, fault=str(fault) or type(fault).__name__)
        raise
    record_outcome(store, catalogue.name, notes=found.refused)
    return found


def _scan(store: Store, catalogue: Catalogue, *, accept_removals: bool) -> Scan:
    while True:
        catalogue.check_there(store)
        file = catalogue.read_file()
        try:
            (ledger, generation), is_sound = read_ledger(store, catalogue.name), True
        except DamagedTable:
            (ledger, generation), is_sound = last_sound_ledger(store, catalogue.name), False
        found, refused = _find(store, catalogue, file, ledger)
        if not accept_removals or not len(ledger):
            _assert_there(catalogue, ledger, found, refused)
        assignment = assign(ledger, found, catalogue=catalogue.name, shard_size=file.shard_size)
        _record_settings(store, catalogue, file)
        is_same = is_sound and assignment.ledger.equals(ledger)
        if is_same or commit_ledger(store, catalogue.name, assignment.ledger, after=generation):
            return Scan(catalogue, assignment, refused)
        # Another scan committed in between: start again from its result.


def _assert_there(catalogue: Catalogue, ledger: pa.Table, found: pa.Table, refused: list[str]) -> None:
    """Raises ValueError when no picture is there, or when most of those that were are not."""
    there = found.filter(pc.not_equal(found["content"], NO_FILE))
    live = ledger.filter(pc.and_(pc.equal(ledger["retired"], ""), pc.not_equal(ledger["content"], NO_FILE)))
    if len(ledger) and pc.all(pc.not_equal(ledger["retired"], "")).as_py():
        return  # Empty, since somebody has accepted that.
    gone = len(live.filter(pc.invert(pc.is_in(live["picture"], value_set=there["picture"]))))
    accept = (
        f"Nothing was changed. If this is intended: vivid catalogue scan {catalogue.name} --accept-removals"
        if len(live)
        else "Nothing was changed."
    )
    if not len(there):
        named = f" (none of the {len(found)} that the manifest names)" if len(found) else ""
        also = "".join(f" {sentence}" for sentence in refused[:3])
        raise ValueError(f"{catalogue.url} has no picture{named}.{also} {accept}")
    if len(live) > _HANDFUL and gone > _LARGEST_LOSS * len(live):
        raise ValueError(
            f"{gone} of the {counted(len(live), 'picture')} of {catalogue.name} are gone from {catalogue.url}. {accept}"
        )


_HANDFUL = 5
_LARGEST_LOSS = 0.5
"""The largest share of a catalogue with more than a handful of pictures that a scan removes without confirmation."""


def catalogue_settings(store: Store, catalogue: str) -> CatalogueSettings:
    """The settings of the catalogue's own file, as of the last scan.

    Raises ValueError for entries of an earlier version that a catalogue may not set.
    """
    path = _settings_path(catalogue)
    settings = store.read_json(path)
    if settings is None and store.exists(path):
        # Not the defaults: a whole catalogue would be computed again with settings that nobody chose.
        raise MachineFault(f"{store.path(path)} is damaged: scan the catalogue again to write it anew.")
    where = f"{store.path(path)}, kept from {catalogue}'s catalogue.toml"
    return parse_catalogue_settings(settings or {}, where=where)


def changed_since(store: Store, catalogue: Catalogue) -> str | None:
    """A message if ``catalogue.toml`` has other settings than at the last scan, or cannot be read; else None."""
    try:
        catalogue.check_there(store)
        now = catalogue.read_file().settings
    except (ValueError, OSError) as error:
        return f"The settings of the last scan remain in force: {error}"
    if now.said() == catalogue_settings(store, catalogue.name).said():
        return None
    return (
        f"{catalogue.name}'s catalogue.toml has changed since the last scan, whose settings remain in force. "
        f"To use the new ones: vivid catalogue scan {catalogue.name}"
    )


def _find(store: Store, catalogue: Catalogue, file: CatalogueFile, ledger: pa.Table) -> tuple[pa.Table, list[str]]:
    """The source as it is now (schema FOUND) and what was refused."""
    manifest_path, refused = _manifest_path(catalogue, file)
    manifest = None
    if manifest_path:
        try:
            manifest, notes = read_manifest(manifest_path, catalogue.tail_of)
            refused += notes if len(manifest) or notes else [f"Its {manifest_path.name} has no line below the header."]
        except NoImages:
            # Many tools call their tables so; what is called a manifest is one.
            if file.manifest or not manifest_path.name.lower().startswith("metadata"):
                raise
            refused.append(
                f"{manifest_path.name} names no pictures (no column 'image' or 'file_name') and is not used."
            )
    declared = file.settings.renditions
    if manifest is not None:
        manifest, notes = one_line_each(manifest, declared)
        refused += notes
    apart = (OVERRIDES, _BACKGROUNDS, file.background_folder)
    if manifest is not None and _says_contents(manifest):
        manifest, notes = without_collisions(manifest)
        refused += notes
        manifest = manifest.sort_by("image")
        identity = _identity_of_digests(manifest, ledger, file.clips)
    else:
        listing, clips, notes = declared_clips(_list(store, catalogue, besides=apart), file.clips)
        refused += notes
        refused += _without_own_files(listing, manifest_path).sentences()
        refused += _nearly_named(catalogue, listing, has_manifest=manifest_path is not None)
        if manifest is None:
            pictures = listing.pictures["picture"]
            empty = pa.array([""] * len(pictures), pa.string())
            manifest = pa.table({name: pictures if name == "image" else empty for name in COLUMNS})
            manifest, _ = one_line_each(manifest, declared)
        else:
            manifest, notes = match_images(manifest, listing, apart)
            refused += notes
            manifest, notes = without_collisions(manifest)
            refused += notes
        manifest = manifest.sort_by("image")
        files = pa.concat_tables([listing.pictures, listing.others])
        identity, notes = _identity_of_files(catalogue, ledger, manifest["image"], files, clips)
        refused += notes
    wishes = read_wishes(store, catalogue.name)
    manifest = with_wishes(manifest, wishes)
    pictures = manifest["image"]
    if declared:
        assert_apart(pictures.to_pylist(), declared)
    identity["content"] = _settled(catalogue, ledger, pictures, identity["content"])

    available = _folder(store, catalogue, file.background_folder, refused)
    backgrounds = choose_backgrounds(manifest, sorted(available), file.background)
    masks = _folder(store, catalogue, OVERRIDES, refused)
    matched, notes = match_overrides(pictures, masks)
    refused += notes
    refused += _without_clips(matched, pictures, identity["content"])
    if not masks and (other := [name for name in catalogue.top_files(OVERRIDES) if name != OVERRIDES]):
        refused.append(f"The folder {other[0]!r} is not read: name it {OVERRIDES!r}.")
    drawn = [wishes[name].mask if name in wishes else "" for name in pictures.to_pylist()] if wishes else []
    overrides = pa.array(matched, pa.string())
    requests = fill_requests(manifest, file)
    renditions = fill_renditions(manifest["renditions"], {**requests, "background": backgrounds}, declared)
    others = pa.array([one["background"] for each in renditions for one in each if "background" in one], pa.string())
    own = sorted((_pictures_of(backgrounds) | _pictures_of(others)) - available.keys())
    stamps = available | masks | _stat(catalogue, own, lambda: [*available, *pictures.to_pylist()], refused)
    if not file.background_folder and not own:
        refused += _unused_backgrounds(catalogue)
    used = sorted(_pictures_of(backgrounds) | _pictures_of(others) | _pictures_of(overrides))
    contents = _remembered(store, catalogue, {name: stamps.get(name, NO_FILE) for name in used})
    columns = {
        "picture": pictures,
        **identity,
        **requests,
        "background": backgrounds,
        "background_content": _look_up(contents, backgrounds),
        "mask": overrides,
        "mask_content": _look_up(contents, overrides),
        "renditions": as_column(renditions, contents, declares=bool(declared)),
    }
    if any(drawn):
        given = pa.array([bool(one) for one in drawn])
        for column, prefix in (("mask", AT_DESK), ("mask_content", MASK_CONTENT)):
            ours = pa.array([f"{prefix}{one}" for one in drawn], pa.string())
            columns[column] = pc.if_else(given, ours, columns[column])
    return pa.table([columns[name] for name in FOUND.names], schema=FOUND), refused


def _without_clips(masks: list[str], pictures: pa.ChunkedArray, contents: pa.ChunkedArray | pa.Array) -> list[str]:
    """Take the masks of clips, which have none of a person's, out of ``masks``; a message for each."""
    notes = []
    for index in [index for index, mask in enumerate(masks) if mask and is_clip(contents[index].as_py())]:
        notes.append(f"The mask {masks[index]!r} is not used: {pictures[index].as_py()!r} is a clip.")
        masks[index] = ""
    return notes


def _pictures_of(names: pa.ChunkedArray | pa.Array) -> set[str]:
    """Those of the names that are files'."""
    return {name for name in pc.unique(names).to_pylist() if name and not is_plain(name)}


def _list(store: Store, catalogue: Catalogue, *, besides: Iterable[str] = (), below: str = "") -> Listing:
    """The catalogue's files, or those in one of its folders. First bytes are read once and recorded."""
    path = f"catalogues/{catalogue.name}/looked_at{f'_{below}'.replace('/', '_') if below else ''}.parquet"
    # A reader that was not there before may read what was no picture then.
    reads = {*PLUGINS, *(name for name, extra in EXTRAS.items() if extra.is_installed())}
    version = {b"vivid_reads": ",".join(sorted(reads)).encode()}
    before: dict[str, tuple[str, str]] = {}
    with suppress(DamagedTable):
        table = store.read_table(path)
        if table is not None and (table.schema.metadata or {}).get(b"vivid_reads") == version[b"vivid_reads"]:
            before = {row["name"]: (row["state"], row["what"]) for row in table.to_pylist()}
    listing = list_files(catalogue.root, below=below, besides=besides, store=store.path(""), looked_at=before)
    kept = {name: one for name, one in listing.looked_at.items() if not one[1].startswith("cannot be read")}
    if kept != before:
        columns = [[*kept], [state for state, _ in kept.values()], [what for _, what in kept.values()]]
        schema = pa.schema([("name", pa.string()), ("state", pa.string()), ("what", pa.string())], version)
        store.write_table(path, pa.table(columns, schema=schema))
    return listing


def _without_own_files(listing: Listing, manifest: UPath | None) -> Listing:
    """The listing without the files that are not meant as pictures: the catalogue's own."""
    own = {CATALOGUE_FILE, *MANIFEST_NAMES, *([manifest.name.lower()] if manifest else [])}
    is_own = pa.array([name.lower() in own for name in listing.others["picture"].to_pylist()], pa.bool_())
    return replace(listing, others=listing.others.filter(pc.invert(is_own)))


def _nearly_named(catalogue: Catalogue, listing: Listing, *, has_manifest: bool) -> list[str]:
    """A message for each file and folder at the top whose name is nearly one with a meaning."""
    sought = {} if catalogue.top_files(CATALOGUE_FILE) else {"catalogue": _SETTINGS_LIKE}
    sought |= {} if has_manifest else {"manifest": _TABLE_LIKE}
    notes = []
    for name in listing.others["picture"].to_pylist():
        stem, *suffixes = name.lower().split(".")
        for meant, like in sought.items():
            if "/" not in name and like.intersection(suffixes) and _is_nearly(stem, meant):
                notes.append(f"The file {name!r} is not read: {_NAMED_SO[meant]}.")
    folders = {name.partition("/")[0] for name in listing.pictures["picture"].to_pylist() if "/" in name}
    notes += [
        f"The folder {name!r} contains pictures of the catalogue; did you mean {meant!r}?"
        for name in sorted(folders)
        for meant in (OVERRIDES, _BACKGROUNDS)
        if _is_nearly(name.lower(), meant)
    ]
    return notes


_TABLE_LIKE = frozenset({"csv", "json", "jsonl", "numbers", "ods", "parquet", "tsv", "txt", "xls", "xlsx"})
_SETTINGS_LIKE = frozenset({"cfg", "ini", "json", "toml", "txt", "yaml", "yml"})
_NAMED_SO = {
    "catalogue": f"a catalogue's settings are in {CATALOGUE_FILE}",
    "manifest": f"a manifest is {', '.join(name for name in MANIFEST_NAMES if name.startswith('manifest'))}",
}


def _is_nearly(name: str, meant: str) -> bool:
    return name.startswith(meant) or bool(difflib.get_close_matches(name, [meant], cutoff=0.85))


def _unused_backgrounds(catalogue: Catalogue) -> list[str]:
    if not (catalogue.root / _BACKGROUNDS).is_dir():
        return []
    return [
        f"The folder {_BACKGROUNDS!r} is not used: set background_folder = {_BACKGROUNDS!r} in catalogue.toml, or name "
        "its pictures in the manifest's column 'background'."
    ]


def _says_contents(manifest: pa.Table) -> bool:
    """Whether every line has a digest. With a mixture it would be unknown which files have been read."""
    return len(manifest) > 0 and bool(pc.all(pc.not_equal(manifest["digest"], "")).as_py())


def _identity_of_digests(
    manifest: pa.Table, ledger: pa.Table, clips: Sequence[str]
) -> dict[str, pa.ChunkedArray | pa.Array]:
    """Size, stamp and content by the manifest's digests; a missing file fails when it is read."""
    said = pc.binary_join_element_wise(MANIFEST, manifest["digest"], "")
    if clips:
        said = pc.binary_join_element_wise(pa.array(kinds_said(manifest["image"].to_pylist(), clips)), said, "")
    live = ledger.filter(pc.equal(ledger["retired"], ""))
    known = pc.index_in(manifest["image"], live["picture"])
    # What the ledger calls by another kind of content was settled when the manifest first said this of it.
    same = pc.fill_null(pc.equal(said, live["stamp"].take(known)), False)
    content = pc.if_else(same, live["content"].take(known), said)
    return {"size": pa.array(np.zeros(len(manifest), np.int64)), "stamp": said, "content": content}


def _settled(
    catalogue: Catalogue, ledger: pa.Table, pictures: pa.ChunkedArray, content: pa.ChunkedArray | pa.Array
) -> pa.ChunkedArray | pa.Array:
    """``content``, with the ledger's in its place where that is of another kind and the file is still what it says.

    A manifest that has a digest for every picture, or has it no more, and a folder that becomes a bucket, change all
    kinds at once and no picture: each file is read once, and keeps the content that it had.
    """
    live = ledger.filter(pc.equal(ledger["retired"], ""))
    before = live["content"].take(pc.index_in(pictures, live["picture"]))
    differs = pc.fill_null(pc.not_equal(content, before), False).to_numpy(zero_copy_only=False)
    told = (NO_FILE, UNREADABLE)
    doubtful = [
        (index, name, old, now)
        for index in np.flatnonzero(differs).tolist()
        if (old := before[index].as_py())
        and (name := pictures[index].as_py())
        and (now := content[index].as_py())
        and kind_of_content(old) != kind_of_content(now)
        and kind_of_content(old) not in told
        and kind_of_content(now) not in told
    ]
    if not doubtful:
        return content
    with ThreadPoolExecutor(max_workers=8) as pool:
        still = pool.map(lambda one: catalogue.is_still(*one[1:]), doubtful)
    kept = np.zeros(len(pictures), bool)
    kept[[index for (index, *_), is_still in zip(doubtful, still, strict=True) if is_still]] = True
    return pc.if_else(pa.array(kept), before, content)


def _identity_of_files(
    catalogue: Catalogue, ledger: pa.Table, pictures: pa.ChunkedArray, listing: pa.Table, clips: Clips
) -> tuple[dict[str, pa.ChunkedArray | pa.Array], list[str]]:
    """Size, stamp and content of the files, and a message for each that cannot be read."""
    position = pc.index_in(pictures, listing["picture"])
    there = pc.is_valid(position)
    size = pc.fill_null(listing["size"].take(position), 0)
    stamp = pc.fill_null(listing["stamp"].take(position), "")
    content = _contents(catalogue, ledger, pictures, size, stamp, there, clips)
    unreadable = pc.starts_with(content, UNREADABLE)
    if not pc.any(unreadable).as_py():
        return {"size": size, "stamp": stamp, "content": content}, []
    named = pictures.filter(unreadable).to_pylist()
    notes = [f"{name!r} cannot be read; its results stay." for name in named[:20]]
    if len(named) > 20:
        notes.append(f"{counted(len(named) - 20, 'more file')} cannot be read.")
    # Not a changed picture: an unreliable disk would have everything computed again, twice.
    live = ledger.filter(pc.equal(ledger["retired"], ""))
    known = pc.index_in(pictures, live["picture"])
    stays = pc.and_(unreadable, pc.is_valid(known))
    columns = {"size": size, "stamp": stamp, "content": content}
    return {name: pc.if_else(stays, live[name].take(known), column) for name, column in columns.items()}, notes


def _manifest_path(catalogue: Catalogue, file: CatalogueFile) -> tuple[UPath | None, list[str]]:
    """The catalogue's manifest, and a message for each other file that could be one."""
    if file.manifest:
        found = [name for name in (file.manifest,) if (catalogue.root / name).exists()] or catalogue.top_files(
            file.manifest
        )
        if not found:
            raise ValueError(f"{catalogue.url} has no manifest {file.manifest!r}, which its catalogue.toml names.")
    else:
        found = catalogue.top_files(*MANIFEST_NAMES)
    if not found:
        return None, []
    if not catalogue.holds(found[0]):
        raise ValueError(
            f"The manifest {found[0]!r} of {catalogue.url} leads out of the folder, or is no ordinary file."
        )
    notes = [f"{name!r} is not read: {found[0]!r} is the manifest." for name in found[1:]]
    return catalogue.root / found[0], notes


def _contents(
    catalogue: Catalogue,
    ledger: pa.Table,
    pictures: pa.ChunkedArray,
    size: pa.ChunkedArray,
    stamp: pa.ChunkedArray,
    there: pa.ChunkedArray,
    clips: Clips,
) -> pa.ChunkedArray:
    """Each picture's content: the ledger's if size, stamp and whether it is a clip are the same, else read."""
    live = ledger.filter(pc.equal(ledger["retired"], ""))
    known = pc.index_in(pictures, live["picture"])
    same = pc.and_(
        pc.and_(pc.equal(size, live["size"].take(known)), pc.equal(stamp, live["stamp"].take(known))),
        pc.not_equal(stamp, ""),
    )
    was_clip = pc.fill_null(pc.match_substring_regex(live["content"].take(known), IS_CLIP), False)
    same = pc.and_(same, pc.equal(was_clip, pc.is_in(pictures, value_set=pa.array([*clips.frames], pictures.type))))
    trusted = pc.and_(there, pc.fill_null(same, False))
    look = pc.and_(there, pc.invert(trusted))
    looked_at = clips.contents(catalogue.root, pictures.filter(look).to_pylist(), stamp.filter(look).to_pylist())
    content = pc.if_else(trusted, live["content"].take(known), NO_FILE)
    return pc.replace_with_mask(_one_chunk(content), _one_chunk(look), pa.array(looked_at, pa.string()))


def _folder(store: Store, catalogue: Catalogue, folder: str, refused: list[str]) -> dict[str, str]:
    """The pictures in a folder of the catalogue by their path below its root, and their stamps."""
    folder = folder.strip("/")
    if not folder or not (catalogue.root / folder).is_dir():
        if folder and folder != OVERRIDES:
            meant = did_you_mean(folder, catalogue.top_files(folder))
            raise ValueError(f"{catalogue.url} has no folder {folder!r}, which its catalogue.toml names{meant or '.'}")
        return {}
    if not catalogue.has_folder(folder):
        raise ValueError(f"The folder {folder!r} of {catalogue.url} is a link that leads out of it.")
    listing = _list(store, catalogue, below=folder)
    refused += listing.sentences()
    return {row["picture"]: f"{row['size']}-{row['stamp']}" for row in listing.pictures.to_pylist()}


def _stat(catalogue: Catalogue, names: list[str], known: Callable[[], list[str]], refused: list[str]) -> dict[str, str]:
    """Stamps of single files; a missing one is left out, with a message."""
    stamps = {}
    absent = []
    for name in names:
        # A link out of the folder, or to a pipe, counts as missing: it is not opened.
        if (catalogue.root / name).exists() and catalogue.holds(name):
            size, stamp = file_state(catalogue.root / name)
            stamps[name] = f"{size}-{stamp}"
        else:
            absent.append(name)
    near = Nearest(known()) if absent else None
    for name in absent[:ALSO_COMPARED]:
        inside = f"{_BACKGROUNDS}/{name}"
        found = inside if (catalogue.root / inside).exists() else near.to(name) if near else None
        meant = f"; did you mean {found!r}?" if found else "." if PurePosixPath(name).suffix else f". {HOW_WRITTEN}"
        refused.append(f"There is no background {name!r} in the folder{meant}")
    if len(absent) > ALSO_COMPARED:
        refused.append(f"{counted(len(absent) - ALSO_COMPARED, 'more background')} cannot be found.")
    return stamps


def _remembered(store: Store, catalogue: Catalogue, stamps: dict[str, str]) -> dict[str, str]:
    """The digests of backgrounds and masks; read only where the stamp is another than last time."""
    path = f"catalogues/{catalogue.name}/digests.json"
    before = store.read_json(path) or {}
    look = [name for name, stamp in stamps.items() if before.get(name, ["", ""])[0] != stamp and stamp != NO_FILE]
    fresh = dict(zip(look, content_digests(catalogue.root, look, [stamps[name] for name in look]), strict=True))
    after = {
        name: [stamp, NO_FILE if stamp == NO_FILE else fresh.get(name) or before[name][1]]
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


def _record_settings(store: Store, catalogue: Catalogue, file: CatalogueFile) -> None:
    text = json.dumps(file.settings.said(), sort_keys=True).encode()
    path = _settings_path(catalogue.name)
    if not store.exists(path) or store.read(path) != text:
        store.write(path, text)


def _settings_path(catalogue: str) -> str:
    return f"catalogues/{catalogue}/settings.json"
