import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from vivid_assets.imaging.io.codec import UnreadablePicture, decode
from vivid_assets.imaging.io.color.icc import srgb_profile

LOSSLESS = {"PNG": {}, "TIFF": {}, "BMP": {}, "WEBP": {"lossless": True}}
LOSSY = {"JPEG": {"quality": 98, "subsampling": 0}, "AVIF": {"quality": 98, "subsampling": "4:4:4"}}


def gradient(height: int, width: int) -> np.ndarray:
    """Smooth, different in every corner and channel, so that any turn or swap shows."""
    y, x = np.mgrid[:height, :width]
    planes = [255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 255 - 127 * (x + y) / (height + width)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def largest_difference(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(np.int32) - b.astype(np.int32)).max())


@pytest.mark.parametrize("format_", LOSSLESS)
def test_a_lossless_file_gives_back_its_pixels(as_file, photograph, format_):
    picture = decode(as_file(photograph, format_, **LOSSLESS[format_]))
    assert np.array_equal(picture.rgb, photograph)
    assert picture.rgb.dtype == np.uint8
    assert picture.format == format_
    assert picture.size == (512, 512)
    assert (picture.alpha, picture.rgb16, picture.notes) == (None, None, ())


@pytest.mark.parametrize("format_", LOSSY)
def test_a_lossy_file_comes_close(as_file, format_):
    shown = gradient(60, 90)
    picture = decode(as_file(shown, format_, **LOSSY[format_]))
    assert largest_difference(picture.rgb, shown) <= 6
    assert picture.format == format_


def test_a_gif_gives_its_palette_colors(as_file):
    shown = np.zeros((10, 20, 3), np.uint8)
    shown[:, 10:] = (200, 30, 90)
    assert np.array_equal(decode(as_file(shown, "GIF")).rgb, shown)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("format_", [*LOSSLESS, *LOSSY, "GIF"])
def test_the_smallest_pictures(as_file, shape, format_):
    picture = decode(as_file(np.full((*shape, 3), 128, np.uint8), format_))
    assert picture.rgb.shape == (*shape, 3)
    assert np.abs(picture.rgb.astype(int) - 128).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "BMP", "GIF"])
def test_every_mode_becomes_rgb(as_file, mode, format_):
    shown = np.zeros((8, 8, 3), np.uint8)
    shown[2:6, 2:6] = 255
    picture = decode(as_file(Image.fromarray(shown).convert(mode), format_))
    assert np.array_equal(picture.rgb, shown)


# How the stored array was made from the upright one, per EXIF orientation: undoing it must give it back.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("longest", [None, 30])
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", STORED)
def test_the_orientation_is_undone(as_file, orientation, format_, longest):
    upright = gradient(40, 60)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {**LOSSLESS, **LOSSY}[format_]
    stored = np.ascontiguousarray(STORED[orientation](upright))
    picture = decode(as_file(stored, format_, exif=exif, **options), longest=longest)
    assert picture.size == (60, 40)
    expected = upright if longest is None else gradient(20, 30)
    assert largest_difference(picture.rgb, expected) <= (6 if longest is None else 14)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(as_file, value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert decode(as_file(gradient(4, 6), "PNG", exif=exif)).size == (6, 4)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_hide_the_picture(as_file):
    broken = b"Exif\0\0II*\0\xff\xff\xff\xff"
    assert np.array_equal(decode(as_file(gradient(4, 6), "PNG", exif=broken)).rgb, gradient(4, 6))


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_kept_apart(as_file, format_):
    alpha = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1))
    rgba = np.dstack([gradient(40, 60), alpha])
    options = {"lossless": True, "exact": True} if format_ == "WEBP" else {}
    picture = decode(as_file(rgba, format_, **options))
    assert np.array_equal(picture.rgb, gradient(40, 60)), "colours under clear pixels are the file's"
    assert picture.alpha.dtype == np.float32
    assert np.array_equal(np.rint(picture.alpha * 255), alpha)


