"""An XMP packet in a video's file, where readers look for it: in MP4 and MOV a box of its own.

As the XMP specification (part 3) has it. Other containers have no place for it.
"""

import struct
from pathlib import Path

_BOX = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
"""The identifier of the box with the packet."""
_SUFFIXES = frozenset({".mp4", ".mov"})


def add_xmp(path: Path, packet: bytes) -> None:
    """Append the packet to a finished MP4 or MOV; other files stay as they are."""
    if path.suffix.lower() in _SUFFIXES:
        with path.open("ab") as file:
            file.write(struct.pack(">I4s16s", 24 + len(packet), b"uuid", _BOX) + packet)


def xmp_of(data: bytes) -> bytes:
    """The packet of an MP4's or MOV's bytes; empty where there is none."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if kind == b"uuid" and data[at + 8 : at + 24] == _BOX:
            return data[at + 24 : at + size]
        if size < 8:
            return b""
        at += size
    return b""
