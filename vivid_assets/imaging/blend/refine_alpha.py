"""Correct an alpha where the photograph contradicts it; bring one up to the photograph's size.

The network's alpha is the largest error of a composite, and a good one must be left alone. So it is compared with the
photograph first: with F and B spread from the solid and the empty pixels, every soft pixel has an alpha of its own, the
projection of I − B on F − B. Compared with the network's over the whole picture that separates four cases:

``exact``     the alpha is as sharp as the photograph's: it stays as it is;
``unheard``   it is not, but the photograph does not show what it should be: it stays, too;
``blurred``   it is the photograph's, blurred by a measurable σ: it is sharpened until its blur is the network's again;
``coarse``    it is neither: a guided filter and the photograph's own alpha take over inside the soft band.

Unless it is blurred, doubts that the photograph does not share are taken out first (``clean_alpha``).

An alpha is solved at the size at which it was answered, where its errors are a few pixels wide, and brought up to the
photograph's once, last. One that comes enlarged is solved at half the size, or a quarter, where its blur is one that
is known. Edges without a soft pixel get a band of two pixels in which alpha is the photograph's own.
"""

from dataclasses import replace
from typing import NamedTuple

import cv2
import numba
import numpy as np

from vivid_assets.imaging.blend.evidence import SHARP, Evidence, assess_alpha
from vivid_assets.imaging.blend.foreground import PLAIN
from vivid_assets.imaging.blend.projection import project
from vivid_assets.imaging.blend.upsample import upsample
from vivid_assets.imaging.core.areas import distance_to_contour
from vivid_assets.imaging.core.arrays import Area, LinearRGB, Matte, Plane, Vector
from vivid_assets.imaging.core.guided_filter import guided_filter
from vivid_assets.imaging.core.interpolate import bilinear, cells_about, smoothstep
from vivid_assets.imaging.core.noise import NOISE, noise_variance, noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import whole
from vivid_assets.imaging.core.resize import REFERENCE
from vivid_assets.imaging.core.sparse_blur import sparse_blur
from vivid_assets.imaging.core.spread_colors import Colors, estimate_colors, update_colors

_HALF_FROM = 1536
"""Longer side from which an alpha that is not sharp is solved at half the size."""
_LEAST_SIDE = 256
"""Longer side under which nothing is halved."""
_FAR_SIGMA = 2.4
"""A blur from which on half the size measures it better."""
_BAND = 2
"""Pixels on either side of a hard edge that are solved anew."""
_WIDEN = 0.15
"""Mean difference in a band's outer half from which it is widened."""
_SNAP = np.float32(0.06)
"""Of a solved hard edge, nearness to 0 and 1 that is noise."""
_PRECISIONS = {"blurred": 44.0, "coarse": 10.0}
"""Precision of the alpha that a round starts from."""
_ROUNDS = 2
"""Of solving alpha and estimating colours."""
_BACK_PROJECTIONS = 4
"""Per round."""
_REACH = 8.0
"""Pixels from its contour within which a coarse alpha is corrected."""
_HAZE_SIGMA = 2.0
"""Pixels over which the photograph shows whether a place is empty or solid."""
_LEAST_ROOM = np.float32(0.02)
"""Light that a background must leave above or below itself to bound alpha."""
_OVERSHOOT = np.float32(1.5)
"""Step of a back-projection; below 2 it converges, since a blur takes away at most all."""


