"""What a TIFF holds, by its directories, and the same picture as a TIFF that the decoders are known to read right.

Pillow, libtiff and OpenCV read many variants of TIFF, and some of them wrongly without a word: 16-bit planes as 8-bit
ones, white as black, 12 bits as 8. So a page is looked at here first. What is not known to come out right is refused by
name; planes that lie apart are decoded one by one and laid together.

Standards: TIFF 6.0, its Technical Note 2 (JPEG), Adobe's PageMaker 6.0 notes (SubIFDs), BigTIFF, DNG 1.7.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from vivid_assets.imaging.io.unreadable import UnreadablePicture

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
STRIPS, SAMPLES, ROWS, STRIP_BYTES, PLANAR = 273, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, SUB_IFDS, INK_SET = 317, 322, 323, 324, 325, 330, 332
EXTRA, SAMPLE_FORMAT, ICC, DNG_VERSION = 338, 339, 34675, 50706

TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value of each type."""
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
MAX_TAGS = 500
MAX_SUB_IFDS = 16

READ_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32946, 32773, 34925, 50000, 50001}
"""Uncompressed, CCITT (three), LZW, JPEG (old and new), deflate (two numbers), PackBits, LZMA, Zstandard, WebP."""
_JPEG = (6, 7)
WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, INKS, YCBCR, CIE_LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_COLORS = {WHITE_IS_0: 1, BLACK_IS_0: 1, RGB: 3, PALETTE: 1, INKS: 4, YCBCR: 3, CIE_LAB: 3, ICC_LAB: 3}
_UNREAD_COLORS = {
    4: "is a mask for another picture",
    10: "is in ITU Lab (fax)",
    32844: "holds logarithmic light (LogL)",
    32845: "holds logarithmic light (LogLuv)",
}
RAW_COLORS = (32803, 34892)


@dataclass(frozen=True)
class Page:
    """One directory: where each tag's values lie, as (type, count, place)."""

    order: str
    big: bool
    tags: dict[int, tuple[int, int, int]]
    data: bytes
    is_first: bool = False

    def raw(self, tag: int) -> bytes:
        kind, count, place = self.tags[tag]
        return self.data[place : place + count * TYPES[kind]]

    def integers(self, tag: int, default: tuple[int, ...] = ()) -> NDArray[np.int64]:
        if tag not in self.tags or self.tags[tag][0] not in _INTEGERS:
            return np.array(default, np.int64)
        values = np.frombuffer(self.raw(tag), self.order + _INTEGERS[self.tags[tag][0]])
        return values.astype(np.int64) if values.size else np.array(default, np.int64)

    def integer(self, tag: int, default: int) -> int:
        return int(self.integers(tag, (default,))[0])

    @property
    def size(self) -> tuple[int, int]:
        return self.integer(WIDTH, 0), self.integer(HEIGHT, 0)

    @property
    def samples(self) -> int:
        return self.integer(SAMPLES, 1)

    @property
    def bits(self) -> int:
        """Of one sample; 0 where they differ."""
        bits = self.integers(BITS, (1,))
        return int(bits[0]) if (bits == bits[0]).all() else 0

    @property
    def is_reduced(self) -> bool:
        """A thumbnail, or a mask for another page."""
        return bool(self.integer(SUBFILE, 0) & 0b101)

    @property
    def lies_apart(self) -> bool:
        """Red, green and blue are three planes, one after the other."""
        return self.samples > 1 and self.integer(PLANAR, 1) == 2


def read_page(data: bytes, position: int) -> tuple[Page, int]:
    """The directory at ``position``, and where the next one is (0: nowhere).

    Raises:
        struct.error: it reaches beyond the file.
        ValueError: more tags than any program writes.
    """
    order, big = ("<" if data[:2] == b"II" else ">"), data[2:4] in (b"+\0", b"\0+")
    head, link = ("Q", "Q") if big else ("H", "I")
    entry, inline = (20, 8) if big else (12, 4)
    if position > len(data):
        raise ValueError("a directory beyond the end of the file")
    (count,) = struct.unpack_from(order + head, data, position)
    if count > MAX_TAGS:
        raise ValueError(f"a directory of {count} tags")
    first = position + struct.calcsize(head)
    (following,) = struct.unpack_from(order + link, data, first + count * entry)
    tags: dict[int, tuple[int, int, int]] = {}
    for place in range(first, first + count * entry, entry):
        tag, kind = struct.unpack_from(order + "HH", data, place)
        (number,) = struct.unpack_from(order + link, data, place + 4)
        size = number * TYPES.get(kind, 0)
        value = place + 4 + struct.calcsize(link)
        if size > inline:
            (value,) = struct.unpack_from(order + link, data, value)
        if size > 0 and value + size <= len(data):
            tags.setdefault(tag, (kind, number, value))
    return Page(order, big, tags, data), following


