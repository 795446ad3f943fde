"""Alpha of a subject before a plain background, whose plate the photograph shows.

A pixel is I = αF + (1 − α)·S·P: the subject F, the plate P, and the share S of its light that the subject leaves. A
network says roughly where the subject is. What lies on the ray S·P and is as flat as the plate is background, however
dark; what does not is subject. Where the plate shows through a subject that has no such colour of its own (hair,
leaves, meshes), a network's solid place is doubted. Subject and background are separated in a small picture; in
between, at the picture's own size, alpha is the most probable one given both colours, their spread and the noise,
twice: the second time with the colours of the solid pixels next to each.
"""

from dataclasses import astuple, dataclass, replace

import cv2
import numpy as np

from vivid_assets.imaging.blend.cast_shadow import MOST, blur_widely, measure_shadow, slope_of, spread
from vivid_assets.imaging.blend.foreground import Colors, estimate_colors, spread_front
from vivid_assets.imaging.blend.plate import FITTED_AT, find_plate
from vivid_assets.imaging.blend.solve import around
from vivid_assets.imaging.core.areas import distance_to, grown, joined, joined_to_frame, without_small_parts
from vivid_assets.imaging.core.arrays import RGB, RGB8, Area, Indices, LinearRGB, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.core.interpolate import smoothstep
from vivid_assets.imaging.core.noise import noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, half_cells, whole
from vivid_assets.imaging.core.resize import fitted_size
from vivid_assets.imaging.core.unmix import DISPROVED, Model, Solved, fill_solid, hold_hue, solve_alpha

REFERENCE = 1024
"""Longer side in pixels that distances were chosen at."""
SEPARATED_AT = 512
"""Longer side in pixels at which subject, shadow and plate are separated."""

ALIKE = "the subject and the original background look alike: its alpha is the network's"
"""The note where white stands on white, or black on black."""
_SEPARABLE = 9.0
"""Squared distance of F from B, in their spreads, from which they can be separated."""
_LEAST_NOISE = 0.4
"""Levels of 8 bits: what is left of a capture's noise in the small picture, at least."""
_NEAR = 0.012
"""Share of the longer side about the mask that is solved."""
_RIM = 0.006
"""Share of the longer side by which a network's contour may lie too far out."""
_DARKEST = 0.04
"""Share of the plate's light under which nothing is taken for shadow."""
_DEEP, _SHADED = 0.55, 0.88
"""Shares of the plate's light: what may be a shadow's core, and where there is a shadow."""
_BARE = 0.02
"""Alpha of the small picture up to which its light is the background's."""
_FOOT = 8
"""Pixels about a tinted shadow that are as tinted and belong to it."""
_DIM = 0.35
"""Share of a coloured plate's light under which a camera sees no hue."""
_LINE, _DENT = 9, 0.12
"""Pixels across which a line is thin, and share of the plate's light that it must lack against both of its sides."""
_ALONG = 24
"""Pixels that a line follows the subject's contour, from which it is the shadow at its foot."""
_WHITE = 0.96
"""Light of a plate that is burnt out."""
_SIDE = 0.02
"""Share of the width on either side at which a line across the picture is looked for."""
_STEP, _ENDS = 3, 0.06
"""Rows within which light changes where a floor ends, and the least change of its logarithm."""
_FLARE = 0.08
"""Share of the plate's light that lens and surroundings may add to a shadow, in another hue."""
_TINTED = 0.3
"""Distance from the ray, as a share of the plate's light, of the most tinted shadow."""
_OWN_COLOR = 0.004
"""Share of the subject's inner pixels that a colour must have to be the subject's own."""
_LARGE = 2e-3
"""Share of the picture from which a hole is large, or a tinted shadow."""
_MANY = 6
"""Gaps from which what they have in common tells more than each of them."""
_PEAK = 3.0
"""How much commoner than lights beside it the plate's must be inside the mask."""
_BESIDE = 0.03
"""Share of the longer side about the gaps that are seen within which there may be finer ones."""
_GLIMPSE = np.float32(0.4)
"""Weight of what is seen between hairs for the shadow there."""
_PURE = 0.03
"""Distance from the ray, over the share of light, up to which no hair is mixed into a coloured plate."""
_STRANGE = 12.0
"""Misfit, chi squared of three channels, at which no mixture of F and B explains a pixel."""
_RINGING = 5.0
"""Levels of 8 bits: what a lossy codec, which removes a capture's noise elsewhere, makes of it beside an edge."""
_CONTEXT = 64
"""Pixels of a picture of REFERENCE pixels about what is solved, from which F spreads."""
_EDGE = 1.1
"""Such pixels from a bare one within which a solid pixel's colour is not trusted."""

