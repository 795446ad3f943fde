"""Matrix profiles: 16 bits stay 16, against closed forms; and at 8 bits what LittleCMS makes of them."""

import struct
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.color.icc import srgb_profile
from vivid_assets.imaging.io.color.matrix_profiles import matrix_colors

D50, D65 = (0.3457, 0.3585), (0.3127, 0.3290)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
PRIMARIES = {
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65),
    "ProPhoto": ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105), D50),
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65),
}
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def xyz(xy: tuple[float, float]) -> np.ndarray:
    return np.array([xy[0] / xy[1], 1, (1 - sum(xy)) / xy[1]])


def colorants(name: str) -> np.ndarray:
    """Columns of XYZ under D50, by Bradford."""
    *corners, white = PRIMARIES[name]
    columns = np.stack([xyz(corner) for corner in corners], axis=1)
    columns = columns * np.linalg.solve(columns, xyz(white))
    scale = (BRADFORD @ xyz(D50)) / (BRADFORD @ xyz(white))
    return np.linalg.inv(BRADFORD) @ np.diag(scale) @ BRADFORD @ columns


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65_536) for value in values))


def parametric(kind: int, *values: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + fixed(*values)


def sampled(*values: int) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *values)


def profile_of(tags: dict[bytes, bytes], space: bytes = b"RGB ") -> bytes:
    """An ICC profile of version 4 (ICC.1:2022, 7.2)."""
    header = bytearray(128)
    header[8:12] = b"\x04\x30\0\0"
    header[12:24] = b"mntr" + space + b"XYZ "
    header[36:40] = b"acsp"
    header[68:80] = fixed(0.9642, 1, 0.8249)
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249), **tags}
    place, table, body = 132 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        padded = tag + bytes(-len(tag) % 4)
        table += struct.pack(">4sII", name, place + len(body), len(tag))
        body += padded
    data = bytes(header) + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(data)) + data[4:]


def matrix_profile(primaries: str, *curves: bytes) -> bytes:
    """One curve for all channels, or three."""
    columns = colorants(primaries).T
    each = curves if len(curves) == 3 else curves * 3
    tags = {bytes([c]) + b"XYZ": b"XYZ \0\0\0\0" + fixed(*xyz_) for c, xyz_ in zip(b"rgb", columns, strict=True)}
    return profile_of({**tags, **{bytes([c]) + b"TRC": curve for c, curve in zip(b"rgb", each, strict=True)}})