def walk(data: bytes, at_most: int) -> Iterator[Page]:
    """The chain of directories, ``at_most`` of them; one that goes in a circle or breaks off ends there."""
    seen: set[int] = set()
    try:
        (position,) = struct.unpack_from(
            ("<" if data[:2] == b"II" else ">") + ("Q" if data[2:4] in (b"+\0", b"\0+") else "I"),
            data,
            8 if data[2:4] in (b"+\0", b"\0+") else 4,
        )
        while position and position not in seen and len(seen) < at_most:
            seen.add(position)
            page, position = read_page(data, position)
            yield replace(page, is_first=len(seen) == 1)
    except (struct.error, ValueError):
        return


def choose_page(data: bytes, at_most: int) -> tuple[Page, str]:
    """The page that is the picture, and a note if that is not the first one.

    It is the first that does not call itself a thumbnail, else the first SubIFD of the first page that does not.

    Raises:
        UnreadablePicture: there is none, or the file is a camera's raw file, whose first page is a preview.
    """
    first = next(walk(data, 1), None)
    if first is None:
        raise UnreadablePicture(
            "The file is damaged or cut off: it has no TIFF directory; copy it again from its source."
        )
    beneath = []
    for position in first.integers(SUB_IFDS)[:MAX_SUB_IFDS]:
        try:
            beneath.append(read_page(data, int(position))[0])
        except (struct.error, ValueError):
            continue
    if DNG_VERSION in first.tags or any(page.integer(PHOTOMETRIC, 1) in RAW_COLORS for page in [first, *beneath]):
        raise UnreadablePicture(
            "The file is a camera's raw file, which is not read; develop it and export it as TIFF or JPEG."
        )
    if not first.is_reduced:
        return first, ""
    for number, page in enumerate(walk(data, at_most), 1):
        if not page.is_reduced:
            return page, f"page {number} taken: those before it are thumbnails"
    for page in beneath:
        if not page.is_reduced:
            return page, "the first page is a thumbnail; the full picture beneath it taken"
    return first, "the file calls its only picture a thumbnail"


def refuse_unread(page: Page) -> None:
    """Raise ``UnreadablePicture``, with the variant's name, unless the page is known to be decoded right."""
    color, bits, samples = page.integer(PHOTOMETRIC, -1), page.bits, page.samples
    packing, meaning = page.integer(COMPRESSION, 1), page.integers(SAMPLE_FORMAT, (1,))
    why = ""
    if color in _UNREAD_COLORS:
        why = _UNREAD_COLORS[color]
    elif color not in _COLORS:
        why = (
            f"has colours of a kind that is not known (photometric {color})"
            if color >= 0
            else "does not say its colours"
        )
    elif packing not in READ_COMPRESSIONS:
        why = f"is compressed in a way that is not read (number {packing})"
    elif (meaning == 3).any():
        why = f"holds floating-point numbers ({bits} bits) without a white"
    elif bits > 16:
        why = f"holds {bits}-bit numbers without a white"
    elif (meaning == 2).any():
        why = "holds signed numbers without a white"
    elif bits not in (1, 2, 4, 8, 16):
        why = f"has {bits} bits a channel" if bits else "has channels of different bits"
    elif bits < 8 and (samples > 1 or color not in (WHITE_IS_0, BLACK_IS_0, PALETTE)):
        why = f"has {samples} channels of {bits} bits"
    elif bits == 16 and color in (PALETTE, YCBCR, CIE_LAB, ICC_LAB):
        why = "has 16 bits a channel in a palette, Y'CbCr or Lab"
    elif samples < _COLORS[color]:
        why = f"has {samples} channels, too few for its colours"
    elif color == INKS and (page.integer(INK_SET, 1) != 1 or samples > 4):
        why = "is CMYK with transparency or further inks" if samples > 4 else "has other inks than CMYK"
    elif color in (PALETTE, CIE_LAB, ICC_LAB) and samples > _COLORS[color]:
        why = "is Lab or a palette with further channels"
    elif color == ICC_LAB and packing in _JPEG:
        why = "is ICC Lab as JPEG"
    elif color == YCBCR and (packing not in _JPEG or page.lies_apart):
        why = "is Y'CbCr without JPEG, or in planes"
    elif samples > 6 or (bits == 16 and samples == 2):
        why = f"has {samples} channels of {bits} bits"
    elif page.integer(FILL_ORDER, 1) == 2 and bits > 1:
        why = "has its bits in reverse order"
    if why:
        raise UnreadablePicture(
            f"The TIFF {why}, which is not read; save it as RGB or grey with 8 or 16 bits a channel."
        )


def plain_file(data: bytes, page: Page) -> bytes:
    """A file that Pillow reads right: its first page is ``page``, in the classic structure, its channels together.

    ``data`` itself where it is one already.
    """
    if page.lies_apart:
        return _lay_together(data, page)
    if page.integer(PHOTOMETRIC, -1) == ICC_LAB:
        as_rgb = _with_page(data, page, {PHOTOMETRIC: ("H", [RGB]), ICC: None, 274: None})
        return _uncompressed(data, page, np.asarray(TiffImagePlugin.TiffImageFile(BytesIO(as_rgb))))
    # Pillow does not read a big-endian BigTIFF, and takes the first page, whatever it is.
    return data if page.is_first and not page.big else _with_page(data, page, {})


