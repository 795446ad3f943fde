"""What speaks for a mask and against it, in figures that cost milliseconds and need no truth.

The network's own probabilities say how sure it is, and their log odds say it where they round to none or all; the
picture says whether there is an edge where the contour runs, and whether what is left outside looks like what is
inside; the mirrored picture's answer, where it was asked for, says whether the network would say the same again. A
trained estimate turns these figures into a probability (``vivid_assets.masking.estimate``).
"""

from dataclasses import asdict, dataclass, fields

import cv2
import numpy as np

from vivid_assets.imaging.core.areas import distance_to, frame_of, parts_of
from vivid_assets.imaging.core.arrays import RGB8, Area, Lab, Matte, Plane, Vector
from vivid_assets.imaging.core.color import opencv_lab
from vivid_assets.imaging.core.resize import shrink
from vivid_assets.imaging.matte.plain_background import fit_background
from vivid_assets.imaging.matte.quality import agreement

MEASURED_AT = 192
"""Long side, in pixels, at which the figures are taken."""
_EDGE = 0.02
"""Width of an edge, as a share of the longer side: the networks see 320 pixels, and their edges are as soft."""
_BINS = 10
_SMALLEST = 5e-4
"""Probability at which log odds are cut: a network's answers are kept in half precision, which ends there below one."""
_STEPS = {"rim": 0.01, "near": 0.02, "away": 0.03, "deep": 0.05, "far": 0.07}
"""Distances from the network's contour at which its log odds are taken, as shares of the longer side."""


@dataclass(frozen=True)
class EstimateFigures:
    """What a mask is judged by; shares are of the subject's area unless something else is said."""

    peak: float
    """99.9th percentile of the probability."""
    coverage: float
    """Subject's share of the picture, as a square root."""
    confidence: float
    """Mean probability inside."""
    unsettled: float
    """Pixels of probability 0.1..0.9."""
    uncertain: float
    """The same, away from the contour."""
    levels: float
    """Overlap (IoU) of the areas over 0.2 and over 0.8."""
    faint: float
    """Pixels of probability 0.1..0.5 away from the contour: what the network half sees outside."""
    leak: float
    """Probability outside, summed."""
    steepness: float
    """Mean slope of the probability along the contour, per edge width."""
    outside_high: float
    """Log odds outside, away from the contour: their 90th percentile. Where nothing is half seen they still differ."""
    outside_peak: float
    """Their 99.7th."""
    far_peak: float
    """The same further away."""
    rim_low: float
    """Log odds inside, without the contour itself: their 8th percentile."""
    inside_low: float
    """The same further inside."""
    inside_middle: float
    """Their median there."""
    core_low: float
    """Their 8th percentile deep inside."""
    wider: float
    """Area of probability over 0.03 against that over 0.5, as a logarithm."""
    narrower: float
    """Area over 0.5 against that over 0.9, as a logarithm."""
    second: float
    """Probability of the strongest part away from the subject, summed, as a logarithm of its share."""
    second_peak: float
    """Its highest log odds."""
    beside: float
    """Mean log odds just outside the contour."""
    frame_peak: float
    """Highest log odds on the picture's frame, away from the subject."""
    frame_odds: float
    """Mean log odds on the frame."""
    largest: float
    """The largest part's share."""
    parts: float
    """Parts of at least 2 %, less one; at most 9."""
    openings: float
    """Area that the subject encloses."""
    solidity: float
    """Share that the subject has of its convex hull."""
    roughness: float
    """Length of the contour over that of a circle of this area, as a logarithm."""
    off_centre: float
    """Distance of the subject's middle from the picture's, as a share of half the diagonal."""
    border: float
    """Share of the picture's frame that is subject."""
    sides: float
    """Sides of the frame that the subject touches over a twentieth of their length, 0..4."""
    edge: float
    """Colour gradient along the contour over the picture's mean, as a logarithm."""
    edge_held: float
    """Share of the contour with a gradient over the picture's 80th percentile within two pixels."""
    contrast: float
    """Mean colour difference (ΔE) across the contour, over the picture's spread of colours."""
    contrast_low: float
    """Its 20th percentile along the contour."""
    alike_outside: float
    """Area outside whose colour is the subject's, by histograms."""
    alike_inside: float
    """Area inside whose colour is the background's."""
    separation: float
    """Overlap of the two colour histograms: 0 where no colour is shared, 1 where all are."""
    frame_share: float
    """Share of the frame that a smooth background colour explains."""
    frame_noise: float
    """Its noise there, ΔE, as a logarithm."""
    left_outside: float
    """Area outside that differs from that background."""
    taken_inside: float
    """Area inside that does not."""
    salience: float
    """Mean distance from the frame's colours inside over that outside, as a logarithm."""
    detail: float
    """Mean gradient inside over that outside, as a logarithm."""
    soft: float
    """Pixels of the written alpha between 0.05 and 0.95, over the contour's length in edge widths."""
    kept: float
    """Overlap (IoU) of the written alpha with the network's answer."""
    mirrored: float
    """Overlap (IoU) with the mirrored picture's answer; NaN where it was not asked for."""
    mirrored_difference: float
    """Mean difference from it; NaN where it was not asked for."""

    def values(self) -> Vector:
        """The figures in order, float64."""
        return np.array([getattr(self, field.name) for field in fields(self)], np.float64)

    def as_dict(self) -> dict[str, float]:
        """The figures by name."""
        return asdict(self)


