"""The shadow that a subject casts on a plain background, taken off the photograph as a layer of its own.

Outside the subject S = I / plate is the share of light that the subject leaves: contact shadow, cast shadow, a soft
reflection. The layer is free of the capture's noise, goes on smoothly beneath the subject's soft edge, may be tinted,
and is 1 where nothing is.
"""

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numba
import numpy as np

from vivid_assets.imaging.blend.contact_shadow import contact_shadow
from vivid_assets.imaging.core.areas import grown
from vivid_assets.imaging.core.arrays import RGB, RGB8, LinearRGB, Matte, Plane, Planes
from vivid_assets.imaging.core.color import (
    encode_deep,
    encode_one,
    encoding_tables,
    light_of_codes,
    linear_to_srgb,
    to_uint8,
)
from vivid_assets.imaging.core.interpolate import cells_about
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.resize import shrink

MOST = 1.12
"""The largest share: a soft reflection on a glossy floor."""
SOFT_AT = 512
"""Longer side of a soft shadow that is drawn."""
_TELLING = 0.2
"""Share of the plate's strongest channel from which another has its half say in a shadow's tint."""
_SEEN = 0.012
"""Of light, that a shadow must take away or add for it to be one."""
_LEAST_AREA = 4e-4
"""Share of the picture under which a patch is dirt, or grain."""


Choice = Literal["auto", "keep", "soft", "none"]
Kind = Literal["kept", "soft", "none"]

_MOST_AREA, _MOST_FRAME = 0.7, 0.5
"""Shares of the picture and of its frame in shadow up to which it is believed."""
_STEEP, _MOST_STEEP, _BESIDE = 0.1, 0.01, 0.02
"""Change of the logarithm of light from pixel to pixel that is an edge; the share of the picture that may have such;
and that of its longer side about the subject in which they do not count."""
_CUT = 0.25
"""Share of a subject's width at the frame's lower edge from which that cuts it."""
_FEET = 0.12
"""Share of a subject's width that touches the floor, from which it stands."""


@dataclass(frozen=True)
class Shadow:
    """The shadow that is laid over a new background."""

    kind: Kind
    """Kept from the photograph, drawn softly at the subject's foot, or none."""
    layer: LinearRGB | None
    """float32 h×w×3, 0..1.12: the share of light that is left; small, since it is smooth. None where there is none."""
    note: str = ""
    """Why it is not the one that could be expected; empty where it is."""

    @property
    def area(self) -> float:
        """Share of the picture that is darkened by more than 2 per cent."""
        return 0.0 if self.layer is None else float((self.layer.mean(axis=2) < 0.98).mean())

    @property
    def depth(self) -> float:
        """The share of light that its darkest hundredth takes: 1 is black."""
        dark = np.empty(0) if self.layer is None else 1 - self.layer.mean(axis=2)
        dark = dark[dark > 0.02]
        return float(np.percentile(dark, 99)) if dark.size else 0.0


def multiply_layer(layer: LinearRGB) -> RGB8:
    """Encode a shadow as a picture (uint8 h×w×3 sRGB) for a layer that an image editor multiplies; white is none."""
    return to_uint8(linear_to_srgb(layer))


def choose_shadow(
    requested: Choice,
    measured: LinearRGB | None,
    alpha: Matte,
    *,
    drawing: bool = False,
    floor: KeyLight | None = None,
) -> Shadow:
    """Choose the shadow for a subject before its new background.

    ``auto`` keeps a measured one that is believable, draws a soft one where a subject that stands gets a new scene
    without one to keep, and none for flat art and for a subject that the frame cuts at the bottom.

    Args:
        requested: which.
        measured: the photograph's own layer (float32 h×w×3); None where its background is busy.
        alpha: float32 H×W, 0..1, of any size.
        drawing: whether the subject is a drawing.
        floor: where the key light stands of a new background that has a floor to stand on; None where it has none.

    """
    if requested == "none":
        return Shadow("none", None)
    small = shrink(np.ascontiguousarray(alpha, np.float32), SOFT_AT)
    if requested == "soft":
        return _soft(small, floor or "above")
    doubt = "" if measured is None else _doubt(measured, small)
    if requested == "keep":
        if measured is None:
            return Shadow("none", None, "the original background is not plain: its shadow cannot be measured")
        return _kept(measured, doubt)
    if drawing or _is_cut(small):
        return Shadow("none", None)
    if measured is not None and not doubt:
        return _kept(measured, "")
    if floor is not None and _stands(small):
        return replace(_soft(small, floor), note=doubt)
    return Shadow("none", None, doubt)


def _kept(layer: LinearRGB, note: str) -> Shadow:
    return Shadow("none", None, note) if (layer == 1).all() else Shadow("kept", layer, note)


def _soft(alpha: Matte, key_light: KeyLight) -> Shadow:
    layer = contact_shadow(to_uint8(alpha), key_light=key_light)
    if (layer > 0.98).all():
        return Shadow("none", None, "the frame cuts the subject at the bottom: no floor to lay a shadow on")
    return Shadow("soft", np.repeat(layer[..., None], 3, axis=2))


