"""What a file is, by its first bytes: for listings, and for messages."""

import struct

import numpy as np
import pytest

from tests.imaging.io.tiff_files import page, tiff
from vivid_assets.imaging.io import formats as containers
from vivid_assets.imaging.io.codec import ENOUGH, UnreadablePicture, decode, kind_of


def base_media(*brands: bytes) -> bytes:
    return struct.pack(">I4s4sI", 16 + 4 * len(brands), b"ftyp", brands[0], 0) + b"".join(brands) + bytes(40)


SMALL = np.full((4, 4, 3), 9, np.uint8)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
def test_what_is_read_is_told_by_its_first_bytes(as_file, photograph, format_):
    kind = kind_of(as_file(photograph, format_)[:ENOUGH])
    assert (kind.format, kind.is_read, kind.sentence) == (format_, True, "")


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"", "empty"),
        (b"8BPS\0\2" + bytes(40), "Photoshop"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\0", "JPEG 2000"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7", "PDF"),
        (base_media(b"crx ", b"isom"), "raw file"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "raw file"),
        (tiff(page(SMALL, 2, tags={50706: ("B", [1, 4, 0, 0])})), "raw file"),
        (tiff(page(SMALL[..., :1], 32803)), "raw file"),
        (b"FUJIFILMCCD-RAW 0201", "raw file"),
        (b"IIU\0\x18\0\0\0", "raw file"),
        (b"IIRO\x08\0\0\0", "raw file"),
        (base_media(b"isom", b"mp42"), "video"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"\x1a\x45\xdf\xa3\x01", "video"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "companion file of macOS"),
        (b"PK\x03\x04\x14\0", "ZIP"),
        (b"P6\n4 4\n255\n", "Netpbm"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "thumbnail cache"),
        (b"just words\n", "text"),
    ],
)
def test_what_is_never_read_is_named_with_what_to_do(start, what):
    kind = kind_of(start)
    assert kind.format is None
    assert what in kind.what
    assert kind.sentence.startswith("The file is ")
    assert kind.advice
    with pytest.raises(UnreadablePicture) as error:
        decode(start)
    assert str(error.value) == kind.sentence


@pytest.mark.parametrize(
    ("start", "format_", "name"),
    [
        (base_media(b"heic", b"mif1"), "HEIF", "HEIC"),
        (base_media(b"mif1", b"heix"), "HEIF", "HEIC"),
        (base_media(b"msf1", b"hevc"), "HEIF", "HEIC"),
        (b"\xff\x0a\x09\x41\x24", "JXL", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "JXL", "JPEG XL"),
    ],
)
def test_what_an_extra_reads_names_the_extra_where_it_is_missing(monkeypatch, start, format_, name):
    assert kind_of(start).is_read
    monkeypatch.setattr(containers, "find_spec", lambda module: None)
    kind = kind_of(start)
    assert (kind.format, kind.is_read) == (format_, False)
    with pytest.raises(UnreadablePicture, match=rf"a {name} picture; install vivid-assets.(heif|jxl). to have it read"):
        decode(start)


@pytest.mark.parametrize("breaks", [b"\r\n", b"\n\n\n"])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF"])
def test_line_breaks_before_a_picture_are_passed_over(as_file, photograph, format_, breaks):
    data = breaks + as_file(photograph[:40, :60], format_)
    assert kind_of(data).format == format_
    picture = decode(data)
    assert np.array_equal(picture.rgb, decode(data[len(breaks) :]).rgb)
    assert "line breaks before the picture ignored" in picture.notes