_BORDER = 0.1, 0.36
"""Range of the enlarged trimap, of which bare is 0 and unknown one half, over which alpha may rise to 1."""
_HAIRY = 0.15, 0.4
"""Range of alpha among a pixel and those next to it from which it may be, and is, in hair."""


@dataclass(frozen=True)
class Spreads:
    """What else than alpha may explain a pixel's colour, as variances of shares of light."""

    front: float
    """Of F, each channel by itself."""
    front_light: float
    """Of F's brightness."""
    back: float
    """Of B, each channel by itself."""
    back_light: float
    """Of B's brightness where there is no shadow."""
    shadow_light: float
    """Of B's brightness in the deepest shadow, beyond that; a standard deviation."""
    measured: float
    """How much of the variance of F that is measured about a pixel counts."""
    mixed: float
    """Cost of alpha one half."""
    prior: float
    """Pull of the network's alpha."""


_SMALL = Spreads(0.003, 0.0, 0.0001, 0.015**2, 0.4, 1.0, 4.0, 1.0)
"""Tuned on photographs of renders and drawn fur (``benchmarks/quality/plain.py``); 20 per cent more or less of any
moves the mean over the band by less than 0.1."""
_FULL = Spreads(0.002, 0.15, 0.0001, 0.012**2, 0.15, 0.3, 1.0, 4.0)


@dataclass(frozen=True)
class KnownPlate:
    """What the photograph knows of its subject and background."""

    alpha: Matte | None
    """float32 H×W, 0..1, of the picture's size; None where it was not solved, or the photograph has no say."""
    plate: LinearRGB
    """float32 h×w×3, linear light, small."""
    layer: LinearRGB
    """float32 h×w×3: the shadow, see ``cast_shadow``."""
    note: str = ""
    """Why the photograph has no say; empty where it has."""

    @property
    def back(self) -> LinearRGB:
        """The background as it is seen: the plate in the shadow. float32 h×w×3."""
        return np.ascontiguousarray(self.plate * self.layer)


@dataclass(frozen=True)
class _SmallPicture:
    """The small picture, and how each of its pixels compares with the plate."""

    light: LinearRGB
    network: Matte
    """The network's alpha."""
    plate: LinearRGB
    share: Plane
    """Of the plate's light."""
    noise: Plane
    """Standard deviation of that."""
    off: Plane
    """Distance from the ray, as a share of the plate's light."""
    ray: Area
    """bool: plate in any light."""
    flat: Area
    """bool: no rougher than noise, no steeper than a shadow's edge."""
    thin: Area
    """bool: darker than what lies on both sides of it. No lamp is so small that its shadow of a hair were so sharp."""
    table: Vector
    """The noise's variances."""
    colored: Plane
    """How far the plate is from grey, 0..1."""

    @property
    def longest(self) -> int:
        return int(max(self.network.shape))


def solve_known_plate(
    image: RGB,
    alpha: Matte,
    noise: float,
    *,
    solve: bool,
    plate: LinearRGB | None = None,
    lossy: bool = False,
    threads: int | None = None,
) -> KnownPlate | None:
    """Solve alpha and shadow of a picture before a plain background; None where it is busy or the subject unseen.

    Args:
        image: H×W×3 sRGB, uint8 or uint16.
        alpha: float32 h×w, 0..1, of any size of the same aspect.
        noise: the capture's, in levels of 8 bits.
        solve: whether ``alpha`` is a network's, which the photograph may correct; else it tells the shadow only.
        plate: see ``plate_of``; found where it is not given.
        lossy: whether a lossy codec has left its errors beside the edge.
        threads: the most to use.

    """
    light = srgb_to_linear(image)
    plate = plate_of(light, alpha, noise, max(image.shape)) if plate is None else plate
    if plate is None:
        return None
    small = _small_picture(light, alpha, plate, noise)
    if lossy:
        noise = max(noise, _RINGING)
        small = replace(small, table=noise_variances(_reduced(noise, small.longest, max(image.shape))))
    if not solve:
        seen = small.ray & ~grown(small.network > 0.01, 1.5)
        return KnownPlate(None, small.plate, _layer(small, seen.astype(np.float32)))
    parts = _separate(small, threads)
    if parts is None:
        return None
    back = np.ascontiguousarray(small.plate * parts.layer)
    front, variance = _spread_of(small.light, parts.front)
    if _are_alike(front, variance, back, parts.trimap, small.table):
        return KnownPlate(None, small.plate, _final_layer(small, parts, small.network), ALIKE)
    model = Model(front, variance, small.plate, back, noise_variances(noise), _as_array(_FULL))
    solved = _full_alpha(light, parts, model, threads)
    return KnownPlate(solved, small.plate, _final_layer(small, parts, solved))


