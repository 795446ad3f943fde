"""Where a subject stands on its canvas: how large, how far from each side, and resampled so that no edge shows it.

A marketplace wants the product to fill a share of an exact canvas, a story wants it at the foot of a tall one. The
subject's box is measured on its alpha, the canvas less its padding is the area that the box is to fill, and a side at
which the photograph cuts the subject stays at the canvas's side, since there is nothing to show beyond it.
"""

from dataclasses import dataclass, replace
from math import inf
from typing import Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image

from vivid_assets.imaging.blend.options import Placement
from vivid_assets.imaging.core.alpha import NOTHING, fit_alpha
from vivid_assets.imaging.core.areas import box_of
from vivid_assets.imaging.core.arrays import RGB, LinearRGB, Matte, Plane
from vivid_assets.imaging.core.color import coded_as, srgb_to_linear
from vivid_assets.imaging.core.resize import fitted_size

Side = Literal["left", "top", "right", "bottom"]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""

SHADED = 0.98
"""Share of light below which a pixel belongs to the shadow's box."""
_CUT = 0.02
"""Share of the box's side that must be solid at the photograph's frame for the frame to cut the subject there."""
_FADE = 0.04
"""Share of the photograph's longer side over which a shadow ends at a frame that lies within the canvas."""
_CRISP = 0.05
"""How much of an alpha's second difference is taken off before it is enlarged to twice its size, which is the most:
what interpolation blurs of an edge. Tuned on six cut-outs at 1.3 and 2 times their size, where hairs of less than a
pixel want none, and the edge of a solid subject half as much again (``benchmarks/quality/placement.py``)."""
_FILTER = 3
"""Pixels on either side that the longest filter reads where nothing is made smaller."""
_STRIP = 256


@dataclass(frozen=True)
class Place:
    """Where a photograph lies on its canvas: canvas = scale × photograph + (left, top), in pixels."""

    width: int
    """Of the canvas."""
    height: int
    scale: float
    left: float
    top: float
    box: Box
    """The subject on the canvas: left, top, right, bottom."""
    cut: tuple[Side, ...] = ()
    """The sides at which the photograph cuts the subject."""
    note: str = ""
    """What was asked for and cannot be, in a phrase; empty where all is as asked."""

    @property
    def is_a_shift(self) -> bool:
        """Whether every pixel of the photograph is one of the canvas."""
        return self.scale == 1.0 and self.left.is_integer() and self.top.is_integer()


def find_place(alpha: Matte, wanted: Placement, *, shadow: LinearRGB | None = None) -> Place:
    """Find where a photograph lies on its canvas, which is smaller where the photograph would have to be enlarged.

    Args:
        alpha: float32 H×W, 0..1, of the photograph's size.
        wanted: the placement that is asked for.
        shadow: float32 h×w×3, the shadow's layer, for ``with_shadow``.

    Raises:
        ValueError: the padding leaves no room on the canvas; the message has the numbers.

    """
    box = subject_box(alpha)
    if wanted.canvas is not None and wanted.least_canvas is not None:
        free, smallest = replace(wanted, most_enlarged=inf), wanted.least_canvas
        # More than once, since a padding in pixels takes another share of a smaller canvas.
        for _ in range(3):
            scale = _on_canvas(alpha, box, free, shadow).scale
            free = replace(free, canvas=_smaller(free.canvas or smallest, smallest, 1 / scale))
        wanted = replace(wanted, canvas=free.canvas)
    return _on_canvas(alpha, box, wanted, shadow)


def _smaller(canvas: tuple[int, int], least: tuple[int, int], by: float) -> tuple[int, int]:
    """The canvas reduced by a factor, in its shape, and not below its least size."""
    factor = min(1.0, max(by, *(low / side for low, side in zip(least, canvas, strict=True))))
    return max(1, round(canvas[0] * factor)), max(1, round(canvas[1] * factor))


