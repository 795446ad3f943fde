"""Files that are not quite whole: read with a note where every pixel is there, refused where one is missing."""

import struct
import zlib

import numpy as np
import pytest

from vivid_assets.imaging.io.codec import UnreadablePicture, decode

NOTE = "the file's end mark is missing; every pixel is there"


@pytest.fixture(params=["4:4:4", "4:2:0", "grey", "restarts"])
def jpeg(request, as_file, photograph) -> bytes:
    from PIL import Image

    shown = Image.fromarray(photograph[60:197, 80:260])
    if request.param == "grey":
        return as_file(shown.convert("L"), "JPEG", quality=90)
    extra = {"restart_marker_rows": 1} if request.param == "restarts" else {}
    return as_file(shown, "JPEG", quality=90, subsampling=request.param if ":" in request.param else 0, **extra)


@pytest.mark.parametrize("longest", [None, 64])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_mark_is_read(jpeg, missing, longest):
    whole, picture = decode(jpeg, longest=longest), decode(jpeg[:-missing], longest=longest)
    assert np.array_equal(picture.rgb, whole.rgb)
    assert picture.notes == (NOTE,)
    assert decode(jpeg).notes == ()


def test_a_jpeg_that_lacks_pixels_is_refused_and_one_that_lacks_none_is_right(jpeg):
    whole = decode(jpeg).rgb
    refused = 0
    for missing in [*range(2, 40), 100, 1000]:
        try:
            assert np.array_equal(decode(jpeg[:-missing]).rgb, whole)
        except UnreadablePicture:
            refused += 1
    assert refused >= 36, "of a byte or two of padding no pixel is made"


@pytest.mark.parametrize("missing", [2, 200])
def test_a_progressive_jpeg_without_its_end_is_refused(as_file, photograph, missing):
    # It could lack a whole pass.
    with pytest.raises(UnreadablePicture, match="cut off"):
        decode(as_file(photograph[:90, :120], "JPEG", progressive=True)[:-missing])


def test_zeros_behind_a_jpeg_do_no_harm(jpeg):
    assert np.array_equal(decode(jpeg + bytes(4096)).rgb, decode(jpeg).rgb)


def with_frame_marker(data: bytes, marker: int, bits: int = 8) -> bytes:
    start = data.index(b"\xff\xc0")
    return data[: start + 1] + bytes([marker]) + data[start + 2 : start + 4] + bytes([bits]) + data[start + 5 :]


@pytest.mark.parametrize(
    ("marker", "bits", "named"),
    [
        (0xC1, 12, "a JPEG of 12 bits a channel"),
        (0xC3, 8, "a lossless JPEG"),
        (0xC5, 8, "a hierarchical JPEG"),
        (0xC9, 12, "a JPEG of 12 bits a channel"),
        (0xCB, 8, "a lossless JPEG"),
    ],
)
def test_an_unread_coding_is_named_and_not_called_damaged(as_file, photograph, marker, bits, named):
    data = with_frame_marker(as_file(photograph[:40, :60], "JPEG"), marker, bits)
    with pytest.raises(UnreadablePicture, match=named + ".*, which is not read; save it as an ordinary JPEG"):
        decode(data)


def chunk(name: bytes, body: bytes, damaged: bool = False) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ damaged)


def inserted(data: bytes, *chunks: bytes) -> bytes:
    return data[:33] + b"".join(chunks) + data[33:]


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"eXIf", b"prVt"])
def test_a_damaged_chunk_without_pixels_is_passed_over(as_file, photograph, name):
    data = inserted(as_file(photograph, "PNG"), chunk(name, b"Comment\0hi", damaged=True))
    picture = decode(data)
    assert np.array_equal(picture.rgb, photograph)
    assert picture.notes == (f"damaged extra data ignored ({name.decode()})",)


@pytest.mark.parametrize("body", [b"x\0\0notzlib", b"x"])
def test_a_damaged_profile_is_said(as_file, photograph, body):
    picture = decode(inserted(as_file(photograph, "PNG"), chunk(b"iCCP", body)))
    assert np.array_equal(picture.rgb, photograph)
    assert "iCCP" in picture.notes[0]
    assert "taken as sRGB" in picture.notes[0]


@pytest.mark.parametrize("name", [b"IHDR", b"tRNS"])
def test_a_damaged_chunk_of_pixels_is_refused(as_file, photograph, name):
    data = inserted(as_file(photograph, "PNG"), chunk(b"tRNS", bytes(6)))
    place = data.index(name)
    length = int.from_bytes(data[place - 4 : place], "big")
    end = place + 4 + length
    with pytest.raises(UnreadablePicture, match="damaged"):
        decode(data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :])


@pytest.mark.parametrize("bits", [2, 4])
def test_a_color_key_of_few_bits(bits):
    levels = np.arange(2**bits, dtype=np.uint8)[None].repeat(4, axis=0)
    rows = np.packbits((levels[..., None] >> np.arange(bits - 1, -1, -1) & 1).reshape(4, -1), axis=1)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**bits, 4, bits, 0, 0, 0, 0))
    key = 2
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"tRNS", struct.pack(">H", key))
    data += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))) + chunk(b"IEND", b"")
    assert np.array_equal(decode(data).alpha, levels != key)


@pytest.mark.parametrize("longest", [None, 8])
def test_a_sixteen_bit_color_key_spares_its_neighbours(longest):
    import cv2

    stored = np.full((8, 8, 3), 40_000, np.uint16)
    stored[:, 4:] = 40_001
    data = inserted(cv2.imencode(".png", stored)[1].tobytes(), chunk(b"tRNS", struct.pack(">3H", *[40_000] * 3)))
    assert np.array_equal(decode(data, longest=longest).alpha[0], [0] * 4 + [1] * 4)
