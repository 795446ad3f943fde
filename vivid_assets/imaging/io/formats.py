"""Which format a file is, how large a picture its header announces, and how many frames it holds.

Nothing here decodes a pixel. Formats are told apart by their first bytes, never by a name, and each is opened by
its own plugin, so that no other (PostScript, for one, which starts an interpreter) is ever reached.
"""

import struct
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from typing import Any

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

from vivid_assets.imaging.io import tiff
from vivid_assets.imaging.io.unreadable import UnreadablePicture

PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}


@dataclass(frozen=True)
class Extra:
    """A format that is read where an extra of this package is installed."""

    name: str
    extra: str
    module: str
    plugin: str

    def is_installed(self) -> bool:
        return find_spec(self.module) is not None


EXTRAS = {
    "HEIF": Extra("HEIC", "heif", "pillow_heif", "HeifImageFile"),
    "JXL": Extra("JPEG XL", "jxl", "pillow_jxl", "JpegXLImagePlugin.JXLImageFile"),
}

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
    b"\0\0\0\x0cJXL ": "JXL",
    b"\xff\x0a": "JXL",
}
"""What the first bytes say. Sources: ISO 10918-1, PNG (ISO 15948) 5.2, GIF89a, TIFF 6.0 and BigTIFF, BMP, ISO
18181-2."""

_AS_PICTURE = "export it as JPEG or PNG"
"""What people put into picture folders, each with what to do about it."""
_RAW = ("a camera's raw file", "develop it and export it as TIFF or JPEG")
_VIDEO = ("a video", "declare it as a clip (clips in catalogue.toml), or export the wanted frame as a picture")
_ARCHIVE = ("an archive", "unpack it")
_WEB_PAGE = ("a web page, perhaps an error page saved in place of a picture", "download it again")
STRANGERS = {
    b"%PDF": ("a PDF document", "export its pages as pictures"),
    b"%!PS": ("a PostScript file", "export it as a picture"),
    b"\xc5\xd0\xd3\xc6": ("a PostScript file", "export it as a picture"),
    b"8BPS": ("a Photoshop document", "export it as PNG or TIFF"),
    b"gimp xcf": ("a GIMP document", "export it as PNG or TIFF"),
    b"PK\x03\x04": ("a ZIP archive or an office document", "unpack it"),
    b"Rar!": _ARCHIVE,
    b"7z\xbc\xaf": _ARCHIVE,
    b"\x1f\x8b": _ARCHIVE,
    b"\0\0\0\x0cjP  ": ("a JPEG 2000 picture", _AS_PICTURE),
    b"\xff\x4f\xff\x51": ("a JPEG 2000 picture", _AS_PICTURE),
    b"II\xbc\x01": ("a JPEG XR picture", _AS_PICTURE),
    b"\x76\x2f\x31\x01": ("an OpenEXR picture", _AS_PICTURE),
    b"#?RADIANCE": ("a Radiance HDR picture", _AS_PICTURE),
    b"#?RGBE": ("a Radiance HDR picture", _AS_PICTURE),
    b"qoif": ("a QOI picture", _AS_PICTURE),
    b"DDS ": ("a DDS texture", _AS_PICTURE),
    b"\0\0\1\0": ("a Windows icon", _AS_PICTURE),
    **{b"P%d%b" % (n, end): ("a Netpbm picture", _AS_PICTURE) for n in range(1, 8) for end in (b"\n", b" ", b"\r")},
    b"FUJIFILMCCD-RAW": _RAW,
    b"IIRO": _RAW,
    b"IIRS": _RAW,
    b"MMOR": _RAW,
    b"IIU\0": _RAW,
    b"FOVb": _RAW,
    b"\0MRM": _RAW,
    b"II\x1a\0\0\0HEAPCCDR": _RAW,
    b"\x1a\x45\xdf\xa3": _VIDEO,
    b"0&\xb2u": _VIDEO,
    b"\0\0\1\xba": _VIDEO,
    b"\0\0\1\xb3": _VIDEO,
    b"FLV\1": _VIDEO,
    b"\0\5\x16\7": ("a companion file of macOS ('._' before the picture's name)", "delete it"),
    b"\0\5\x16\0": ("a companion file of macOS ('._' before the picture's name)", "delete it"),
    b"\xd0\xcf\x11\xe0": ("an office document or a thumbnail cache of Windows", "take it out of the folder"),
    b"<svg": ("an SVG drawing", "export it as PNG"),
    b"<?xml": ("an XML file", "if it is an SVG drawing, export it as PNG"),
    b"<!DOCTYPE svg": ("an SVG drawing", "export it as PNG"),
    b"<!DOCTYPE html": _WEB_PAGE,
    b"<html": _WEB_PAGE,
    b"version https://git-lfs": ("a Git LFS pointer", "run 'git lfs pull' to get the picture itself"),
}

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
_QUICKTIME = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}

