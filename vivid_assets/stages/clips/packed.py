"""Numbered pictures in one file, a ZIP that every system opens: ``000000.png`` and so on, with notes as JSON."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from vivid_assets.imaging.io.unreadable import UnreadablePicture

_NOTES = "notes.json"
_STAMP = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that the same masks make the same file."""
_DAMAGE = (zipfile.BadZipFile, KeyError, ValueError, EOFError, RuntimeError)
"""What comes of a file that is damaged, or cut off."""


class Packer:
    """Writes such a file, on disk or in memory."""

    def __init__(self, target: Path | io.BytesIO) -> None:
        """Begin it at ``target``."""
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_STORED)

    def add(self, name: str, data: bytes) -> None:
        """Add a file as it is."""
        self._zip.writestr(zipfile.ZipInfo(name, _STAMP), data)

    def add_picture(self, number: int, png: bytes) -> None:
        """Add a picture."""
        self.add(picture_name(number), png)

    def close(self, notes: Any) -> None:
        """Finish it."""
        self.add(_NOTES, json.dumps(notes).encode())
        self._zip.close()


class DamagedPack(UnreadablePicture):
    """Such a file of the store's own cannot be read."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"The file of masks is damaged ({error}).")


class Packed:
    """Such a file, opened; to be used as a context where it is one on disk. Raises DamagedPack."""

    def __init__(self, source: Path | bytes) -> None:
        """Open it, on disk or in memory."""
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
            self.notes: Any = json.loads(self._zip.read(_NOTES))
        except _DAMAGE as error:
            raise DamagedPack(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self._zip.close()

    def read(self, name: str) -> bytes:
        """A file as it is."""
        try:
            return self._zip.read(name)
        except _DAMAGE as error:
            raise DamagedPack(error) from error

    def check(self) -> None:
        """Read it whole."""
        for name in self._zip.namelist():
            self.read(name)

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return name in self._zip.NameToInfo

    def picture(self, number: int) -> bytes:
        """The picture of that number."""
        return self.read(picture_name(number))

    @property
    def numbers(self) -> list[int]:
        """Those that there are, in order."""
        return sorted(int(name[:-4]) for name in self._zip.namelist() if name.endswith(".png") and "/" not in name)

    def pictures(self) -> Iterator[bytes]:
        """All pictures, in order."""
        for number in self.numbers:
            yield self.picture(number)


def picture_name(number: int) -> str:
    """What the picture of that number is called.

    >>> picture_name(7)
    '000007.png'
    """
    return f"{number:06d}.png"


def shadow_name(number: int) -> str:
    """What a file is called that belongs to that picture: the layer of its shadow.

    >>> shadow_name(7)
    'shadows/000007.png'
    """
    return f"shadows/{picture_name(number)}"


def packed(pictures: Mapping[int, bytes], notes: Any, others: Mapping[str, bytes] | None = None) -> bytes:
    """Numbered pictures and ``others`` as such a file."""
    stream = io.BytesIO()
    packer = Packer(stream)
    for number, png in pictures.items():
        packer.add_picture(number, png)
    for name, data in (others or {}).items():
        packer.add(name, data)
    packer.close(notes)
    return stream.getvalue()
