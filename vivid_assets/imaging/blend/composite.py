"""Put a cut-out subject before a new background: mixed in linear light, with its shadow, where it is to stand."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.cutout import emptied
from vivid_assets.imaging.blend.despill import Spill
from vivid_assets.imaging.blend.evidence import Evidence
from vivid_assets.imaging.blend.measures import Measures
from vivid_assets.imaging.blend.options import BlendOptions, Placement
from vivid_assets.imaging.blend.placement import Place, find_place, mix_layers, place_layers, place_shadow
from vivid_assets.imaging.blend.separate import CutOut, Edge, separate
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.arrays import RGB, Area, LinearRGB, Matte, Vector
from vivid_assets.imaging.core.color import (
    as_deep_as,
    encode_deep,
    encode_one,
    encoding_tables,
    light_of_codes,
)
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.resize import cover
from vivid_assets.imaging.plate.cast_shadow import Choice, Shadow, choose_shadow
from vivid_assets.imaging.plate.known_plate import KnownPlate
from vivid_assets.imaging.plate.lay_shadow import shaded

_FADE_IN = np.float32(32)
"""A pixel all but empty is the new background, as an empty one is: alpha times this, up to 1."""
_SAME_BACKGROUND = np.float32(0.1)
"""Difference of roots of light up to which the new background counts as the original one."""


@dataclass(frozen=True)
class Blend:
    """A finished composite and what it was made of; all of the canvas's size, which is the source's if none is set."""

    composite: RGB
    """H×W×3 sRGB, uint8 or uint16 as the source."""
    foreground: RGB
    """H×W×3 sRGB, straight (not multiplied by alpha): with alpha, the cut-out."""
    alpha: Matte
    """H×W float32, 0..1, as used."""
    measures: Measures
    evidence: Evidence | None
    """How the alpha compares with the photograph; None where they were not compared."""
    spill: Spill
    shadow: Shadow
    """What was laid over the new background; its layer lies as the photograph does."""
    shade: LinearRGB | None
    """The same layer where it lies on the canvas, float32 of any size of the canvas's aspect; None where none is."""
    known: KnownPlate | None
    """What the photograph shows of its plate and shadow; None where its background is busy."""
    place: Place
    """Where the photograph lies on its canvas."""
    is_transparent: bool = False
    """Whether there is no background: the composite is the foreground, and clear where no subject is."""

    @property
    def opacity(self) -> Matte | None:
        """How solid each pixel of the composite is; None where all are."""
        return self.alpha if self.is_transparent else None

    @property
    def cutout(self) -> NDArray[Any]:
        """The subject alone: H×W×4 of the foreground's type, straight alpha, nothing of its room where it is clear."""
        colors = emptied(self.foreground, self.alpha)
        alpha = np.rint(self.alpha.clip(0, 1) * np.iinfo(colors.dtype).max).astype(colors.dtype)
        return np.dstack([colors, alpha])

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be seen in the photograph or done on the canvas, and why the shadow is not the expected."""
        seen = (self.known.note if self.known else "", self.shadow.note, self.place.note)
        return tuple(note for note in seen if note)

    @property
    def alpha_verdict(self) -> str | None:
        """How the alpha compares with the photograph: ``plate`` where it was solved against a plain background."""
        if self.known is not None and self.known.alpha is not None:
            return "plate"
        return self.evidence.verdict if self.evidence else None


def blend(
    image: RGB,
    alpha: Matte,
    background: RGB,
    *,
    noise: float | None = None,
    threads: int | None = None,
    **options: Any,
) -> Blend:
    """Composite the subject of ``image`` over ``background``, all three of one size.

    Where alpha is 1 the source's pixels are copied, except on a rim of ``spill_reach`` pixels when spill was found;
    where it is 0, the background's.

    Args:
        image: H×W×3 sRGB, uint8 or uint16.
        alpha: float H×W, 0..1; a person's.
        background: H×W×3 sRGB, of the image's type.
        noise: the capture's, in levels of 8 bits; measured where it is not given.
        threads: the most to use.
        options: see ``BlendOptions``.

    Raises:
        ValueError: sizes or types that do not fit (the message has all of them), or a mode that there is not.
        TypeError: an option that there is not.

    >>> red, blue = (np.full((8, 8, 3), color, np.uint8) for color in ((200, 0, 0), (0, 0, 200)))
    >>> blend(red, np.eye(8, dtype=np.float32), blue, mode="alpha").composite[0, :2].tolist()
    [[200, 0, 0], [0, 0, 200]]
    """
    _check(image, alpha, background)
    chosen = BlendOptions(**options)
    cut = separate(image, Alpha(alpha, "person"), chosen, noise=noise, threads=threads)
    return compose(cut, background, shadow=chosen.shadow, threads=threads)


def compose(
    cut: CutOut,
    background: RGB | None,
    *,
    shadow: Choice,
    measured: LinearRGB | None = None,
    floor: KeyLight | None = None,
    placement: Placement | Place | None = None,
    threads: int | None = None,
) -> Blend:
    """Lay a cut-out over a background.

    The background stays to the last bit where neither subject nor shadow lies. Where the photograph is not scaled,
    every pixel is mixed as it would be without a canvas.

    Args:
        cut: the subject off its photograph; not changed, so that it goes over any number of backgrounds.
        background: uint8 sRGB, or uint16 as the photograph, of any size and aspect; scaled to cover the canvas and cut
            to its middle. None for none: a shadow is then measured or drawn, and lies on nothing.
        shadow: which.
        measured: the layer to keep, where it is known better than from the photograph alone: float32 h×w×3.
        floor: the key light of a background that has a floor to stand on.
        placement: where the subject is to stand, or the place that was found for it; None: where it stood, in its
            photograph's size.
        threads: the most to use.

    Raises:
        ValueError: the padding leaves no room on the canvas.

    """
    if measured is None and cut.known:
        measured = cut.known.layer
    cast = choose_shadow(shadow, measured, cut.outline, drawing=cut.is_drawing, floor=floor)
    rows, columns = cut.alpha.shape
    if placement is None or (isinstance(placement, Placement) and placement.is_as_photographed):
        place = Place(columns, rows, 1.0, 0.0, 0.0, (0.0, 0.0, float(columns), float(rows)))
        shade = cast.layer
    else:
        place = placement if isinstance(placement, Place) else find_place(cut.alpha, placement, shadow=cast.layer)
        shade = None if cast.layer is None else place_shadow(cast.layer, cut.alpha.shape, place)
    clear = background is None
    behind = np.zeros((1, 1, 3), np.uint8) if background is None else background
    behind = as_deep_as(cut.image, cover(behind, place.height, place.width))
    if place.is_a_shift:
        behind = behind if shade is None or clear else shaded(behind, shade, threads)
        composite, foreground, alpha = _shifted(cut, behind, place, threads)
    else:
        foreground, alpha = place_layers(cut.foreground, cut.alpha, place)
        composite = foreground if clear else mix_layers(foreground, alpha, behind, shade)
    if clear:
        composite = emptied(foreground, alpha)
    return Blend(
        composite, foreground, alpha, cut.measures, cut.evidence, cut.spill, cast, shade, cut.known, place, clear
    )


def _shifted(cut: CutOut, behind: RGB, place: Place, threads: int | None) -> tuple[RGB, RGB, Matte]:
    """Composite, foreground and alpha where every pixel of the photograph is one of the canvas."""
    rows, columns = cut.alpha.shape
    left, top = int(place.left), int(place.top)
    on_canvas = (
        slice(max(0, top), max(0, min(place.height, top + rows))),
        slice(max(0, left), max(0, min(place.width, left + columns))),
    )
    seen = tuple(
        slice(one.start - start, max(one.start, one.stop) - start)
        for one, start in zip(on_canvas, (top, left), strict=True)
    )
    image, front, matte, edge = cut.part(*seen)
    if matte.shape == (place.height, place.width):
        return _mixed(image, matte, edge, behind, threads), front, matte
    composite, foreground = behind.copy(), np.zeros_like(behind)
    alpha = np.zeros(behind.shape[:2], np.float32)
    if matte.size:
        composite[on_canvas] = _mixed(image, matte, edge, behind[on_canvas], threads)
        foreground[on_canvas], alpha[on_canvas] = front, matte
    return composite, foreground, alpha


def _mixed(image: RGB, matte: Matte, edge: Edge, background: RGB, threads: int | None) -> RGB:
    """The photograph's subject over a background of its size; both are copied where nothing is mixed."""
    composite = image.copy()
    cv2.copyTo(background, (matte <= 0).astype(np.uint8), composite)
    deep = image.dtype == np.uint16
    light = light_of_codes(deep)
    codes = _Codes(light, np.sqrt(light), *encoding_tables(deep))
    layers = _Layers(
        np.ascontiguousarray(background), np.ascontiguousarray(matte), edge.light, edge.front, edge.back, edge.changed
    )
    corner = edge.box[0].start, edge.box[1].start
    parallel_rows(_mix, len(edge.changed), layers, corner, codes, composite, threads=threads)
    return composite


