"""Clips of a catalogue: the videos and folders of frames that its ``catalogue.toml`` declares, each one item.

A clip takes the place of its files in the listing, under the video's name or the folder's; all that follows takes it
for a picture with another kind of content (``catalogue.identity``).
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from upath import UPath

from vivid_assets.catalogue.identity import CLIP, ETAG, FRAMES, UNREADABLE
from vivid_assets.catalogue.listing import LISTING, Listing, content_digests
from vivid_assets.catalogue.names import collisions
from vivid_assets.catalogue.pictures import suffix_of
from vivid_assets.imaging.io.video.limits import CLIP_SUFFIXES, FRAME_SUFFIXES


@dataclass(frozen=True)
class Clips:
    """The clips of a catalogue, by name: a video has no frames here, a folder the stamp of each by its name."""

    frames: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.frames

    def contents(self, root: UPath, names: Sequence[str], stamps: Sequence[str]) -> list[str]:
        """The contents of files and clips, with the stamps that the listing has: read, where a store has no tags."""
        files: dict[str, str] = {}
        for name, stamp in zip(names, stamps, strict=True):
            files |= (
                {f"{name}/{frame}": one for frame, one in self.frames[name].items()}
                if self._is_folder(name)
                else {name: stamp}
            )
        read = dict(zip(files, content_digests(root, [*files], [*files.values()]), strict=True))
        return [self._content(name, stamp, read) for name, stamp in zip(names, stamps, strict=True)]

    def _content(self, name: str, stamp: str, read: Mapping[str, str]) -> str:
        if self._is_folder(name):
            return frames_content({frame: read[f"{name}/{frame}"] for frame in self.frames[name]}, stamp)
        content = read[name]
        return f"{CLIP}{content}" if name in self and not content.startswith(UNREADABLE) else content

    def _is_folder(self, name: str) -> bool:
        return bool(self.frames.get(name))


def frames_content(contents: Mapping[str, str], stamp: str) -> str:
    """The content of a folder of frames: that of each by its name. ``stamp`` marks one of which one cannot be read."""
    if any(one.startswith(UNREADABLE) for one in contents.values()):
        return f"{UNREADABLE}{stamp}"
    return FRAMES + _digest([f"{name}\x1f{contents[name]}" for name in sorted(contents)])


def content_of_bytes(data: bytes, stamp: str) -> str:
    """The content of one frame that was read, as a scan would have it."""
    return stamp if stamp.startswith(ETAG) else hashlib.blake2b(data, digest_size=16).hexdigest()


def declared_clips(listing: Listing, patterns: Sequence[str]) -> tuple[Listing, Clips, list[str]]:
    """The listing with clips in the place of their files, the clips, and a message for each pattern that fits none."""
    if not patterns:
        return listing, Clips(), []
    rows = {row["picture"]: row for row in [*listing.pictures.to_pylist(), *listing.others.to_pylist()]}
    folders = _folders(listing)
    candidates = [*(name for name in rows if suffix_of(name) in CLIP_SUFFIXES), *folders]
    taken: dict[str, None] = {}
    notes = []
    for pattern in patterns:
        fits = _expression(pattern).fullmatch
        found = [name for name in candidates if fits(name)]
        taken |= dict.fromkeys(found)
        if not found:
            notes.append(f"clips: {pattern!r} fits no video and no folder of frames.")
    frames = {name: [f"{name}/{frame}" for frame in folders.get(name, ())] for name in taken}
    gone = {frame for names in frames.values() for frame in names}
    clips = [_one(name, [rows[frame] for frame in frames[name]]) if frames[name] else rows[name] for name in taken]
    pictures = [row for row in listing.pictures.to_pylist() if row["picture"] not in gone | taken.keys()] + clips
    twins = collisions(sorted(row["picture"] for row in pictures))
    notes += [
        f"{one!r} and {other!r} would overwrite each other's results: rename one." for one, other in twins.items()
    ]
    others = [row for row in listing.others.to_pylist() if row["picture"] not in taken]
    left = replace(
        listing,
        pictures=_table([row for row in pictures if row["picture"] not in twins]),
        others=_table(others),
    )
    stamps = {name: {frame[len(name) + 1 :]: rows[frame]["stamp"] for frame in frames[name]} for name in taken}
    return left, Clips(stamps), notes


def _folders(listing: Listing) -> dict[str, list[str]]:
    """The frames of each folder that has any."""
    folders: dict[str, list[str]] = {}
    for name in listing.pictures["picture"].to_pylist():
        folder, slash, last = name.rpartition("/")
        if slash and suffix_of(name) in FRAME_SUFFIXES:
            folders.setdefault(folder, []).append(last)
    return folders


def _one(name: str, frames: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A folder of frames as one row of a listing."""
    lines = [f"{row['picture']}\x1f{row['size']}\x1f{row['stamp']}" for row in frames]
    return {"picture": name, "size": sum(row["size"] for row in frames), "stamp": _digest(lines)}


def kinds_said(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """What the contents of pictures and clips that a manifest names begin with: ``clip:``, ``frames:`` or nothing."""
    fits = [_expression(pattern).fullmatch for pattern in patterns]
    return [_kind_said(name) if any(one(name) for one in fits) else "" for name in names]


def _kind_said(name: str) -> str:
    if suffix_of(name) in CLIP_SUFFIXES:
        return CLIP
    return "" if suffix_of(name) else FRAMES


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern of paths: ``*`` is any name or part of one, ``**`` any path, ``?`` any letter."""
    parts = re.split(r"(\*\*|\*|\?)", pattern.strip("/"))
    meant = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meant.get(part) or re.escape(part) for part in parts))


def _digest(lines: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["picture"])), schema=LISTING)
