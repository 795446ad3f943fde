"""Which format a file is, how large a picture its header announces, and how many frames it holds.

Nothing here decodes a pixel. Formats are told apart by their first bytes, never by a name, and each is opened by
its own plugin, so that no other (PostScript, for one, which starts an interpreter) is ever reached.
"""

import struct
from contextlib import suppress
from io import BytesIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}

# What the first bytes say. Sources: ISO 10918-1, PNG (ISO 15948) 5.2, GIF89a, TIFF 6.0 and BigTIFF, BMP.
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
}

# What people put into picture folders by mistake, each with what to do about it.
STRANGERS = {
    b"%PDF": "a PDF document; export its pages as pictures",
    b"%!PS": "a PostScript file; export it as a picture",
    b"\xc5\xd0\xd3\xc6": "a PostScript file; export it as a picture",
    b"8BPS": "a Photoshop document; export it as PNG or TIFF",
    b"PK\x03\x04": "a ZIP archive or an office document; unpack it",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture, which is not read; export it as JPEG or PNG",
    b"\xff\x0a": "a JPEG XL picture, which is not read; export it as JPEG or PNG",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture, which is not read; export it as JPEG or PNG",
    b"<svg": "an SVG drawing; export it as PNG",
    b"<?xml": "an XML file; if it is an SVG drawing, export it as PNG",
    b"<!DOCTYPE html": "a web page, perhaps an error page saved in place of a picture; download it again",
    b"<html": "a web page, perhaps an error page saved in place of a picture; download it again",
    b"version https://git-lfs": "a Git LFS pointer; run 'git lfs pull' to get the picture itself",
}


class UnreadablePicture(ValueError):
    """The bytes hold no picture that can be used. The message is for the catalogue's owner: what, and what to do."""


def identify(data: bytes) -> str:
    """The format by the first bytes: a key of ``PLUGINS``.

    Raises:
        UnreadablePicture: empty, or nothing that is read here.
    """
    if not data:
        raise UnreadablePicture("The file is empty (0 bytes); copy it again from its source.")
    for signature, kind in SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        brands = data[8 : min(struct.unpack(">I", data[:4])[0], 256)]
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        if any(brand in brands for brand in (b"heic", b"heix", b"mif1", b"hevc")):
            raise UnreadablePicture("The file is a HEIC picture, which is not read; export it as JPEG or PNG.")
        raise UnreadablePicture("The file is a video; export the wanted frame as a picture.")
    raise UnreadablePicture(_describe_stranger(data))


def _describe_stranger(data: bytes) -> str:
    start = data[:256].removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, what in STRANGERS.items():
        if data.startswith(signature) or start.lower().startswith(signature.lower()):
            return f"The file is {what}."
    if not data.strip(b"\0"):
        return "The file holds only zero bytes; copy it again from its source."
    printable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in start)
    if start and printable > 0.9 * len(start):
        return "The file holds text, not a picture, whatever its name says."
    return f"The file is none of the formats that are read ({', '.join(PLUGINS)})."


def open_lazily(data: bytes, kind: str) -> ImageFile.ImageFile:
    """Read the header only. Anything at all may be raised for a damaged one.

    The plugin is called directly, not through ``Image.open``, whose own bomb check hides the size and
    follows a process-wide switch.
    """
    return PLUGINS[kind](BytesIO(data))


def webp_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) that a WebP's header announces, or None (RFC 9649, sections 2.5–2.7).

    Needed beforehand because libwebp reserves its canvas when a file is opened.
    """
    chunk, body = data[12:16], data[20:30]
    if chunk == b"VP8X" and len(body) == 10:
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8 " and len(body) == 10:
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L" and len(body) == 10:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def count_frames(image: ImageFile.ImageFile, data: bytes, kind: str, at_most: int) -> int:
    """How many frames or pages a file holds; ``at_most`` + 1 stands for any number above ``at_most``.

    Formats that do not say it in the header are walked, no further than needed: a file of a million
    one-pixel frames must not cost a minute to refuse.
    """
    if kind == "GIF":
        return _count_gif(data, at_most)
    if kind == "TIFF":
        return _count_tiff(data, at_most)
    return int(getattr(image, "n_frames", 1))


def _count_gif(data: bytes, at_most: int) -> int:
    """Image descriptors in a GIF (GIF89a specification, sections 18–24)."""

    def colour_table(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    frames, position = 0, 13 + colour_table(data[10])
    while position < len(data) and frames <= at_most:
        block = data[position]
        if block == 0x2C:
            if position + 10 > len(data):
                break
            frames += 1
            position += 11 + colour_table(data[position + 9])
        elif block == 0x21:
            position += 2
        else:
            break
        while position < len(data) and data[position]:
            position += data[position] + 1
        position += 1
    return max(frames, 1)


def _count_tiff(data: bytes, at_most: int) -> int:
    """Links of a TIFF's chain of directories (TIFF 6.0, section 2; BigTIFF has wider numbers)."""
    order, big = ("<" if data[:2] == b"II" else ">"), data[2:4] in (b"+\0", b"\0+")
    count, entry, link = ("Q", 20, "Q") if big else ("H", 12, "I")
    seen: set[int] = set()
    with suppress(struct.error):  # A chain that breaks off ends there.
        (position,) = struct.unpack_from(order + link, data, 8 if big else 4)
        while position and position not in seen and len(seen) <= at_most:
            (entries,) = struct.unpack_from(order + count, data, position)
            seen.add(position)
            end = position + struct.calcsize(count) + entries * entry
            (position,) = struct.unpack_from(order + link, data, end)
    return max(len(seen), 1)