def _doubt(layer: LinearRGB, alpha: Matte) -> str:
    """Why a measured shadow is not believed; empty where it is.

    Away from its subject a shadow fades: what has sharp edges there is a scene. Of the photographs that this was chosen
    by scenes had such edges on 1.6 to 5 per cent of their pixels, shadows and reflections on at most 0.4.
    """
    light = layer.mean(axis=2)
    dark = light < 0.9
    frame = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
    if dark.mean() > _MOST_AREA or frame.mean() > _MOST_FRAME:
        return "what darkens the original background lies over most of it: no shadow of the subject"
    subject = cv2.resize(alpha, dark.shape[::-1], interpolation=cv2.INTER_AREA) > 0.05
    steep = slope_of(np.log(np.maximum(light, 0.02))) > _STEEP
    if (steep & ~grown(subject, _BESIDE * max(dark.shape))).mean() > _MOST_STEEP:
        return "what darkens the original background has sharp edges: no shadow of the subject"
    return ""


def slope_of(plane: Plane) -> Plane:
    """How much a plane (float32 h×w) changes from pixel to pixel, in whatever direction it changes most."""
    return np.asarray(np.hypot(cv2.Scharr(plane, cv2.CV_32F, 1, 0), cv2.Scharr(plane, cv2.CV_32F, 0, 1)) / 32)


