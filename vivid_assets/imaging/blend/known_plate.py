"""Alpha of a subject before a plain background, whose plate the photograph shows.

A pixel is I = αF + (1 − α)·S·P: the subject F, the plate P, and the share S of its light that the subject leaves. A
network says roughly where the subject is. What lies on the ray S·P and is as flat as the plate is background, however
dark; what does not is subject. Where the plate shows through a subject that has no such colour of its own (hair,
leaves, meshes), a network's solid place is doubted. Subject and background are separated in a small picture; in
between, at the picture's own size, alpha is the most probable one given both colours, their spread and the noise,
twice: the second time with the colours of the solid pixels next to each.
"""

from dataclasses import astuple, dataclass, replace
from typing import NamedTuple

import cv2
import numba
import numpy as np

from vivid_assets.imaging.blend.cast_shadow import blur_widely, measure_shadow, spread
from vivid_assets.imaging.blend.foreground import Colors, estimate_colors, update_colors
from vivid_assets.imaging.blend.plate import FITTED_AT, find_plate
from vivid_assets.imaging.core.areas import distance_to, grown, joined
from vivid_assets.imaging.core.arrays import RGB, RGB8, Area, LinearRGB, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.core.interpolate import bilinear, cells_about
from vivid_assets.imaging.core.noise import noise_variance, noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View
from vivid_assets.imaging.core.resize import fitted_size

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
_OWN_COLOR = 0.004
"""Share of the subject's inner pixels that a colour must have to be the subject's own."""
_LARGE = 2e-3
"""Share of the picture from which a hole is large."""
_GLIMPSE = np.float32(0.4)
"""Weight of what is seen between hairs for the shadow there."""
_PURE = 0.03
"""Distance from the ray, over the share of light, up to which no hair is mixed into a coloured plate."""
_STRANGE = 12.0
"""Misfit, chi squared of three channels, at which no mixture of F and B explains a pixel."""
_RINGING = 5.0
"""Levels of 8 bits: what a lossy codec, which removes a capture's noise elsewhere, makes of it beside an edge."""
_FILLS = 3.0, 7.0
"""Pixels of such a picture between which what is nearly solid becomes so."""
_EDGE = (
    1.1  # pixels of a picture of REFERENCE pixels from a bare one within which a solid pixel's colour is not trusted
)


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
    table: Vector
    """The noise's variances."""

    @property
    def longest(self) -> int:
        return int(max(self.network.shape))


