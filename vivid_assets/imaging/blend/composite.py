"""Put a cut-out subject before a new background, without the original one's colour at its edge.

Everything is mixed in linear light, where light adds up. Three modes:

``decontaminate``     the default: alpha is corrected where the photograph contradicts it, foreground and original
                      background are estimated at every soft pixel, and reflected spill is taken off the rim;
``lab-deprojection``  the published method: Lab chroma deprojection of edge pixels that look like the original
                      background;
``alpha``             plain gamma-correct alpha compositing, for masks that come with clean colours.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.cast_shadow import Shadow, choose_shadow, shaded
from vivid_assets.imaging.blend.despill import Spill, suppress_spill
from vivid_assets.imaging.blend.evidence import Evidence
from vivid_assets.imaging.blend.foreground import Colors, estimate_foreground
from vivid_assets.imaging.blend.known_plate import KnownPlate, known_colors, solve_known_plate
from vivid_assets.imaging.blend.lab_deprojection import deproject_lab
from vivid_assets.imaging.blend.measures import BackgroundColor, Measures, background_color, measure
from vivid_assets.imaging.blend.options import BlendOptions
from vivid_assets.imaging.blend.solve import Answer, Place, around, place, resized_to_alpha, solve
from vivid_assets.imaging.core.alpha import Origin
from vivid_assets.imaging.core.arrays import RGB, Area, LinearRGB, Matte, Vector
from vivid_assets.imaging.core.color import (
    encode_deep,
    encode_one,
    encoding_tables,
    lab_to_linear,
    linear_to_lab,
    srgb_to_linear,
)
from vivid_assets.imaging.core.key_light import KeyLight
from vivid_assets.imaging.core.noise import capture_noise
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, whole
from vivid_assets.imaging.core.resize import REFERENCE

_FADE_IN = np.float32(32)
"""A pixel all but empty is the new background, as an empty one is: alpha times this, up to 1."""
_NO_BACKGROUND = np.float32(100.0)
"""A light that no new background is like."""
_SAME_BACKGROUND = np.float32(0.1)
"""Difference of roots of light up to which the new background counts as the original one."""
_SPILL_REACH = 12.0
"""Pixels, in a picture of REFERENCE pixels or less, within which spill is looked for."""
_STRIP = 256
"""Rows at a time, for the memory that they take."""


@dataclass(frozen=True)
class Blend:
    """A finished composite and what it was made of; all of the source's size."""

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
    """What was laid over the new background."""
    known: KnownPlate | None
    """What the photograph shows of its plate and shadow; None where its background is busy."""
    placed_notes: tuple[str, ...] = ()
    """What was asked of the canvas and could not be."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be seen in the photograph, and why the shadow is not the one that could be expected."""
        seen = (self.known.note if self.known else "", self.shadow.note)
        return (*(note for note in seen if note), *self.placed_notes)

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
    return blend_any(image, alpha, background, BlendOptions(**options), noise=noise, threads=threads)