class Refined(NamedTuple):
    """An alpha as the photograph corrects it."""

    alpha: Matte
    colors: Colors
    """F and B, estimated with it."""
    evidence: Evidence
    """On the alpha that was given."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _put_back(given, seen, band, current, first, end):  # type: ignore[no-untyped-def]
    """Add to ``current`` what its blur lacks of the given alpha (Van Cittert's iteration, held to 0..1)."""
    for y in range(first, end):
        for x in range(given.shape[1]):
            if band[y, x]:
                value = current[y, x] + _OVERSHOOT * (given[y, x] - seen[y, x])
                current[y, x] = min(max(value, np.float32(0.0)), np.float32(1.0))


def refine_alpha(
    image: LinearRGB,
    alpha: Matte,
    *,
    noise: float = NOISE,
    threads: int | None = None,
) -> Refined:
    """Correct an alpha by the photograph.

    Pixels of alpha 0 and 1 keep it but for a band about hard edges; far from its contour a coarse alpha is only
    cleaned.

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        noise: the capture's, in levels of 8 bits.
        threads: the most to use.
    """
    scale = max(1.0, max(alpha.shape) / REFERENCE)
    alpha = soften_hard_edges(image, alpha, noise, threads)
    colors = estimate_colors(image, alpha, rounds=0, noise=noise, threads=threads)
    evidence = assess_alpha(image, alpha, colors, noise=noise, threads=threads)
    if (halved := _refine_at_half(image, alpha, evidence, noise, threads)) is not None:
        return halved
    if evidence.verdict != "blurred":  # the blur of a blurred one is no haze, and needed whole to be undone
        alpha = clean_alpha(image, alpha, colors, scale=scale, noise=noise, threads=threads)
    if evidence.verdict in ("exact", "unheard"):
        for _ in range(2):
            colors = update_colors(image, alpha, colors, threads=threads)
        return Refined(alpha, colors, evidence)

    band = (alpha > 0) & (alpha < 1)
    blurred = evidence.verdict == "blurred"
    start = alpha if blurred else _follow_edges(image, alpha, band, scale, threads)
    current = start
    if not blurred:  # the filter has made more pixels solid or empty than the network had
        colors = estimate_colors(image, start, rounds=0, soft=band, noise=noise, threads=threads)
    precision = _PRECISIONS["blurred" if blurred else "coarse"]
    for turn in range(_ROUNDS):
        if turn:
            colors = update_colors(image, current, colors, threads=threads)
        prior = current if blurred else start
        current = project(
            image, current, colors.fields, band, noise=noise, prior=prior, precision=precision, threads=threads
        ).alpha
        if blurred:
            for _ in range(_BACK_PROJECTIONS):
                seen = sparse_blur(current, evidence.sigma, band, threads)
                parallel_rows(_put_back, len(alpha), alpha, seen, band, current, threads=threads)
    amount: Plane = np.asarray(evidence.amount, np.float32)
    if not blurred:
        amount = amount * _near_contour(alpha, _REACH * scale)
    refined = alpha + amount * (current - alpha)
    return Refined(refined, update_colors(image, refined, colors, threads=threads), evidence)


def _refine_at_half(
    image: LinearRGB, alpha: Matte, evidence: Evidence, noise: float, threads: int | None
) -> Refined | None:
    """Solve an alpha that was enlarged before at half the size; None where its own size is the right one.

    In a large picture that is every alpha less sharp than the photograph; in any, one whose blur is not explained or
    wider than those that are tried.
    """
    longest = max(alpha.shape)
    if evidence.verdict == "exact" or longest < 2 * _LEAST_SIDE:
        return None
    large = longest >= _HALF_FROM
    explained = evidence.verdict == "blurred" and evidence.sigma < _FAR_SIGMA
    if not large and (explained or evidence.sharpness >= SHARP[0]):
        return None
    size = (-(-alpha.shape[1] // 2), -(-alpha.shape[0] // 2))
    less = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    light = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    refined, _, found = refine_alpha(light, less, noise=noise, threads=threads)
    if found.verdict != "blurred" and (not large or evidence.verdict == "unheard"):
        return None
    up = upsample(refined, light, image, whole(*alpha.shape), noise, threads)
    colors = estimate_colors(image, up, noise=noise, threads=threads)
    return Refined(up, colors, replace(found, sigma=2 * found.sigma))


def soften_hard_edges(image: LinearRGB, alpha: Matte, noise: float, threads: int | None) -> Matte:
    """Give edges that go from 0 to 1 without a soft pixel between them the alpha that the photograph shows there.

    The band is twice as wide, and again, while most of its outer half lies in the edge still.

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        noise: the capture's, in levels of 8 bits.
        threads: the most to use.
    """
    width = _BAND * max(1.0, max(alpha.shape) / REFERENCE)
    widest = 4 * width
    while True:
        band = hard_edges(alpha, width)
        if not band.any():
            return alpha
        unknown = np.where(band, np.float32(0.5), alpha)
        colors = estimate_colors(image, unknown, rounds=0, noise=noise, threads=threads)
        own, weight = project(image, unknown, colors.fields, band, noise=noise, threads=threads)
        far = band & ~hard_edges(alpha, width / 2)
        if width >= widest or (weight * np.abs(own - alpha))[far].sum() < _WIDEN * max(weight[far].sum(), 1e-6):
            break
        width *= 2
    own = np.where(own < _SNAP, 0, np.where(own > 1 - _SNAP, 1, own))
    return np.where(band, alpha + weight * (own - alpha), alpha).astype(np.float32)


def hard_edges(alpha: Matte, width: float = _BAND) -> Area:
    """Mark (bool) the solid and empty pixels within ``width`` of a place where such touch."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    solid, empty = (alpha >= 1).astype(np.uint8), (alpha <= 0).astype(np.uint8)
    touching = (solid & np.asarray(cv2.dilate(empty, cross))) | (empty & np.asarray(cv2.dilate(solid, cross)))
    if not touching.any():
        return np.zeros(alpha.shape, np.bool_)
    size = 2 * max(round(width) - 1, 0) + 1
    near = cv2.dilate(touching, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0
    return np.asarray(near & ((alpha <= 0) | (alpha >= 1)))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _least_alpha(image, fields, table, where, out, first, end):  # type: ignore[no-untyped-def]
    """Give the least alpha that a pixel can have: below it F would be darker than black or brighter than white."""
    height, width = where.shape
    rows, columns = fields.shape[0], fields.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    one, zero = np.float32(1.0), np.float32(0.0)
    for y in range(first, end):
        y1, y2, ty = cells_about(y, sy, rows)
        for x in range(width):
            if not where[y, x]:
                continue
            x1, x2, tx = cells_about(x, sx, columns)
            least = zero
            for c in range(3):
                back = min(max(bilinear(fields, y1, y2, ty, x1, x2, tx, 3 + c), zero), one)
                light = image[y, x, c]
                apart = abs(light - back) - 3 * np.sqrt(noise_variance(table, light))
                room = back if light < back else one - back
                least = max(least, apart / max(room, _LEAST_ROOM))
            out[y, x] = min(least, one)


def clean_alpha(
    image: LinearRGB,
    alpha: Matte,
    colors: Colors,
    *,
    scale: float = 1.0,
    noise: float = NOISE,
    threads: int | None = None,
) -> Matte:
    """Take out of an alpha what the network doubted and the photograph does not.

    Doubt lies as a haze over empty places, the background itself at 20 or 30 percent. Where the background is plain and
    the photograph's own alpha in the neighbourhood is next to 0 and lower than the network's by more than a few
    percent, the network's goes down to it; from 0.5 on the network is believed that there is something.

    And doubt thins solid places, whose colours foreground estimation would burn out: with so little alpha, F would have
    to be darker than black. Where alpha is less than it can be, it goes up to the photograph's, at least to what it can
    be.

    Args:
        image: float32 H×W×3, linear light.
        alpha: float32 H×W, 0..1.
        colors: F and B.
        scale: of the picture, beside one of 1,024 pixels.
        noise: the capture's, in levels of 8 bits.
        threads: the most to use.
    """
    soft = (alpha > 0) & (alpha < 1)
    if not soft.any():
        return alpha
    own, weight = project(image, alpha, colors.fields, soft, noise=noise, threads=threads)
    least, table = np.zeros_like(alpha), noise_variances(noise)
    parallel_rows(_least_alpha, len(alpha), image, colors.fields, table, soft, least, threads=threads)
    seen, lacking = np.where(soft, own * weight, 0), np.where(soft, np.maximum(least - alpha, 0), 0)
    at = np.flatnonzero(soft)

    def near(plane: Plane) -> Vector:
        return np.asarray(sparse_blur(plane, scale * _HAZE_SIGMA, soft, threads).ravel()[at])

    given, own, least, heard = alpha.ravel()[at], own.ravel()[at], least.ravel()[at], near(weight)
    mean = near(seen) / np.maximum(heard, 1e-6)
    uneven = cv2.resize(colors.plate_variance, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR).ravel()[at]
    plain = PLAIN / (PLAIN + uneven)
    # The neighbourhood and the pixel itself must say it.
    empty = np.maximum(mean, own)
    haze = (given - empty) * smoothstep(given - empty, 0.04, 0.1)
    haze *= smoothstep(heard, 0.35, 0.65) * (1 - smoothstep(empty, 0.03, 0.1)) * (1 - smoothstep(given, 0.35, 0.5))
    solid = np.maximum(least, np.minimum(mean, own))
    lift = np.maximum(solid - given, 0) * smoothstep(near(lacking), 0.01, 0.05)
    cleaned = alpha.copy()
    cleaned.ravel()[at] = given + plain * (plain * lift - haze)
    return cleaned


def _near_contour(alpha: Matte, reach: float) -> Plane:
    """Weigh pixels by their distance from the alpha's own contour: 1 up to a quarter of ``reach``, 0 from there on.

    Further in, a coarse mask of 0.97 means solid; hair of the background's colour would be taken for holes there.
    """
    distance = distance_to_contour(alpha > 0.5)
    return np.asarray(smoothstep(reach - distance, 0.0, 0.75 * reach), np.float32)


def _follow_edges(image: LinearRGB, alpha: Matte, band: Area, scale: float, threads: int | None) -> Matte:
    """Filter alpha with the photograph's edges; gamma-coded, so that dark edges count."""
    guide = np.sqrt(np.clip(image, 0, 1))
    return np.clip(guided_filter(guide, alpha, round(8 * scale), 1e-4, band, threads), 0, 1)
