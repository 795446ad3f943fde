"""What a source says of its maker and its rights, and its resolution: carried over to what is made from it.

Read from EXIF (Artist, Copyright), XMP (Dublin Core, Photoshop, rights management) and IPTC-IIM, in this order for each
field; written as XMP, and as EXIF too where other software looks there.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from PIL import ExifTags, Image, IptcImagePlugin

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
RIGHTS = "http://ns.adobe.com/xap/1.0/rights/"

LONGEST = 2_000
"""Characters of a field; more is cut."""

_XMP = {
    "creator": f"{{{DC}}}creator",
    "rights": f"{{{DC}}}rights",
    "credit": f"{{{PHOTOSHOP}}}Credit",
    "usage_terms": f"{{{RIGHTS}}}UsageTerms",
    "statement": f"{{{RIGHTS}}}WebStatement",
}
_RESOLUTION = (ExifTags.Base.XResolution, ExifTags.Base.YResolution, ExifTags.Base.ResolutionUnit)
_INCH = 2
_EXIF = {"creator": ExifTags.Base.Artist, "rights": ExifTags.Base.Copyright}
_IPTC = {"creator": (2, 80), "rights": (2, 116), "credit": (2, 110)}


@dataclass(frozen=True)
class Carried:
    """Texts are empty where the source says nothing.

    Attributes:
        creator: who made it; several names with "; " between.
        rights: the copyright notice.
        credit: the line to print beside it.
        usage_terms: what may be done with it, in words.
        statement: the address of a page that says so.
        dpi: pixels per inch across and down, or None.
    """

    creator: str = ""
    rights: str = ""
    credit: str = ""
    usage_terms: str = ""
    statement: str = ""
    dpi: tuple[float, float] | None = None

    @property
    def says_rights(self) -> bool:
        return any(getattr(self, name) for name in _XMP)


def read_carried(image: Any) -> Carried:
    """From an opened picture. Damaged blocks say nothing: they are no reason to refuse a picture."""
    found: dict[str, str] = {}
    with suppress(Exception):
        exif = image.getexif()
        found |= {name: _clean(exif.get(tag)) for name, tag in _EXIF.items()}
    with suppress(Exception):
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        packet = packet.encode() if isinstance(packet, str) else packet
        found |= {name: text for name, text in _from_xmp(packet).items() if not found.get(name)}
    with suppress(Exception):
        iptc = IptcImagePlugin.getiptcinfo(image) or {} if image.format in ("JPEG", "TIFF", "MPO") else {}
        found |= {name: _iptc_text(iptc[key]) for name, key in _IPTC.items() if key in iptc and not found.get(name)}
    return Carried(**found, dpi=_dpi(image))


def xmp_elements(carried: Carried) -> list[tuple[str, str, str, str]]:
    """(prefix, namespace, name, text) of each field that says something, for an XMP packet."""
    prefixes = {DC: "dc", PHOTOSHOP: "photoshop", RIGHTS: "xmpRights"}
    elements = []
    for name, key in _XMP.items():
        namespace, _, local = key[1:].partition("}")
        if text := getattr(carried, name):
            elements.append((prefixes[namespace], namespace, local, text))
    return elements


def exif_block(carried: Carried, *, with_dpi: bool = False) -> bytes | None:
    """EXIF with artist and copyright, or None if there is nothing to say. Texts are in UTF-8.

    With the resolution where the format holds it nowhere else.
    """
    dpi = carried.dpi if with_dpi else None
    if not (carried.creator or carried.rights or dpi):
        return None
    exif = Image.Exif()
    if dpi:
        for tag, value in zip(_RESOLUTION, (*dpi, _INCH), strict=True):
            exif[tag] = value
    for name, tag in _EXIF.items():
        if text := getattr(carried, name):
            exif[tag] = text.encode()
    return exif.tobytes()


def _from_xmp(packet: bytes) -> dict[str, str]:
    if not packet or b"<!" in packet:
        return {}
    try:
        root = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
    except ElementTree.ParseError:
        return {}
    found = {}
    for description in root.iter(f"{{{RDF}}}Description"):
        for name, key in _XMP.items():
            if key in description.attrib:
                found[name] = _clean(description.attrib[key])
            elif (element := description.find(key)) is not None:
                items = [item.text for item in element.iter(f"{{{RDF}}}li") if item.text] or [element.text or ""]
                # Of the languages of a text the first is the default; of creators all count.
                found[name] = _clean("; ".join(filter(None, items)) if name == "creator" else items[0])
    return found


def _iptc_text(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return "; ".join(filter(None, map(_clean, values)))


def _clean(value: Any) -> str:
    """One printable line of a stranger's text."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = value.decode("latin-1")
    elif isinstance(value, str):
        # Pillow reads EXIF's texts as Latin-1, in which most software writes UTF-8.
        with suppress(UnicodeError):
            value = value.encode("latin-1").decode()
    else:
        return ""
    # EXIF 2.32 parts the photographer's notice from the editor's by a zero byte.
    parts = [" ".join(part.split()) for part in value.split("\0")]
    joined = "; ".join(part for part in parts if part)
    return "".join(c for c in joined if c.isprintable())[:LONGEST]


def _dpi(image: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 1 < across < 100_000 and 1 < down < 100_000 else None