def _on_canvas(alpha: Matte, box: Box | None, wanted: Placement, shadow: LinearRGB | None) -> Place:
    """Where it lies on just the canvas that is wanted."""
    rows, columns = alpha.shape
    width, height = wanted.canvas or (columns, rows)
    if box is None or wanted.fit == "photograph":
        cut: tuple[Side, ...] = ()
        framed = (0.0, 0.0, float(columns), float(rows))
    else:
        cut = _cut_sides(alpha, box)
        framed = _with(box, shadow, alpha.shape) if wanted.with_shadow else box
    padding = replace(wanted.padding, **dict.fromkeys(cut, 0.0))
    left, top, _, _ = padding.pixels(width, height)
    across, down = padding.room(width, height)
    wide, tall = across / (framed[2] - framed[0]), down / (framed[3] - framed[1])
    scale, note = min(wide, tall), ""
    spans = [wide] if {"left", "right"} <= {*cut} else []
    spans += [tall] if {"top", "bottom"} <= {*cut} else []
    if spans:
        # What is cut on both sides must reach both, though something is lost in the other direction.
        scale = max(spans)
        if scale > min(wide, tall) + 1e-9:
            note = "the subject is cut at opposite sides of the photograph, and fills the canvas beyond its padding"
    if scale > wanted.most_enlarged:
        scale = wanted.most_enlarged
        note = (
            f"the photograph is enlarged {scale:g} times, the most that is allowed: the subject is smaller than asked"
        )
    if abs(scale - 1) < 0.5 / max(rows, columns):
        scale = 1.0
    # Asked only where whole pixels are shifted: it reads the whole alpha.
    moment = _middle_of_mass(alpha) if scale == 1.0 else (0.0, 0.0)
    sideways = _Span(framed[0], framed[2], moment[0], "left" in cut, "right" in cut)
    upright = _Span(framed[1], framed[3], moment[1], "top" in cut, "bottom" in cut)
    x = _offset(wanted.align[0], sideways, scale, left, across)
    y = _offset(wanted.align[1], upright, scale, top, down)
    held = framed if box is None else box
    there = (held[0] * scale + x, held[1] * scale + y, held[2] * scale + x, held[3] * scale + y)
    return Place(width, height, scale, x, y, there, cut, note)


def scene_size(placement: Placement, height: int, width: int) -> tuple[int, int]:
    """Height and width of a background: those of the photograph as models see it, or of the canvas's shape."""
    if placement.canvas is None:
        return height, width
    wide, high = fitted_size(*placement.canvas, max(height, width))
    return high, wide


def subject_on_scene(image: RGB, alpha: Matte, placement: Placement, source_width: int) -> tuple[RGB, Matte]:
    """Show a subject where it will stand, at the size of ``scene_size``, for what is painted around it.

    Args:
        image: uint8 H×W×3 sRGB, the photograph as models see it.
        alpha: float32 of the same aspect.
        placement: on the photograph's own canvas.
        source_width: of the photograph itself, in pixels.

    """
    rows, columns = image.shape[:2]
    alpha = fit_alpha(alpha, rows, columns)
    if placement.is_as_photographed:
        return image, alpha
    return place_layers(image, alpha, _place_on_scene(alpha, placement, source_width))


def foot_on_scene(alpha: Matte, placement: Placement, source_width: int) -> float:
    """Where a subject ends below, as a share of its scene's height; 1 where nothing is solid.

    Args:
        alpha: float32 H×W, 0..1, of any size.
        placement: on the photograph's own canvas.
        source_width: of the photograph itself, in pixels.

    """
    box = subject_box(alpha)
    if box is None or placement.is_as_photographed:
        return box[3] / len(alpha) if box else 1.0
    place = _place_on_scene(alpha, placement, source_width)
    return min(max(place.box[3] / place.height, 0.0), 1.0)


def _place_on_scene(alpha: Matte, placement: Placement, source_width: int) -> Place:
    """Where a subject stands on its scene, at the size of ``scene_size`` for an alpha of this one."""
    rows, columns = alpha.shape
    height, width = scene_size(placement, rows, columns)
    small = columns / source_width
    canvas = width / placement.canvas[0] if placement.canvas else small
    return find_place(alpha, placement.reduced((width, height), canvas, small))


