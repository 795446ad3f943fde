"""What is finished of a clip's masks or composite, in the store: a run that was killed is gone on with from there.

Some seconds' work is a file, named by the row's key, what it is and the frame that it begins with; the last one's end
is where the next run begins. Once the whole is written the files are removed; those of a clip that nobody goes on with
are files that no row names, and go with these (``rows.orphans``).
"""

import io
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resources.store.store import Store
from vivid_assets.imaging.clips.steady import Held
from vivid_assets.imaging.io.unreadable import UnreadablePicture
from vivid_assets.masking.clip_masks import Rest
from vivid_assets.masking.clip_window import Behind
from vivid_assets.rows.keys import digest
from vivid_assets.rows.stage import Stage, artefact
from vivid_assets.stages.clips.packed import Packed, packed, shadow_name

SECONDS = 4.0
"""Work that is kept in one file, at least. Masks come in chunks of some seconds (``masking.clip_window``)."""
_REST = "rest.npz"


@dataclass
class Parts:
    """Files of what is unfinished of a clip."""

    store: Store
    catalogue: str
    stage: Stage
    key: str
    known: dict[str, str] = field(default_factory=dict)
    """Those that were read or written, and what they are."""

    def write(self, what: str, first: int, data: bytes) -> None:
        """Keep a file that begins with the frame ``first``."""
        path = self._path(what, first)
        self.store.write(path, data)
        self.known[path] = what

    def write_file(self, what: str, first: int, source: Path) -> None:
        """The same of a file of this machine."""
        path = self._path(what, first)
        self.store.write_file(path, source)
        self.known[path] = what

    def local_copy(self, what: str, first: int, folder: Path) -> Path | None:
        """The file that begins with that frame, in ``folder``; None where none can be read."""
        path = self._path(what, first)
        with suppress(FileNotFoundError, UnreadablePicture):
            found = _own(self.store.local_copy(path, folder), folder)
            with Packed(found) as opened:
                opened.check()
            self.known[path] = what
            return found
        return None

    def read(self, what: str, first: int) -> Packed | None:
        """The file that begins with that frame; None where there is none that can be read."""
        path = self._path(what, first)
        with suppress(FileNotFoundError, UnreadablePicture):
            found = Packed(self.store.read(path))
            found.check()
            self.known[path] = what
            return found
        return None

    def remove(self, what: str | None = None) -> None:
        """Remove what was read and written; of one kind, where that is named."""
        gone = [path for path, kind in self.known.items() if what in (None, kind)]
        self.store.remove(gone)
        for path in gone:
            del self.known[path]

    def _path(self, what: str, first: int) -> str:
        return artefact(self.catalogue, self.stage, digest([self.key, what]), f".{first:06d}.part")


class KeptMask(NamedTuple):
    """A finished mask."""

    png: bytes
    note: Any
    shadow: bytes | None
    """The layer of its frame's shadow, as ``imaging.io.layer_files`` has it."""


class KeptMasks:
    """Finished masks of a tier, and where to go on."""

    def __init__(self, parts: Parts, tier: str) -> None:
        """In these files."""
        self._parts, self._what = parts, f"masks {tier}"
        self._pictures: dict[int, bytes] = {}
        self._shadows: dict[str, bytes] = {}
        self._notes: list[Any] = []
        self._since = time.monotonic()

    def earlier(self, take: Callable[[int, KeptMask], None]) -> Rest | None:
        """Hand out the masks that there are, each with its number; and say where to go on."""
        rest: Rest | None = None
        while found := self._parts.read(self._what, rest.behind.frame if rest else 0):
            for number, note in zip(found.numbers, found.notes, strict=True):
                shadow = found.read(shadow_name(number)) if found.has(shadow_name(number)) else None
                take(number, KeptMask(found.picture(number), note, shadow))
            rest = _unpacked(found.read(_REST))
        return rest

    def add(self, number: int, mask: KeptMask, rest: Rest | None) -> None:
        """Keep a mask; ``rest`` says how to go on behind it, where that can be."""
        self._pictures[number] = mask.png
        self._notes.append(mask.note)
        if mask.shadow is not None:
            self._shadows[shadow_name(number)] = mask.shadow
        if rest is not None and time.monotonic() - self._since > SECONDS:
            first, others = min(self._pictures), {_REST: _packed(rest), **self._shadows}
            self._parts.write(self._what, first, packed(self._pictures, self._notes, others))
            self._pictures, self._shadows, self._notes, self._since = {}, {}, [], time.monotonic()


def _own(found: Path, folder: Path) -> Path:
    """A name in ``folder`` for a file: a local store's own file may be removed while it is read."""
    if found.parent == folder:
        return found
    own = folder / f"{uuid.uuid4().hex}{found.suffix}"
    try:
        os.link(found, own)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copyfile(found, own)
    return own


def _packed(rest: Rest) -> bytes:
    """Everything as arrays; what is None is left out."""
    behind = rest.behind
    arrays: dict[str, Any] = {"frame": behind.frame, "alpha": rest.alpha, "small": rest.small}
    arrays |= {"past": behind.past, "doubted": behind.doubted, "box": behind.box}
    arrays["looked"] = [*behind.again]
    if rest.held is not None:
        arrays |= {"held color": rest.held.color, "held alpha": rest.held.alpha}
    arrays |= {f"again{frame}": found for frame, found in behind.again.items()}
    stream = io.BytesIO()
    np.savez_compressed(stream, **{name: array for name, array in arrays.items() if array is not None})
    return stream.getvalue()


def _unpacked(data: bytes) -> Rest:
    with np.load(io.BytesIO(data)) as stored:
        arrays: Mapping[str, Any] = {name: stored[name] for name in stored.files}
    again = {int(frame): arrays.get(f"again{frame}") for frame in arrays["looked"]}
    box = arrays.get("box")
    behind = Behind(
        int(arrays["frame"]),
        arrays.get("past"),
        arrays.get("doubted"),
        again,
        None if box is None else (int(box[0]), int(box[1]), int(box[2]), int(box[3])),
    )
    kept = Held(arrays["held color"], arrays["held alpha"]) if "held color" in arrays else None
    return Rest(behind, arrays["alpha"], arrays["small"], kept)
