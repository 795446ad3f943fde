"""Colour spaces: sRGB, linear light and CIE Lab, forward and back, and the CIEDE2000 difference.

Names: *sRGB* values are what files hold (gamma-coded, 0..255, 0..65535 or 0..1); *linear* values are
proportional to light, 0..1, and the only ones in which mixing of colours is a weighted sum. White is D65.
"""

from functools import cache

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.core.arrays import RGB, RGB8, Indices, Lab, Planes

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""IEC 61966-2-1 primaries; the white is the matrix's own row sums, so that greys are exactly neutral."""
_XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ)
_WHITE = RGB_TO_XYZ.sum(axis=1)
_EPSILON = 216 / 24389
"""CIE's exact rational constants, not their rounded decimals."""
_KAPPA = 24389 / 27
_GUESSES = 4096
_KNOTS = 4096
"""Steps of the root of light between which the curve of 16-bit codes is straight to a fiftieth of a code."""


def _decode(srgb: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def _encode(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


@cache
def _linear_of_code(levels: int) -> Floats:
    """Tabulate the linear value of each of ``levels`` sRGB codes."""
    return _decode(np.arange(levels) / (levels - 1)).astype(np.float32)


@cache
def _code_of_linear() -> tuple[Bytes, Floats]:
    """Tabulate a first guess of the 8-bit code per 1/4095 of light, and the thresholds that correct it."""
    thresholds = np.append(_decode((np.arange(255) + 0.5) / 255), 2.0)
    guess = np.searchsorted(thresholds, np.arange(_GUESSES) / (_GUESSES - 1), side="right")
    return guess.astype(np.uint8), thresholds.astype(np.float32)


@cache
def _deep_code_of_linear() -> tuple[Floats, Floats]:
    """Tabulate the 16-bit code by the root of light in ``_KNOTS`` steps, and the thresholds that correct it."""
    exact = np.append(_decode((np.arange(65535) + 0.5) / 65535), 2.0)
    thresholds = exact.astype(np.float32)
    # A float32 beside the exact threshold is on the side that it was.
    thresholds = np.where(thresholds < exact, np.nextafter(thresholds, np.float32(3)), thresholds)
    curve = _encode((np.arange(_KNOTS + 2) / _KNOTS) ** 2) * 65535
    return curve.astype(np.float32), thresholds.astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _look_up(codes, table, out):  # type: ignore[no-untyped-def]
    """Look each code up: an index array of NumPy's is first made one of eight bytes a value."""
    for y in range(codes.shape[0]):
        for x in range(codes.shape[1]):
            for c in range(codes.shape[2]):
                out[y, x, c] = table[codes[y, x, c]]


def srgb_to_linear(srgb: NDArray[np.generic]) -> Floats:
    """Convert sRGB of any shape to linear light (IEC 61966-2-1).

    Args:
        srgb: uint8, uint16 or float 0..1; floats outside are clipped.

    Returns:
        float32, 0..1.

    Raises:
        ValueError: another dtype.

    >>> srgb_to_linear(np.array([0, 188, 255], np.uint8)).astype(float).round(3).tolist()
    [0.0, 0.503, 1.0]
    """
    if srgb.dtype == np.uint8 and srgb.ndim in (2, 3) and srgb.size:
        looked_up = cv2.LUT(srgb.astype(np.uint8, copy=False), _linear_of_code(256))
        return np.asarray(looked_up.reshape(srgb.shape), np.float32)
    if srgb.dtype == np.uint16 and srgb.ndim == 3 and srgb.size:
        light = np.empty(srgb.shape, np.float32)
        _look_up(srgb, _linear_of_code(65536), light)
        return light
    if srgb.dtype == np.uint8 or srgb.dtype == np.uint16:
        return np.asarray(_linear_of_code(256 if srgb.dtype == np.uint8 else 65536)[srgb])
    if not np.issubdtype(srgb.dtype, np.floating):
        raise ValueError(f"sRGB values are uint8, uint16 or float 0..1, not {srgb.dtype}.")
    return np.asarray(_decode(np.clip(srgb, 0, 1)), np.float32)


def linear_to_srgb(linear: NDArray[np.floating]) -> Floats:
    """Convert linear light of any shape to sRGB (float32, 0..1); values outside 0..1 are clipped."""
    return np.asarray(_encode(np.clip(linear, 0, 1)), np.float32)


def to_uint8(unit: NDArray[np.floating]) -> Bytes:
    """Round 0..1 to the nearest of 0..255 (truncation would darken by half a level); clipped outside."""
    return np.asarray(np.clip(unit, 0, 1) * 255 + 0.5).astype(np.uint8)


def to_uint16(unit: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Round 0..1 to the nearest of 0..65535; clipped outside."""
    return (np.clip(np.asarray(unit, np.float64), 0, 1) * 65535 + 0.5).astype(np.uint16)


def coded_as(picture: RGB, light: NDArray[np.floating]) -> RGB:
    """Linear light as sRGB codes of a picture's type, uint8 or uint16."""
    srgb = linear_to_srgb(light)
    return to_uint8(srgb) if picture.dtype == np.uint8 else to_uint16(srgb)


def as_deep_as(picture: RGB, other: RGB) -> RGB:
    """``other`` (uint8 or uint16 sRGB) with 16 bits where the picture has them; otherwise as it is."""
    return other.astype(np.uint16) * 257 if picture.dtype == np.uint16 and other.dtype == np.uint8 else other


@numba.njit(cache=True, nogil=True)
def encode_one(value, guess, thresholds):  # type: ignore[no-untyped-def]
    """Find the 8-bit sRGB code of one linear value: a guess by table, made exact by the thresholds."""
    light = min(value, np.float32(1.0)) if value > 0.0 else np.float32(0.0)  # 0 also for NaN
    # Unsigned, so that no index is looked at for its sign: a fifth of the time.
    code = np.uint32(guess[np.uint32(light * np.float32(_GUESSES - 1))])
    # A bin of the table is narrower than the narrowest code, so one threshold at most lies in it.
    return np.uint8(code + (light >= thresholds[code]))


@numba.njit(cache=True, nogil=True)
def encode_deep(value, curve, thresholds):  # type: ignore[no-untyped-def]
    """Find the 16-bit sRGB code of one linear value: nearly by table, made exact by the thresholds."""
    light = min(value, np.float32(1.0)) if value > 0.0 else np.float32(0.0)  # 0 also for NaN
    at = np.sqrt(light) * np.float32(_KNOTS)
    knot = np.uint32(at)
    code = np.int32(curve[knot] + (at - np.float32(knot)) * (curve[knot + 1] - curve[knot]) + np.float32(0.5))
    code = min(max(code, np.int32(1)), np.int32(65535)) - 1
    return np.uint16(code + (light >= thresholds[code]) + (light >= thresholds[code + 1]))


@cache
def light_of_codes(deep: bool = False) -> Floats:
    """Return the light of each of 256 sRGB codes, or for ``deep`` pictures of 65,536."""
    return srgb_to_linear(np.arange(65536, dtype=np.uint16) if deep else np.arange(256, dtype=np.uint8))


def encoding_tables(deep: bool = False) -> tuple[Bytes | Floats, Floats]:
    """Return the two tables that ``encode_one`` takes, or for ``deep`` pictures ``encode_deep``."""
    return _deep_code_of_linear() if deep else _code_of_linear()


def linear_to_lab(linear: NDArray[np.floating]) -> Floats:
    """Convert linear light ``(..., 3)`` to CIE Lab (float32: L 0..100, a and b about -110..110, centred)."""
    if linear.dtype != np.float32:
        linear = np.asarray(linear, np.float64)
    xyz = linear @ (RGB_TO_XYZ.T / _WHITE).astype(linear.dtype)
    f = np.where(xyz > _EPSILON, np.cbrt(np.maximum(xyz, _EPSILON)), (_KAPPA * xyz + 16) / 116)
    lab = [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])]
    return np.stack(lab, axis=-1).astype(np.float32)


def lab_to_linear(lab: NDArray[np.floating]) -> Floats:
    """Convert CIE Lab ``(..., 3)`` to linear light; a colour that sRGB lacks lies outside 0..1."""
    lab = np.asarray(lab, np.float64)
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f**3 > _EPSILON, f**3, (116 * f - 16) / _KAPPA) * _WHITE
    return np.asarray(xyz @ _XYZ_TO_RGB.T, np.float32)


