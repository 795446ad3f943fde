"""Take a subject off its photograph, once for any number of new backgrounds: its alpha, its own colours, its shadow.

Everything is solved in linear light, where light adds up. Three modes:

``decontaminate``     the default: alpha is corrected where the photograph contradicts it, foreground and original
                      background are estimated at every soft pixel, and reflected spill is taken off the rim;
``lab-deprojection``  the published method: Lab chroma deprojection of edge pixels that look like the original
                      background;
``alpha``             the picture's colours as they are, for masks that come with clean colours.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from vivid_assets.imaging.blend.despill import Spill, suppress_spill
from vivid_assets.imaging.blend.evidence import Evidence
from vivid_assets.imaging.blend.foreground import estimate_foreground
from vivid_assets.imaging.blend.lab_deprojection import deproject_lab
from vivid_assets.imaging.blend.measures import BackgroundColor, Measures, background_color, measure
from vivid_assets.imaging.blend.options import BlendOptions
from vivid_assets.imaging.blend.solve import Answer, Place, place, resized_to_alpha, solve
from vivid_assets.imaging.core.alpha import GIVEN, NOTHING, Alpha, Origin, fit_alpha
from vivid_assets.imaging.core.areas import Box, around
from vivid_assets.imaging.core.arrays import RGB, Area, LinearRGB, Matte
from vivid_assets.imaging.core.color import (
    encode_deep,
    encode_one,
    encoding_tables,
    lab_to_linear,
    linear_to_lab,
    srgb_to_linear,
)
from vivid_assets.imaging.core.half_colors import whole_colors
from vivid_assets.imaging.core.noise import capture_noise
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, whole
from vivid_assets.imaging.core.resize import REFERENCE, shrink
from vivid_assets.imaging.core.spread_colors import Colors, known_colors
from vivid_assets.imaging.plate.cast_shadow import SOFT_AT
from vivid_assets.imaging.plate.find_plate import FITTED_AT, plate_of
from vivid_assets.imaging.plate.known_plate import KnownPlate, solve_known_plate

_NO_BACKGROUND = np.float32(100.0)
"""A light that no new background is like."""
_SPILL_REACH = 12.0
"""Pixels, in a picture of REFERENCE pixels or less, within which spill is looked for."""
_STRIP = 256
"""Rows at a time, for the memory that they take."""


@dataclass(frozen=True)
class Edge:
    """The colours about the edge: float32 linear light, all of the ``box``; elsewhere every pixel is as it was."""

    box: Box
    light: LinearRGB
    """The photograph's."""
    front: LinearRGB
    """The subject's own."""
    back: LinearRGB
    """The original background's."""
    changed: Area
    """Where the new background shows through, or the subject's colour is not the photograph's."""

    def changed_of(self, shape: tuple[int, ...]) -> Area:
        """The changed pixels of the whole photograph, which has that height and width."""
        everywhere = np.zeros(shape, np.bool_)
        everywhere[self.box] = self.changed
        return everywhere

    def cut(self, rows: slice, columns: slice) -> "Edge":
        """The edge within a part of the photograph, in that part's pixels."""
        (top, bottom), (left, right) = (
            (min(max(box.start, part.start), part.stop), max(min(box.stop, part.stop), part.start))
            for box, part in zip(self.box, (rows, columns), strict=True)
        )
        bottom, right = max(top, bottom), max(left, right)
        inside = (
            slice(top - self.box[0].start, bottom - self.box[0].start),
            slice(left - self.box[1].start, right - self.box[1].start),
        )
        box = slice(top - rows.start, bottom - rows.start), slice(left - columns.start, right - columns.start)
        planes = (np.ascontiguousarray(one[inside]) for one in (self.light, self.front, self.back, self.changed))
        return Edge(box, *planes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class CutOut:
    """A subject taken off its photograph; all of the photograph's size."""

    image: RGB
    """H×W×3 sRGB, uint8 or uint16: the photograph."""
    foreground: RGB
    """The subject's own colours, straight (not multiplied by alpha)."""
    alpha: Matte
    """H×W float32, 0..1, as used."""
    edge: Edge
    measures: Measures
    evidence: Evidence | None
    """How the alpha compares with the photograph; None where they were not compared."""
    spill: Spill
    known: KnownPlate | None
    """What the photograph shows of its plate and shadow; None where its background is busy."""
    outline: Matte
    """float32 h×w, 0..1: the subject as it stood, small, also where parts of it are not to be seen."""
    is_drawing: bool

    def part(self, rows: slice, columns: slice) -> tuple[RGB, RGB, Matte, Edge]:
        """Image, foreground, alpha and edge of a part of the photograph."""
        if (rows, columns) == (slice(0, len(self.alpha)), slice(0, self.alpha.shape[1])):
            return self.image, self.foreground, self.alpha, self.edge
        at = rows, columns
        return self.image[at], self.foreground[at], self.alpha[at], self.edge.cut(rows, columns)


def separate(
    image: RGB,
    alpha: Alpha,
    options: BlendOptions,
    *,
    visible: Matte | None = None,
    noise: float | None = None,
    threads: int | None = None,
) -> CutOut:
    """Take the subject off its photograph.

    Args:
        image: uint8 or uint16 H×W×3 sRGB, the photograph.
        alpha: of the same aspect, of any size. A given one is interpolated where its size is another; a network's is
            corrected at its own size and brought up with the photograph as guide, or solved at the photograph's where
            the background is plain.
        options: how; of the shadow only whether the photograph's own is to be measured.
        visible: float32 H×W, 0..1, multiplied with alpha then: what of the image is to be seen at all.
        noise: the capture's, in levels of 8 bits; measured where it is not given.
        threads: the most to use.

    Raises:
        ValueError: a given alpha of another aspect.

    """
    is_given = alpha.origin in GIVEN
    values = fit_alpha(alpha.values, *image.shape[:2]) if is_given else alpha.values
    answer = resized_to_alpha(image, values)
    original = background_color(answer.image, answer.alpha)
    solved = _solved(image, answer, options, alpha.origin, noise, threads)
    here = solved.here
    matte, box, mixed = here.alpha, here.box, here.mixed
    # A copy, also of a small one: what is not to be seen leaves the matte in place.
    outline = shrink(matte, SOFT_AT).copy()
    if visible is not None:
        matte *= visible
        mixed = mixed * visible[box]
    if not is_given:
        matte[matte < NOTHING] = 0
    part = np.ascontiguousarray(matte[box])
    soft = (mixed > 0) & (mixed < 1)
    front, back, found = _edge_colors(solved, part, mixed, original, options, threads)
    changed = soft
    if found.strength > 0 and original is not None:
        changed = soft | _differ(front, here.light)
        back[changed & ~soft] = lab_to_linear(original.lab)
    edge = Edge(box, here.light, front, back, changed)
    foreground = _own_colors(image, edge, threads)
    return CutOut(
        image=image,
        foreground=foreground,
        alpha=matte,
        edge=edge,
        measures=measure(image, foreground, matte, edge.changed_of(matte.shape), original),
        evidence=solved.evidence,
        spill=found,
        known=solved.known,
        outline=outline,
        is_drawing=alpha.origin == "drawing",
    )


def _differ(one: LinearRGB, other: LinearRGB) -> Area:
    """Mark the pixels (bool H×W) whose colours differ."""
    red, green, blue = (one[..., c] != other[..., c] for c in range(3))
    return np.asarray(red | green | blue)


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
        # First, since all that follows is for nothing where the background is busy.
        plate = _plate(image, answer, grain)
        if plate is not None:
            known, placed = _before_plate(image, answer, plate, of_network, (grain, noise), threads)
            if placed is not None:
                return _Solved(*placed, None, known)
    solved = solve(answer, colors=estimated, correct=options.refine, noise=noise, threads=threads)
    return _Solved(place(image, answer, solved, noise, threads), solved.colors, solved.evidence, known)


def _before_plate(
    image: RGB,
    answer: Answer,
    plate: LinearRGB,
    of_network: bool,
    noises: tuple[float, float | None],
    threads: int | None,
) -> tuple[KnownPlate | None, tuple[Place, Colors] | None]:
    """Solve shadow and alpha against the plate; where that gives an alpha, it comes with its place and colours.

    ``noises``: of the picture at alpha's size, and of the whole one where it is given.
    """
    restored = whole_colors(image, _about_subject(answer)) if of_network else None
    seen = image if restored is None else restored
    light = srgb_to_linear(seen)
    known = solve_known_plate(
        light, answer.alpha, noises[0], solve=of_network, plate=plate, lossy=restored is not None, threads=threads
    )
    if known is None or known.alpha is None:
        return known, None
    return known, _place_known(seen, light, known.alpha, known.back, noises[1], threads)


def _plate(image: RGB, answer: Answer, noise: float) -> LinearRGB | None:
    """Find the plate in the picture at the alpha's size, or in the whole one where that is too small for it."""
    light = answer.light
    if light is None or max(answer.alpha.shape) < FITTED_AT:
        light = srgb_to_linear(image)
    return plate_of(light, answer.alpha, noise, max(answer.full))


def _about_subject(answer: Answer) -> Box:
    """Find the part of the whole picture in which an edge may lie."""
    (height, width), (rows, columns) = answer.full, answer.alpha.shape
    box = around(answer.alpha > 0, round(0.03 * max(rows, columns)))
    down, across = height / rows, width / columns
    return (
        slice(int(box[0].start * down), min(height, int(np.ceil(box[0].stop * down)))),
        slice(int(box[1].start * across), min(width, int(np.ceil(box[1].stop * across)))),
    )


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
    image: RGB, light: LinearRGB, alpha: Matte, back: LinearRGB, noise: float | None, threads: int | None
) -> tuple[Place, Colors]:
    """Cut out what holds soft pixels, with the colours that the plate leaves to its subject."""
    box = around((alpha > 0) & (alpha < 1), round(64 * max(1.0, max(alpha.shape) / REFERENCE)))
    part, light = np.ascontiguousarray(alpha[box]), np.ascontiguousarray(light[box])
    noise = capture_noise(image, alpha) if noise is None else noise
    view = View(float(box[0].start), float(box[1].start), *map(float, alpha.shape))
    colors = known_colors(light, part, back, view, noise, threads)
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


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _encode(front, changed, corner, tables, out, first, end):  # type: ignore[no-untyped-def]
    """Write the changed pixels' own colours, of 8 bits or 16 as ``out`` has; the edge's box is at ``corner``."""
    guess, thresholds, is_deep = tables
    top, left = np.uintp(corner[0]), np.uintp(corner[1])
    for y in range(first, end):
        for x in range(changed.shape[1]):
            if changed[y, x]:
                for c in range(3):
                    light = front[y, x, c]
                    coded = encode_deep(light, guess, thresholds) if is_deep else encode_one(light, guess, thresholds)
                    out[top + np.uintp(y), left + np.uintp(x), c] = coded


def _own_colors(image: RGB, edge: Edge, threads: int | None) -> RGB:
    """The picture with the changed pixels' own colours in their place."""
    made, deep = image.copy(), image.dtype == np.uint16
    corner = edge.box[0].start, edge.box[1].start
    tables = (*encoding_tables(deep), deep)
    parallel_rows(_encode, len(edge.changed), edge.front, edge.changed, corner, tables, made, threads=threads)
    return made
