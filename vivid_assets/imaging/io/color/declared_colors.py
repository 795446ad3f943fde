"""Colours that a file declares other than by an ICC profile: by numbers, by a gamma, or by its EXIF block.

Standards: ITU-T H.273 (the numbers of cICP and nclx), PNG (third edition) 11.3.2, ISO 23008-12 and MIAF (nclx), DCF 2.0
(Adobe RGB by EXIF). The arithmetic is that of linear light: decode, change primaries, encode as sRGB.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags

from vivid_assets.imaging.io import png
from vivid_assets.imaging.io.color.linear_colors import LinearColors, srgb_to_light
from vivid_assets.imaging.io.isobmff import item_property
from vivid_assets.imaging.io.unreadable import UnreadablePicture

Chromaticities = tuple[float, ...]
"""x, y of red, green, blue and white."""

_D65 = (0.3127, 0.3290)
SRGB: Chromaticities = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65)
ADOBE_RGB: Chromaticities = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *_D65)
PRIMARIES: dict[int, tuple[str, Chromaticities]] = {
    1: ("BT.709", SRGB),
    5: ("BT.601", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65)),
    6: ("BT.601", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    7: ("SMPTE 240M", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    9: ("BT.2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)),
    11: ("DCI-P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    12: ("Display P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)),
}
TRANSFERS = {1: 0.0, 4: 2.2, 5: 2.8, 6: 0.0, 8: 1.0, 13: 0.0, 14: 0.0, 15: 0.0}
"""Exponents from sample to light. The curves of BT.709, 601 and 2020 describe cameras; displays, and all viewers, show
what carries them as sRGB (0 here stands for it)."""
HDR = {16: "PQ", 18: "HLG"}
_UNSPECIFIED = 2


@dataclass(frozen=True)
class DeclaredColors:
    """What samples mean, in numbers.

    Attributes:
        name: for the note.
        primaries: chromaticities of red, green, blue and white.
        exponent: from sample to linear light, or 0 for sRGB's curve.
    """

    name: str
    primaries: Chromaticities
    exponent: float

    @property
    def is_srgb(self) -> bool:
        same = np.allclose(self.primaries, SRGB, atol=0.002)
        return bool(same and (self.exponent == 0 or abs(self.exponent - 2.2) < 0.05))


def declared_colors(image: Any, data: bytes, kind: str, has_profile: bool) -> tuple[DeclaredColors | None, list[str]]:
    """Read which colours a file declares other than by an ICC profile.

    Args:
        image: the opened picture.
        data: its file.
        kind: its format.
        has_profile: whether it has an ICC profile, which goes before all but cICP.

    Returns:
        What it declares, or None if that is sRGB or nothing; and notes.

    Raises:
        UnreadablePicture: high dynamic range (PQ, HLG), which has no white that sRGB could show.
    """
    if kind == "PNG" and (numbers := png.body_of(data, b"cICP")) and len(numbers) == 4:
        primaries, transfer, _, full = numbers
        if not full:
            raise UnreadablePicture(
                "The PNG holds colours in video range (16–235), which is not read; export it in full range."
            )
        return _by_numbers(primaries, transfer, "cICP")
    if has_profile:
        return None, []
    if kind == "PNG":
        return (None, []) if png.body_of(data, b"sRGB") else _by_gamma(data)
    if kind in ("AVIF", "HEIF") and (box := item_property(data, b"colr", b"nclx")) and len(box) >= 11:
        primaries, transfer = struct.unpack_from(">HH", box, 4)
        return _by_numbers(primaries, transfer, "nclx")
    if kind in ("JPEG", "TIFF", "WEBP") and _says_adobe_rgb(image):
        return DeclaredColors("Adobe RGB (EXIF)", ADOBE_RGB, 563 / 256), []
    return None, []


def linear_colors(declared: DeclaredColors) -> LinearColors:
    """The same as a curve and a matrix."""
    steps = np.linspace(0, 1, 65_536)
    light = srgb_to_light(steps) if declared.exponent == 0 else steps**declared.exponent
    same = np.allclose(declared.primaries, SRGB, atol=0.002)
    matrix = np.eye(3) if same else np.linalg.inv(_to_xyz(SRGB)) @ _adapted(declared.primaries)
    return LinearColors(np.repeat(light[:, None], 3, axis=1), matrix)


def refuse_hdr(profile: bytes) -> None:
    """Raise for an ICC profile that says by its cicp tag (ICC.1:2022, 9.2.17) that the samples are PQ or HLG."""
    count = int.from_bytes(profile[128:132], "big")
    for entry in range(132, 132 + 12 * min(count, 200), 12):
        if profile[entry : entry + 4] == b"cicp":
            place = int.from_bytes(profile[entry + 4 : entry + 8], "big")
            if (transfer := profile[place + 9 : place + 10]) and transfer[0] in HDR:
                _refuse_hdr(transfer[0])


def _refuse_hdr(transfer: int) -> None:
    raise UnreadablePicture(
        f"The picture is in high dynamic range ({HDR[transfer]}), which has no white of its own; "
        "export it for screens (SDR), as sRGB."
    )


def _by_numbers(primaries: int, transfer: int, where: str) -> tuple[DeclaredColors | None, list[str]]:
    if transfer in HDR:
        _refuse_hdr(transfer)
    unknown = [
        f"{what} {number}"
        for what, number, known in (("primaries", primaries, PRIMARIES), ("transfer", transfer, TRANSFERS))
        if number not in known and number not in (0, _UNSPECIFIED)
    ]
    if unknown:
        return None, [f"declared colours ignored, they are not known ({where}: {', '.join(unknown)})"]
    name, chromaticities = PRIMARIES.get(primaries, PRIMARIES[1])
    exponent = TRANSFERS.get(transfer, 0.0)
    named = f"{name} ({where})" if exponent in (0, 2.2) else f"{name}, gamma {exponent:g} ({where})"
    declared = DeclaredColors(named, chromaticities, exponent)
    return (None if declared.is_srgb else declared), []


def _by_gamma(data: bytes) -> tuple[DeclaredColors | None, list[str]]:
    """PNG's gAMA and cHRM; without gAMA, cHRM alone is taken with sRGB's curve."""
    gamma, chromaticities = png.body_of(data, b"gAMA"), png.body_of(data, b"cHRM")
    exponent, primaries = 0.0, SRGB
    if gamma and len(gamma) == 4 and (number := int.from_bytes(gamma, "big")):
        exponent = 100_000 / number
        if not 0.2 <= exponent <= 5:
            return None, [f"declared gamma ignored, no display has it ({number / 100_000:g})"]
    if chromaticities and len(chromaticities) == 32:
        white_x, white_y, *colors = (value / 100_000 for value in struct.unpack(">8I", chromaticities))
        primaries = (*colors, white_x, white_y)
        if not _are_primaries(primaries):
            return None, ["declared primaries ignored, they are no colours"]
    declared = DeclaredColors(f"gamma {1 / exponent:.4g} (PNG)" if exponent else "PNG's primaries", primaries, exponent)
    return (None if declared.is_srgb else declared), []


def _are_primaries(primaries: Chromaticities) -> bool:
    xy = np.reshape(primaries, (4, 2))
    if (xy[:, 1] < 0.001).any() or (xy.sum(axis=1) > 1.2).any():
        return False
    (ax, ay), (bx, by) = xy[1] - xy[0], xy[2] - xy[0]
    return bool(abs(ax * by - ay * bx) > 0.01)


def _says_adobe_rgb(image: Any) -> bool:
    """Cameras mark it by an interoperability index R03 beside a colour space that is not sRGB."""
    try:
        exif = image.getexif()
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        index = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    except Exception:
        return False
    if isinstance(index, bytes):
        index = index.decode("ascii", "replace")
    return space == _UNSPECIFIED or (space == 0xFFFF and str(index or "").strip("\0 ") == "R03")


def _to_xyz(primaries: Chromaticities) -> NDArray[np.float64]:
    xy = np.reshape(primaries, (4, 2))
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]])
    return xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])


def _adapted(primaries: Chromaticities) -> NDArray[np.float64]:
    """To XYZ under D65, by the Bradford transform where the white is another."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    matrix, target = _to_xyz(primaries), _to_xyz(SRGB)
    cones = bradford @ target.sum(axis=1) / (bradford @ matrix.sum(axis=1))
    return np.asarray(np.linalg.inv(bradford) @ np.diag(cones) @ bradford @ matrix)