def rgb_to_lab(srgb: NDArray[np.generic]) -> Floats:
    """Convert sRGB ``(..., 3)`` (uint8, uint16 or float 0..1) to CIE Lab (D65, float32).

    >>> rgb_to_lab(np.array([[255, 0, 0]], np.uint8)).astype(float).round(1).tolist()
    [[53.2, 80.1, 67.2]]
    """
    return linear_to_lab(srgb_to_linear(srgb))


def lab_to_rgb(lab: NDArray[np.floating]) -> Floats:
    """Convert CIE Lab (D65) ``(..., 3)`` to sRGB (float32, clipped to 0..1)."""
    return linear_to_srgb(lab_to_linear(lab))


def opencv_lab(image: RGB8) -> Lab:
    """Convert uint8 sRGB H×W×3 to CIE Lab (float32: L 0..100, a and b about -128..127) as OpenCV computes it.

    Several times as fast as ``rgb_to_lab``, from whose values these lie up to 0.45 ΔE apart (rounded matrices, a table
    for the cube root). The limits of ``matte`` were tuned on these.
    """
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB), np.float32)


def opencv_lab_to_rgb(lab: Lab) -> Planes:
    """Convert ``opencv_lab``'s values back to sRGB, float32 H×W×3, 0..255 and not rounded."""
    return np.asarray(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0.0, 1.0) * 255.0, np.float32)