def test_an_alpha_that_is_solid_everywhere_is_none(as_file):
    rgba = np.dstack([gradient(4, 6), np.full((4, 6), 255, np.uint8)])
    assert decode(as_file(rgba, "PNG")).alpha is None


def test_grey_with_alpha(as_file):
    picture = decode(as_file(Image.fromarray(np.full((2, 2, 2), (90, 51), np.uint8), "LA"), "PNG"))
    assert np.all(picture.rgb == 90)
    assert np.allclose(picture.alpha, 0.2)


@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_a_transparent_palette_entry(as_file, format_):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([250, 0, 0, 0, 0, 250])
    picture = decode(as_file(image, format_, transparency=1))
    assert np.array_equal(picture.alpha, [[1, 0], [0, 1]])
    assert tuple(picture.rgb[0, 0]) == (250, 0, 0)


def test_a_palette_with_an_alpha_for_each_entry(as_file):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture = decode(as_file(image, "PNG", transparency=bytes([0, 51, 255])))
    assert np.allclose(picture.alpha, [[0, 0.2, 1]])


@pytest.mark.parametrize(("mode", "shown", "key"), [("L", [[7, 8]], 7), ("RGB", [[[1, 2, 3], [1, 2, 4]]], (1, 2, 3))])
def test_a_color_key_is_transparent(as_file, mode, shown, key):
    image = Image.fromarray(np.array(shown, np.uint8), mode)
    assert np.array_equal(decode(as_file(image, "PNG", transparency=key)).alpha, [[0, 1]])


def sixteen_bits(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 65536, (height, width, channels), dtype=np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_all_sixteen_bits_are_kept(suffix, channels):
    stored = sixteen_bits(30, 40, channels)
    picture = decode(cv2.imencode(suffix, stored)[1].tobytes())
    assert np.array_equal(picture.rgb16, stored[..., 2::-1])
    assert np.array_equal(picture.rgb, np.rint(stored[..., 2::-1] / 257))
    assert picture.notes == ("16 bits a channel",)
    if channels == 4:
        assert np.allclose(picture.alpha, stored[..., 3] / 65535, atol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_grey(suffix):
    stored = sixteen_bits(30, 40, 1)[..., 0]
    picture = decode(cv2.imencode(suffix, stored)[1].tobytes())
    assert np.array_equal(picture.rgb16, np.repeat(stored[..., None], 3, axis=-1))
    assert np.array_equal(picture.rgb[..., 0], np.rint(stored / 257))


def test_sixteen_bits_turned_by_exif(as_file):
    stored = sixteen_bits(5, 7, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = as_file(np.zeros((5, 7, 3), np.uint8), "PNG", exif=exif)
    exif_chunk = plain[plain.index(b"eXIf") - 4 : plain.index(b"IDAT") - 4]
    data = cv2.imencode(".png", stored)[1].tobytes()
    picture = decode(data[:33] + exif_chunk + data[33:])
    assert np.array_equal(picture.rgb16, np.rot90(stored[..., ::-1], -1))


def test_sixteen_bits_are_not_carried_into_a_reduced_picture():
    data = cv2.imencode(".png", sixteen_bits(64, 64, 3))[1].tobytes()
    picture = decode(data, longest=32)
    assert picture.rgb16 is None
    assert picture.rgb.shape == (32, 32, 3)


@pytest.mark.parametrize(("mode", "what"), [("F", r"floating-point numbers \(32 bits\)"), ("I", "32-bit numbers")])
def test_samples_without_a_white_are_refused(as_file, mode, what):
    with pytest.raises(UnreadablePicture, match=what + ".* save it as RGB or grey with 8 or 16 bits"):
        decode(as_file(Image.new(mode, (4, 4)), "TIFF"))


def profile_with(primaries: dict[str, tuple[float, float]], name: str) -> bytes:
    """A matrix profile with other primaries than sRGB's: sRGB's own with its three colorants replaced.

    The colorants are XYZ under D50, solved from the primaries' chromaticities (ICC.1:2010, annex F).
    """
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries.values()]).T
    white = np.array([0.9505, 1, 1.0891])
    to_d50 = np.array([[1.0479, 0.0229, -0.0502], [0.0296, 0.9904, -0.0171], [-0.0092, 0.0151, 0.7519]])
    colorants = to_d50 @ (xyz * np.linalg.solve(xyz, white))
    profile = bytearray(srgb_profile())
    count = int.from_bytes(profile[128:132], "big")
    for entry in range(count):
        signature, offset = (profile[132 + 12 * entry + 4 * i :][:4] for i in range(2))
        offset = int.from_bytes(offset, "big")
        if bytes(signature) in (b"rXYZ", b"gXYZ", b"bXYZ"):
            column = colorants[:, "rgb".index(chr(signature[0]))]
            profile[offset + 8 : offset + 20] = np.rint(column * 65536).astype(">i4").tobytes()
        if bytes(signature) == b"desc":
            text = name.ljust(4)[:4].encode("utf-16-be")
            profile[offset + 28 : offset + 28 + len(text)] = text
    return bytes(profile)


P3 = profile_with({"r": (0.680, 0.320), "g": (0.265, 0.690), "b": (0.150, 0.060)}, "P3  ")


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_display_p3_is_converted(as_file, format_):
    shown = np.array([[[128, 128, 128], [204, 128, 77], [60, 90, 200], [0, 255, 0]]], np.uint8)
    picture = decode(as_file(shown, format_, icc_profile=P3, **LOSSLESS[format_]))
    # Linear Display P3 to linear sRGB as CSS Color 4, section 10.8, gives it; what lies outside is clipped.
    matrix = np.array([[1.22494, -0.22494, 0], [-0.04206, 1.04206, 0], [-0.01964, -0.07864, 1.09827]])
    encoded = shown / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4) @ matrix.T
    linear = linear.clip(0, 1)
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert largest_difference(picture.rgb, np.rint(expected)) <= 1
    assert picture.notes[0] == "colours converted from P3   built-in to sRGB"


