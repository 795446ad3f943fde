import hashlib
import subprocess
import sys
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from vivid_assets.imaging.io.codec import SUFFIXES, UnreadablePicture, decode, encode, read_provenance
from vivid_assets.imaging.io.color.icc import srgb_profile
from vivid_assets.imaging.io.provenance import parse_xmp, xmp_packet

AI = "compositeWithTrainedAlgorithmicMedia"


def pixels(dtype: type) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(dtype, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))


@given(rgb=pixels(np.uint8), level=st.integers(0, 9))
def test_png_gives_back_eight_bits(rgb, level):
    assert np.array_equal(decode(encode(rgb, quality=level)).rgb, rgb)


@given(rgb=pixels(np.uint16))
def test_png_gives_back_sixteen_bits(rgb):
    assert np.array_equal(decode(encode(rgb)).rgb16, rgb)


@given(rgb=pixels(np.uint8), data=st.data())
def test_png_gives_back_alpha(rgb, data):
    alpha = data.draw(hnp.arrays(np.float32, rgb.shape[:2], elements=st.floats(0, 1, width=32)))
    picture = decode(encode(rgb, alpha=alpha))
    assert np.array_equal(picture.rgb, rgb)
    given_back = np.ones_like(alpha) if picture.alpha is None else picture.alpha
    assert np.abs(given_back - alpha).max() <= 0.5 / 255 + 1e-6


def test_alpha_of_a_sixteen_bit_picture_has_sixteen_bits():
    alpha = np.linspace(0, 1, 1000, dtype=np.float32)[None]
    picture = decode(encode(np.zeros((1, 1000, 3), np.uint16), alpha=alpha))
    assert np.abs(picture.alpha - alpha).max() <= 0.5 / 65535 + 1e-6


@pytest.mark.parametrize("format_", ["jpeg", "webp"])
def test_lossy_formats_stay_close_and_obey_quality(photograph, format_):
    def error(quality: int | None) -> float:
        picture = decode(encode(photograph, format=format_, quality=quality))
        return float(np.sqrt(((picture.rgb.astype(float) - photograph) ** 2).mean()))

    assert error(None) < 4.5
    assert error(100) < error(None) < error(40)


def test_webp_holds_alpha():
    alpha = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (32, 1))
    picture = decode(encode(np.full((32, 32, 3), 120, np.uint8), format="webp", alpha=alpha))
    assert np.abs(picture.alpha - alpha).max() < 0.02


def test_jpeg_keeps_a_color_edge_sharp():
    # With halved colour resolution a red pixel column beside a blue one would smear by a hundred steps.
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[:, ::2] = (200, 30, 30)
    rgb[:, 1::2] = (30, 30, 200)
    assert np.abs(decode(encode(rgb, format="jpeg")).rgb.astype(int) - rgb).max() < 25


@pytest.mark.parametrize("format_", SUFFIXES)
def test_the_srgb_profile_is_declared(photograph, format_):
    image = Image.open(BytesIO(encode(photograph, format=format_)))
    assert image.info["icc_profile"] == srgb_profile()
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"])))


@pytest.mark.parametrize("format_", SUFFIXES)
@pytest.mark.parametrize("source_type", [AI, "composite", "compositeCapture", None])
def test_provenance_comes_back_from_every_format(photograph, format_, source_type):
    data = encode(photograph[:20, :20], format=format_, source_type=source_type, provenance='a1b2 <"é&>')
    expected = {"provenance": 'a1b2 <"é&>', "tool": "vivid_assets"}
    assert read_provenance(data) == expected | ({"source_type": source_type} if source_type else {})
    assert decode(data).rgb.shape == (20, 20, 3)


@pytest.mark.parametrize("format_", SUFFIXES)
def test_other_software_finds_the_marking(photograph, format_):
    image = Image.open(BytesIO(encode(photograph[:20, :20], format=format_, source_type=AI)))
    # Where the standards put it: Pillow finds the packet, and the packet is XML with this attribute.
    description = ElementTree.fromstring(image.info["xmp"])[0][0]
    found = description.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"]
    assert found == f"http://cv.iptc.org/newscodes/digitalsourcetype/{AI}"


@pytest.mark.parametrize("format_", SUFFIXES)
def test_without_provenance_nothing_is_said(photograph, format_):
    data = encode(photograph[:20, :20], format=format_)
    assert read_provenance(data) == {}
    assert b"xmpmeta" not in data


def test_no_provenance_in_the_camera_s_own_picture(as_file, photograph):
    assert read_provenance(as_file(photograph, "TIFF")) == {}


def test_provenance_of_what_is_no_picture():
    with pytest.raises(UnreadablePicture):
        read_provenance(b"text")
    with pytest.raises(UnreadablePicture):
        read_provenance(b"\x89PNG\r\n\x1a\n rubbish")


def test_a_packet_rewritten_with_elements_is_understood():
    packet = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
        xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
        xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><Iptc4xmpExt:DigitalSourceType>
        https://cv.iptc.org/newscodes/digitalsourcetype/{AI}
        </Iptc4xmpExt:DigitalSourceType></rdf:Description></rdf:RDF></x:xmpmeta>"""
    assert parse_xmp(packet.encode()) == {"source_type": AI}


@pytest.mark.parametrize("packet", [b"", b"<x", b"\xff\xfe", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"])
def test_a_packet_that_is_no_xmp_says_nothing(packet):
    assert parse_xmp(packet) == {}


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_printable_provenance_survives(text):
    if text.isprintable():
        assert parse_xmp(xmp_packet(None, text))["provenance"] == text.strip()
    else:
        with pytest.raises(ValueError, match="printable"):
            xmp_packet(None, text)


@pytest.mark.parametrize("format_", SUFFIXES)
def test_the_same_picture_gives_the_same_bytes_in_another_process(format_):
    rgb = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8)
    program = (
        "import hashlib, numpy as np; from vivid_assets.imaging.io.codec import encode;"
        "rgb = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8);"
        f"data = encode(rgb, format={format_!r}, source_type='composite', provenance='digest');"
        "print(hashlib.sha256(data).hexdigest())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    here = encode(rgb, format=format_, source_type="composite", provenance="digest")
    assert elsewhere.stdout.strip() == hashlib.sha256(here).hexdigest()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rgb": np.zeros((4, 4), np.uint8)}, "H×W×3"),
        ({"rgb": np.zeros((4, 4, 4), np.uint8)}, "H×W×3"),
        ({"rgb": np.zeros((0, 4, 3), np.uint8)}, "H×W×3"),
        ({"rgb": np.zeros((4, 4, 3), np.float32)}, "uint8 or uint16"),
        ({"format": "gif"}, "one of png, jpeg, webp"),
        ({"format": "jpeg", "rgb": np.zeros((4, 4, 3), np.uint16)}, "8 bits"),
        ({"format": "webp", "rgb": np.zeros((4, 4, 3), np.uint16)}, "8 bits"),
        ({"format": "jpeg", "alpha": np.zeros((4, 4), np.float32)}, "no alpha"),
        ({"alpha": np.zeros((5, 4), np.float32)}, r"alpha must be \(4, 4\)"),
        ({"quality": 10}, "0–9"),
        ({"format": "jpeg", "quality": 0}, "1–100"),
        ({"source_type": "trainedAlgorithmicMedia"}, "source_type must be one of"),
        ({"provenance": "two\nlines"}, "printable"),
    ],
)
def test_what_cannot_be_encoded_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        encode(**({"rgb": np.zeros((4, 4, 3), np.uint8)} | arguments))