def subject_box(alpha: Matte) -> Box | None:
    """The box of what is solid (alpha over one half): left, top, right, bottom in pixels; None where nothing is."""
    found = box_of(alpha > 0.5)
    if found is None:
        return None
    top, bottom, left, right = found
    return float(left), float(top), float(right), float(bottom)


def place_layers(foreground: RGB, alpha: Matte, place: Place) -> tuple[RGB, Matte]:
    """Bring a cut-out to the canvas.

    Colours are resampled in linear light, premultiplied, together with their alpha, so that neither the edge darkens
    nor what is hidden under a clear pixel comes out.

    Args:
        foreground: uint8 or uint16 H×W×3 sRGB, straight.
        alpha: float32 H×W, 0..1.
        place: where.

    Returns:
        The foreground, straight, and the alpha, both of the canvas's size.

    """
    height, width = place.height, place.width
    colors = np.zeros((height, width, 3), foreground.dtype)
    matte = np.zeros((height, width), np.float32)
    shown = box_of(alpha > 0)
    if shown is None:
        return colors, matte
    box = _with_reach((shown[2], shown[0], shown[3], shown[1]), alpha.shape, place.scale)
    at, source = _destination(box, place)
    if at is None:
        return colors, matte
    top, bottom, left, right = at
    size = (right - left, bottom - top)
    cut = slice(box[1], box[3]), slice(box[0], box[2])
    goes_on = (box[0] == 0, box[1] == 0, box[2] == alpha.shape[1], box[3] == alpha.shape[0])
    weight = _crisp(np.ascontiguousarray(alpha[cut]), place.scale)
    found = _resampled(weight, size, source, goes_on, Image.Resampling.LANCZOS)
    placed = np.clip(found, 0, 1)
    # The filter's rings would be a faint contour about each edge: one that has none says how far an edge reaches.
    reached = _resampled(weight, size, source, goes_on, Image.Resampling.BILINEAR)
    placed[(placed < NOTHING) | (reached < NOTHING)] = 0
    placed[reached > 1 - NOTHING] = 1
    matte[top:bottom, left:right] = placed
    light = srgb_to_linear(foreground[cut])
    # Over the alpha before it is cut off, which overshoots as the colours do.
    over = 1 / np.maximum(found, np.float32(NOTHING))
    for c in range(3):
        part = _resampled(np.ascontiguousarray(light[..., c] * weight), size, source, goes_on, Image.Resampling.LANCZOS)
        straight = np.clip(part * over, 0, 1)
        colors[top:bottom, left:right, c] = np.where(placed > 0, coded_as(foreground, straight), 0)
    return colors, matte


def _crisp(alpha: Matte, scale: float) -> Matte:
    """Sharpen an alpha that is to be enlarged; what is empty or solid beside its edge stays so."""
    if scale <= 1:
        return alpha
    amount = np.float32(_CRISP * 4 * (scale - 1) / scale**2)
    bend = cv2.Laplacian(alpha, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(alpha - amount * bend, 0, 1), np.float32)


def _with(box: Box, shadow: LinearRGB | None, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """The box with the shadow's."""
    if shadow is None:
        return box
    dark = box_of(shadow.mean(axis=2) < SHADED)
    if dark is None:
        return box
    top, bottom, left, right = dark
    down, across = shape[0] / shadow.shape[0], shape[1] / shadow.shape[1]
    return min(box[0], left * across), min(box[1], top * down), max(box[2], right * across), max(box[3], bottom * down)


def _cut_sides(alpha: Matte, box: Box) -> tuple[Side, ...]:
    """The sides of the frame at which the subject is cut, and not touched by a hair of it alone."""
    wide, tall = box[2] - box[0], box[3] - box[1]
    touching: dict[Side, tuple[Plane, float]] = {
        "left": (alpha[:, 0], tall),
        "top": (alpha[0], wide),
        "right": (alpha[:, -1], tall),
        "bottom": (alpha[-1], wide),
    }
    return tuple(side for side, (line, length) in touching.items() if (line > 0.5).sum() > _CUT * length)


class _Span(NamedTuple):
    """What is placed, in one direction; pixels of the photograph."""

    first: float
    last: float
    heavy: float
    """Where the middle of the subject's mass lies."""
    cut_first: bool
    """Whether the photograph cuts the subject at the first side."""
    cut_last: bool


def _offset(align: str, span: _Span, scale: float, start: float, room: float) -> float:
    """Where the photograph's origin lies on the canvas, in one direction."""
    first, last = span.first, span.last
    free = room - (last - first) * scale
    share = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}[align]
    if span.cut_first:
        share = 0.5 if span.cut_last else 0.0
    elif span.cut_last:
        share = 1.0
    exact = start + share * free - first * scale
    if scale != 1.0:
        return exact
    # Whole pixels where no pixel needs to change; what lies between two goes to the heavier side, in a mirror too.
    down, middle = np.floor(exact), exact - np.floor(exact)
    if abs(middle - 0.5) < 1e-6:
        return float(down + (1 if span.heavy > (first + last) / 2 else 0))
    return float(np.rint(exact))


