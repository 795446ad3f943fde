"""Colours declared other than by an ICC profile are converted, or refused by name; never ignored without a word."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from vivid_assets.imaging.io.codec import UnreadablePicture, decode
from vivid_assets.imaging.io.color.icc import srgb_profile

SHOWN = np.array([[[55, 55, 55], [60, 200, 80], [200, 30, 60], [255, 255, 255], [0, 0, 0], [20, 90, 220]]], np.uint8)
# Linear light of each set of primaries to that of sRGB: CSS Color 4, section 18, and Lindbloom's tables.
TO_SRGB = {
    "Display P3": [[1.22494, -0.22494, 0], [-0.04206, 1.04206, 0], [-0.01964, -0.07864, 1.09827]],
    "BT.2020": [[1.66049, -0.58764, -0.07285], [-0.12455, 1.13290, -0.00835], [-0.01815, -0.10058, 1.11873]],
    "Adobe RGB": [[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]],
}


def converted(rgb: np.ndarray, primaries: str | None, exponent: float | None, most: int = 255) -> np.ndarray:
    """What should come out, of 255 steps; ``exponent`` None is sRGB's curve."""
    value = rgb / most
    light = (
        np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        if exponent is None
        else value**exponent
    )
    light = (light @ np.array(TO_SRGB[primaries]).T if primaries else light).clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(rgb: np.ndarray, *chunks: bytes) -> bytes:
    data = cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()
    return data[:33] + b"".join(chunks) + data[33:]


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


P3_CHROMATICITIES = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))


@pytest.mark.parametrize(
    ("chunks", "primaries", "exponent"),
    [
        ([gamma(1.0)], None, 1),
        ([gamma(1 / 1.8)], None, 1.8),
        ([gamma(1 / 1.8), P3_CHROMATICITIES], "Display P3", 1.8),
        ([P3_CHROMATICITIES], "Display P3", None),
        ([chunk(b"cICP", bytes([12, 13, 0, 1]))], "Display P3", None),
        ([chunk(b"cICP", bytes([9, 1, 0, 1]))], "BT.2020", None),
        ([chunk(b"cICP", bytes([1, 8, 0, 1]))], None, 1),
        ([chunk(b"cICP", bytes([12, 13, 0, 1])), gamma(1.0)], "Display P3", None),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_png_s_declared_colors_are_converted(chunks, primaries, exponent, deep):
    rgb = SHOWN.astype(np.uint16) * 257 if deep else SHOWN
    picture = decode(png(rgb, *chunks))
    assert np.abs(picture.rgb - converted(SHOWN, primaries, exponent)).max() <= 1
    assert len([note for note in picture.notes if note.startswith("colours converted from")]) == 1
    if deep:
        assert np.abs(picture.rgb16 / 257 - converted(SHOWN, primaries, exponent)).max() < 0.1


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(1 / 2.2)],
        [chunk(b"sRGB", b"\0"), gamma(1.0)],
        [chunk(b"cICP", bytes([1, 13, 0, 1])), gamma(1.0)],
        [chunk(b"iCCP", b"s\0\0" + zlib.compress(srgb_profile())), gamma(1.0)],
    ],
)
def test_srgb_and_what_goes_before_gamma_leave_the_colors(chunks):
    picture = decode(png(SHOWN, *chunks))
    assert np.array_equal(picture.rgb, SHOWN)
    assert picture.notes == ()


@pytest.mark.parametrize(
    ("chunks", "note"),
    [
        ([chunk(b"cICP", bytes([200, 13, 0, 1]))], "primaries 200"),
        ([chunk(b"cICP", bytes([1, 99, 0, 1]))], "transfer 99"),
        ([gamma(0.0001)], "declared gamma ignored"),
        ([chunk(b"cHRM", bytes(32))], "declared primaries ignored"),
    ],
)
def test_what_means_nothing_is_ignored_with_a_note(chunks, note):
    picture = decode(png(SHOWN, *chunks))
    assert np.array_equal(picture.rgb, SHOWN)
    assert note in picture.notes[0]


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_refused_by_name(transfer, name):
    with pytest.raises(UnreadablePicture, match=rf"high dynamic range \({name}\).*export it for screens"):
        decode(png(SHOWN, chunk(b"cICP", bytes([9, transfer, 0, 1]))))


def test_high_dynamic_range_in_a_profile_is_refused_by_name(as_file):
    profile = bytearray(srgb_profile())
    count = int.from_bytes(profile[128:132], "big")
    # The last tag becomes a cicp tag (ICC.1:2022, 10.3) behind the rest.
    profile[132 + 12 * (count - 1) : 132 + 12 * count] = b"cicp" + struct.pack(">II", len(profile), 12)
    profile += b"cicp\0\0\0\0" + bytes([9, 16, 0, 1])
    with pytest.raises(UnreadablePicture, match="high dynamic range"):
        decode(as_file(SHOWN, "PNG", icc_profile=bytes(profile)))


def test_colors_in_video_range_are_refused_by_name():
    with pytest.raises(UnreadablePicture, match="video range"):
        decode(png(SHOWN, chunk(b"cICP", bytes([1, 13, 0, 0]))))


def exif(space: int, index: str | None) -> bytes:
    block = Image.Exif()
    block.get_ifd(0x8769)[0xA001] = space
    if index:
        block.get_ifd(0x8769)[0xA005] = {1: index, 2: b"0100"}
    return block.tobytes()


@pytest.mark.parametrize("longest", [None, 3])
@pytest.mark.parametrize(("space", "index"), [(0xFFFF, "R03"), (2, None)])
def test_adobe_rgb_by_exif_is_converted(as_file, space, index, longest):
    shown = np.repeat(np.repeat(SHOWN[:, 1:2], 32, 0), 32, 1)
    data = as_file(shown, "JPEG", quality=100, subsampling=0, exif=exif(space, index))
    picture = decode(data, longest=longest)
    expected = converted(SHOWN[:, 1:2], "Adobe RGB", 563 / 256)
    assert np.abs(picture.rgb - expected).max() <= 2
    assert picture.notes[0] == "colours converted from Adobe RGB (EXIF) to sRGB"


@pytest.mark.parametrize(("space", "index"), [(1, "R98"), (0xFFFF, None), (0xFFFF, "R98")])
def test_other_color_spaces_in_exif_change_nothing(as_file, space, index):
    assert decode(as_file(SHOWN, "JPEG", quality=100, exif=exif(space, index))).notes == ()


def test_a_profile_goes_before_exif(as_file):
    data = as_file(SHOWN, "JPEG", quality=100, exif=exif(0xFFFF, "R03"), icc_profile=srgb_profile())
    assert decode(data).notes == ()


def avif(as_file, primaries: int, transfer: int) -> bytes:
    """Pillow writes BT.709 and sRGB (1, 13) as numbers; other numbers are put in their place."""
    data = as_file(np.repeat(np.repeat(SHOWN, 16, 0), 16, 1), "AVIF", quality=100, subsampling="4:4:4")
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def test_an_avif_s_numbers_are_obeyed(as_file):
    plain, wide = decode(avif(as_file, 1, 13)), decode(avif(as_file, 12, 13))
    assert plain.notes == ()
    assert wide.notes[0] == "colours converted from Display P3 (nclx) to sRGB"
    assert np.abs(wide.rgb - converted(plain.rgb, "Display P3", None)).max() <= 1
    with pytest.raises(UnreadablePicture, match="PQ"):
        decode(avif(as_file, 9, 16))
