"""Pictures of phones and JPEG XL, by the extras ``heif`` and ``jxl``."""

from io import BytesIO

import numpy as np
import pillow_heif
import pillow_jxl
import pytest
from PIL import Image

from vivid_assets.imaging.io.codec import UnreadablePicture, decode
from vivid_assets.imaging.io.formats import jxl_header

pillow_heif.register_heif_opener()
assert pillow_jxl  # it registers its writer

EXACT = {"HEIF": {"quality": -1, "chroma": 444, "matrix_coefficients": 0}, "JXL": {"lossless": True}}


def shown(height: int = 40, width: int = 64) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), 255 - (x + y)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("format_", EXACT)
def test_a_lossless_picture_gives_back_its_pixels(as_file, format_):
    picture = decode(as_file(shown(), format_, **EXACT[format_]))
    assert np.array_equal(picture.rgb, shown())
    assert (picture.format, picture.size, picture.alpha, picture.rgb16) == (format_, (64, 40), None, None)
    assert picture.notes == ()


@pytest.mark.parametrize("format_", EXACT)
def test_alpha_is_kept_apart(as_file, format_):
    alpha = np.tile(np.arange(64, dtype=np.uint8) * 4, (40, 1))
    picture = decode(as_file(np.dstack([shown(), alpha]), format_, **EXACT[format_]))
    assert np.abs(picture.alpha * 255 - alpha).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_is_turned_once(as_file, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = decode(as_file(shown(), "PNG", exif=exif)).rgb
    data = as_file(shown(), "HEIF", exif=exif.tobytes(), quality=95)
    assert (b"irot" in data or b"imir" in data) == (orientation > 1), "it has a turn of its own"
    picture = decode(data)
    assert picture.size == upright.shape[1::-1]
    assert np.abs(picture.rgb.astype(int) - upright).max() <= 12


def test_exif_does_not_turn_a_jpeg_xl(as_file):
    # ISO 18181-2: the codestream's own orientation is the one that counts.
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decode(as_file(shown(), "JXL", lossless=True, exif=exif.tobytes(), use_container=True))
    assert np.array_equal(picture.rgb, shown())


def test_a_jpeg_in_a_jpeg_xl_is_turned_as_the_jpeg_was(as_file, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    source = tmp_path / "a.jpg"
    source.write_bytes(as_file(shown(), "JPEG", quality=98, subsampling=0, exif=exif))
    with Image.open(source) as image, pytest.warns(UserWarning, match="JPEG reconstruction"):
        stream = BytesIO()
        image.save(stream, "JXL")
    assert np.array_equal(decode(stream.getvalue()).rgb, decode(source.read_bytes()).rgb)


@pytest.mark.parametrize("longest", [None, 32])
def test_ten_bits_are_kept(longest):
    deep = shown().astype(np.uint16) * 257
    stream = BytesIO()
    pillow_heif.from_bytes("RGB;16", (64, 40), deep.tobytes()).save(stream, **EXACT["HEIF"])
    picture = decode(stream.getvalue(), longest=longest)
    assert picture.notes == ("10 bits a channel",)
    if longest is None:
        assert np.abs(picture.rgb16.astype(int) - deep).max() <= 65_535 / 1023
        assert picture.rgb16.max() == 65_535, "white is white"
        assert np.abs(picture.rgb.astype(int) - shown()).max() <= 1


def test_of_several_pictures_the_primary_one_is_taken():
    file = pillow_heif.HeifFile()
    for color in ((250, 0, 0), (0, 250, 0), (0, 0, 250)):
        file.add_from_pillow(Image.new("RGB", (32, 32), color))
    stream = BytesIO()
    file.save(stream, primary_index=1, quality=95)
    picture = decode(stream.getvalue())
    assert np.abs(picture.rgb.astype(int) - (0, 250, 0)).max() <= 6
    assert picture.notes == ("main one of 3 frames",)


def test_a_profile_is_converted(as_file):
    from tests.imaging.io.test_decode import P3

    plain, wide = (decode(as_file(shown(), "HEIF", **EXACT["HEIF"], **extra)) for extra in ({}, {"icc_profile": P3}))
    assert wide.notes[0] == "colours converted from P3   built-in to sRGB"
    assert not np.array_equal(plain.rgb, wide.rgb)


def test_numbers_are_obeyed_and_high_dynamic_range_is_refused(as_file):
    options = {"color_primaries": 12, "transfer_characteristics": 13}
    picture = decode(as_file(shown(), "HEIF", quality=-1, **options))
    assert picture.notes[0] == "colours converted from Display P3 (nclx) to sRGB"
    with pytest.raises(UnreadablePicture, match=r"high dynamic range \(HLG\)"):
        decode(as_file(shown(), "HEIF", color_primaries=9, transfer_characteristics=18))


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (8, 8), (64, 48), (255, 257), (256, 256), (640, 360), (1200, 1000)])
@pytest.mark.parametrize("container", [False, True])
def test_the_size_of_a_jpeg_xl_is_in_its_header(as_file, size, container):
    header = jxl_header(as_file(Image.new("RGB", size, (9, 9, 9)), "JXL", use_container=container))
    assert (header.width, header.height, header.bits) == (*size, 8)
    assert not header.is_animated


def test_a_grey_jpeg_xl_keeps_sixteen_bits(as_file):
    # Its writer declares linear light, by a profile of its own.
    grey = np.arange(0, 65_536, 16, dtype=np.uint16).reshape(64, 64)
    picture = decode(as_file(Image.fromarray(grey), "JXL", lossless=True))
    assert picture.notes == ("colours converted from Gra_D65_Rel_Lin to sRGB", "16 bits a channel")
    right = grey / 65_535
    right = np.where(right <= 0.0031308, 12.92 * right, 1.055 * right ** (1 / 2.4) - 0.055)
    assert np.abs(picture.rgb16[..., 0] / 65_535 - right).max() < 1e-4


def test_an_animated_jpeg_xl_is_refused_by_name():
    # ISO 18181-1, D.2 and D.3: 8 × 8; not all default, extra fields, no size of its own, no preview, animated.
    bits, place = 0, 0
    for value, width in ((1, 1), (0, 5), (1, 3), (0, 1), (1, 1), (0, 3), (0, 1), (0, 1), (1, 1)):
        bits |= value << place
        place += width
    with pytest.raises(UnreadablePicture, match="is animated, which is not read"):
        decode(b"\xff\x0a" + bits.to_bytes(20, "little"))