@pytest.mark.parametrize("profile", [b"not a profile", srgb_profile()[:200], b"\0" * 128])
def test_a_broken_profile_is_noted_not_fatal(as_file, profile):
    picture = decode(as_file(gradient(4, 6), "PNG", icc_profile=profile))
    assert np.array_equal(picture.rgb, gradient(4, 6))
    assert picture.notes[0].startswith("colour profile ignored")


def test_a_grey_picture_with_an_rgb_profile(as_file):
    shown = np.array([[0, 60, 255]], np.uint8)
    assert np.array_equal(decode(as_file(shown, "PNG", icc_profile=P3)).rgb[..., 1], shown)


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(as_file, format_):
    # Red is magenta and yellow ink, no cyan, no black. Adobe's JPEGs store ink inverted, as Pillow does.
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    picture = decode(as_file(cmyk, format_, **({"quality": 100} if format_ == "JPEG" else {})))
    assert largest_difference(picture.rgb, np.broadcast_to(np.uint8([255, 0, 0]), (16, 16, 3))) <= 2
    assert picture.notes == ("CMYK without a profile converted to RGB",)


def press_profile() -> bytes:
    """A press that prints grey only: L* = 100 · (1 − K) · (1 − (C + M + Y) / 3); ICC.1:2010, 8.6 and 10.10 (lut8)."""

    def tag(signature: bytes, body: bytes) -> bytes:
        return signature + b"\0\0\0\0" + body

    inks = np.indices((2, 2, 2, 2)).reshape(4, 16)
    lightness = np.rint(255 * (1 - inks[3]) * (1 - inks[:3].mean(axis=0)))
    nodes = np.stack([lightness, np.full(16, 128), np.full(16, 128)], axis=-1).astype(np.uint8).tobytes()
    identity = np.rint(np.eye(3) * 65536).astype(">i4").tobytes()
    ramp = bytes(range(256))
    tags = {
        b"desc": tag(b"desc", struct.pack(">I", 6) + b"Press\0" + bytes(79)),
        b"wtpt": tag(b"XYZ ", np.rint(np.array([0.9642, 1, 0.8249]) * 65536).astype(">i4").tobytes()),
        b"cprt": tag(b"text", b"none\0"),
        b"A2B0": tag(b"mft1", bytes([4, 3, 2, 0]) + identity + ramp * 4 + nodes + ramp * 3),
    }
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = bytearray(128)
    header[8:24] = b"\x02\x10\0\0prtrCMYKLab "
    header[36:40] = b"acsp"
    header[68:80] = np.rint(np.array([0.9642, 1, 0.8249]) * 65536).astype(">i4").tobytes()
    whole = bytes(header) + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
