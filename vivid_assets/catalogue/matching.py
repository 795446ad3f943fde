"""Which file is meant: by a manifest's line, and by a mask in ``overrides/``.

Names are matched as they are; where that finds nothing, without regard to Unicode form and case, which other systems
do not tell apart. What fits two files is applied to neither, and what fits none is said with what was probably meant.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from resources.spelling import Nearest, counted, plain
from vivid_assets.catalogue.listing import Listing
from vivid_assets.catalogue.manifest import seen_before
from vivid_assets.catalogue.names import collisions
from vivid_assets.catalogue.outcomes import NOT_THERE
from vivid_assets.catalogue.source import OVERRIDES

_ALSO_NAMED = 3
ALSO_COMPARED = 50
"""Names for which similar ones are searched; each costs milliseconds."""


def match_images(manifest: pa.Table, listing: Listing, apart: Collection[str]) -> tuple[pa.Table, list[str]]:
    """The manifest with the files' own names, and a message for each line with no file or another spelling.

    ``apart`` are the folders that contain no pictures. A line for a file that is refused is left out.
    """
    files = pa.concat_tables([listing.pictures, listing.others])["picture"]
    strange = manifest["image"].filter(pc.invert(pc.is_in(manifest["image"], files))).to_pylist()
    if not strange:
        return manifest, []
    names = files.to_pylist()
    by_plain = {plain(name): name for name in reversed(names)}
    refused = {plain(name) for name in listing.refused}
    exact = {*manifest["image"].to_pylist()} - {*strange}
    folders = {folder.strip("/").casefold() for folder in apart if folder.strip("/")}
    renamed: dict[str, str] = {}
    dropped: set[str] = set()
    notes = []
    absent = []
    for name in strange:
        if any(plain(name).startswith(f"{folder}/") for folder in folders):
            dropped.add(name)
            notes.append(f"The manifest's line for {name!r} names a file in a folder that holds no pictures.")
        elif found := by_plain.get(plain(name)):
            if found in exact:
                dropped.add(name)
                notes.append(f"The manifest's line for {name!r} is listed a second time (as {found!r}).")
                continue
            renamed[name] = found
            if found.casefold() != name.casefold():
                continue
            notes.append(f"The manifest's line for {name!r} is used for {found!r}, which differs in case.")
        elif plain(name) in refused:
            dropped.add(name)
        else:
            absent.append(name)
    near = Nearest(names) if absent else None
    for name in absent[:ALSO_COMPARED]:
        found = near.to(name) if near else None
        meant = f"; did you mean {found!r}?" if found else "."
        notes.append(f"The manifest's line for {name!r} {NOT_THERE}{meant}")
    if len(absent) > ALSO_COMPARED:
        notes.append(f"And each of {counted(len(absent) - ALSO_COMPARED, 'more line')} {NOT_THERE}.")
    images = [renamed.get(name, name) for name in manifest["image"].to_pylist()]
    again = [bool(one) for one in seen_before(images).to_pylist()]
    notes += [
        f"The manifest's line for {name!r} is listed a second time (as {image!r})."
        for name, image, is_again in zip(manifest["image"].to_pylist(), images, again, strict=True)
        if is_again and name not in dropped
    ]
    manifest = manifest.set_column(manifest.column_names.index("image"), "image", pa.array(images, pa.string()))
    keep = [name not in dropped and not is_again for name, is_again in zip(images, again, strict=True)]
    return manifest.filter(pa.array(keep, pa.bool_())), notes


def without_collisions(manifest: pa.Table) -> tuple[pa.Table, list[str]]:
    """The manifest's lines whose results cannot overwrite another's, and a message for each of the others."""
    twins = collisions(sorted(manifest["image"].to_pylist()))
    if not twins:
        return manifest, []
    kept = pa.array([name not in twins for name in manifest["image"].to_pylist()], pa.bool_())
    return manifest.filter(kept), [
        f"{name!r} and {other!r} would overwrite each other's results: rename one." for name, other in twins.items()
    ]


def match_overrides(pictures: pa.ChunkedArray, overrides: Iterable[str]) -> tuple[list[str], list[str]]:
    """The override mask for each picture, or "", and a message for each mask that is not applied under its own name.

    For ``shoes/red.jpg`` that is ``overrides/shoes/red.jpg.png`` or, where no other picture has that name with another
    suffix, ``overrides/shoes/red.png``.
    """
    stems = {override: override[len(OVERRIDES) + 1 :].rpartition(".")[0] for override in overrides}
    names = pictures.to_pylist()
    if not stems:
        return [""] * len(names), []
    whole, by_stem = defaultdict(list), defaultdict(list)
    for name in names:
        whole[plain(name)].append(name)
        by_stem[plain(_stem(name))].append(name)
    notes = []
    exact: dict[str, list[str]] = defaultdict(list)
    by_name: dict[str, list[str]] = defaultdict(list)
    near = Nearest([])
    unmatched = 0
    for override, stem in sorted(stems.items()):
        meant = whole.get(plain(stem)) or by_stem.get(plain(stem), [])
        if not meant:
            unmatched += 1
            if unmatched == 1:
                near = Nearest(names)
            found = near.to(stem) if unmatched <= ALSO_COMPARED else None
            hint = f"; did you mean {f'{OVERRIDES}/{found}.png'!r}?" if found else "."
            notes.append(f"The mask {override!r} matches no picture{hint}")
        elif len(meant) > 1:
            ways = " or ".join(repr(f"{OVERRIDES}/{name}.png") for name in meant[:_ALSO_NAMED])
            notes.append(
                f"The mask {override!r} matches {counted(len(meant), 'picture')} and is not used: name it {ways}, "
                f"for one of {', '.join(map(repr, meant[:_ALSO_NAMED]))}."
            )
        else:
            (exact if whole.get(plain(stem)) else by_name)[meant[0]].append(override)
            spelt = meant[0] if whole.get(plain(stem)) else _stem(meant[0])
            if spelt.casefold() == stem.casefold() and spelt != stem:
                notes.append(f"The mask {override!r} is used for {meant[0]!r}, which differs in case.")
    chosen = {}
    for name in {*exact, *by_name}:
        candidates = exact[name] or by_name[name]
        unused = by_name[name] if exact[name] else []
        if len(candidates) > 1:
            notes.append(
                f"{', '.join(map(repr, candidates))} are all masks for {name!r}, and none is used: keep one of them."
            )
            continue
        notes += [f"The mask {one!r} is not used: {candidates[0]!r} is for {name!r} alone." for one in unused]
        chosen[name] = candidates[0]
    return [chosen.get(name, "") for name in names], sorted(notes)


def _stem(name: str) -> str:
    """``shoes/red`` of ``shoes/red.jpg``; a name without a suffix is its own."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + (last.rpartition(".")[0] or last)