def _middle_of_mass(alpha: Matte) -> tuple[float, float]:
    total = float(alpha.sum(dtype=np.float64))
    if not total:
        return alpha.shape[1] / 2, alpha.shape[0] / 2
    x = float((alpha.sum(axis=0, dtype=np.float64) * (np.arange(alpha.shape[1]) + 0.5)).sum())
    y = float((alpha.sum(axis=1, dtype=np.float64) * (np.arange(alpha.shape[0]) + 0.5)).sum())
    return x / total, y / total


def _with_reach(box: tuple[int, int, int, int], shape: tuple[int, ...], scale: float) -> tuple[int, int, int, int]:
    """The box and what a new pixel's footprint reaches about it, within the photograph."""
    reach = int(np.ceil(_FILTER * max(1.0, 1 / scale))) + 1
    return max(0, box[0] - reach), max(0, box[1] - reach), min(shape[1], box[2] + reach), min(shape[0], box[3] + reach)


def _destination(
    box: tuple[int, int, int, int], place: Place
) -> tuple[tuple[int, int, int, int] | None, tuple[float, float, float, float]]:
    """The canvas's pixels (top, bottom, left, right) that a part of the photograph reaches, and these in the part.

    The latter are left, top, right, bottom in pixels of the part, and may reach beyond it.
    """
    left = max(0, int(np.floor(box[0] * place.scale + place.left)))
    right = min(place.width, int(np.ceil(box[2] * place.scale + place.left)))
    top = max(0, int(np.floor(box[1] * place.scale + place.top)))
    bottom = min(place.height, int(np.ceil(box[3] * place.scale + place.top)))
    if left >= right or top >= bottom:
        return None, (0.0, 0.0, 0.0, 0.0)
    source = (
        (left - place.left) / place.scale - box[0],
        (top - place.top) / place.scale - box[1],
        (right - place.left) / place.scale - box[0],
        (bottom - place.top) / place.scale - box[1],
    )
    return (top, bottom, left, right), source


def _resampled(
    plane: Plane,
    size: tuple[int, int],
    source: tuple[float, float, float, float],
    goes_on: tuple[bool, bool, bool, bool],
    by: Image.Resampling,
) -> Plane:
    """Resample a part of a plane (float32 h×w), given in its own pixels, to ``size``.

    By a filter over the whole footprint of each new pixel: as sharp as a mean over areas, at any place between pixels.
    ``goes_on`` says at which sides (left, top, right, bottom) the plane goes on as it ends; beyond others lies 0.
    """
    rows, columns = plane.shape
    reach = max(1.0, (source[2] - source[0]) / size[0], (source[3] - source[1]) / size[1])
    beyond = (-source[0], -source[1], source[2] - columns, source[3] - rows)
    room = [int(np.ceil(max(0.0, one) + _FILTER * reach)) + 1 for one in beyond]
    for kind, chosen in ((cv2.BORDER_REPLICATE, True), (cv2.BORDER_CONSTANT, False)):
        left, top, right, bottom = (one if on is chosen else 0 for one, on in zip(room, goes_on, strict=True))
        plane = np.asarray(cv2.copyMakeBorder(plane, top, bottom, left, right, kind, value=0), np.float32)
    box = (source[0] + room[0], source[1] + room[1], source[2] + room[0], source[3] + room[1])
    return np.asarray(Image.fromarray(plane).resize(size, by, box=box), np.float32)