def ciede2000(lab1: NDArray[np.floating], lab2: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure the CIEDE2000 difference of Lab colours ``(..., 3)``, with kL = kC = kH = 1; 1 is just seen.

    Sharma, Wu and Dalal 2005, "The CIEDE2000 color-difference formula: implementation notes,
    supplementary test data, and mathematical observations", equations 2 to 22.
    """
    l1, a1, b1 = np.moveaxis(np.asarray(lab1, np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(lab2, np.float64), -1, 0)
    chroma7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(chroma7 / (chroma7 + 25.0**7))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1 = np.degrees(np.arctan2(b1, stretch * a1)) % 360
    h2 = np.degrees(np.arctan2(b2, stretch * a2)) % 360

    grey = c1 * c2 == 0
    turn = h2 - h1
    turn = np.where(grey, 0.0, turn - 360 * (turn > 180) + 360 * (turn < -180))
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))

    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    wrapped = np.where(h1 + h2 < 360, 360.0, -360.0) * (np.abs(h1 - h2) > 180)
    hue = np.where(grey, h1 + h2, (h1 + h2 + wrapped) / 2)
    t = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    blue = np.sin(2 * np.radians(30 * np.exp(-(((hue - 275) / 25) ** 2))))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * blue
    return np.asarray(np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rotation * (dc / sc) * (dh / sh)))


def color_codes(image: RGB8) -> Indices:
    """One number for each colour of uint8 …×3 sRGB, its hexadecimal code; int32."""
    value = image.astype(np.int32)
    return np.asarray(value[..., 0] << 16 | value[..., 1] << 8 | value[..., 2])


def color_cells(codes: Indices) -> Indices:
    """Which cell of a 16×16×16 histogram each of ``color_codes`` falls into; int32, 0..4095, of the same shape."""
    return np.asarray(codes >> 12 & 0xF00 | codes >> 8 & 0xF0 | codes >> 4 & 0xF)