ENOUGH = 4096
"""So many of a file's first bytes tell its kind."""


@dataclass(frozen=True)
class Kind:
    """What a file is, by its first bytes.

    Attributes:
        format: a key of ``PLUGINS`` or ``EXTRAS``, or None where the file is none that is ever read.
        what: in words, with its article: "a JPEG picture", "a PDF document".
        advice: what to do to have it read; empty where it is.
    """

    format: str | None
    what: str
    advice: str = ""

    @property
    def is_read(self) -> bool:
        return not self.advice

    @property
    def sentence(self) -> str:
        """Why it is not read; empty where it is."""
        return f"The file is {self.what}; {self.advice}." if self.advice else ""


def kind_of(start: bytes) -> Kind:
    """What a file is, by its first ``ENOUGH`` bytes; its name is not asked.

    A file of a kind that is read may still be refused when it is decoded: damaged, too large, of a rare variant.

    >>> kind_of(b"%PDF-1.7").sentence
    'The file is a PDF document; export its pages as pictures.'
    """
    if not start:
        return Kind(None, "empty (0 bytes)", "copy it again from its source")
    start = trim(start)
    for signature, kind in SIGNATURES.items():
        if start.startswith(signature):
            return _raw_in_tiff(start) if kind == "TIFF" else _known(kind)
    if start[:4] == b"RIFF" and start[8:12] in (b"WEBP", b"AVI "):
        return _known("WEBP") if start[8:12] == b"WEBP" else Kind(None, *_VIDEO)
    if start[4:8] == b"ftyp":
        return _of_brands(start)
    if start[4:8] in _QUICKTIME:
        return Kind(None, *_VIDEO)
    return _stranger(start)


def trim(data: bytes) -> bytes:
    """Without the line breaks that a careless upload puts before a JPEG, PNG or GIF; else as it is."""
    if data[:1] not in (b"\r", b"\n"):
        return data
    bare = data.lstrip(b"\r\n")
    return bare if bare.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")) else data


def identify(data: bytes) -> str:
    """The format by the first bytes: a key of ``PLUGINS`` or, where it is installed, of ``EXTRAS``.

    Raises:
        UnreadablePicture: empty, or nothing that is read here.
    """
    if data and not data.strip(b"\0"):
        raise UnreadablePicture("The file holds only zero bytes; copy it again from its source.")
    kind = kind_of(data[:ENOUGH])
    if kind.format is None or not kind.is_read:
        raise UnreadablePicture(kind.sentence)
    return kind.format


def _known(kind: str) -> Kind:
    if kind not in EXTRAS:
        return Kind(kind, f"a {kind} picture")
    extra = EXTRAS[kind]
    what = f"a {extra.name} picture"
    if extra.is_installed():
        return Kind(kind, what)
    return Kind(kind, what, f"install vivid-assets[{extra.extra}] to have it read, or export it as JPEG or PNG")


def _raw_in_tiff(start: bytes) -> Kind:
    """A TIFF, or one of the raw files that are built as one and whose first page is a preview."""
    if start[8:11] == b"CR\2":
        return Kind(None, *_RAW)
    first = next(tiff.walk(start, 1), None)
    if first is not None and (tiff.DNG_VERSION in first.tags or first.integer(tiff.PHOTOMETRIC, 1) in tiff.RAW_COLORS):
        return Kind(None, *_RAW)
    return _known("TIFF")


def _of_brands(start: bytes) -> Kind:
    """ISO base media: pictures and videos share it, and tell themselves apart by their brands."""
    brands = start[8 : max(12, min(struct.unpack(">I", start[:4])[0], 256))]
    listed = {brands[place : place + 4] for place in range(0, len(brands), 4)}
    if listed & {b"avif", b"avis"}:
        return _known("AVIF")
    if b"crx " in listed:
        return Kind(None, *_RAW)
    if listed & _HEIF_BRANDS:
        return _known("HEIF")
    return Kind(None, *_VIDEO)


def _stranger(data: bytes) -> Kind:
    start = data[:256].removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, (what, advice) in STRANGERS.items():
        if data.startswith(signature) or start.lower().startswith(signature.lower()):
            if signature == b"<?xml" and b"<svg" in data:
                what, advice = STRANGERS[b"<svg"]
            return Kind(None, what, advice)
    printable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in start)
    if start and printable > 0.9 * len(start):
        return Kind(None, "text, not a picture, whatever its name says", "export the picture itself")
    return Kind(None, f"none of the formats that are read ({', '.join(PLUGINS)})", _AS_PICTURE)


