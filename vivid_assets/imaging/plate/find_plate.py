"""The plate: what a photograph before a plain background would show without its subject.

Light falls off, corners darken, a floor meets its wall: a plate is one colour under light that changes slowly. In the
logarithm of linear light that is a sum: a quadratic in x and y for each channel, a profile down the picture for the
sweep, and what is left of both, smoothed. All three are fitted to what the mask leaves empty and no shadow darkens.
What is darker than the fit and joins the subject is shadow, and the plate goes on beneath it.

A busy or patterned background has no plate.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import distance_to, grown, joined
from vivid_assets.imaging.core.arrays import Area, Indices, LinearRGB, Matte, Plane, Planes, Vector
from vivid_assets.imaging.core.noise import NOISE, noise_variances, reduced_noise
from vivid_assets.imaging.core.resize import fitted_size

FITTED_AT = 256
"""Longer side in pixels at which a plate is fitted; it has no detail that this would lose."""
_FLOOR = np.float32(2e-4)
"""Linear light added before the logarithm: half a code of 8 bits."""
_MARGIN = 0.012
"""Share of the longer side that is left out about the mask."""
_LEAST_SEEN = 0.12
"""Share of the picture that must be background."""
_ROUNDS = 6
_SHADE = 0.02
"""Of light: what darkens the plate by less is its own unevenness."""
_BRIGHT = 0.05
"""Of light: what brightens it by more is no plate."""
_LIT = 0.35
"""Share of the background that no shadow may darken."""
_TEXTURE = 0.02
"""Root mean square of fine detail, of light, up to which a background is plain."""
_DETAIL = 0.06
"""Share of it that may have detail above three times that."""
_MOST_SAMPLES = 3000
_LIKE = 0.12
"""Of light: what differs from the fit by more is something else."""
_EXPLAINED = 0.72
"""Share of the background beyond the shadow that the fit must explain."""
_SIDES = 0.18
"""Of the width on either side, from which the profile down the picture is read."""


@dataclass(frozen=True)
class Plate:
    """The original background of a plain picture, small; all of one size."""

    light: LinearRGB
    """float32 h×w×3, linear light."""
    shaded: Area
    """bool h×w: background that the subject darkens or brightens, and that says nothing of the plate."""
    sure: Plane
    """float32 h×w, 0..1: how near it lies to background that was seen; 0 is a guess across a wide subject."""


def find_plate(light: LinearRGB, subject: Matte, noise: float = NOISE) -> Plate | None:
    """Find the plate of a picture, or None where its background is busy, patterned or hardly seen.

    Args:
        light: float32 h×w×3, linear light, the longer side ``FITTED_AT`` or less.
        subject: float32 h×w, 0..1: a network's alpha.
        noise: what is left of the capture's at this size, in levels of 8 bits.

    """
    height, width = subject.shape
    longest = max(height, width)
    if min(height, width) < 16:
        return None
    seen = ~grown(subject > 0.05, _MARGIN * longest)
    if seen.mean() < _LEAST_SEEN:
        return None
    logs = np.log(np.maximum(light, 0) + _FLOOR)
    weight = light / (light + np.float32(0.004))  # a code of 8 bits is a large share of little light
    table = noise_variances(noise)
    grain = np.sqrt(table[np.clip(light * (len(table) - 1), 0, len(table) - 1).astype(np.int64)]) / (light + _FLOOR)
    grain *= weight
    base = _fit(logs, weight, seen)
    rest = np.average(logs - base, axis=2, weights=weight + 1e-6)
    # Only what reaches to the subject can be its shadow; elsewhere the plate is what it is.
    near = grown(~seen, 0.02 * longest)
    dark = joined(seen & (rest < -_SHADE), near, connectivity=8)
    glossy = joined(seen & (rest > _BRIGHT), near, connectivity=8)
    shaded = grown(dark, 1.5) & seen | glossy
    # A part of the subject that its mask has missed is no background, busy or plain.
    trusted = seen & ~shaded & (np.abs(logs - base) * weight < _LIKE + 3 * grain).all(axis=2)
    enough = max(_EXPLAINED * np.count_nonzero(seen & ~shaded), _LIT * np.count_nonzero(seen))
    if trusted.sum() < enough or _is_textured(logs, weight, grain, trusted):
        return None
    left = _smoothed(logs - base, trusted.astype(np.float32), 0.05 * longest)
    sure = np.exp(-distance_to(trusted) / np.float32(0.12 * longest))
    return Plate(np.maximum(np.exp(base + left) - _FLOOR, 1e-5).astype(np.float32), shaded, sure)


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
    found = find_plate(tiny, subject, reduced_noise(noise, max(fitted), longest))
    return None if found is None else found.light


def _is_textured(logs: Planes, weight: Planes, grain: Planes, seen: Area) -> bool:
    """Whether the background has detail that neither light nor the capture's noise (``grain``) makes."""
    inner = ~grown(~seen, 2.0)
    if not inner.any():
        return True
    blurred = cv2.GaussianBlur(logs, (0, 0), 1.5, borderType=cv2.BORDER_REFLECT)
    detail, grain = (np.abs(logs - blurred) * weight)[inner], grain[inner]
    most = 3 * (_TEXTURE + grain)
    own = (np.minimum(detail, most) ** 2).mean(axis=0) - (grain**2).mean(axis=0)
    return bool(own.max() > _TEXTURE**2 or (detail > most).any(axis=1).mean() > _DETAIL)