def solve_known_plate(
    image: RGB, alpha: Matte, noise: float, *, solve: bool, lossy: bool = False, threads: int | None = None
) -> KnownPlate | None:
    """Solve alpha and shadow of a picture before a plain background; None where it is busy or the subject unseen.

    Args:
        image: H×W×3 sRGB, uint8 or uint16.
        alpha: float32 h×w, 0..1, of any size of the same aspect.
        noise: the capture's, in levels of 8 bits.
        solve: whether ``alpha`` is a network's, which the photograph may correct; else it tells the shadow only.
        lossy: whether a lossy codec has left its errors beside the edge.
        threads: the most to use.

    """
    light = srgb_to_linear(image)
    small = _small_picture(light, alpha, noise)
    if small is None:
        return None
    if lossy:
        noise = max(noise, _RINGING)
        small = replace(small, table=noise_variances(_reduced(noise, small.longest, max(image.shape))))
    if not solve:
        seen = small.ray & ~grown(small.network > 0.01, 1.5)
        return KnownPlate(None, *_with_horizon(small.plate, _layer(small, seen.astype(np.float32))))
    parts = _separate(small, threads)
    if parts is None:
        return None
    back = np.ascontiguousarray(small.plate * parts.layer)
    front, variance = _spread_of(small.light, parts.front)
    if _are_alike(front, variance, back, parts.trimap, small.table):
        return KnownPlate(None, *_with_horizon(small.plate, parts.layer), ALIKE)
    height, width = image.shape[:2]
    up = np.asarray(cv2.resize(parts.trimap, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    unknown = (up > 0.01) & (up < 0.99)
    solved = np.round(up)
    prior = np.asarray(cv2.resize(parts.prior, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    model = _Model(front, variance, small.plate, back, noise_variances(noise), _as_array(_FULL))
    none = np.zeros((1, 1), np.float32)
    parallel_rows(_solve, height, _Solved(light, prior, unknown), model, none, solved, threads=threads)
    near = _next_to(solved, unknown)
    colors = estimate_colors(light, near, rounds=0, soft=unknown, noise=noise, threads=threads)
    model = model._replace(front=np.ascontiguousarray(colors.fields[..., :3]))
    parallel_rows(_solve, height, _Solved(light, prior, unknown), model, none, solved, threads=threads)
    return KnownPlate(_filled(solved), *_with_horizon(small.plate, parts.layer))


def _with_horizon(plate: LinearRGB, layer: LinearRGB) -> tuple[LinearRGB, LinearRGB]:
    """Move from the shadow to the plate what a whole row has: the line where a floor meets its wall.

    It is there at both sides of the frame, where a shadow seldom is. What the two make together stays.
    """
    side = max(2, round(0.02 * layer.shape[1]))
    ends = np.maximum(np.median(layer[:, :side], axis=1), np.median(layer[:, -side:], axis=1))
    row = np.clip(ends, 0.05, 1)[:, None].astype(np.float32)
    return np.ascontiguousarray(plate * row), np.ascontiguousarray(layer / row)


def _filled(alpha: Matte) -> Matte:
    """Make solid what is nearly so far from every bare pixel: there no edge is near that it could be a part of."""
    away = distance_to(alpha < 0.35) / np.float32(max(1.0, max(alpha.shape) / REFERENCE))
    lift = np.clip((away - _FILLS[0]) / (_FILLS[1] - _FILLS[0]), 0, 1)
    return np.where(alpha > 0.5, alpha + (1 - alpha) * lift, alpha).astype(np.float32)


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
    colors = estimate_colors(light, alpha, rounds=0, noise=noise, threads=threads)
    rows, columns = colors.fields.shape[:2]
    # The half-size cells' centres, in cells of the background.
    down, across = back.shape[0] / view.tall, back.shape[1] / view.wide
    y = ((np.arange(rows) + 0.5) * alpha.shape[0] / rows + view.top) * down - 0.5
    x = ((np.arange(columns) + 0.5) * alpha.shape[1] / columns + view.left) * across - 0.5
    right, low = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    behind = np.asarray(cv2.remap(back, right, low, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)

    def with_plate(found: Colors) -> Colors:
        return replace(found, fields=np.ascontiguousarray(np.dstack([found.fields[..., :3], behind])))

    colors = with_plate(colors)
    for _ in range(2):
        colors = with_plate(update_colors(light, alpha, colors, threads=threads))
    return replace(colors, plate=behind, plate_variance=np.zeros_like(colors.plate_variance))


def _small_picture(light: LinearRGB, alpha: Matte, noise: float) -> _SmallPicture | None:
    """Find the plate in a small picture and compare its pixels with it."""
    height, width = light.shape[:2]
    size = fitted_size(width, height, SEPARATED_AT)
    reduced = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
    network = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    fitted = fitted_size(width, height, FITTED_AT)
    grain = _reduced(noise, max(fitted), max(height, width))
    tiny, subject = (
        np.asarray(cv2.resize(plane, fitted, interpolation=cv2.INTER_AREA), np.float32) for plane in (reduced, network)
    )
    found = find_plate(tiny, subject, grain)
    if found is None:
        return None
    plate = np.asarray(cv2.resize(found.light, size, interpolation=cv2.INTER_LINEAR), np.float32)
    left = _reduced(noise, max(size), max(height, width))
    table = noise_variances(left)
    # Each channel by its noise, whose variance goes with the light to the power of 7/6.
    weight = np.maximum(plate, 0.004) ** np.float32(-7 / 6)
    length = (weight * plate * plate).sum(axis=2)
    share = (weight * reduced * plate).sum(axis=2) / length
    off = np.sqrt((weight * (reduced - share[..., None] * plate) ** 2).sum(axis=2) / length)
    grain = np.sqrt(np.float32((left / 255) ** 2 * (2.4 / 1.055) ** 2) / length)
    # Light that is shaded may be tinted: by the sky, or by the subject.
    tinted = 0.025 + 0.08 * np.clip(1 - share, 0, 1) * share + 3 * grain
    ray = (off < tinted) & (share > _DARKEST) & (share < 1.12)
    logs = np.log(np.maximum(share, 0.01))
    slope = np.hypot(cv2.Scharr(logs, cv2.CV_32F, 1, 0), cv2.Scharr(logs, cv2.CV_32F, 0, 1)) / 32
    fine = (share - cv2.GaussianBlur(share, (0, 0), 1.5)) ** 2
    rough = np.sqrt(cv2.GaussianBlur(fine, (0, 0), 1.5))
    flat = (slope < 0.05 + 2 * grain / np.maximum(share, 0.05)) & (rough < 0.008 + 1.5 * grain)
    return _SmallPicture(reduced, network, plate, share, grain, off, ray, flat, table)


def _reduced(noise: float, longest: int, of: int) -> float:
    """What is left of a capture's noise in a picture that was reduced to ``longest`` pixels from ``of``."""
    return max(noise * longest / of, _LEAST_NOISE)


@dataclass(frozen=True)
class _Parts:
    """What the small picture shows."""

    layer: LinearRGB
    """The shadow."""
    trimap: Matte
    """0, ½, 1."""
    prior: Matte
    """Of alpha: the network's, or what the picture shows where that is doubted."""
    front: Area
    """bool: the pixels that show F."""


def _separate(small: _SmallPicture, threads: int | None) -> _Parts | None:
    """Separate subject, shadow and plate; None where the network saw no subject for sure."""
    network, longest = small.network, small.longest
    inside = cv2.distanceTransform((network > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    core = (network > 0.9) & (inside > _NEAR * longest)
    outside = small.ray & ~grown(network > 0.05, _NEAR * longest)
    # A network takes cast shadows for subject, too; but what is dark and grey may well be subject.
    # Greys are everywhere: against the network, a grey plate shows in its shadow, and in its own light at the very rim.
    colored = _colored(small.plate) > 0.3
    dim = colored | (small.share < _SHADED)
    shade = small.ray & small.flat & ~core & ((network < 0.5) | ((network < 0.97) & (small.share > 0.4) & dim))
    back = joined(outside | shade, outside)
    holes = _holes(small, back)
    back |= holes
    heart = (network > 0.9) & (inside > 0.5 * float(inside.max())) & ~back
    if not heart.any():
        return None
    own = _own_colors(small.light, heart)
    deep = (network > 0.9) & (inside > min(0.03 * longest, 0.5 * float(inside.max()))) & ~grown(back, 2)
    sure = heart | (deep & own)
    lit = back & ~grown(~back & (small.ray | (network > 0.05)), 1.5)
    layer = np.repeat(np.clip(blur_widely(small.share, lit.astype(np.float32)), 0, 1)[..., None], 3, axis=2)
    open_to = grown(network > 0.05, 0.02 * longest) | ~small.ray
    alpha, misfit = _solved(small, layer, sure, open_to, threads)
    rim = _met(small, layer) & (dim | grown(network < 0.5, _RIM * longest))
    plain = small.ray & (alpha < 0.06) & ~core & ((network < 0.5) | colored | rim)
    solid = ~back & (distance_to(back) > 2)
    # What is no mixture of the subject's inner colour and the plate is another colour of the subject.
    sure |= solid & ((~small.ray & (misfit > _STRANGE)) | (own & (network > 0.5)))
    back = holes | joined(plain | back, back)
    lit = back & ~grown(~back & (alpha > 0.1), 1.0)
    glimpses = _GLIMPSE * (_between(small) & ~heart & ~own)
    layer = _layer(small, np.where(lit, np.float32(1), glimpses).astype(np.float32))
    alpha = _solved(small, layer, sure, open_to, threads)[0]
    # Greys are everywhere: a grey gap must have the very light of the plate beside it.
    reliable = ~small.ray | _met(small, layer) | colored
    bare = (alpha < 0.5) & ~sure & ((network < 0.5) | (reliable & _is_fine(alpha)))
    less = (alpha < 0.92) & ~sure & grown(bare, _NEAR * longest)
    through = grown(joined(grown(less, 1.5), back & (network < 0.5)) & ~heart, 3.0) & ~sure
    # In the deepest shadow a plate loses its hue: what is dark there, and no subject to the network, is no plinth.
    deepest = (network < 0.5) & (small.share < _DEEP) & grown(layer.mean(axis=2) < _SHADED, 3) & ~small.ray
    # And of a piece: what is dark between hairs is hair.
    deepest = cv2.morphologyEx(deepest.astype(np.uint8), cv2.MORPH_OPEN, _window(7)).astype(bool)
    if deepest.any():
        back |= deepest
        layer = _layer(small, np.where(lit | deepest, np.float32(1), glimpses).astype(np.float32))
    missed = ~small.ray & ~back & (alpha > 0.15) & (network < 0.5)
    part = _edged(small, missed) | ((network > 0.5) & ~back)
    subject = part & joined(grown(part, 3), (network > 0.5) & ~back)
    depth = distance_to(~subject)
    front = subject & (depth > 2.5) & ~through & ((network > 0.5) | (alpha > 0.97))
    empty = ~grown(subject, 1.5)
    trimap = np.where(front, np.float32(1), np.where(empty, np.float32(0), np.float32(0.5)))
    prior = np.where(through, alpha, network).astype(np.float32)
    return _Parts(layer, trimap, prior, front | (sure & (depth > 2)))


def _met(small: _SmallPicture, layer: LinearRGB) -> Area:
    """Where the picture has the very light of the plate in its shadow."""
    return np.asarray(np.abs(small.share / np.maximum(layer.mean(axis=2), 0.05) - 1) < 0.05 + 2 * small.noise)


def _between(small: _SmallPicture) -> Area:
    """What is seen of a coloured plate between hairs, however shaded: its lightest all about, or its very hue."""
    lightest = cv2.dilate(np.where(small.ray, small.share, 0).astype(np.float32), _window(11))
    seen = (small.share > 0.85 * lightest) | (small.off < _PURE * small.share + small.noise)
    return np.asarray(small.ray & seen & (_colored(small.plate) > 0.3))


def _layer(small: _SmallPicture, seen: Plane) -> LinearRGB:
    return measure_shadow(small.share, small.light, small.plate, seen, small.noise)


def _solved(
    small: _SmallPicture, layer: LinearRGB, sure: Area, where: Area, threads: int | None
) -> tuple[Matte, Plane]:
    """Solve alpha of the small picture, with how badly it explains each pixel."""
    front, variance = _spread_of(small.light, sure)
    alpha, misfit = (small.network > 0.5).astype(np.float32), np.zeros_like(small.network)
    back = np.ascontiguousarray(small.plate * layer)
    solved = _Solved(small.light, small.network, where & ~sure)
    model = _Model(front, variance, small.plate, back, small.table, _as_array(_SMALL))
    parallel_rows(_solve, len(alpha), solved, model, misfit, alpha, threads=threads)
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


def _next_to(alpha: Matte, unknown: Area) -> Matte:
    """Make a trimap whose solid pixels show F: none that a bare one's light may have reached."""
    # Lenses and codecs see a picture, not pixels: what they blur is wider in a larger one.
    far = distance_to(alpha < 0.35) > _EDGE * max(1.0, max(alpha.shape) / REFERENCE)
    return np.where((alpha > 0.97) & far, np.float32(1), np.where(unknown, np.float32(0.5), alpha)).astype(np.float32)


def _own_colors(light: LinearRGB, heart: Area) -> Area:
    """Mark the pixels whose colour the subject has at its heart."""
    cells = np.minimum((np.sqrt(np.clip(light, 0, 1)) * 16).astype(np.int32), 15)
    code = (cells[..., 0] * 16 + cells[..., 1]) * 16 + cells[..., 2]
    count = np.bincount(code[heart], minlength=16**3)
    return np.asarray((count > _OWN_COLOR * count.sum())[code])


def _holes(small: _SmallPicture, back: Area) -> Area:
    """Find what the subject encloses of the plate: its own light, as flat, with an edge all round.

    Light on a grey subject may pass through the plate's, but then without an edge. Where the plate is burnt out, white
    cloth is, too, and a network that is sure is believed.
    """
    around = spread(small.share, (back & (small.network < 0.5)).astype(np.float32))
    like = (small.off < 0.015 + 2 * small.noise) & (np.abs(small.share / around - 1) < 0.03 + 3 * small.noise)
    like &= ~back & (small.network > 0.05)
    patches = cv2.morphologyEx(like.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(patches, connectivity=4)
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= 12)[1:]
    if not large.size:
        return np.zeros_like(back)
    edge = _range(np.log(np.maximum(small.share, 0.01)), 7) + cv2.dilate(small.off, _window(7)) > 0.06
    rim = (patches > 0) & (cv2.erode(patches, np.ones((3, 3), np.uint8)) == 0)
    area = np.bincount(labels.ravel(), minlength=count)
    edged = np.bincount(labels[rim & edge], minlength=count) / np.maximum(np.bincount(labels[rim], minlength=count), 1)

    def mean(values: Plane) -> Vector:
        return np.asarray(np.bincount(labels.ravel(), values.ravel(), minlength=count) / area)

    apart, trusted = mean(np.abs(small.share / around - 1) + small.off), mean(small.network)
    # Greys are everywhere: against a network that is sure, a grey plate must be met exactly, and over a large area.
    exact = (
        (apart < 0.012 + 2 * mean(small.noise)) & (area > _LARGE * like.size) & (mean(small.plate.min(axis=2)) < 0.96)
    )
    kept = np.zeros(count, bool)
    kept[large] = ((edged > 0.7) & ((trusted < 0.85) | (mean(_colored(small.plate)) > 0.3) | exact))[large]
    return np.asarray(kept[labels])


def _colored(plate: LinearRGB) -> Plane:
    """How far a plate is from grey, 0..1."""
    return np.asarray(1 - plate.min(axis=2) / np.maximum(plate.max(axis=2), 1e-4))


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


class _Solved(NamedTuple):
    """What alpha is solved from, at the solved size."""

    image: LinearRGB
    prior: Matte
    where: Area
    """The pixels that are solved."""


class _Model(NamedTuple):
    """What F and B are taken to be, each of a size of its own."""

    front: LinearRGB
    variance: Planes
    """Of F, each channel by itself."""
    plate: LinearRGB
    back: LinearRGB
    """The plate in the shadow."""
    table: Vector
    """The noise's variances."""
    spreads: Vector


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _cost(a, pixel, dim, a0, s):  # type: ignore[no-untyped-def]
    """Give minus twice the log of how probable ``a`` is, and how badly it explains the pixel.

    A pixel is its light, F, B, the variance of F and that of the noise, three channels each.
    """
    light, f, b, v, g = pixel
    one = np.float32(1.0)
    c = one - a
    bb = rb = ff = rf = fb = chi = np.float32(0.0)
    product = one
    for i in range(3):
        own = a * a * (s[5] * v[i] + s[0] * f[i] * f[i] + np.float32(1e-6)) + c * c * s[2] * b[i] * b[i] + g[i]
        rest = light[i] - a * f[i] - c * b[i]
        over = one / own
        chi += rest * rest * over
        bb += b[i] * b[i] * over
        rb += rest * b[i] * over
        ff += f[i] * f[i] * over
        rf += rest * f[i] * over
        fb += f[i] * b[i] * over
        product *= own * np.float32(1e4)
    # Two variances of brightness, along F and along B: Woodbury's identity with a 2 by 2 inside.
    qb, qf = dim * c * c, s[1] * a * a
    det = (one + qf * ff) * (one + qb * bb) - qf * qb * fb * fb
    chi -= (qf * rf * rf * (one + qb * bb) + qb * rb * rb * (one + qf * ff) - 2 * qf * qb * rf * rb * fb) / det
    return chi + np.log(product * det) + (a - a0) * (a - a0) * s[7] + s[6] * a * c, chi


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _cheapest(pixel, dim, a0, s, cost):  # type: ignore[no-untyped-def]
    """Find the alpha of least cost: the best of nine, then finer, and last the bottom of the parabola through three."""
    steps = len(cost) - 1
    step = np.float32(1 / steps)
    best = 0
    for i in range(steps + 1):
        cost[i] = _cost(np.float32(i) * step, pixel, dim, a0, s)[0]
        if cost[i] < cost[best]:
            best = i
    a, least = np.float32(best) * step, cost[best]
    for half in range(2):
        near = np.float32(0.5) * step if half == 0 else np.float32(0.25) * step
        below, above = max(a - near, np.float32(0.0)), min(a + near, np.float32(1.0))
        left = _cost(below, pixel, dim, a0, s)[0]
        right = _cost(above, pixel, dim, a0, s)[0]
        middle = a
        if left < least:
            a, least = below, left
        if right < least:
            a, least = above, right
        if half == 1 and a == middle and below < middle < above:
            bend = left + right - 2 * least
            if bend > np.float32(1e-6):
                a += np.float32(0.5) * (left - right) / bend * near
    return a


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _solve(solved, model, misfit, out, first, end):  # type: ignore[no-untyped-def]
    """Write the most probable alpha of each pixel to ``out``; ``misfit`` only where it has the picture's size."""
    image, prior, where = solved
    front, variance, plate, back, table, spreads = model
    height, width = prior.shape
    rows, columns = plate.shape[0], plate.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    tall, wide = front.shape[0], front.shape[1]
    fy, fx = np.float32(tall / height), np.float32(wide / width)
    high, broad = variance.shape[0], variance.shape[1]
    wy, wx = np.float32(high / height), np.float32(broad / width)
    light, f, b = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    v, g = np.empty(3, np.float32), np.empty(3, np.float32)
    pixel, cost = (light, f, b, v, g), np.empty(9, np.float32)
    for y in range(first, end):
        y1, y2, ty = cells_about(y, sy, rows)
        v1, v2, tv = cells_about(y, fy, tall)
        w1, w2, tw = cells_about(y, wy, high)
        for x in range(width):
            if not where[y, x]:
                continue
            x1, x2, tx = cells_about(x, sx, columns)
            u1, u2, tu = cells_about(x, fx, wide)
            z1, z2, tz = cells_about(x, wx, broad)
            for c in range(3):
                light[c] = image[y, x, c]
                f[c] = bilinear(front, v1, v2, tv, u1, u2, tu, c)
                b[c] = bilinear(back, y1, y2, ty, x1, x2, tx, c)
                v[c] = bilinear(variance, w1, w2, tw, z1, z2, tz, c)
                g[c] = noise_variance(table, light[c])
            shade = min(b[0] / max(bilinear(plate, y1, y2, ty, x1, x2, tx, 0), np.float32(1e-5)), np.float32(1.0))
            dim = np.sqrt(spreads[3]) + spreads[4] * (np.float32(1.0) - shade)
            dim *= dim
            a0 = prior[y, x]
            if a0 < np.float32(0.5):
                # Most of a generous band is bare, and shows it.
                chi = np.float32(0.0)
                for c in range(3):
                    chi += (light[c] - b[c]) * (light[c] - b[c]) / (g[c] + spreads[2] * b[c] * b[c])
                if chi < np.float32(3.0):
                    out[y, x] = np.float32(0.0)
                    continue
            a = _cheapest(pixel, dim, a0, spreads, cost)
            out[y, x] = a
            if misfit.shape[0] == height:
                misfit[y, x] = _cost(a, pixel, dim, a0, spreads)[1]