def srgb_light(value: np.ndarray) -> np.ndarray:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def expected(unit: np.ndarray, primaries: str, light_of) -> np.ndarray:
    """sRGB, 0–1."""
    light = (light_of(unit) @ (np.linalg.inv(colorants("sRGB")) @ colorants(primaries)).T).clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def png16(rgb: np.ndarray, profile: bytes) -> bytes:
    """A file of 16 bits a channel: OpenCV writes the pixels, the profile's chunk is put in."""
    import zlib

    body = b"iCCP" + b"p\0\0" + zlib.compress(profile)
    data = cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]) if rgb.ndim == 3 else rgb)[1].tobytes()
    return data[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + data[33:]


def ramps() -> np.ndarray:
    """Colours of 16 bits: a fine dark grey ramp, and three in which the channels differ."""
    ramp = np.linspace(0, 65_535, 4096).astype(np.uint16)
    fine = np.arange(4096, dtype=np.uint16)
    return np.stack(
        [
            np.stack([fine] * 3, axis=-1),
            np.stack([ramp] * 3, axis=-1),
            np.stack([ramp, ramp // 2 + 9000, 50_000 - ramp // 3], axis=-1),
            np.stack([30_000 - ramp // 5, ramp // 4 + 22_000, ramp // 5 + 20_000], axis=-1),
        ]
    )


CASES = {
    "Display P3": ("Display P3", parametric(3, *SRGB_CURVE), srgb_light),
    "Adobe RGB": ("Adobe RGB", sampled(563), lambda v: v ** (563 / 256)),
    "ProPhoto": ("ProPhoto", parametric(3, 1.8, 1, 0, 1 / 16, 1 / 32), lambda v: np.where(v < 1 / 32, v / 16, v**1.8)),
    "linear": ("sRGB", sampled(), lambda v: v),
    "table": ("Display P3", sampled(0, 3000, 65_535), lambda v: np.interp(v, [0, 0.5, 1], [0, 3000 / 65_535, 1])),
    "BT.709's curve": (
        "Adobe RGB",
        parametric(4, 1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081, 0, 0),
        lambda v: np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_sixteen_bits_are_kept_and_right(case):
    primaries, curve, light_of = CASES[case]
    picture = decode(png16(ramps(), matrix_profile(primaries, curve)))
    right = expected(ramps() / 65_535, primaries, light_of)
    # Numbers of a profile have 16 bits after the point; the steepest part of sRGB's curve multiplies them by 13.
    assert np.abs(picture.rgb16 / 65_535 - right).max() < 6e-4
    assert np.abs(picture.rgb / 255 - right).max() <= 0.51 / 255 + 6e-4
    assert "16 bits a channel" in picture.notes
    # All of the fine ramp's steps are there, where 8 bits have 16 of them.
    assert len(np.unique(picture.rgb16[0, :, 1])) > 800


@pytest.mark.parametrize("case", CASES)
def test_at_eight_bits_littlecms_says_the_same(case):
    primaries, curve, _ = CASES[case]
    profile = matrix_profile(primaries, curve)
    rgb = np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8)
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.ImageCmsProfile(BytesIO(srgb_profile())),
        "RGB",
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    theirs = np.asarray(ImageCms.applyTransform(Image.fromarray(rgb), transform)).astype(int)
    ours = decode(png16(rgb.astype(np.uint16) * 257, profile)).rgb16 / 257
    # LittleCMS counts in 14 bits of light there: near black that is half of one more step.
    assert np.abs(ours - theirs).max() <= 1.5
    assert (np.abs(np.rint(ours) - theirs) <= 1).all()


def test_each_channel_has_its_own_curve():
    profile = matrix_profile("sRGB", sampled(256), sampled(512), sampled(768))
    values = np.full((2, 2, 3), 32_768, np.uint16)
    found = decode(png16(values, profile)).rgb16[0, 0] / 65_535
    assert np.abs(srgb_light(found) - np.array([0.5, 0.25, 0.125])).max() < 1e-3


def test_a_grey_profile_keeps_sixteen_bits():
    profile = profile_of({b"kTRC": sampled(256)}, b"GRAY")
    grey = np.arange(0, 65_536, 16, dtype=np.uint16).reshape(64, 64)
    picture = decode(png16(grey, profile))
    assert np.abs(srgb_light(picture.rgb16 / 65_535) - grey[..., None] / 65_535).max() < 1e-3
    assert (picture.rgb16 == picture.rgb16[..., :1]).all()


def test_srgb_is_left_to_the_last_bit():
    picture = decode(png16(ramps(), srgb_profile()))
    assert np.array_equal(picture.rgb16, ramps())


def test_what_srgb_lacks_is_clipped_and_said():
    rgb = np.full((100, 100, 3), 30_000, np.uint16)
    rgb[:25] = (0, 65_535, 0)
    deep = decode(png16(rgb, matrix_profile("Display P3", parametric(3, *SRGB_CURVE))))
    shallow = decode(png16((rgb >> 8).astype(np.uint8), matrix_profile("Display P3", parametric(3, *SRGB_CURVE))))
    for picture in (deep, shallow):
        assert "25% of the pixels have colours that sRGB lacks, clipped to it" in picture.notes
        assert picture.rgb[0, 0, 1] == 255
    rgb[:25] = 20_000
    assert not any("lacks" in note for note in decode(png16(rgb, matrix_profile("Display P3", sampled(563)))).notes)


def test_tables_are_left_to_littlecms_at_eight_bits_and_said():
    # A profile from sRGB's numbers with a table to Lab (lut16Type) besides: 2 x 2 x 2 places, straight curves.
    corners = np.array([(r, g, b) for r in (0, 1) for g in (0, 1) for b in (0, 1)], float)
    cloud = np.zeros((8, 3))
    cloud[:, 0] = 65_280 * corners.mean(axis=1)
    cloud[:, 1:] = 32_768
    lut = b"mft2\0\0\0\0" + bytes([3, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + struct.pack(">HH", 2, 2)
    lut += (
        struct.pack(">6H", *(0, 65_535) * 3)
        + cloud.round().astype(">u2").tobytes()
        + struct.pack(">6H", *(0, 65_535) * 3)
    )
    profile = bytearray(profile_of({b"A2B0": lut}))
    profile[20:24] = b"Lab "
    picture = decode(png16(ramps(), bytes(profile)))
    assert picture.rgb16 is None
    assert "16 bits a channel taken as 8" in picture.notes
    assert (np.ptp(picture.rgb.astype(int), axis=-1) <= 2).all()


@pytest.mark.parametrize("length", range(0, 340, 7))
def test_damaged_profiles_are_none_and_break_nothing(length):
    whole = matrix_profile("Display P3", sampled(563))
    assert matrix_colors(whole[:length]) is None


def test_the_whole_way_has_sixteen_bits():
    rgb = ramps()[2:3].repeat(8, axis=0)
    picture = decode(png16(rgb, matrix_profile("Display P3", sampled(563))))
    assert np.array_equal(decode(encode(picture.rgb16)).rgb16, picture.rgb16)