def _final_layer(small: "_SmallPicture", parts: "_Parts", alpha: Matte) -> LinearRGB:
    """Measure the shadow once more, where no subject was found: steep at a subject's foot, as it is there."""
    found = np.asarray(cv2.resize(alpha, small.share.shape[::-1], interpolation=cv2.INTER_AREA)) > _BARE
    foot = grown(found, _BESIDE * small.longest) & ~grown(found, 1) & (small.ray | (small.off < _FLARE))
    return _layer(small, np.where(foot, np.float32(1), parts.seen))


def _full_alpha(light: LinearRGB, parts: "_Parts", model: "Model", threads: int | None) -> Matte:
    """Solve alpha at the picture's size, where the small picture leaves it open."""
    height, width = light.shape[:2]
    alpha = np.asarray(cv2.resize(parts.trimap, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    unknown = (alpha > 0.01) & (alpha < 0.99)
    if parts.beside_gaps.any():
        unknown |= _doubted(light, alpha, parts)
    np.round(alpha, out=alpha)
    unit = max(1.0, max(height, width) / REFERENCE)
    box = around(unknown, round(_CONTEXT * unit))
    if not unknown.any():
        return alpha
    prior = np.asarray(cv2.resize(parts.prior, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    view = View(float(box[0].start), float(box[1].start), float(height), float(width))
    image, where = np.ascontiguousarray(light[box]), np.ascontiguousarray(unknown[box])
    here = Solved(image, np.ascontiguousarray(prior[box]), where, view, view)
    out, rows = np.ascontiguousarray(alpha[box]), len(where)
    none = np.zeros((1, 1, 2), np.float32)
    telling = np.ascontiguousarray(_enlarged(parts.telling, height, width)[box])
    parallel_rows(solve_alpha, rows, here, model, none, out, threads=threads)
    # A rim of a hue of its own seems half clear, and would not show its colour: solid again, it does. Where the plate
    # has no hue, what is nearly solid may as well be the plate in the shadow.
    _settle(here._replace(where=where & telling), model, telling, out, unit, threads)
    near = _next_to(out, where, unit)
    model = model._replace(front=spread_front(image, near, where, threads))
    here = here._replace(front_view=whole(*out.shape))
    parallel_rows(solve_alpha, rows, here, model, none, out, threads=threads)
    _settle(here, model, telling, out, unit, threads)
    alpha[box] = out
    # In a shadow as dark as the subject alpha has no contour of its own: there it is that of the small picture.
    soft = cv2.resize(cv2.GaussianBlur(parts.trimap, (0, 0), 1.0), (width, height), interpolation=cv2.INTER_LINEAR)
    border = unknown & (soft < _BORDER[1])
    alpha[border] = np.minimum(alpha[border], smoothstep(np.asarray(soft[border], np.float32), *_BORDER))
    return alpha


def _settle(here: Solved, model: Model, telling: Area, alpha: Matte, unit: float, threads: int | None) -> None:
    """Raise what was solved to what the hue of F allows, and make solid what is nearly so; in place."""
    parallel_rows(hold_hue, len(alpha), here, model, alpha, threads=threads)
    away = _away_from_bare(alpha, unit)
    parallel_rows(fill_solid, len(alpha), here, model, away, telling, alpha, threads=threads)


def _away_from_bare(alpha: Matte, unit: float) -> Plane:
    """Measure each pixel's distance from the next that is bare, which in hair counts half: a gap there may not be."""
    hairy = np.clip((_range(alpha, 3) - _HAIRY[0]) / (_HAIRY[1] - _HAIRY[0]), 0, 1)
    return np.asarray(distance_to(alpha < 0.35) * (1 - 0.5 * hairy) / unit, np.float32)


def _doubted(light: LinearRGB, trimap: Matte, parts: "_Parts") -> Area:
    """Mark the pixels of the picture's size beside gaps that are solid in the small picture and of no own colour.

    Between hairs the small picture has gaps and hairs in one pixel.
    """
    height, width = trimap.shape
    near = _enlarged(parts.beside_gaps, height, width) & (trimap >= 0.99)
    found = np.zeros_like(near)
    found[near] = ~parts.own[_color_codes(light[near])]
    return found


def _enlarged(area: Area, height: int, width: int) -> Area:
    return np.asarray(cv2.resize(area.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0)


def _are_alike(front: LinearRGB, variance: Planes, back: LinearRGB, trimap: Matte, table: Vector) -> bool:
    """Whether F and B can hardly be separated along most of the edge: white on white, black on black."""
    size = trimap.shape[::-1]
    front, variance = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.float32) for plane in (front, variance)
    )
    edge = trimap == 0.5
    if not edge.any():
        return False
    f, b, v = front[edge], back[edge], variance[edge]
    grain = table[np.clip(f * (len(table) - 1), 0, len(table) - 1).astype(np.int64)]
    own = _FULL.measured * v + _FULL.front * f * f + grain
    # The brightness of F is a guess of its own.
    apart = (f - b) ** 2 / (own + _FULL.front_light * 0.1 * f * f + 1e-6)
    return float((apart.max(axis=1) < _SEPARABLE).mean()) > 0.5


def known_colors(
    light: LinearRGB, alpha: Matte, back: LinearRGB, view: View, noise: float, threads: int | None
) -> Colors:
    """Estimate F about the soft pixels of ``alpha`` (float32 H×W), a cut of the picture, where B is known.

    ``back`` (float32 h×w×3) is the whole picture's background, of any size; ``view`` says where the cut lies in it.
    """
    rows, columns = (half_cells(size).first.size for size in alpha.shape)
    # The half-size cells' centres, in cells of the background.
    down, across = back.shape[0] / view.tall, back.shape[1] / view.wide
    y = ((np.arange(rows) + 0.5) * alpha.shape[0] / rows + view.top) * down - 0.5
    x = ((np.arange(columns) + 0.5) * alpha.shape[1] / columns + view.left) * across - 0.5
    right, low = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    behind = np.asarray(cv2.remap(back, right, low, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
    return estimate_colors(light, alpha, back=behind, noise=noise, threads=threads)


def plate_of(light: LinearRGB, alpha: Matte, noise: float, longest: int) -> LinearRGB | None:
    """Find the plate of a picture by a small one; None where its background is busy.

    Args:
        light: float32 h×w×3, linear light, of any size from ``FITTED_AT`` on.
        alpha: float32 h×w, 0..1.
        noise: the capture's in the whole picture, in levels of 8 bits.
        longest: longer side of the whole picture.

    Returns:
        float32 h×w×3, linear light, the longer side ``FITTED_AT`` or less.
    """
    fitted = fitted_size(light.shape[1], light.shape[0], FITTED_AT)
    tiny, subject = (
        np.asarray(cv2.resize(plane, fitted, interpolation=cv2.INTER_AREA), np.float32) for plane in (light, alpha)
    )
    found = find_plate(tiny, subject, _reduced(noise, max(fitted), longest))
    return None if found is None else found.light


def _small_picture(light: LinearRGB, alpha: Matte, plate: LinearRGB, noise: float) -> _SmallPicture:
    """Compare the pixels of a small picture with the plate."""
    height, width = light.shape[:2]
    size = fitted_size(width, height, SEPARATED_AT)
    reduced = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
    network = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    plate = np.asarray(cv2.resize(plate, size, interpolation=cv2.INTER_LINEAR), np.float32)
    left = _reduced(noise, max(size), max(height, width))
    table = noise_variances(left)
    # Each channel by its noise, whose variance goes with the light to the power of 7/6.
    weight = np.maximum(plate, 0.004) ** np.float32(-7 / 6)
    length = (weight * plate * plate).sum(axis=2)
    share = (weight * reduced * plate).sum(axis=2) / length
    row = _rows_of_plate(share, network < 0.05)
    plate, share, length = plate * row[..., None], share / row, length * row * row
    off = np.sqrt((weight * (reduced - share[..., None] * plate) ** 2).sum(axis=2) / length)
    grain = np.sqrt(np.float32((left / 255) ** 2 * (2.4 / 1.055) ** 2) / length)
    # Light that is shaded may be tinted: by the sky, or by the subject.
    tinted = 0.025 + 0.08 * np.clip(1 - share, 0, 1) * share + 3 * grain
    floor = _floor_line(reduced)
    ray = (off < tinted) & (share > _DARKEST) & ((share < MOST) | floor)
    slope = slope_of(np.log(np.maximum(share, 0.01)))
    fine = (share - cv2.GaussianBlur(share, (0, 0), 1.5)) ** 2
    rough = np.sqrt(cv2.GaussianBlur(fine, (0, 0), 1.5))
    flat = (slope < 0.05 + 2 * grain / np.maximum(share, 0.05)) & (rough < 0.008 + 1.5 * grain)
    thin = _thin(share, grain, floor)
    thin &= ~_at_foot(thin, share, network)
    flat |= floor & ray & (network < 0.5)
    ray |= _deeply_tinted(off, ray, flat & (network < 0.05), grain) & (network < 0.5) & (share > _DARKEST)
    return _SmallPicture(reduced, network, plate, share, grain, off, ray, flat, thin, table, _colored(plate))


def _deeply_tinted(off: Plane, ray: Area, where: Area, grain: Plane) -> Area:
    """What goes over smoothly from a shadow on the ray to one that is tinted more, as colourful plates have it."""
    smooth = where & (off < _TINTED) & (slope_of(off) < 0.01 + 2 * grain)
    # Most pixels about each tell, so that grain leaves no specks.
    smooth = ~ray & (off < _TINTED) & (cv2.blur(smooth.astype(np.float32), (7, 7)) > 0.5)
    found = joined(without_small_parts(smooth, _LARGE * smooth.size), grown(ray, 2))
    # At the subject's foot the shadow is steeper.
    return found | (grown(found, _FOOT) & (off < _TINTED)) if found.any() else found


def _thin(share: Plane, grain: Plane, floor: Area) -> Area:
    """Where it is darker than on both sides: hairs and stalks, but no line where a floor meets its wall."""
    dent = np.asarray(cv2.morphologyEx(np.minimum(share, 1), cv2.MORPH_BLACKHAT, _window(_LINE)), np.float32)
    found = (dent > _DENT + 3 * grain) & ~floor
    return np.asarray(found & ~joined_to_frame(found))


def _at_foot(thin: Area, share: Plane, network: Matte) -> Area:
    """Which thin dark lines are the shadow right beneath the subject, and no hair.

    They follow its contour for long and never leave it, or all light about them is dimmed.
    """
    away = distance_to(network > 0.5)
    lightest = cv2.dilate(np.where(network < 0.5, share, 0).astype(np.float32), _window(2 * _LINE - 1))
    dimmed = (lightest < _SHADED) & (away <= _LINE / 2)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(thin.astype(np.uint8), connectivity=8)
    farthest = np.zeros(count)
    np.maximum.at(farthest, np.asarray(labels[thin], np.int64), away[thin])
    along = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) > _ALONG
    follows = along & (farthest <= _LINE)
    follows[0] = False
    return np.asarray(dimmed | follows[labels])


def _rows_of_plate(share: Plane, bare: Area) -> Plane:
    """Tell (float32 h×1) what a whole row lacks of the plate's light, such as the line where a floor meets its wall.

    It is there at both sides of the frame, where a shadow seldom is.
    """
    ends = np.maximum(*(np.median(strip, axis=1) for strip in _sides(share)))
    left, right = _sides(bare)
    seen = left.all(axis=1) & right.all(axis=1)
    return np.where(seen, np.clip(ends, 0.05, 1), 1)[:, None].astype(np.float32)


def _floor_line(light: LinearRGB) -> Area:
    """Mark (bool h×w) the rows in which the light changes at both sides of the picture: where a floor or table ends.

    A shadow or a subject seldom reaches to both sides, and never in one row.
    """
    changed = []
    for strip in _sides(np.log(np.maximum(_mean(light), 1e-3))):
        row = np.median(strip, axis=1)
        wide = np.pad(row, _STEP, mode="edge")
        above, below = wide[: -2 * _STEP], wide[2 * _STEP :]
        step, line = np.abs(below - above), np.abs(row - (above + below) / 2)
        changed.append(cv2.dilate((np.maximum(step, line) > _ENDS).astype(np.uint8), np.ones((5, 1), np.uint8)))
    both = np.minimum(*changed)
    rows = np.asarray(cv2.dilate(both, np.ones((3, 1), np.uint8))).ravel() > 0
    return np.repeat(rows[:, None], light.shape[1], axis=1)


def _sides(plane: Plane | Area) -> tuple[Plane | Area, Plane | Area]:
    """The strips at the left and at the right of the frame, where a whole row is told from what stands in it."""
    side = max(2, round(_SIDE * plane.shape[1]))
    return plane[:, :side], plane[:, -side:]


def _reduced(noise: float, longest: int, of: int) -> float:
    """What is left of a capture's noise in a picture that was reduced to ``longest`` pixels from ``of``."""
    return max(noise * longest / of, _LEAST_NOISE)


@dataclass(frozen=True)
class _Parts:
    """What the small picture shows."""

    layer: LinearRGB
    """The shadow."""
    seen: Plane
    """0..1, how surely it is seen."""
    trimap: Matte
    """0, ½, 1."""
    prior: Matte
    """Of alpha: the network's, or what the picture shows where that is doubted."""
    front: Area
    """bool: the pixels that show F."""
    beside_gaps: Area
    """bool: what may have finer gaps than the small picture shows."""
    telling: Area
    """bool: where the plate's colour is no subject's: it is a hue, or seen in gaps near by."""
    own: Area
    """bool: whether the subject has a colour, by its code."""


def _separate(small: _SmallPicture, threads: int | None) -> _Parts | None:
    """Separate subject, shadow and plate; None where the network saw no subject for sure."""
    network, longest = small.network, small.longest
    inside = distance_to(network <= 0.5)
    core = (network > 0.9) & (inside > _NEAR * longest)
    outside = small.ray & ~small.thin & ~grown(network > 0.05, _NEAR * longest)
    # A network takes cast shadows for subject, too; but what is dark and grey may well be subject.
    # Greys are everywhere: against the network, a grey plate shows in its shadow, and in its own light at the very rim.
    colored = small.colored > 0.3
    dim = colored | (small.share < _SHADED)
    shade = small.ray & small.flat & ~core & ((network < 0.5) | ((network < 0.97) & (small.share > 0.4) & dim))
    back = joined(outside | shade, outside)
    holes, gapped = _holes(small, back)
    back |= holes
    heart = (network > 0.9) & (inside > 0.5 * float(inside.max())) & ~back
    if gapped:  # the finest gaps have been left in, and are no colour of the subject's own
        heart &= ~grown(small.ray, 1.5)
    if not heart.any():
        return None
    colors = _own_colors(small.light, heart)
    own = colors[_color_codes(small.light)]
    if gapped:
        heart &= own
    deep = (network > 0.9) & (inside > min(0.03 * longest, 0.5 * float(inside.max()))) & ~grown(back, 2)
    sure = heart | (deep & own)
    lit = back & ~grown(~back & (small.ray | (network > 0.05)), 1.5)
    layer = np.repeat(np.clip(blur_widely(small.share, lit.astype(np.float32)), 0, 1)[..., None], 3, axis=2)
    open_to = grown(network > 0.05, 0.02 * longest) | ~small.ray | small.thin
    alpha, misfit = _solved(small, layer, sure, open_to, threads)
    rim = _met(small, layer) & (dim | grown(network < 0.5, _RIM * longest))
    plain = small.ray & (alpha < 0.06) & ~core & ((network < 0.5) | colored | rim)
    solid = ~back & (distance_to(back) > 2)
    # What is no mixture of the subject's inner colour and the plate is another colour of the subject.
    sure |= solid & ((~small.ray & (misfit[..., 0] > _STRANGE)) | (own & (network > 0.5)))
    back = holes | joined(plain | back, back)
    lit = back & ~grown(~back & (alpha > 0.1), 1.0)
    glimpses = _GLIMPSE * (_between(small) & ~heart & ~own)
    seen = np.where(lit, np.float32(1), glimpses).astype(np.float32)
    layer = _layer(small, seen)
    alpha, misfit = _solved(small, layer, sure, open_to, threads)
    through = _seen_through(small, layer, (alpha, misfit), sure, back, gapped) & ~heart
    through = grown(through, 3.0) & ~sure
    if not gapped:  # a grey plate's light, met deep inside what a network is sure of, is a sheen on its grain
        through &= colored | (network < 0.9) | (inside < _RIM * longest)
        through &= (network < 0.5) | ~_as_dark(small, layer)
    deepest = _deepest(small, layer)
    if deepest.any():
        back |= deepest
        seen[deepest] = 1
        layer = _layer(small, seen)
    part = _edged(small, (~small.ray | small.thin) & ~back & (alpha > 0.15) & (network < 0.5)) | (
        (network > 0.5) & ~back
    )
    subject = part & joined(grown(part, 3), (network > 0.5) & ~back)
    depth = distance_to(~subject)
    front = subject & (depth > 2.5) & ~through & ((network > 0.5) | (alpha > 0.97))
    trimap = np.where(front, 1, np.where(grown(subject, 1.5), 0.5, 0)).astype(np.float32)
    prior = np.where(through, alpha, network).astype(np.float32)
    beside = grown(through & core & (colored | gapped), _BESIDE * longest) & ~heart
    return _Parts(layer, seen, trimap, prior, front | (sure & (depth > 2)), beside, beside | colored, colors)


def _seen_through(
    small: _SmallPicture, layer: LinearRGB, solved: tuple[Matte, Planes], sure: Area, back: Area, gapped: bool
) -> Area:
    """Where the plate is seen between hairs and leaves, joined to what is outside."""
    alpha, misfit = solved
    missed, colored = small.network < 0.5, small.colored > 0.3
    # Where a solid pixel would be explained as well, a network that is sure is believed.
    shown = (misfit[..., 1] - misfit[..., 0] > DISPROVED[1]) | missed
    soft = (alpha < 0.92) & (shown | colored | gapped) & ~sure
    # Greys are everywhere: a grey gap must have the very light of the plate beside it.
    reliable = ~small.ray | _met(small, layer) | colored
    bare = (alpha < 0.5) & ~sure & (missed | (reliable & _is_fine(alpha)))
    return joined(grown(soft & grown(bare, _NEAR * small.longest), 1.5), back & missed)


def _deepest(small: _SmallPicture, layer: LinearRGB) -> Area:
    """Where a shadow is so deep that the plate has lost its hue: what is dark there, and no subject to the network.

    It may be strange by no more than what lens and surroundings add. And it is of a piece: what is dark between hairs
    is hair.
    """
    strange = cv2.absdiff(small.light, small.share[..., None] * small.plate).max(axis=2) / small.plate.max(axis=2)
    found = (small.network < 0.5) & (small.share < _DEEP) & grown(_mean(layer) < _SHADED, 3) & ~small.ray
    found &= strange < _FLARE + 3 * small.noise
    return np.asarray(cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, _window(7)) > 0)


def _as_dark(small: _SmallPicture, layer: LinearRGB) -> Area:
    """Where the shadow is so deep that a subject's own dark has its light."""
    return np.asarray(_mean(layer) <= np.where(small.colored > 0.3, _DIM, _SHADED))


def _met(small: _SmallPicture, layer: LinearRGB) -> Area:
    """Where the picture has the very light of the plate in its shadow."""
    return np.asarray(np.abs(small.share / np.maximum(_mean(layer), 0.05) - 1) < 0.05 + 2 * small.noise)


def _between(small: _SmallPicture) -> Area:
    """What is seen of a coloured plate between hairs, however shaded: its lightest all about, or its very hue."""
    lightest = cv2.dilate(np.where(small.ray, small.share, 0).astype(np.float32), _window(11))
    seen = (small.share > 0.85 * lightest) | (small.off < _PURE * small.share + small.noise)
    return np.asarray(small.ray & seen & (small.colored > 0.3))


def _layer(small: _SmallPicture, seen: Plane) -> LinearRGB:
    return measure_shadow(small.share, small.light, small.plate, seen, small.noise)


def _solved(
    small: _SmallPicture, layer: LinearRGB, sure: Area, where: Area, threads: int | None
) -> tuple[Matte, Planes]:
    """Solve alpha of the small picture, with how badly it explains each pixel, and how badly a solid one would."""
    front, variance = _spread_of(small.light, sure)
    alpha, misfit = (small.network > 0.5).astype(np.float32), np.zeros((*small.network.shape, 2), np.float32)
    back = np.ascontiguousarray(small.plate * layer)
    view = whole(*alpha.shape)
    solved = Solved(small.light, small.network, where & ~sure, view, view)
    model = Model(front, variance, small.plate, back, small.table, _as_array(_SMALL))
    parallel_rows(solve_alpha, len(alpha), solved, model, misfit, alpha, threads=threads)
    alpha[sure] = 1
    return alpha, misfit


def _spread_of(light: LinearRGB, sure: Area) -> tuple[LinearRGB, Planes]:
    """Spread F and the variance about it from where it is seen, at half the size."""
    height, width = sure.shape
    size = (-(-width // 2), -(-height // 2))
    known = sure.astype(np.float32)
    light = light * known[..., None]
    first, second, weight = (
        np.asarray(cv2.blur(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), (3, 3)), np.float32)
        for plane in (light, light * light, known)
    )
    out = spread(np.dstack([first, second]) / np.maximum(weight, 1e-4)[..., None], weight)
    front = np.ascontiguousarray(out[..., :3])
    return front, np.ascontiguousarray(np.maximum(out[..., 3:] - front * front, 0))


def _next_to(alpha: Matte, unknown: Area, unit: float) -> Matte:
    """Make a trimap whose solid pixels show F: none that a bare one's light may have reached."""
    # Lenses and codecs see a picture, not pixels: what they blur is wider in a larger one.
    far = distance_to(alpha < 0.35) > _EDGE * unit
    return np.where((alpha > 0.97) & far, np.float32(1), np.where(unknown, np.float32(0.5), alpha)).astype(np.float32)


def _own_colors(light: LinearRGB, heart: Area) -> Area:
    """Tell which colours, by their codes, the subject has at its heart."""
    count = np.bincount(_color_codes(light[heart]), minlength=16**3)
    return np.asarray(count > _OWN_COLOR * count.sum())


def _color_codes(light: Planes) -> Indices:
    """Number the colours (float32 …×3, linear light) on a scale of 16 steps a channel."""
    cells = np.minimum((np.sqrt(np.clip(light, 0, 1)) * 16).astype(np.int32), 15)
    return np.asarray((cells[..., 0] * 16 + cells[..., 1]) * 16 + cells[..., 2])


def _holes(small: _SmallPicture, back: Area) -> tuple[Area, bool]:
    """Find what the subject encloses of the plate: its own light, as flat, with an edge all round.

    Light on a grey subject may pass through the plate's, but then without an edge. Where the plate is burnt out, white
    cloth is, too, and a network that is sure is believed.
    """
    around = np.maximum(spread(small.share, (back & (small.network < 0.5)).astype(np.float32)), np.float32(1e-3))
    like = (small.off < 0.015 + 2 * small.noise) & (np.abs(small.share / around - 1) < 0.03 + 3 * small.noise)
    like &= ~back & (small.network > 0.05)
    # An even window is mirrored to open an area: else what is left lies a pixel aside.
    patches = cv2.dilate(cv2.erode(like.astype(np.uint8), _window(2), anchor=(0, 0)), _window(2), anchor=(1, 1))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(patches, connectivity=4)
    sizes = np.asarray(stats[:, cv2.CC_STAT_AREA], np.int64)
    gapped = _is_peak(small, around, back, sizes[1:])
    large = np.flatnonzero(sizes >= (4 if gapped else 12))[1:]
    if not large.size:
        return np.zeros_like(back), False
    step = _range(np.log(np.maximum(small.share, 0.01)), 7) + cv2.dilate(small.off, _window(7))
    edge = step > np.where(small.colored > 0.3, 0.06, 0.12)
    rim = (patches > 0) & (cv2.erode(patches, np.ones((3, 3), np.uint8)) == 0)
    area = np.bincount(labels.ravel(), minlength=count)
    edged = np.bincount(labels[rim & edge], minlength=count) / np.maximum(np.bincount(labels[rim], minlength=count), 1)

    def mean(values: Plane | Area) -> Vector:
        return np.asarray(np.bincount(labels.ravel(), values.ravel(), minlength=count) / area)

    apart, trusted = mean(np.abs(small.share / around - 1) + small.off), mean(small.network)
    # Greys are everywhere: against a network that is sure, a grey plate must be met exactly, and over a large area.
    # (Noise alone sets it apart by twice its deviation.) Many small ones are the plate if their light is a peak.
    burnt = mean(_burnt(small)) > 0.5
    exact = (apart < 0.012 + 3 * mean(small.noise)) & (area > _LARGE * like.size)
    shown = (mean(small.colored) > 0.3) | ((exact | gapped) & ~burnt)
    kept = np.zeros(count, bool)
    kept[large] = ((edged > 0.7) & ((trusted < 0.85) | shown))[large]
    return np.asarray(kept[labels]), gapped


def _burnt(small: _SmallPicture) -> Area:
    """Where the plate is as white as whatever else is white."""
    return np.asarray(small.plate.min(axis=2) >= _WHITE)


def _is_peak(small: _SmallPicture, around: Plane, back: Area, patches: Indices) -> bool:
    """Whether the plate's very light is far commoner inside the mask than lights near it, in many patches (sizes).

    A subject's own greys are lit unevenly, and a part of the plate's grey is one part: gaps between leaves are many,
    and of one light.
    """
    if len(patches) < _MANY or patches.max() > 0.5 * patches.sum():
        return False
    grey = ~back & (small.network > 0.5) & (small.off < 0.015 + 2 * small.noise) & ~_burnt(small)
    apart = np.abs(small.share / around - 1) / (0.03 + 3 * small.noise)
    met, beside = np.count_nonzero(grey & (apart < 1)), np.count_nonzero(grey & (apart >= 1) & (apart < 3)) / 2
    return bool(met > _PEAK * beside)


def _colored(plate: LinearRGB) -> Plane:
    """How far a plate is from grey, 0..1."""
    red, green, blue = cv2.split(plate)
    least, most = np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
    return np.asarray(1 - least / np.maximum(most, 1e-4))


def _mean(planes: Planes) -> Plane:
    """The mean of three channels, in a tenth of NumPy's time."""
    return np.asarray(cv2.transform(planes, np.full((1, 3), 1 / 3, np.float32)))


def _is_fine(alpha: Matte) -> Area:
    """Whether alpha goes up and down all about a pixel, as between hairs and leaves, and not on a grey side."""
    return np.asarray(cv2.blur((_range(alpha, 7) > 0.35).astype(np.float32), (11, 11)) > 0.85)


def _edged(small: _SmallPicture, area: Area) -> Area:
    """The parts of ``area`` with an edge round most of them; a shadow that is tinted fades out."""
    count, labels = cv2.connectedComponents(area.astype(np.uint8), connectivity=8)
    edge = _range(np.log(np.maximum(small.share, 0.01)), 5) + _range(small.off, 5) > 0.12
    rim = area & (cv2.erode(area.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    edged = np.bincount(labels[rim & edge], minlength=count) / np.maximum(np.bincount(labels[rim], minlength=count), 1)
    kept = edged > 0.6
    kept[0] = False
    return np.asarray(kept[labels])


def _range(plane: Plane, size: int) -> Plane:
    return np.asarray(cv2.dilate(plane, _window(size)) - cv2.erode(plane, _window(size)))


def _window(size: int) -> RGB8:
    return np.ones((size, size), np.uint8)


def _as_array(spreads: Spreads) -> Vector:
    return np.array(astuple(spreads), np.float32)
