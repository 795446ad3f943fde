"""The chunks of a PNG (ISO 15948): those that are damaged and not needed are left out, the others are found by name."""

import struct
import zlib
from collections.abc import Iterator

HEAD = 8
_NEEDED = {b"tRNS", b"acTL", b"fcTL", b"fdAT"}
"""What a picture is decoded wrongly without, although the standard calls it ancillary."""
_COLORS = {b"iCCP", b"cICP", b"gAMA", b"cHRM", b"sRGB"}
MAX_CHUNKS = 100_000


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of each chunk's body, as far as the file goes."""
    position = HEAD
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            return
        yield name, position + 8, end
        if name == b"IEND":
            return
        position = end + 4


def body_of(data: bytes, wanted: bytes) -> bytes | None:
    """The body of the first chunk ``wanted`` before the pixels, or None."""
    for name, start, end in chunks(data):
        if name == b"IDAT":
            return None
        if name == wanted:
            return data[start:end]
    return None


def without_damage(data: bytes) -> tuple[bytes, list[str]]:
    """The file without the damaged chunks that hold no pixels, and a note that names them.

    A chunk whose checksum is wrong is damaged. Where it holds pixels, size or transparency it stays, and the decoder
    refuses the file.
    """
    kept, names, last = [], [], 0
    for name, start, end in chunks(data):
        if not name[:1].islower() or name in _NEEDED:
            continue
        if zlib.crc32(data[start - 4 : end]) != struct.unpack_from(">I", data, end)[0] or (
            name == b"iCCP" and not _inflates(data[start:end])
        ):
            kept.append(data[last : start - 8])
            last = end + 4
            names.append(name)
    if not names:
        return data, []
    said = ", ".join(sorted({name.decode("ascii", "replace") for name in names if name.isalpha()})[:5]) or "unnamed"
    note = f"damaged extra data ignored ({said})"
    if _COLORS & set(names):
        note += "; the colours are taken as sRGB unless the file says them elsewhere"
    return b"".join([*kept, data[last:]]), [note]


def _inflates(body: bytes) -> bool:
    """Whether an iCCP chunk's compressed profile begins as one; Pillow drops one that does not without a word."""
    _, _, packed = body.partition(b"\0")
    try:
        return bool(zlib.decompressobj().decompress(packed[1:], 128))
    except zlib.error:
        return False