def _fit(logs: Planes, weight: Planes, seen: Area) -> Planes:
    """Fit a quadratic and a profile down the picture to the background, shadows left out."""
    height, width = seen.shape
    y, x = _across(height)[:, None], _across(width)[None]
    terms = np.stack(np.broadcast_arrays(np.ones_like(x + y), x, y, x * y, x * x, y * y), axis=-1)
    at = np.flatnonzero(_sampled(seen))
    basis, values = terms.reshape(-1, 6)[at].astype(np.float64), logs.reshape(-1, 3)[at].astype(np.float64)
    trust = weight.reshape(-1, 3)[at].astype(np.float64) + 1e-3
    # The sides show the sweep's profile; what stands before the middle casts its shadow there.
    beside = np.broadcast_to(np.abs(x) > 1 - 2 * _SIDES, seen.shape).ravel()[at]
    rows = at // width
    distance = cv2.distanceTransform(seen.astype(np.uint8), cv2.DIST_L2, 3).ravel()[at]
    base = np.minimum(distance / (0.1 * max(seen.shape)), 1.0) + 0.05
    tolerance, robust = 0.5, base
    fitted = np.zeros_like(values)
    profile: Vector = np.zeros((height, 3))
    for turn in range(_ROUNDS):
        for c in range(3):
            w = robust * trust[:, c]
            used = basis if turn > 1 else basis[:, :3]
            system = used.T @ (used * w[:, None]) + 1e-6 * np.eye(used.shape[1])
            fitted[:, c] = used @ np.linalg.solve(system, used.T @ (w * (values[:, c] - profile[rows, c])))
        if turn > 1:
            profile = _profile(values - fitted, robust * (0.02 + beside), rows, height)
        rest = np.average(values - fitted - profile[rows], axis=1, weights=trust)
        tolerance = float(np.clip(2.5 * np.median(np.abs(rest[robust > 0.3 * base])), 0.01, tolerance))
        # Shadows darken: what lies below the fit has less of a say than what lies above.
        robust = base / (1 + (rest / np.where(rest < 0, tolerance, 2 * tolerance)) ** 4)
    whole = np.empty(logs.shape, np.float32)
    for c in range(3):
        w = robust * trust[:, c]
        system = basis.T @ (basis * w[:, None]) + 1e-6 * np.eye(6)
        solved = np.linalg.solve(system, basis.T @ (w * (values[:, c] - profile[rows, c])))
        whole[..., c] = terms @ solved.astype(np.float32) + profile[:, c, None]
    return whole


def _across(size: int) -> Vector:
    """Where each pixel lies, -1..1, to the last bit as in a mirror."""
    return np.arange(1 - size, size, 2, dtype=np.float32) / np.float32(size - 1)


def _sampled(seen: Area) -> Area:
    """Some thousand pixels of an area: of every row, evenly spread, and in a mirrored area the mirrored ones."""
    step = max(1, int(np.count_nonzero(seen)) // _MOST_SAMPLES)
    from_top, from_side = (np.minimum(place, place[::-1]) for place in map(np.arange, seen.shape))
    # Rows are staggered by the golden section, so that no column has more of the samples than another.
    stagger = from_top * max(1, round(0.618 * step))
    return np.asarray(seen & ((from_side[None] + stagger[:, None]) % step == 0))


def _profile(rest: Vector, weight: Vector, rows: Indices, height: int) -> Vector:
    """Average what is left of each row; smooth, and bridged where a row shows no background."""
    sums = np.stack([np.bincount(rows, weight * rest[:, c], height) for c in range(3)], axis=1)
    count = np.bincount(rows, weight, height)[:, None]
    plane = np.concatenate([sums, count, count, count], axis=1).astype(np.float32)[:, None]
    blurred = cv2.GaussianBlur(plane.reshape(height, 1, 6)[..., :4].copy(), (1, 0), sigmaX=0.1, sigmaY=0.7)
    return np.asarray(blurred[:, 0, :3] / (blurred[:, 0, 3:] + 0.3), np.float64)


def _smoothed(values: Planes, weight: Plane, sigma: float) -> Planes:
    """Blur ``values`` (h×w×3) by their weight, towards 0 where nothing is known."""
    planes = np.dstack([values * weight[..., None], weight]).astype(np.float32)
    sums = np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)
    return np.asarray(sums[..., :3] / (sums[..., 3:] + np.float32(0.02)), np.float32)