def _is_cut(alpha: Matte) -> bool:
    """Whether the frame's lower edge cuts the subject, and not a cord or a strap of it alone."""
    solid = alpha > 0.5
    last = solid[-max(1, len(alpha) // 100) :].any(axis=0)
    return bool(last.sum() > _CUT * max(solid.any(axis=0).sum(), 1))


def _stands(alpha: Matte) -> bool:
    """Whether enough of the subject is at its lowest to stand on."""
    solid = alpha > 0.5
    rows = np.flatnonzero(solid.any(axis=1))
    if not rows.size:
        return False
    foot = max(1, round(0.03 * (rows[-1] - rows[0] + 1)))
    touching = solid[rows[-1] - foot + 1 : rows[-1] + 1].any(axis=0).sum()
    return bool(touching >= _FEET * solid.any(axis=0).sum())


def measure_shadow(share: Plane, light: LinearRGB, plate: LinearRGB, seen: Plane, noise: Plane) -> LinearRGB:
    """Measure the shares of light (float32 h×w×3, 1 where nothing is) of a picture's background.

    Args:
        share: float32 h×w, how much of the plate's light each pixel has.
        light: float32 h×w×3, the picture in linear light.
        plate: float32 h×w×3, linear light.
        seen: float32 h×w, 0..1: how surely it is background; what is less than half sure has no say in the tint.
        noise: float32 h×w, standard deviation of ``share`` by the capture's noise.

    """
    share = np.clip(share, 0, 1.3)
    # As fine as the noise allows: the finest of three widths that differs from the next by more than noise.
    fine, weight = _blurred(share, seen, 1.0)
    middle, _ = _blurred(share, seen, 2.5)
    wide = blur_widely(share, seen)
    grain = np.maximum(noise, 0.002)
    value = np.where(weight > 0.05, fine, middle)
    for coarser, left in ((middle, 0.3), (wide, 0.12)):
        apart = np.clip(np.abs(value - coarser) / (left * grain + 0.0015) - 1.5, 0, 1)
        value = coarser + (value - coarser) * cv2.blur(apart, (3, 3))
    there = (weight > 0.02).astype(np.float32)
    value = np.where(there > 0, value, wide)
    # The tint says less where little light is left, and is smoother than the shadow.
    trust = np.where(seen > 0.5, np.clip(share, 0.03, 1), 0).astype(np.float32)
    ratio = light / np.maximum(plate * np.maximum(share, 0.03)[..., None], 1e-4)
    tint = np.clip(blur_widely(np.clip(ratio, 0.6, 1.5), trust), 0.75, 1.25)
    # A channel that a colourful plate hardly has was cut off by the camera's colours: it says nothing of the light.
    tint = 1 + (tint - 1) * np.clip(plate / np.maximum(plate.max(axis=2, keepdims=True), 1e-4) / _TELLING - 0.5, 0, 1)
    there = np.abs(value - 1) > _SEEN
    _, labels, stats, _ = cv2.connectedComponentsWithStats(there.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > _LEAST_AREA * there.size
    large[0] = False
    there = large[labels]
    fade = cv2.GaussianBlur(cv2.dilate(there.astype(np.float32), np.ones((5, 5), np.uint8)), (0, 0), 2.0)
    value = 1 + (value - 1) * fade
    colored = np.clip((np.abs(value - 1) - 0.02) / 0.1, 0, 1)[..., None]
    layer = value[..., None] * (1 + (tint - 1) * colored)
    layer[np.abs(value - 1) < 0.002] = 1
    return np.asarray(np.clip(layer, 0, MOST), np.float32)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _shade(layer, ends, codes, out, first, end):  # type: ignore[no-untyped-def]
    """Multiply the light of ``out`` by the layer, between the columns of each of the layer's rows that are not 1."""
    light, guess, thresholds = codes
    starts, stops = ends
    height, width = out.shape[0], out.shape[1]
    rows, columns = layer.shape[0], layer.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    line = np.empty((columns, 3), np.float32)
    one = np.float32(1.0)
    for y in range(first, end):
        y1, y2, ty = cells_about(y, sy, rows)
        start, stop = min(starts[y1], starts[y2]), max(stops[y1], stops[y2])
        if start >= stop:
            continue
        for x in range(columns):
            for c in range(3):
                line[x, c] = layer[y1, x, c] + (layer[y2, x, c] - layer[y1, x, c]) * ty
        # A cell has its say in the pixels up to the centres of those beside it.
        for x in range(max(int((start - 0.5) / sx) - 1, 0), min(int((stop + 0.5) / sx) + 2, width)):
            x1, x2, tx = cells_about(x, sx, columns)
            for c in range(3):
                share = line[x1, c] + (line[x2, c] - line[x1, c]) * tx
                if share != one:
                    left = light[out[y, x, c]] * share
                    out[y, x, c] = (
                        encode_one(left, guess, thresholds)
                        if len(light) == 256
                        else encode_deep(left, guess, thresholds)
                    )


def shaded(background: RGB, layer: LinearRGB, threads: int | None = None) -> RGB:
    """Lay a shadow over a background (H×W×3 sRGB, uint8 or uint16), which is copied; pixels without shadow stay."""
    out = background.copy()
    there = (layer != 1).any(axis=2)
    if not there.any():
        return out
    empty = ~there.any(axis=1)
    starts = np.where(empty, there.shape[1], there.argmax(axis=1))
    stops = np.where(empty, 0, there.shape[1] - there[:, ::-1].argmax(axis=1))
    deep = out.dtype == np.uint16
    codes = (light_of_codes(deep), *encoding_tables(deep))
    parallel_rows(_shade, len(out), np.ascontiguousarray(layer), (starts, stops), codes, out, threads=threads)
    return out


def spread(values: Planes, weight: Plane) -> Planes:
    """Fill what is not known (``weight`` 0) of ``values`` (float32 h×w or h×w×c) from what is, the near before the far.

    Pull and push (Gortler et al. 1996, "The lumigraph", section 3.4).
    """
    planes = values[..., None] if values.ndim == 2 else values
    levels: list[tuple[Planes, Plane]] = [(planes * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 2:
        sums, known = levels[-1]
        size = (-(-known.shape[1] // 2), -(-known.shape[0] // 2))
        smaller = _resized(np.dstack([sums, known]), size, cv2.INTER_AREA)
        levels.append((smaller[..., :-1], smaller[..., -1]))
    sums, known = levels[-1]
    total = max(float(known.sum()), 1e-6)
    out = np.broadcast_to(sums.sum(axis=(0, 1)) / total, sums.shape).astype(np.float32)
    for turn, (sums, known) in enumerate(reversed(levels)):
        last = turn == len(levels) - 1
        out = _resized(out, known.shape[::-1], cv2.INTER_LINEAR)
        trust = 1.0 if last else 4.0
        rest = np.maximum(1 - trust * known, 0.0 if last else 0.02)
        out = (trust * sums + rest[..., None] * out) / np.maximum(trust * known + rest, 1e-6)[..., None]
    return np.asarray(out.reshape(values.shape), np.float32)


def blur_widely(values: Planes, weight: Plane) -> Planes:
    """Blur ``values`` widely by their weight and fill what is not known, at a third of the size."""
    height, width = weight.shape
    size = (-(-width // 3), -(-height // 3))
    planes = values[..., None] if values.ndim == 2 else values
    small = _resized(np.dstack([planes * weight[..., None], weight]), size, cv2.INTER_AREA)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), 1.7, borderType=cv2.BORDER_REFLECT), np.float32)
    known = small[..., -1]
    mean = small[..., :-1] / np.maximum(known, 1e-4)[..., None]
    out = _resized(spread(mean, (known > 0.01).astype(np.float32)), (width, height), cv2.INTER_LINEAR)
    return np.asarray(out.reshape(values.shape), np.float32)


def _resized(planes: Planes, size: tuple[int, ...], method: int) -> Planes:
    """Resize h×w×c planes; OpenCV takes four at a time."""
    if planes.shape[2] <= 4:
        resized = np.asarray(cv2.resize(planes, size, interpolation=method), planes.dtype)
        return resized.reshape(size[1], size[0], planes.shape[2])
    parts = [planes[..., i : i + 4] for i in range(0, planes.shape[2], 4)]
    return np.dstack([cv2.resize(np.ascontiguousarray(part), size, interpolation=method) for part in parts])


def _blurred(values: Planes, weight: Plane, sigma: float) -> tuple[Planes, Plane]:
    """Blur ``values`` by their weight; with the blurred weight."""
    planes = np.dstack([values * (weight if values.ndim == 2 else weight[..., None]), weight]).astype(np.float32)
    sums = np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)
    mean = sums[..., :-1] / np.maximum(sums[..., -1:], 1e-4)
    return mean.reshape(values.shape), sums[..., -1]