def blend_any(
    image: RGB,
    alpha: Matte,
    background: RGB,
    options: BlendOptions,
    *,
    origin: Origin = "person",
    visible: Matte | None = None,
    floor: KeyLight | None = None,
    noise: float | None = None,
    threads: int | None = None,
) -> Blend:
    """Blend as ``blend`` does with an alpha that may be smaller than the image: it is solved there and brought up.

    Args:
        image: as for ``blend``.
        alpha: float h×w, 0..1, of the image's aspect.
        background: as for ``blend``.
        options: as for ``blend``.
        origin: where alpha comes from; a network's is solved at the image's size where the background is plain.
        visible: float32 H×W, 0..1, multiplied with alpha then: what of the image is to be seen at all.
        floor: the key light of a new background that has a floor to stand on.
        noise: as for ``blend``.
        threads: as for ``blend``.

    """
    answer = resized_to_alpha(image, alpha)
    original = background_color(answer.image, answer.alpha)
    solved = _solved(image, answer, options, origin, noise, threads)
    here, known = solved.here, solved.known
    drawing = origin == "drawing"
    cast = choose_shadow(options.shadow, known.layer if known else None, here.alpha, drawing=drawing, floor=floor)
    if cast.layer is not None:
        background = shaded(background, cast.layer)
    matte, box, mixed = here.alpha, here.box, here.mixed
    if visible is not None:
        matte *= visible
        mixed = mixed * visible[box]
    part = np.ascontiguousarray(matte[box])
    soft = (mixed > 0) & (mixed < 1)
    front, back, found = _edge_colors(solved, part, mixed, original, options, threads)
    changed = soft
    if found.strength > 0 and original is not None:
        changed = soft | (front != here.light).any(axis=2)
        back[changed & ~soft] = lab_to_linear(original.lab)
    composite, foreground = image.copy(), image.copy()
    cv2.copyTo(background, (matte <= 0).astype(np.uint8), composite)
    behind: NDArray[Any] = np.ascontiguousarray(background[box])
    layers = _Layers(behind, here.light, part, front, back, changed)
    composite[box], foreground[box] = _assemble(image[box], layers, threads)
    everywhere = np.zeros(matte.shape, np.bool_)
    everywhere[box] = changed
    measures = measure(image, foreground, matte, everywhere, original)
    return Blend(composite, foreground, matte, measures, solved.evidence, found, cast, known)


class _Solved(NamedTuple):
    """Alpha and colours of a picture, and what is known of them."""

    here: Place
    colors: Colors | None
    evidence: Evidence | None
    known: KnownPlate | None


def _solved(
    image: RGB, answer: Answer, options: BlendOptions, origin: Origin, noise: float | None, threads: int | None
) -> _Solved:
    """Solve alpha and colours against the plate where the picture has one, else by the colours about each pixel."""
    estimated = options.mode == "decontaminate"
    of_network = options.refine and estimated and origin in ("probability", "matte")
    known = None
    if origin != "own" and (of_network or options.shadow in ("auto", "keep")):
        grain = capture_noise(answer.image, answer.alpha) if noise is None else noise
        known = solve_known_plate(image, answer.alpha, grain, solve=of_network, threads=threads)
    if known is not None and known.alpha is not None:
        here, colors = _place_known(image, known, known.alpha, noise, threads)
        return _Solved(here, colors, None, known)
    solved = solve(answer, colors=estimated, correct=options.refine, noise=noise, threads=threads)
    return _Solved(place(image, answer, solved, noise, threads), solved.colors, solved.evidence, known)


class _Edge(NamedTuple):
    """The colours about the edge, float32 linear light; the picture's own where nothing was changed."""

    front: LinearRGB
    back: LinearRGB
    """The original background."""
    spill: Spill


def _edge_colors(
    solved: _Solved,
    alpha: Matte,
    mixed: Matte,
    original: BackgroundColor | None,
    options: BlendOptions,
    threads: int | None,
) -> _Edge:
    """Estimate foreground and original background, and take reflected light, or the background's hue, off the edge."""
    here, source = solved.here, solved.here.light
    if solved.colors is None:
        front, back = source, np.full_like(source, _NO_BACKGROUND)
    else:
        front, back = estimate_foreground(
            source, mixed, solved.colors, view=here.view, noise=here.noise, threads=threads
        )
    if original is not None and options.mode == "decontaminate" and options.spill:
        # Networks and light see a picture, not pixels: what they blur or stain is wider in a larger one.
        widest = _SPILL_REACH * max(1.0, max(here.alpha.shape) / REFERENCE)
        reach = widest if options.spill_reach is None else options.spill_reach
        front, found = suppress_spill(front, alpha, original.lab, reach=reach, strength=options.spill_strength)
        return _Edge(front, back, found)
    if original is not None and options.mode == "lab-deprojection":
        front = _deprojected(source, (mixed > 0) & (mixed < 1), original, options)
    return _Edge(front, back, Spill(0.0, 0.0))