class _Layers(NamedTuple):
    """What a composite is mixed of: the first two of its size, the others of the box about the edge."""

    background: NDArray[Any]
    alpha: Matte
    source: LinearRGB
    front: LinearRGB
    back: LinearRGB
    """The original background."""
    changed: Area


class _Codes(NamedTuple):
    """Light and its root of each of 256 or 65,536 codes, and the tables that encode it (``encoding_tables``)."""

    light: Vector
    roots: Vector
    guess: NDArray[Any]
    thresholds: Vector


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _mix(layers, corner, codes, out, first, end):  # type: ignore[no-untyped-def]
    """Write the changed pixels of a composite, of 8 bits or 16 as ``out`` has; the edge's box is at ``corner``."""
    background, alpha, source, front, back, changed = layers
    light, roots, guess, thresholds = codes
    top, left = np.uintp(corner[0]), np.uintp(corner[1])
    one, zero = np.float32(1.0), np.float32(0.0)
    for y in range(first, end):
        v = top + np.uintp(y)
        for x in range(changed.shape[1]):
            if not changed[y, x]:
                continue
            u = left + np.uintp(x)
            a = alpha[v, u]
            apart = zero
            for c in range(3):
                gap = roots[background[v, u, c]] - np.sqrt(max(back[y, x, c], zero))
                apart = max(apart, abs(gap))
            # Against the same background the picture is right as it is: with its grain, and whatever F left out.
            keep = max(one - apart / _SAME_BACKGROUND, zero) * min(a * _FADE_IN, one)
            for c in range(3):
                f, b = front[y, x, c], back[y, x, c]
                left_out = source[y, x, c] - a * f - (one - a) * b
                mixed = a * f + (one - a) * light[background[v, u, c]] + keep * left_out
                coded = (
                    encode_one(mixed, guess, thresholds) if len(light) == 256 else encode_deep(mixed, guess, thresholds)
                )
                out[v, u, c] = coded


def _check(image: RGB, alpha: Matte, background: RGB) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or background.ndim != 3 or background.shape[2] != 3:
        raise ValueError(f"Image and background are H×W×3, not {image.shape} and {background.shape}.")
    if not image.shape[:2] == alpha.shape == background.shape[:2]:
        sizes = ", ".join(
            f"{name} {plane.shape[1]}x{plane.shape[0]}" if plane.ndim > 1 else f"{name} {plane.shape}"
            for name, plane in (("image", image), ("mask", alpha), ("background", background))
        )
        raise ValueError(f"Image, mask and background are of one size, but these are: {sizes}.")
    if image.size == 0:
        raise ValueError("The image has no pixels.")
    if image.dtype not in (np.uint8, np.uint16) or background.dtype != image.dtype:
        raise ValueError(
            f"Image and background are both uint8 or both uint16, not {image.dtype} and {background.dtype}."
        )