def _lay_together(data: bytes, page: Page) -> bytes:
    """A file with the same picture as ``page``, whose channels lie apart, uncompressed and pixel by pixel.

    Each plane is decoded as a grey picture of its own, which Pillow and libtiff do right whatever the bits.
    """
    width, height = page.size
    offsets = STRIPS if STRIPS in page.tags else TILES
    lengths = STRIP_BYTES if offsets == STRIPS else TILE_BYTES
    places, sizes = page.integers(offsets), page.integers(lengths)
    if len(places) % page.samples or len(places) != len(sizes):
        raise EOFError("planes are missing")
    each = len(places) // page.samples
    kind = np.dtype("u1" if page.bits == 8 else "u2")
    together = np.empty((height, width, page.samples), kind)
    for plane in range(page.samples):
        mine = slice(plane * each, (plane + 1) * each)
        changes = {
            BITS: ("H", [page.bits]),
            SAMPLES: ("H", [1]),
            PLANAR: ("H", [1]),
            PHOTOMETRIC: ("H", [BLACK_IS_0]),
            offsets: ("I", places[mine].tolist()),
            lengths: ("I", sizes[mine].tolist()),
            EXTRA: None,
            SAMPLE_FORMAT: None,
            ICC: None,
            274: None,
        }
        grey = TiffImagePlugin.TiffImageFile(BytesIO(_with_page(data, page, changes)))
        grey.load()
        if grey.size != (width, height) or grey.mode not in ("L", "I;16", "I;16B", "I;16L"):
            raise EOFError("a plane is not what it says")
        together[..., plane] = np.asarray(grey)
    return _uncompressed(data, page, together)


def _uncompressed(data: bytes, page: Page, samples: NDArray[np.unsignedinteger]) -> bytes:
    """A file of ``page`` with these samples (H×W×C, as it stores them), pixel by pixel; ICC Lab as CIE Lab."""
    photometric = page.integer(PHOTOMETRIC, -1)
    if photometric == ICC_LAB:
        # Of the same values, a and b have their middle at 128 there, and are signed here.
        photometric, samples = CIE_LAB, samples ^ np.array([0, 128, 128], np.uint8)
    pixels = samples.astype(page.order + samples.dtype.str[1:]).tobytes()
    changes: dict[int, tuple[str, list[int]] | None] = {
        PHOTOMETRIC: ("H", [photometric]),
        PLANAR: ("H", [1]),
        COMPRESSION: ("H", [1]),
        STRIPS: ("I", [8]),
        STRIP_BYTES: ("I", [len(pixels)]),
        ROWS: ("I", [page.size[1]]),
        **dict.fromkeys((TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, PREDICTOR, 347)),
    }
    return _with_page(data, page, changes, pixels)


def _with_page(
    data: bytes, page: Page, changes: dict[int, tuple[str, list[int]] | None], pixels: bytes | None = None
) -> bytes:
    """A classic TIFF of one page: ``page``'s tags with ``changes``, before ``data`` itself or new ``pixels``."""
    order = page.order
    body = data[8:] if pixels is None else pixels
    start = 8 + len(body) + len(body) % 2
    tags: dict[int, tuple[int, int, bytes]] = {}
    for tag, (kind, count, _) in page.tags.items():
        values = page.raw(tag)
        if kind in (16, 18):  # BigTIFF's own types
            kind, values = 4, np.frombuffer(values, order + "u8").astype(order + "u4").tobytes()
        tags[tag] = kind, count, values
    for tag in (SUB_IFDS, SUBFILE, 34665, 34853, 40965):
        # A thumbnail's mark, and what leads elsewhere; of EXIF only what is in the page itself is of use.
        if tag in (SUB_IFDS, SUBFILE) or pixels is not None:
            tags.pop(tag, None)
    for tag, change in changes.items():
        if change is None:
            tags.pop(tag, None)
        else:
            kind = 3 if change[0] == "H" else 4
            tags[tag] = kind, len(change[1]), struct.pack(f"{order}{len(change[1])}{change[0]}", *change[1])
    entries, further = [], b""
    place = start + 2 + 12 * len(tags) + 4
    for tag, (kind, count, values) in sorted(tags.items()):
        if len(values) > 4:
            entries.append(struct.pack(order + "HHII", tag, kind, count, place + len(further)))
            further += values + bytes(len(values) % 2)
        else:
            entries.append(struct.pack(order + "HHI", tag, kind, count) + values.ljust(4, b"\0"))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    directory = struct.pack(order + "H", len(tags)) + b"".join(entries) + bytes(4)
    return b"".join([head, body, bytes(len(body) % 2), directory, further])