def test_cmyk_follows_its_profile(as_file, format_):
    # Without the profile this is red; L* = 33.3 is the sRGB grey 79.
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    options = {"quality": 100} if format_ == "JPEG" else {}
    picture = decode(as_file(cmyk, format_, icc_profile=press_profile(), **options))
    assert largest_difference(picture.rgb, np.full((16, 16, 3), 79)) <= 2
    assert picture.notes == ("colours converted from Press to sRGB",)


def test_lab_becomes_rgb(as_file):
    lab = ImageCms.createProfile("LAB")
    shown = gradient(6, 9) // 2 + 64
    opencv_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    picture = decode(as_file(ImageCms.applyTransform(Image.fromarray(shown), opencv_lab), "TIFF"))
    assert largest_difference(picture.rgb, shown) <= 10, "8-bit Lab is coarse"
    assert picture.notes == ("colours converted from CIE Lab to sRGB",)


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_several_frames_the_first_is_taken(as_file, format_):
    frames = [Image.new("RGB", (16, 16), color) for color in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    picture = decode(as_file(frames[0], format_, save_all=True, append_images=frames[1:]))
    assert picture.notes == ("first of 3 frames",)
    assert largest_difference(picture.rgb, np.broadcast_to(np.uint8([250, 0, 0]), (16, 16, 3))) <= 6


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF"])
def test_reduced_while_decoding(as_file, photograph, format_):
    large = np.kron(photograph, np.ones((4, 4, 1), np.uint8))
    picture = decode(as_file(large, format_, **{**LOSSLESS, **LOSSY}[format_]), longest=512)
    assert picture.rgb.shape == (512, 512, 3)
    assert picture.size == (2048, 2048)
    error = picture.rgb.astype(float) - photograph
    assert np.sqrt((error**2).mean()) < 5, "each block of 16 equal pixels is one pixel again"


def test_nothing_is_enlarged(as_file):
    assert decode(as_file(gradient(30, 40), "JPEG"), longest=1024).rgb.shape == (30, 40, 3)


def test_hidden_colors_do_not_bleed_into_a_reduced_edge(as_file):
    # Grey subject, half clear; what hides under the clear half is white.
    rgba = np.full((64, 64, 4), (100, 100, 100, 255), np.uint8)
    rgba[:, 33:] = (255, 255, 255, 0)
    picture = decode(as_file(rgba, "PNG"), longest=16)
    edge = (picture.alpha > 0.02) & (picture.alpha < 0.98)
    assert edge.any()
    assert largest_difference(picture.rgb[edge], np.full((edge.sum(), 3), 100)) <= 1
    assert picture.alpha.min() >= 0
    assert picture.alpha.max() <= 1


@pytest.mark.parametrize("orientation", STORED)
def test_arrays_are_contiguous_and_writable(as_file, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(as_file(np.dstack([gradient(4, 6)] * 2)[..., :4], "PNG", exif=exif))
    for plane in (picture.rgb, picture.alpha):
        assert plane.flags.c_contiguous
        assert plane.flags.writeable