def estimate_figures(
    image: RGB8, probability: Matte, alpha: Matte, mirrored: Matte | None = None
) -> EstimateFigures | None:
    """Measure a mask against its picture.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float H×W, 0..1: the network's raw answer.
        alpha: float H×W, 0..1: what is written.
        mirrored: float H×W: the answer for the mirrored picture, mirrored back, where it was asked for.

    Returns:
        The figures; ``None`` where the alpha has no subject, or nothing but subject.

    Raises:
        ValueError: sizes differ.

    """
    if not image.shape[:2] == probability.shape == alpha.shape:
        raise ValueError(f"sizes differ: {image.shape[:2]}, {probability.shape}, {alpha.shape}")
    small = shrink(image, MEASURED_AT)
    p, a = (_sampled(plane, small) for plane in (probability, alpha))
    inside = a > 0.5
    area = float(inside.sum())
    if area == 0 or area == inside.size:
        return None
    edge_width = max(2.0, _EDGE * max(inside.shape))
    outward, inward = distance_to(inside), distance_to(~inside)
    away = np.maximum(outward, inward) > edge_width
    lab = opencv_lab(small)
    smooth = np.asarray(cv2.GaussianBlur(lab, (0, 0), 0.8), np.float32)
    gradient = _gradient(smooth)
    contour = inside & (inward <= 1.0)
    found = _of_network(p, inside, away, contour, area, edge_width)
    found |= _of_odds(p)
    found |= _of_shape(inside, area)
    found |= _of_edges(smooth, gradient, inward - outward, contour, edge_width)
    found |= _of_colors(lab, inside, outward, inward, area, edge_width)
    found |= _of_background(lab, inside, outward, area, edge_width)
    found["detail"] = float(np.log((gradient[inside].mean() + 0.5) / (gradient[~inside].mean() + 0.5)))
    found["soft"] = float(((a > 0.05) & (a < 0.95)).sum()) / (float(contour.sum()) * edge_width)
    found["kept"] = agreement(a, p)
    m = None if mirrored is None else _sampled(mirrored, small)
    found["mirrored"] = np.nan if m is None else agreement(p, m)
    found["mirrored_difference"] = np.nan if m is None else float(np.abs(p - m).sum()) / area
    return EstimateFigures(**found)


