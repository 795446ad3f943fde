"""Saying in the file itself how a picture was made.

The marking is an XMP packet (ISO 16684-1) with the IPTC Extension's *Digital Source Type*, which is what
search engines, stock agencies and the labelling duties for AI-generated pictures look for, and a digest
by which the picture's row can be found again. Vocabulary, as of September 2024:
http://cv.iptc.org/newscodes/digitalsourcetype/
"""

from typing import Literal, get_args
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from vivid_assets.imaging.io.carried import Carried, xmp_elements

# In the vocabulary's words: "Edited using generative AI" (a background from a diffusion model behind a
# photographed subject); "Composite of elements" (any of which may or may not be generative); "Composite of
# captured elements" (photographs only); "Composite including generative AI elements".
SourceType = Literal["compositeWithTrainedAlgorithmicMedia", "composite", "compositeCapture", "compositeSynthetic"]
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP = "http://ns.adobe.com/xap/1.0/"
VIVID = "https://ns.vivid-assets.invalid/1.0/"
TOOL = "vivid_assets"


def xmp_packet(source_type: SourceType | None, provenance: str | None, carried: Carried | None = None) -> bytes:
    """The XMP packet to embed, UTF-8; the same input gives the same bytes.

    Args:
        source_type: how the picture came about, a term of the IPTC vocabulary.
        provenance: a digest or another short printable text that identifies what the picture was made from.
        carried: its source's maker and rights.

    Raises:
        ValueError: a source type outside the vocabulary used here, or an unprintable provenance.
    """
    attributes = {"xmlns:xmp": XMP, "xmp:CreatorTool": TOOL}
    if source_type is not None:
        if source_type not in get_args(SourceType):
            raise ValueError(f"source_type must be one of {get_args(SourceType)}, not {source_type!r}")
        attributes |= {"xmlns:Iptc4xmpExt": IPTC_EXT, "Iptc4xmpExt:DigitalSourceType": VOCABULARY + source_type}
    if provenance is not None:
        if not provenance.isprintable():
            raise ValueError("provenance must be printable text without line breaks")
        attributes |= {"xmlns:vivid": VIVID, "vivid:Provenance": provenance}
    elements = ""
    for prefix, namespace, name, text in xmp_elements(carried) if carried else ():
        attributes[f"xmlns:{prefix}"] = namespace
        elements += f"\n   {_element(prefix, name, text)}"
    written = "\n   ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
    closing = f">{elements}\n  </rdf:Description>" if elements else "/>"
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF xmlns:rdf="{RDF}">\n'
        f'  <rdf:Description rdf:about=""\n   {written}{closing}\n'
        ' </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="r"?>'
    ).encode()


def _element(prefix: str, name: str, text: str) -> str:
    """A property as XMP writes it: a list of creators, a text in one language, or a plain value."""
    if name == "creator":
        names = "".join(f"<rdf:li>{escape(one)}</rdf:li>" for one in text.split("; "))
        inside = f"<rdf:Seq>{names}</rdf:Seq>"
    elif name in ("rights", "UsageTerms"):
        inside = f'<rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt>'
    else:
        inside = escape(text)
    return f"<{prefix}:{name}>{inside}</{prefix}:{name}>"


def parse_xmp(packet: bytes) -> dict[str, str]:
    """What ``xmp_packet`` wrote, found again: any of ``source_type``, ``provenance`` and ``tool``.

    A property may be an attribute or an element, since other software rewrites packets. A packet that is
    not XML, or that defines entities, holds nothing.
    """
    if b"<!" in packet:
        return {}
    try:
        root = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
    except ElementTree.ParseError:
        return {}
    wanted = {
        f"{{{IPTC_EXT}}}DigitalSourceType": "source_type",
        f"{{{VIVID}}}Provenance": "provenance",
        f"{{{XMP}}}CreatorTool": "tool",
    }
    found: dict[str, str] = {}
    for description in root.iter(f"{{{RDF}}}Description"):
        properties = dict(description.attrib) | {child.tag: child.text or "" for child in description}
        found |= {name: properties[key].strip() for key, name in wanted.items() if key in properties}
    if "source_type" in found:
        # Some software writes https or no address at all; the term is what counts.
        found["source_type"] = found["source_type"].rsplit("/", 1)[-1]
    return found
