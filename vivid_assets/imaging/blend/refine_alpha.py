"""Correct an alpha where the photograph contradicts it; bring one up to the photograph's size.

The network's alpha is the largest error of a composite, and a good one must be left alone. So the photograph is asked
first: with F and B spread from the solid and the empty pixels, every soft pixel has an alpha of its own, the
projection of I − B on F − B. Compared with the network's over the whole picture that tells cases apart:

``exact``     the alpha is as sharp as the photograph's: it stays as it is;
``unheard``   it is not, but the photograph does not say what it should be: it stays, too;
``blurred``   it is the photograph's, blurred by a measurable σ: it is sharpened until its blur is the network's again;
``coarse``    it is neither: a guided filter and the photograph's own alpha take over inside the soft band.

Unless it is blurred, doubts that the photograph does not share are taken out first (``settle``).

An alpha is solved at the size at which it was answered, where its errors are a few pixels wide, and brought up to the
photograph's once, last. One that comes enlarged is solved at half the size, or a quarter, where its blur is one that
is known. Edges without a soft pixel get a band of two pixels in which the photograph says what alpha is.
"""

from dataclasses import astuple, dataclass, replace
from typing import Any, Literal

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from vivid_assets.imaging.blend.foreground import PLAIN, Colors, estimate_colors, update_colors
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.core.guided_filter import guided_filter, guided_upsample
from vivid_assets.imaging.core.interpolate import bilinear, cells_about, smoothstep
from vivid_assets.imaging.core.noise import NOISE, capture_noise, noise_variance, noise_variances
from vivid_assets.imaging.core.parallel_rows import parallel_rows
from vivid_assets.imaging.core.push_pull import View, whole
from vivid_assets.imaging.core.sparse_blur import sparse_blur

Array = NDArray[Any]
Verdict = Literal["exact", "blurred", "coarse", "unheard"]

SIGMAS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)  # blurs that are tried, pixels
_REFERENCE = 1024  # pixels of the longer side that distances were chosen at
_HALF_FROM = 1536  # longer side from which an alpha that is not sharp is solved at half the size
_LEAST_SIDE = 256  # longer side under which nothing is halved
_FAR_SIGMA = 2.4  # a blur from which on half the size measures it better
_BAND = 2  # pixels on either side of a hard edge that are solved anew
_WIDEN = 0.15  # mean difference in a band's outer half from which it is widened
_SNAP = np.float32(0.06)  # of a solved hard edge, nearness to 0 and 1 that is noise
_SHARP = (0.45, 0.58)  # sharpness from which an alpha begins to be, and that from which it is, left alone
_LEAST_TRUST = 0.02  # mean trust in the photograph's own alpha under which it has no say
_GRAIN = np.float32(0.1)  # how much of its own colour a subject or wall varies by, in the projection's variance
_PRIORS = {"blurred": np.float32(44), "coarse": np.float32(10)}  # precision of the alpha that a round starts from
_ENOUGH_PIXELS = 40_000  # soft pixels that the evidence is taken from in a larger picture
_BACK_PROJECTIONS = 4  # per round
_UPSAMPLE_RADIUS = 4  # of the windows, in pixels of the small alpha
_MIDDLE_GREY = 220  # of 1023 in linear light
_REACH = 8.0  # pixels from its contour within which a coarse alpha is corrected
_VEIL_SIGMA = 2.0  # pixels over which the photograph is asked whether a place is empty or solid
_LEAST_ROOM = np.float32(0.02)  # light that a wall must leave above or below itself to bound alpha
_OVERSHOOT = np.float32(1.5)  # step of a back-projection; below 2 it converges, since a blur takes away at most all