def _sampled(plane: Matte, small: RGB8) -> Matte:
    """``plane`` at the size of ``small``, float32: samples, since a mean over areas costs more than all else here."""
    values = plane.astype(np.float32, copy=False)
    return np.asarray(cv2.resize(values, small.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _gradient(smooth: Lab) -> Plane:
    """Size of the colour's gradient, ΔE a pixel, float32 h×w."""
    across = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
    return np.asarray(np.sqrt(np.einsum("ijk,ijk->ij", across, across) + np.einsum("ijk,ijk->ij", down, down)))


def _of_network(p: Matte, inside: Area, away: Area, contour: Area, area: float, edge_width: float) -> dict[str, float]:
    doubtful = (p > 0.1) & (p < 0.9)
    slope = np.hypot(cv2.Sobel(p, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(p, cv2.CV_32F, 0, 1, scale=1 / 8))
    over = float((p > 0.2).sum())
    return {
        "peak": float(np.percentile(p, 99.9)),
        "coverage": float(np.sqrt(area / inside.size)),
        "confidence": float(p[inside].mean()),
        "unsettled": min(3.0, float(doubtful.sum()) / area),
        "uncertain": min(3.0, float((doubtful & away).sum()) / area),
        "levels": float((p > 0.8).sum()) / over if over else 0.0,
        "faint": min(3.0, float(((p > 0.1) & (p <= 0.5) & away & ~inside).sum()) / area),
        "leak": min(3.0, float(p[~inside].sum()) / area),
        "steepness": float(slope[contour].mean()) * edge_width,
    }


def _of_odds(p: Matte) -> dict[str, float]:
    """How sure the network is by its log odds, which tell a trace of another thing from none at all."""
    kept = np.clip(p, _SMALLEST, 1.0 - _SMALLEST)
    odds = np.asarray(np.log(kept / (1.0 - kept)), np.float32)
    seen = p > 0.5
    area = max(1.0, float(seen.sum()))
    # Nothing seen, or nothing else, is infinitely far away.
    outward, inward = (np.minimum(distance_to(one), float(p.size)) for one in (seen, ~seen))
    step = {name: share * max(p.shape) for name, share in _STEPS.items()}
    frame_away = frame_of(np.where(outward > step["away"], odds, -np.inf))
    lowest = float(np.log(_SMALLEST))
    beside = (outward > 0) & (outward <= step["rim"] * 1.5)
    return {
        "outside_high": _percentile(odds, outward > step["away"], 90, lowest),
        "outside_peak": _percentile(odds, outward > step["away"], 99.7, lowest),
        "far_peak": _percentile(odds, outward > step["far"], 99.7, lowest),
        "rim_low": _percentile(odds, inward > step["rim"], 8, 0.0),
        "inside_low": _percentile(odds, inward > step["near"], 8, 0.0),
        "inside_middle": _percentile(odds, inward > step["near"], 50, 0.0),
        "core_low": _percentile(odds, inward > step["deep"], 8, 0.0),
        "wider": float(np.log((max((p > 0.03).sum(), area) + 1.0) / (area + 1.0))),
        "narrower": float(np.log((area + 1.0) / ((p > 0.9).sum() + 1.0))),
        **_second(p, odds, outward > step["away"], area, lowest),
        "beside": float(odds[beside].mean()) if beside.any() else lowest,
        "frame_peak": max(lowest, float(frame_away.max())),
        "frame_odds": float(frame_of(odds).mean()),
    }


def _percentile(odds: Plane, where: Area, share: float, empty: float) -> float:
    return float(np.percentile(odds[where], share)) if where.any() else empty


def _second(p: Matte, odds: Plane, away: Area, area: float, lowest: float) -> dict[str, float]:
    """The strongest of what is not quite nothing away from the subject."""
    count, parts = cv2.connectedComponents(((p > 0.02) & away).astype(np.uint8))
    sums = np.bincount(parts.ravel(), p.ravel(), count)[1:]
    if not len(sums):
        return {"second": float(np.log(0.003)), "second_peak": lowest}
    peak = float(odds[parts == 1 + int(np.argmax(sums))].max())
    return {"second": float(np.log(sums.max() / area + 0.003)), "second_peak": peak}


def _of_shape(inside: Area, area: float) -> dict[str, float]:
    height, width = inside.shape
    areas = parts_of(inside).sizes[1:]
    outlines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(inside.shape, np.uint8), outlines, -1, 1, cv2.FILLED)
    hull = cv2.convexHull(np.concatenate(outlines))
    hulled = cv2.fillPoly(np.zeros(inside.shape, np.uint8), [hull], 1)
    length = sum(cv2.arcLength(outline, True) for outline in outlines)
    rows, columns = np.nonzero(inside)
    middle = np.hypot(rows.mean() / height - 0.5, columns.mean() / width - 0.5) / np.sqrt(0.5)
    frame = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
    return {
        "largest": float(areas.max()) / area,
        "parts": min(9.0, float((areas >= 0.02 * area).sum()) - 1.0),
        "openings": min(3.0, float(filled.sum()) / area - 1.0),
        "solidity": area / float(hulled.sum()),
        "roughness": float(np.log(max(length, 1.0) / np.sqrt(4 * np.pi * area))),
        "off_centre": float(middle),
        "border": float(frame_of(inside).mean()),
        "sides": float(sum(side.mean() > 0.05 for side in frame)),
    }


def _of_edges(lab: Lab, gradient: Plane, depth: Plane, contour: Area, edge_width: float) -> dict[str, float]:
    near = cv2.dilate(gradient, np.ones((5, 5), np.uint8))
    # The frame is no edge of the subject.
    rim = contour.copy()
    rim[[0, -1]] = rim[:, [0, -1]] = False
    if not rim.any():
        rim = contour
    rows, columns = np.nonzero(rim)
    depth = np.asarray(cv2.GaussianBlur(depth, (0, 0), 1.0), np.float32)
    down, across = (cv2.Sobel(depth, cv2.CV_32F, *axis)[rows, columns] for axis in ((0, 1), (1, 0)))
    length = np.maximum(np.hypot(down, across), 1e-6)
    sides = []
    for step in (edge_width, -edge_width):
        y = np.clip(np.rint(rows + step * down / length), 0, lab.shape[0] - 1).astype(np.intp)
        x = np.clip(np.rint(columns + step * across / length), 0, lab.shape[1] - 1).astype(np.intp)
        sides.append(lab[y, x])
    difference = np.linalg.norm(sides[0] - sides[1], axis=1)
    spread = float(np.sqrt(lab.reshape(-1, 3).var(axis=0).sum())) + 2.0
    return {
        "edge": float(np.log((near[rim].mean() + 0.3) / (near.mean() + 0.3))),
        "edge_held": float((near[rim] > np.percentile(near, 80)).mean()),
        "contrast": float(difference.mean()) / spread,
        "contrast_low": float(np.percentile(difference, 20)) / spread,
    }


def _of_colors(
    lab: Lab, inside: Area, outward: Plane, inward: Plane, area: float, edge_width: float
) -> dict[str, float]:
    """Which colours are the subject's and which the background's, by histograms of what is sure."""
    steps = np.array([_BINS / 100, _BINS / 160, _BINS / 160], np.float32)
    cell = np.clip((lab * steps + np.array([0, _BINS / 2, _BINS / 2], np.float32)).astype(np.int32), 0, _BINS - 1)
    code = cell @ np.array([_BINS * _BINS, _BINS, 1], np.int32)
    core, rest = inward > edge_width / 2, outward > edge_width / 2
    if not core.any() or not rest.any():
        core, rest = inside, ~inside
    histograms = []
    for region in (core, rest):
        counted = np.bincount(code[region], minlength=_BINS**3).reshape(_BINS, _BINS, _BINS).astype(np.float32)
        blurred = cv2.blur(counted.reshape(_BINS, -1), (1, 3)).reshape(counted.shape)
        histograms.append(blurred.ravel() / max(float(blurred.sum()), 1e-9))
    subject, background = histograms
    likely = subject / np.maximum(subject + background, 1e-9)
    seen = likely[code]
    return {
        "alike_outside": min(3.0, float((rest & (seen > 0.7)).sum()) / area),
        "alike_inside": float((core & (seen < 0.3)).sum()) / area,
        "separation": float(np.minimum(subject, background).sum()),
    }


def _of_background(lab: Lab, inside: Area, outward: Plane, area: float, edge_width: float) -> dict[str, float]:
    plate = fit_background(lab)
    offset = lab - plate.lab
    away = np.sqrt(np.einsum("ijk,ijk->ij", offset, offset))
    limit = max(8.0, 4.0 * min(plate.noise, 10.0))
    outside = ~inside
    return {
        "frame_share": plate.share,
        "frame_noise": float(np.log(min(plate.noise, 30.0) + 0.2)),
        "left_outside": min(3.0, float(((outward > edge_width) & (away > limit)).sum()) / area),
        "taken_inside": float((inside & (away < limit)).sum()) / area,
        "salience": float(np.log((away[inside].mean() + 1.0) / (away[outside].mean() + 1.0))),
    }
