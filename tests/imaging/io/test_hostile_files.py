"""Files that are broken, cut off, or made to harm: each is refused with a sentence, and nothing else is raised."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pillow_heif
import pillow_jxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from vivid_assets.imaging.io.codec import Picture, UnreadablePicture, decode, read_provenance
from vivid_assets.imaging.io.formats import SIGNATURES

# Their writers; what is read does not ask Pillow's register.
pillow_heif.register_heif_opener()
assert pillow_jxl

# Pillow warns of broken EXIF and skipped tags, which is right and not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

VARIANTS = {
    "jpeg": ("JPEG", {}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "tiff": ("TIFF", {}),
    "deflate tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "jpeg tiff": ("TIFF", {"compression": "jpeg"}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "avif": ("AVIF", {}),
    "heic": ("HEIF", {}),
    "jpeg xl": ("JXL", {}),
}


@pytest.fixture(scope="session", params=VARIANTS)
def whole(request, as_file, photograph) -> bytes:
    format_, options = VARIANTS[request.param]
    return as_file(photograph[100:220, 150:310], format_, **options)


@pytest.fixture(params=[False, True], ids=["", "truncation tolerated by the process"])
def process(request, monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", request.param)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def is_a_sentence(error: pytest.ExceptionInfo[UnreadablePicture]) -> bool:
    said = str(error.value)
    return said[0].isupper() and said.endswith(".") and "\n" not in said and len(said) < 300


@pytest.mark.parametrize("tenths", range(1, 10))
@pytest.mark.usefixtures("process")
def test_a_file_cut_off_anywhere_is_refused(whole, tenths):
    with pytest.raises(UnreadablePicture, match=r"cut off.*copy it again") as error:
        decode(whole[: len(whole) * tenths // 10])
    assert is_a_sentence(error)


def test_a_cut_off_file_is_refused_at_reduced_size_too(whole):
    with pytest.raises(UnreadablePicture, match="cut off"):
        decode(whole[: len(whole) // 2], longest=32)


def test_a_whole_file_passes_with_rubbish_behind_it(whole):
    assert decode(whole + b"appended by a careless upload\n" * 40).size == (160, 120)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty"),
        (b"\0" * 5000, "only zero bytes"),
        (b"This was never a picture.\n", "text, not a picture"),
        ("\ufeffnaïve text\r\n".encode(), "is text|none of the formats"),
        (b"<!doctype html><html><body>404 Not Found</body></html>", "web page"),
        (b"\n  <html lang=en>", "web page"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"8BPS\0\1" + b"\0" * 40, "Photoshop"),
        (b"PK\x03\x04" + b"\0" * 40, "ZIP"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2mp41", "video"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (bytes(range(256)), "none of the formats"),
        (b"\0asm\1\0\0\0", "none of the formats"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(data, sentence):
    with pytest.raises(UnreadablePicture, match=sentence) as error:
        decode(data)
    assert is_a_sentence(error)


@pytest.mark.parametrize(
    "signature", [*SIGNATURES, b"RIFF\0\0\0\0WEBP", b"\0\0\0\x14ftypavif\0\0\0\0", b"\0\0\0\x14ftypheic\0\0\0\0"]
)
def test_a_signature_alone_is_refused(signature):
    for rest in (b"", b"\0" * 100, b"\xff" * 100):
        with pytest.raises(UnreadablePicture):
            decode(signature + rest)


def larger_than_allowed(kind: str, as_file, photograph: np.ndarray) -> bytes:
    """A small file whose header announces 16,000–65,000 pixels a side."""
    small = photograph[:64, :64] if kind == "HEIF" else photograph[:20, :20]
    if kind == "PNG":
        return png(30_000, 30_000, chunk(b"IDAT", zlib.compress(b"\0" * 1000)))
    data = bytearray(as_file(small, "WEBP" if kind == "lossless WEBP" else kind, lossless=kind == "lossless WEBP"))
    if kind == "JPEG":
        start = data.index(b"\xff\xc0")
        data[start + 5 : start + 9] = struct.pack(">HH", 65_000, 65_000)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", 65_000, 65_000)
    elif kind == "BMP":
        data[18:26] = struct.pack("<ii", 30_000, 30_000)
    elif kind == "WEBP":
        data[26:30] = struct.pack("<HH", 16_383, 16_383)
    elif kind == "lossless WEBP":
        data[21:25] = struct.pack("<I", 16_382 | 16_382 << 14)
    elif kind in ("AVIF", "HEIF"):
        start = data.index(b"ispe")
        data[start + 8 : start + 16] = struct.pack(">II", 16_000, 16_000)
    elif kind == "JXL":
        # ISO 18181-1, D.2: not small, height of 30 bits, ratio 1:1.
        data[2:7] = (0b11 << 1 | 29_999 << 3 | 1 << 33).to_bytes(5, "little")
    elif kind == "TIFF":
        first = struct.unpack_from("<I", data, 4)[0]
        for entry in range(first + 2, first + 2 + 12 * struct.unpack_from("<H", data, first)[0], 12):
            if struct.unpack_from("<H", data, entry)[0] in (256, 257):
                data[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 60_000)
    return bytes(data)


@pytest.mark.parametrize("switch", [None, 89_478_485, 10**12])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "lossless WEBP", "AVIF", "TIFF", "HEIF", "JXL"])
def test_a_bomb_is_refused_by_its_header(as_file, photograph, monkeypatch, kind, switch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", switch)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("pixels were decoded"))
    with pytest.raises(
        UnreadablePicture, match=r"\d+,\d+ × \d+,\d+ pixels .* over the limit of 120 megapixels"
    ) as error:
        decode(larger_than_allowed(kind, as_file, photograph))
    assert is_a_sentence(error)


def test_the_limit_is_the_callers(as_file, photograph, monkeypatch):
    data = as_file(photograph, "PNG")
    assert decode(data, max_pixels=512 * 512).size == (512, 512)
    with pytest.raises(UnreadablePicture, match=r"512 × 512 pixels"):
        decode(data, max_pixels=512 * 512 - 1)


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_a_picture_of_no_pixels_is_refused(size):
    with pytest.raises(UnreadablePicture):
        decode(png(*size, chunk(b"IDAT", zlib.compress(b""))))


def test_a_gif_frame_larger_than_its_screen_is_refused(as_file, photograph):
    data = bytearray(as_file(photograph[:20, :20], "GIF"))
    start = data.index(b"\x2c\0\0\0\0")
    data[start + 5 : start + 9] = struct.pack("<HH", 65_000, 65_000)
    with pytest.raises(UnreadablePicture, match="pixels"):
        decode(bytes(data))


def many_gif_frames(count: int) -> bytes:
    frame = b"\x2c\0\0\0\0\1\0\1\0\0" + b"\2\2\x44\1\0"
    return b"GIF89a\1\0\1\0\x80\0\0" + b"\0\0\0\xff\xff\xff" + frame * count + b"\x3b"


def many_tiff_pages(count: int, order: str = "<") -> bytes:
    """Classic TIFF of ``count`` directories that share one pixel."""
    tags = [(256, 1), (257, 1), (258, 8), (262, 1), (273, 8), (277, 1), (278, 1), (279, 1)]
    size = 2 + 12 * len(tags) + 4
    pages = []
    for page in range(count):
        entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags)
        following = 10 + size * (page + 1) if page + 1 < count else 0
        pages.append(struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", following))
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(order + "I", 10) + b"\x80\0" + b"".join(pages)


def test_counting_frames():
    assert decode(many_gif_frames(1)).notes == ()
    assert decode(many_gif_frames(999)).notes == ("first of 999 frames",)
    assert decode(many_tiff_pages(1)).notes == ()
    assert decode(many_tiff_pages(999, ">")).notes == ("first of 999 frames",)


@pytest.mark.parametrize(("bomb", "frames"), [(many_gif_frames, 100_000), (many_tiff_pages, 50_000)])
def test_a_bomb_of_frames_is_refused(bomb, frames):
    with pytest.raises(UnreadablePicture, match="more than 1,000 frames") as error:
        decode(bomb(frames))
    assert is_a_sentence(error)


def test_an_apng_that_announces_frames_without_end_is_refused():
    control = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    with pytest.raises(UnreadablePicture, match=r"more than 1,000 frames|damaged"):
        decode(png(1, 1, control, chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))))


def test_pages_that_go_in_a_circle_end(as_file, photograph):
    data = bytearray(many_tiff_pages(3))
    data[-4:] = struct.pack("<I", 10)
    assert decode(bytes(data)).notes == ("first of 3 frames",)


def test_a_jpeg_of_endless_passes_is_refused(as_file, photograph):
    data = as_file(photograph[:16, :16], "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(UnreadablePicture, match="more than 100 passes"):
        decode(data[:last] + data[last:-2] * 200 + b"\xff\xd9")


def test_a_bomb_in_a_text_chunk_does_not_matter_or_is_refused():
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"A" * 50_000_000, 9))
    body = chunk(b"IDAT", zlib.compress(b"\0\1\2\3"))
    with pytest.raises(UnreadablePicture):
        decode(png(1, 1, text, body))


def test_a_tiff_of_gigantic_tiles_is_refused():
    tags = [(256, 16), (257, 16), (258, 8), (262, 1), (277, 1), (322, 1 << 20), (323, 1 << 20), (324, 8), (325, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    data = b"II*\0" + struct.pack("<I", 10) + b"\x80\0" + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"
    with pytest.raises(UnreadablePicture):
        decode(data)


def outcome(data: bytes, **options: int) -> Picture | None:
    """The picture or None; anything else that is raised fails the test."""
    try:
        return decode(data, max_pixels=1_000_000, **options)
    except UnreadablePicture:
        return None


def is_sound(picture: Picture) -> bool:
    shape = picture.rgb.shape[:2]
    alpha_fits = picture.alpha is None or (
        picture.alpha.shape == shape and picture.alpha.min() >= 0 and picture.alpha.max() <= 1
    )
    return shape == picture.size[::-1] and picture.rgb.dtype == np.uint8 and alpha_fits


@given(
    start=st.sampled_from([b"", *SIGNATURES, b"RIFF\x40\0\0\0WEBPVP8 ", b"RIFF\x40\0\0\0WEBPVP8X"]),
    rest=st.binary(max_size=400),
)
@example(b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", b""))
@settings(max_examples=300)
def test_random_bytes_are_refused(start, rest):
    picture = outcome(start + rest)
    assert picture is None or is_sound(picture)


@settings(max_examples=60)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=30))
def test_flipped_bits_are_survived(whole, flips):
    data = bytearray(whole)
    for place, bit in flips:
        data[int(place * len(data))] ^= 1 << bit
    picture = outcome(bytes(data))
    assert picture is None or is_sound(picture)
    outcome(bytes(data), longest=50)


@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), size=st.integers(1, 40), filling=st.binary(max_size=40))
def test_overwritten_headers_are_survived(whole, place, size, filling):
    at = int(place * min(len(whole), 700))
    data = whole[:at] + filling + whole[at + size :]
    picture = outcome(data)
    assert picture is None or is_sound(picture)
    with suppress(UnreadablePicture):
        assert isinstance(read_provenance(data), dict)