@dataclass(frozen=True)
class Evidence:
    """What the photograph says about an alpha."""

    sharpness: float  # fine detail of the alpha relative to the photograph's own alpha; 1: as sharp
    agreement: float  # correlation of the two details, -1..1; near 0 the photograph has no say
    sigma: float  # the blur, in pixels, that makes the photograph's alpha most like this one; 0 for a sharp one
    misfit: float  # what is left at that blur, relative to no blur, 0..1; near 1 no blur explains it

    @property
    def amount(self) -> float:
        """How far to go from the given alpha to the photograph's, 0..1."""
        # A mask many times enlarged has no fine detail to agree in; that a blur explains it says as much.
        heard = max(smoothstep(self.agreement, 0.2, 0.36), smoothstep(1 - self.misfit, 0.25, 0.45))
        return float((1 - smoothstep(self.sharpness, *_SHARP)) * heard)

    @property
    def verdict(self) -> Verdict:
        """Which of the cases this is."""
        if self.sharpness >= _SHARP[1]:
            return "exact"
        if self.amount == 0:
            return "unheard"
        explained = self.misfit < 0.25 and self.sigma >= 0.8
        return "blurred" if explained or (self.sharpness < 0.33 and self.misfit < 0.7) else "coarse"


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _project(image, alpha, held_at, fields, grain, where, prior, out, weight, first, end):  # type: ignore[no-untyped-def]
    """Solve alpha from I, F and B: least squares over the channels, each by its variance, with ``alpha`` as prior."""
    height, width = alpha.shape
    rows, columns = fields.shape[0], fields.shape[1]
    sy, sx = np.float32(rows / height), np.float32(columns / width)
    for y in range(first, end):
        y1, y2, ty = cells_about(y, sy, rows)
        for x in range(width):
            a = alpha[y, x]
            if not where[y, x]:
                out[y, x] = a
                weight[y, x] = 0.0
                continue
            x1, x2, tx = cells_about(x, sx, columns)
            along = square = np.float32(0.0)
            for c in range(3):
                front = bilinear(fields, y1, y2, ty, x1, x2, tx, c)
                back = bilinear(fields, y1, y2, ty, x1, x2, tx, 3 + c)
                light = image[y, x, c]
                own = _GRAIN * (a * front + (1 - a) * back)
                noise = noise_variance(grain, light)
                precision = np.float32(1.0) / (noise + own * own)
                along += (light - back) * (front - back) * precision
                square += (front - back) * (front - back) * precision
            h = held_at[y, x]
            # A network is surest near 0 and 1; there it takes more to say otherwise.
            pull = prior / (4 * h * (1 - h) + np.float32(0.02)) if prior > 0.0 else np.float32(10.0)
            held = h if prior > 0.0 else np.float32(0.0)
            out[y, x] = min(max((along + pull * held) / (square + pull), np.float32(0.0)), np.float32(1.0))
            weight[y, x] = square / (square + np.float32(100.0))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _put_back(given, seen, band, current, first, end):  # type: ignore[no-untyped-def]
    """Add to ``current`` what its blur lacks of the given alpha (Van Cittert's iteration, held to 0..1)."""
    for y in range(first, end):
        for x in range(given.shape[1]):
            if band[y, x]:
                value = current[y, x] + _OVERSHOOT * (given[y, x] - seen[y, x])
                current[y, x] = min(max(value, np.float32(0.0)), np.float32(1.0))