def open_lazily(data: bytes, kind: str) -> ImageFile.ImageFile:
    """Read the header only. Anything at all may be raised for a damaged one.

    The plugin is called directly, not through ``Image.open``, whose own bomb check hides the size and
    follows a process-wide switch. A JPEG XL is decoded at once: ask ``jxl_header`` first.
    """
    if kind in PLUGINS:
        return PLUGINS[kind](BytesIO(data))
    extra = EXTRAS[kind]
    plugin: Any = import_module(extra.module)
    for name in extra.plugin.split("."):
        plugin = getattr(plugin, name)
    opened: ImageFile.ImageFile = plugin(BytesIO(data))
    return opened


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


@dataclass(frozen=True)
class JxlHeader:
    """What stands at the head of a JPEG XL codestream (ISO 18181-1, annex D)."""

    width: int
    height: int
    is_animated: bool
    has_preview: bool
    bits: int


def jxl_header(data: bytes) -> JxlHeader | None:
    """The header, or None if the file is cut off before its end.

    Needed beforehand because the decoder takes the whole picture when a file is opened.
    """
    stream = _jxl_codestream(data)
    if stream[:2] != b"\xff\x0a" or len(stream) < 4:
        return None
    bits, place = int.from_bytes(stream[2:64], "little"), 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        return bits >> place - count & (1 << count) - 1

    def side(small: int) -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    def size() -> tuple[int, int]:
        small = take(1)
        height = side(small)
        ratio = take(3)
        across, down = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio]
        return (height * across // down if ratio else side(small)), height

    width, height = size()
    preview, animated, bits_a_sample = 0, 0, 8
    if not take(1):  # all_default
        if take(1):  # extra_fields
            take(3)  # the orientation, which the decoder applies
            if take(1):
                size()  # the size at which it is meant to be shown
            preview = take(1)
            animated = 0 if preview else take(1)
        if not preview and not animated:
            floating, kind = take(1), take(2)
            bits_a_sample = (
                (32, 16, 24)[kind] if floating and kind < 3 else take(6) + 1 if kind == 3 else (8, 10, 12)[kind]
            )
    return JxlHeader(width, height, bool(animated), bool(preview), bits_a_sample)


def _jxl_codestream(data: bytes) -> bytes:
    """The first bytes of the codestream, which may lie in a container's boxes, in parts (ISO 18181-2)."""
    if data[:2] == b"\xff\x0a":
        return data[:64]
    stream, position = b"", 0
    while position + 8 <= len(data) and len(stream) < 64:
        size, name = struct.unpack_from(">I4s", data, position)
        head = 8
        if size == 1 and position + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, position + 8)
            head = 16
        end = position + size if size else len(data)
        if end < position + head:
            break
        if name in (b"jxlc", b"jxlp"):
            start = position + head + (4 if name == b"jxlp" else 0)
            stream += data[start : min(end, start + 64)]
        position = end
    return stream


def count_frames(image: ImageFile.ImageFile | None, data: bytes, kind: str, at_most: int) -> int:
    """Count the frames or pages of a file.

    Formats that do not say it in the header are walked, no further than needed: a file of a million one-pixel frames
    must not cost a minute to refuse.

    Args:
        image: the opened picture; None for formats that are walked.
        data: the file.
        kind: its format.
        at_most: the result is ``at_most`` + 1 for any number above it.
    """
    if kind == "GIF":
        return _count_gif(data, at_most)
    if kind == "TIFF":
        return _count_tiff(data, at_most)
    return int(getattr(image, "n_frames", 1))


def _count_gif(data: bytes, at_most: int) -> int:
    """Image descriptors in a GIF (GIF89a specification, sections 18–24)."""

    def color_table(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    frames, position = 0, 13 + color_table(data[10])
    while position < len(data) and frames <= at_most:
        block = data[position]
        if block == 0x2C:
            if position + 10 > len(data):
                break
            frames += 1
            position += 11 + color_table(data[position + 9])
        elif block == 0x21:
            position += 2
        else:
            break
        while position < len(data) and data[position]:
            position += data[position] + 1
        position += 1
    return max(frames, 1)


def _count_tiff(data: bytes, at_most: int) -> int:
    return max(sum(1 for _ in tiff.walk(data, at_most + 1)), 1)
