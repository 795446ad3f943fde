"""A picture's properties in an ISO base media file (AVIF, HEIC): ISO 14496-12 and ISO 23008-12, section 9."""

import struct
from collections.abc import Iterator
from contextlib import suppress

MAX_BOXES = 10_000


def item_property(data: bytes, name: bytes, starts_with: bytes = b"") -> bytes | None:
    """Find a property of the primary picture in an ISO base media file.

    Where nothing says which properties are the primary picture's, the first is taken.

    Args:
        data: the file.
        name: the property's four letters.
        starts_with: what its body must start with.

    Returns:
        The body; None where there is no such property, or the boxes are damaged.
    """
    with suppress(struct.error, IndexError):
        meta = next((body for kind, body in _boxes(data) if kind == b"meta"), None)
        if meta is None:
            return None
        inside = dict(_boxes(meta[4:]))
        properties = dict(_boxes(inside.get(b"iprp", b"")))
        listed = list(_boxes(properties.get(b"ipco", b"")))
        wanted = [i for i, (kind, body) in enumerate(listed, 1) if kind == name and body.startswith(starts_with)]
        mine = _associated(properties.get(b"ipma", b""), _primary(inside.get(b"pitm", b"")))
        chosen = [index for index in wanted if not mine or index in mine]
        return listed[chosen[0] - 1][1] if chosen else None
    return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    for _ in range(MAX_BOXES):
        if position + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, position)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
            head = 16
        end = position + size if size else len(data)
        if end < position + head:
            return
        yield kind, data[position + head : end]
        position = end


def _primary(pitm: bytes) -> int:
    return int(struct.unpack_from(">I" if pitm[0] else ">H", pitm, 4)[0])


def _associated(ipma: bytes, item: int) -> set[int]:
    """The numbers of an item's properties."""
    version, wide = ipma[0], ipma[3] & 1
    (count,) = struct.unpack_from(">I", ipma, 4)
    position = 8
    for _ in range(min(count, MAX_BOXES)):
        (number,) = struct.unpack_from(">I" if version else ">H", ipma, position)
        position += 4 if version else 2
        many = ipma[position]
        position += 1
        entries = struct.unpack_from(f">{many}{'H' if wide else 'B'}", ipma, position)
        position += many * (2 if wide else 1)
        if number == item:
            return {entry & (0x7FFF if wide else 0x7F) for entry in entries}
    return set()