def weigh(image: Array, alpha: Array, colors: Colors, *, noise: float = NOISE, threads: int | None = None) -> Evidence:
    """Ask the photograph (float32 HxWx3 linear) about ``alpha``, with F and B from solid and empty pixels only."""
    band = (alpha > 0.02) & (alpha < 0.98)
    if not band.any():
        return Evidence(1.0, 1.0, 0.0, 1.0)
    band &= _sampled_rows(int(band.sum()), len(alpha))[:, None]
    wide = cv2.dilate(band.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    own, weight = np.empty_like(alpha), np.empty_like(alpha)
    grain = noise_variances(noise)
    parallel_rows(
        _project,
        len(alpha),
        *(image, alpha, alpha, colors.fields, grain, wide, np.float32(0), own, weight),
        threads=threads,
    )
    own = np.where(wide, own, alpha)
    places = np.flatnonzero(band)
    given, trust = alpha.ravel()[places], weight.ravel()[places]

    def blurred(plane: Array, sigma: float) -> Array:
        return np.asarray(sparse_blur(plane, sigma, band, threads).ravel()[places])

    detail, own_detail = given - blurred(alpha, 1.0), own.ravel()[places] - blurred(own, 1.0)
    power, own_power = float(trust @ detail**2), float(trust @ own_detail**2)
    if own_power < 1e-9 or float(trust.mean()) < _LEAST_TRUST:
        return Evidence(0.0, 0.0, 0.0, 1.0)
    power = max(power, 1e-12)
    sharpness = (power / own_power) ** 0.5
    agreement = float(trust @ (detail * own_detail)) / (power * own_power) ** 0.5
    if sharpness >= _SHARP[1]:
        return Evidence(sharpness, agreement, 0.0, 1.0)
    misfits = np.array([float(trust @ np.abs(blurred(own, sigma) - given)) for sigma in SIGMAS])
    sigma, least = _lowest(misfits)
    return Evidence(sharpness, agreement, sigma, float(least / max(misfits[0], 1e-9)))


def _sampled_rows(pixels: int, height: int) -> Array:
    """Choose stripes of 32 rows that hold enough of the soft pixels; the same ones in a picture upside down."""
    every = max(1, pixels // _ENOUGH_PIXELS)
    row = np.arange(height)
    stripe = np.minimum(row, height - 1 - row) // 32
    return stripe % every == (every - 1) // 2


def _lowest(misfits: Array) -> tuple[float, float]:
    """Find the blur of the least misfit, between the tried ones by the two straight lines that meet there."""
    best = int(misfits.argmin())
    if not 0 < best < len(SIGMAS) - 1:
        return SIGMAS[best], float(misfits[best])
    left, here, right = misfits[best - 1], misfits[best], misfits[best + 1]
    # The misfit is a V about the true blur: move towards the lower neighbour by how much the slopes differ.
    below, above = SIGMAS[best] - SIGMAS[best - 1], SIGMAS[best + 1] - SIGMAS[best]
    fall, rise = (left - here) / below, (right - here) / above
    steep = max(fall, rise)
    shift = (rise - fall) / (2 * steep) * (below if rise > fall else above) if steep > 0 else 0.0
    return float(SIGMAS[best] - shift * 0.5), float(here)


def refine_alpha(
    image: Array,
    alpha: Array,
    *,
    rounds: int = 2,
    noise: float = NOISE,
    threads: int | None = None,
) -> tuple[Array, Colors, Evidence]:
    """Correct ``alpha`` (float32 HxW, 0..1) by the photograph (float32 HxWx3, linear light).

    Pixels of alpha 0 and 1 keep it but for a band about hard edges; far from its contour a coarse alpha is only
    settled. Returns the alpha, the colours estimated with it and the evidence.
    """
    scale = max(1.0, max(alpha.shape) / _REFERENCE)
    alpha = soften_hard_edges(image, alpha, noise, threads)
    colors = estimate_colors(image, alpha, rounds=0, noise=noise, threads=threads)
    evidence = weigh(image, alpha, colors, noise=noise, threads=threads)
    if (halved := _refine_at_half(image, alpha, evidence, rounds, noise, threads)) is not None:
        return halved
    if evidence.verdict != "blurred":  # the blur of a blurred one is no veil, and needed whole to be undone
        alpha = settle(image, alpha, colors, scale=scale, noise=noise, threads=threads)
    if evidence.verdict in ("exact", "unheard"):
        for _ in range(2):
            colors = update_colors(image, alpha, colors, threads=threads)
        return alpha, colors, evidence

    band = (alpha > 0) & (alpha < 1)
    blurred = evidence.verdict == "blurred"
    start = alpha if blurred else _follow_edges(image, alpha, band, scale, threads)
    current = start
    if not blurred:  # the filter has made more pixels solid or empty than the network had
        colors = estimate_colors(image, start, rounds=0, soft=band, noise=noise, threads=threads)
    grain, weight = noise_variances(noise), np.empty_like(alpha)
    prior = _PRIORS["blurred" if blurred else "coarse"]
    for turn in range(rounds):
        if turn:
            colors = update_colors(image, current, colors, threads=threads)
        solved = np.empty_like(alpha)
        held = current if blurred else start
        parallel_rows(
            _project,
            len(alpha),
            *(image, current, held, colors.fields, grain, band, prior, solved, weight),
            threads=threads,
        )
        current = solved
        if blurred:
            for _ in range(_BACK_PROJECTIONS):
                seen = sparse_blur(current, evidence.sigma, band, threads)
                parallel_rows(_put_back, len(alpha), alpha, seen, band, current, threads=threads)
    amount: Array = np.asarray(evidence.amount, np.float32)
    if not blurred:
        amount = amount * _near_contour(alpha, _REACH * scale)
    refined = alpha + amount * (current - alpha)
    return refined, update_colors(image, refined, colors, threads=threads), evidence


def _refine_at_half(
    image: Array, alpha: Array, evidence: Evidence, rounds: int, noise: float, threads: int | None
) -> tuple[Array, Colors, Evidence] | None:
    """Solve an alpha that was enlarged before at half the size; None where its own size is the right one.

    In a large picture that is every alpha less sharp than the photograph; in any, one whose blur is not explained or
    wider than those that are tried.
    """
    longest = max(alpha.shape)
    if evidence.verdict == "exact" or longest < 2 * _LEAST_SIDE:
        return None
    large = longest >= _HALF_FROM
    explained = evidence.verdict == "blurred" and evidence.sigma < _FAR_SIGMA
    if not large and (explained or evidence.sharpness >= _SHARP[0]):
        return None
    height, width = (-(-side // 2) for side in alpha.shape)
    less, light = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in (alpha, image))
    refined, _, found = refine_alpha(light, less, rounds=rounds, noise=noise, threads=threads)
    if found.verdict != "blurred" and (not large or evidence.verdict == "unheard"):
        return None
    up = bring_up(refined, light, image, whole(*alpha.shape), noise, threads)
    colors = estimate_colors(image, up, noise=noise, threads=threads)
    return up, colors, replace(found, sigma=2 * found.sigma)


def soften_hard_edges(image: Array, alpha: Array, noise: float, threads: int | None) -> Array:
    """Give edges that go from 0 to 1 without a soft pixel between them the alpha that the photograph shows there.

    The band is twice as wide, and again, while most of its outer half says that it lies in the edge still.
    """
    width = _BAND * max(1.0, max(alpha.shape) / _REFERENCE)
    widest = 4 * width
    grain, own, weight = noise_variances(noise), np.empty_like(alpha), np.empty_like(alpha)
    while True:
        band = hard_edges(alpha, width)
        if not band.any():
            return alpha
        unknown = np.where(band, np.float32(0.5), alpha)
        colors = estimate_colors(image, unknown, rounds=0, noise=noise, threads=threads)
        asked = (image, unknown, unknown, colors.fields, grain, band, np.float32(0), own, weight)
        parallel_rows(_project, len(alpha), *asked, threads=threads)
        far = band & ~hard_edges(alpha, width / 2)
        if width >= widest or (weight * np.abs(own - alpha))[far].sum() < _WIDEN * max(weight[far].sum(), 1e-6):
            break
        width *= 2
    own = np.where(own < _SNAP, 0, np.where(own > 1 - _SNAP, 1, own))
    return np.where(band, alpha + weight * (own - alpha), alpha).astype(np.float32)


def hard_edges(alpha: Array, width: float = _BAND) -> Array:
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
def _least(image, fields, grain, where, out, first, end):  # type: ignore[no-untyped-def]
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
                apart = abs(light - back) - 3 * np.sqrt(noise_variance(grain, light))
                room = back if light < back else one - back
                least = max(least, apart / max(room, _LEAST_ROOM))
            out[y, x] = min(least, one)


def settle(
    image: Array,
    alpha: Array,
    colors: Colors,
    *,
    scale: float = 1.0,
    noise: float = NOISE,
    threads: int | None = None,
) -> Array:
    """Take a network's doubt out of ``alpha`` (float32 HxW, 0..1) where the photograph leaves none.

    A doubt lies as a veil over empty places, the wall itself at 20 or 30 percent. Where the wall is plain and the
    photograph's own alpha in the neighbourhood is next to 0 and lower than the network's by more than a few percent,
    the network's goes down to it; from 0.5 on the network is believed that there is something.

    And it thins solid places, which un-mixing would burn out: with so little alpha, F would have to be darker than
    black. Where alpha is less than it can be, it goes up to what the photograph says, at least to what it can be.
    """
    soft = (alpha > 0) & (alpha < 1)
    if not soft.any():
        return alpha
    own, weight, least = np.empty_like(alpha), np.empty_like(alpha), np.zeros_like(alpha)
    fields, grain = colors.fields, noise_variances(noise)
    parallel_rows(
        _project, len(alpha), image, alpha, alpha, fields, grain, soft, np.float32(0), own, weight, threads=threads
    )
    parallel_rows(_least, len(alpha), image, fields, grain, soft, least, threads=threads)
    said, lacking = np.where(soft, own * weight, 0), np.where(soft, np.maximum(least - alpha, 0), 0)
    at = np.flatnonzero(soft)

    def near(plane: Array) -> Array:
        return np.asarray(sparse_blur(plane, scale * _VEIL_SIGMA, soft, threads).ravel()[at])

    given, own, least, heard = alpha.ravel()[at], own.ravel()[at], least.ravel()[at], near(weight)
    mean = near(said) / np.maximum(heard, 1e-6)
    uneven = cv2.resize(colors.plate_variance, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR).ravel()[at]
    plain = PLAIN / (PLAIN + uneven)
    # The neighbourhood and the pixel itself must say it.
    empty = np.maximum(mean, own)
    veil = (given - empty) * smoothstep(given - empty, 0.04, 0.1)
    veil *= smoothstep(heard, 0.35, 0.65) * (1 - smoothstep(empty, 0.03, 0.1)) * (1 - smoothstep(given, 0.35, 0.5))
    solid = np.maximum(least, np.minimum(mean, own))
    doubt = np.maximum(solid - given, 0) * smoothstep(near(lacking), 0.01, 0.05)
    settled = alpha.copy()
    settled.ravel()[at] = given + plain * (plain * doubt - veil)
    return settled


def _near_contour(alpha: Array, reach: float) -> Array:
    """Weigh pixels by their distance from the alpha's own contour: 1 up to a quarter of ``reach``, 0 from there on.

    Further in, a coarse mask of 0.97 means solid; hair of the wall's colour would be taken for holes there.
    """
    solid = (alpha > 0.5).astype(np.uint8)
    distance = np.maximum(
        cv2.distanceTransform(solid, cv2.DIST_L2, 3), cv2.distanceTransform(1 - solid, cv2.DIST_L2, 3)
    )
    return np.asarray(smoothstep(reach - distance, 0.0, 0.75 * reach), np.float32)


def _follow_edges(image: Array, alpha: Array, band: Array, scale: float, threads: int | None) -> Array:
    """Filter alpha with the photograph's edges; gamma-coded, so that dark edges count."""
    guide = np.sqrt(np.clip(image, 0, 1))
    return np.clip(guided_filter(guide, alpha, round(8 * scale), 1e-4, band, threads), 0, 1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _enlarge(small, top, left, tall, wide, out, first, end):  # type: ignore[no-untyped-def]
    rows, columns = small.shape
    sy, sx = np.float32(rows / tall), np.float32(columns / wide)
    for y in range(first, end):
        y1, y2, ty = cells_about(y + top, sy, rows)
        for x in range(out.shape[1]):
            x1, x2, tx = cells_about(x + left, sx, columns)
            above = small[y1, x1] * (1 - tx) + small[y1, x2] * tx
            out[y, x] = above * (1 - ty) + (small[y2, x1] * (1 - tx) + small[y2, x2] * tx) * ty


def bring_up(
    alpha: Array, light_small: Array, light: Array, view: View, noise: float, threads: int | None = None
) -> Array:
    """Bring an alpha (float32 hxw) up to a photograph's size, or to a cut of it, following the photograph's edges.

    ``light_small`` (float32 hxwx3) is the whole photograph at alpha's size and ``light`` (float32 HxWx3) the cut at its
    own, both linear; ``view`` says where the cut lies and ``noise`` how grainy it is. Returns float32 HxW, 0..1.

    The fit is made at the small size and in linear light: there, averaging pixels averages alpha and colour alike, so
    that an alpha that fits the small photograph fits the full one. Fitting an enlarged alpha to the full photograph
    leaves four times the error.
    """
    smooth = np.empty(light.shape[:2], np.float32)
    parallel_rows(_enlarge, len(smooth), alpha, *astuple(view), smooth, threads=threads)
    soft = (smooth > 0.002) & (smooth < 0.998)
    out = np.round(smooth)
    if not soft.any():
        return out
    # Grain would come out in alpha: a window flatter than its grain is no edge.
    grain = float(noise_variances(noise)[_MIDDLE_GREY])
    sharp = guided_upsample(light, alpha, light_small, _UPSAMPLE_RADIUS, 1e-4 + 4 * grain, soft, threads, view)
    out[soft] = np.clip(sharp[soft], 0, 1)
    return out


def upsample_alpha(alpha_small: Array, photo_full: Array, threads: int | None = None) -> Array:
    """Bring an alpha solved at a model's size up to the photograph's, following the photograph's edges.

    ``alpha_small`` is float hxw, 0..1; ``photo_full`` is uint8 HxWx3 sRGB. Returns float32 HxW, 0..1.
    """
    height, width = photo_full.shape[:2]
    small = np.clip(np.ascontiguousarray(alpha_small, np.float32), 0, 1)
    if small.shape == (height, width):
        return small
    smooth = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    light = srgb_to_linear(photo_full)
    light_small = cv2.resize(light, small.shape[::-1], interpolation=cv2.INTER_AREA)
    return bring_up(small, light_small, light, whole(height, width), capture_noise(photo_full, smooth), threads)