def place_shadow(shadow: LinearRGB, shape: tuple[int, ...], place: Place) -> LinearRGB:
    """Bring a shadow's layer to the canvas; where its photograph ends within the canvas, it fades out before.

    Args:
        shadow: float32 h×w×3, shares of light, of any size of the photograph's aspect.
        shape: height and width of the photograph.
        place: where.

    Returns:
        float32 of the canvas's size.

    """
    if place.is_a_shift:
        # As it lies over a background of the photograph's size: no pixel of a composite depends on its canvas.
        shadow = np.asarray(cv2.resize(shadow, shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    layer: LinearRGB = np.ones((place.height, place.width, 3), np.float32)
    rows, columns = shadow.shape[:2]
    at, source = _destination((0, 0, shape[1], shape[0]), place)
    if at is None:
        return layer
    top, bottom, left, right = at
    kept = _faded(shadow.shape, shape, place)[..., None]
    if place.is_a_shift:
        seen = slice(int(source[1]), int(source[3])), slice(int(source[0]), int(source[2]))
        layer[top:bottom, left:right] = np.where(kept[seen] == 1, shadow[seen], 1 + (shadow[seen] - 1) * kept[seen])
        return layer
    down, across = rows / shape[0], columns / shape[1]
    inside = (source[0] * across, source[1] * down, source[2] * across, source[3] * down)
    depth = (shadow - 1) * kept
    for c in range(3):
        plane = np.ascontiguousarray(depth[..., c])
        part = _resampled(plane, (right - left, bottom - top), inside, (True,) * 4, Image.Resampling.BICUBIC)
        layer[top:bottom, left:right, c] += part
    return np.clip(layer, 0, None)


def _faded(size: tuple[int, ...], shape: tuple[int, ...], place: Place) -> Matte:
    """How much of a shadow is kept: less towards a side of the photograph that lies within the canvas; float32 h×w."""
    rows, columns = size[:2]
    reach = _FADE * max(rows, columns)
    x, y = np.arange(columns, dtype=np.float32) + 0.5, np.arange(rows, dtype=np.float32) + 0.5
    far = np.float32(1e6)
    to_left = x if place.left > 0.5 else far
    to_right = columns - x if place.left + shape[1] * place.scale < place.width - 0.5 else far
    to_top = y if place.top > 0.5 else far
    to_bottom = rows - y if place.top + shape[0] * place.scale < place.height - 0.5 else far
    beside = np.minimum(np.minimum(to_left, to_right), far) * np.ones(columns, np.float32)
    above = np.minimum(np.minimum(to_top, to_bottom), far) * np.ones(rows, np.float32)
    near = np.minimum(above[:, None], beside[None])
    return np.asarray(np.clip(near / reach, 0, 1), np.float32)


def mix_layers(foreground: RGB, alpha: Matte, background: RGB, shadow: LinearRGB | None) -> RGB:
    """Mix a cut-out over a background in linear light; where alpha is 0 and no shadow is, the background as it is.

    Args:
        foreground: uint8 or uint16 H×W×3 sRGB, straight.
        alpha: float32 H×W, 0..1.
        background: as the foreground.
        shadow: float32 H×W×3, shares of the background's light; None for none.

    """
    out = background.copy()
    for top in range(0, len(out), _STRIP):
        strip = slice(top, top + _STRIP)
        weight = alpha[strip]
        touched = weight > 0
        if shadow is not None:
            touched |= (shadow[strip] != 1).any(axis=2)
        if not touched.any():
            continue
        a = weight[touched][:, None]
        light = srgb_to_linear(background[strip][touched])
        if shadow is not None:
            light *= shadow[strip][touched]
        mixed = a * srgb_to_linear(foreground[strip][touched]) + (1 - a) * light
        out[strip][touched] = coded_as(out, mixed)
    return out
