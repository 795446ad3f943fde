"""Maker, rights and resolution go from a source to what is made of it."""

import numpy as np
import pytest
from PIL import Image

from vivid_assets.imaging.io.codec import SUFFIXES, Carried, decode, encode, read_provenance

RGB = np.full((8, 8, 3), 90, np.uint8)
ALL = Carried(
    creator="Zoë Müller; 山田",
    rights='© 2026 <"A & B">',
    credit="Agency",
    usage_terms="No resale",
    statement="https://example.org/rights",
    dpi=(300.0, 300.0),
)


def source_exif() -> bytes:
    exif = Image.Exif()
    exif[0x013B] = "Zoë Müller".encode()
    exif[0x8298] = "© Zoë".encode()
    return exif.tobytes()


@pytest.mark.parametrize("format_", SUFFIXES)
def test_what_is_written_is_read_again(format_):
    data = encode(RGB, format=format_, carried=ALL, source_type="composite", provenance="digest")
    carried = decode(data).carried
    texts = {name: getattr(carried, name) for name in ("creator", "rights", "credit", "usage_terms", "statement")}
    assert texts == {name: getattr(ALL, name) for name in texts}
    if format_ != "webp":
        assert carried.dpi == pytest.approx((300, 300), abs=0.01)
    assert read_provenance(data) == {"source_type": "composite", "provenance": "digest", "tool": "vivid_assets"}


@pytest.mark.parametrize("format_", SUFFIXES)
def test_nothing_is_written_where_nothing_was_said(format_):
    assert encode(RGB, format=format_, carried=Carried()) == encode(RGB, format=format_)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif_is_read(as_file, format_):
    carried = decode(as_file(RGB, format_, exif=source_exif())).carried
    assert (carried.creator, carried.rights) == ("Zoë Müller", "© Zoë")


def test_a_tiff_s_tags_are_read(as_file):
    assert decode(as_file(RGB, "TIFF", artist="A", copyright="(c) A")).carried == Carried(creator="A", rights="(c) A")


@pytest.mark.parametrize(("format_", "given"), [("JPEG", (300, 300)), ("PNG", (300, 200)), ("TIFF", (72, 96))])
def test_resolution_is_read(as_file, format_, given):
    assert decode(as_file(RGB, format_, dpi=given)).carried.dpi == pytest.approx(given, abs=0.02)


def test_xmp_of_other_software_is_read(as_file):
    packet = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
      <rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"
        xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:Credit="Agency">
       <dc:creator><rdf:Seq><rdf:li>A</rdf:li><rdf:li>B</rdf:li></rdf:Seq></dc:creator>
       <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© A</rdf:li><rdf:li xml:lang="de">© A.</rdf:li></rdf:Alt>
       </dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>"""
    carried = decode(as_file(RGB, "JPEG", xmp=packet.encode())).carried
    assert carried == Carried(creator="A; B", rights="© A", credit="Agency")


def test_iptc_is_read(as_file):
    def field(number: int, text: bytes) -> bytes:
        return bytes([0x1C, 2, number]) + len(text).to_bytes(2, "big") + text

    block = field(80, b"A") + field(80, b"B") + field(116, "© A".encode()) + field(110, b"Agency")
    body = b"Photoshop 3.0\08BIM\x04\x04\0\0" + len(block).to_bytes(4, "big") + block + bytes(len(block) % 2)
    data = as_file(RGB, "JPEG")
    data = data[:2] + b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]
    assert decode(data).carried == Carried(creator="A; B", rights="© A", credit="Agency")


@pytest.mark.parametrize("xmp", [b"<x", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", b"\xff" * 40])
def test_damaged_blocks_say_nothing(as_file, xmp):
    assert decode(as_file(RGB, "JPEG", xmp=xmp)).carried == Carried()


def test_a_stranger_s_text_is_one_printable_line(as_file):
    exif = Image.Exif()
    exif[0x8298] = b"A\r\nB\x1b[31m\xe2\x80\xae\0\0C" + b"x" * 5000
    rights = decode(as_file(RGB, "JPEG", exif=exif.tobytes())).carried.rights
    assert rights.startswith("A B[31m; Cxxx")
    assert rights.isprintable()
    assert len(rights) <= 2000