def _place_known(
    image: RGB, known: KnownPlate, alpha: Matte, noise: float | None, threads: int | None
) -> tuple[Place, Colors]:
    """Cut out what holds soft pixels, with the colours that the plate leaves to its subject."""
    box = around((alpha > 0) & (alpha < 1), round(64 * max(1.0, max(alpha.shape) / REFERENCE)))
    part = np.ascontiguousarray(alpha[box])
    light = np.ascontiguousarray(srgb_to_linear(image[box]))
    noise = capture_noise(image, alpha) if noise is None else noise
    view = View(float(box[0].start), float(box[1].start), *map(float, alpha.shape))
    colors = known_colors(light, part, known.back, view, noise, threads)
    return Place(alpha.copy(), box, light, part, whole(*part.shape), noise), colors


def _deprojected(source: LinearRGB, soft: Area, original: BackgroundColor, options: BlendOptions) -> LinearRGB:
    """Deproject the soft pixels, some rows at a time."""
    if not soft.any():
        return source
    front = source.copy()
    for top in range(0, len(soft), _STRIP):
        rows, here = slice(top, top + _STRIP), soft[top : top + _STRIP]
        lab = deproject_lab(
            linear_to_lab(source[rows][here]),
            original.lab,
            strength=options.strength,
            limit=options.limit,
            falloff=options.falloff,
        )
        front[rows][here] = np.clip(lab_to_linear(lab), 0, 1)
    return front


class _Layers(NamedTuple):
    """What a composite is mixed of, all of one size."""

    background: RGB
    source: LinearRGB
    alpha: Matte
    front: LinearRGB
    back: LinearRGB
    """The original background."""
    changed: Area


class _Codes(NamedTuple):
    """Light and its root of each of 256 or 65,536 codes, and the tables that encode it (``encode_one``)."""

    light: Vector
    roots: Vector
    guess: NDArray[np.uint8]
    thresholds: Vector


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _mix(layers, codes, out, cut, first, end):  # type: ignore[no-untyped-def]
    """Write the changed pixels of a composite and a cut-out, of 8 bits or 16 as ``out`` has."""
    background, source, alpha, front, back, changed = layers
    light, roots, guess, thresholds = codes
    one, zero = np.float32(1.0), np.float32(0.0)
    for y in range(first, end):
        for x in range(alpha.shape[1]):
            a = alpha[y, x]
            if not changed[y, x]:
                if a <= zero:
                    for c in range(3):
                        out[y, x, c] = background[y, x, c]
                continue
            apart = zero
            for c in range(3):
                gap = roots[background[y, x, c]] - np.sqrt(max(back[y, x, c], zero))
                apart = max(apart, abs(gap))
            # Against the same background the picture is right as it is: with its grain, and whatever F left out.
            keep = max(one - apart / _SAME_BACKGROUND, zero) * min(a * _FADE_IN, one)
            for c in range(3):
                f, b = front[y, x, c], back[y, x, c]
                left_out = source[y, x, c] - a * f - (one - a) * b
                mixed = a * f + (one - a) * light[background[y, x, c]] + keep * left_out
                if len(light) == 256:
                    out[y, x, c] = encode_one(mixed, guess, thresholds)
                    cut[y, x, c] = encode_one(f, guess, thresholds)
                else:
                    out[y, x, c] = encode_deep(mixed)
                    cut[y, x, c] = encode_deep(f)


def _assemble(image: RGB, layers: _Layers, threads: int | None) -> tuple[RGB, RGB]:
    """Mix the composite and the cut-out; source and background are copied where nothing is mixed."""
    composite, cut = image.copy(), image.copy()
    light = srgb_to_linear(np.arange(np.iinfo(image.dtype).max + 1).astype(image.dtype))
    codes = _Codes(light, np.sqrt(light), *encoding_tables())
    parallel_rows(_mix, len(image), layers, codes, composite, cut, threads=threads)
    return composite, cut


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
