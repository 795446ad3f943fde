"""How good is this mask? Measured on the raw probabilities, without knowing the truth.

A per-picture min-max stretch, as in rembg's ``predict``, turns "nothing there" into a mask of full contrast,
so everything here is measured on absolute probabilities, before any stretch.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from vivid_assets.imaging.core.areas import distance_to_contour, frame_of, parts_of
from vivid_assets.imaging.core.arrays import Matte
from vivid_assets.imaging.core.resize import JUDGED_AT, shrink

GOOD = "good"
AGREED = "agreed"
OVERRIDE = "override"

SEVERITY = (
    OVERRIDE,
    GOOD,
    AGREED,
    "doubtful",
    "disputed",
    "uncertain",
    "unstable",
    "fragmented",
    "low_confidence",
    "touches_border",
    "covers_all",
    "empty",
    "invalid",
)
"""From best to worst: which of several refused masks is kept when no tier is good."""


@dataclass(frozen=True)
class Thresholds:
    """What a mask must reach to be called good. Chosen on labelled photos: see ``docs/measurements/masks.md``."""

    min_peak: float = 0.5
    """Least 99.9th percentile of the probability; below, the model saw nothing. 0..1."""
    min_coverage: float = 0.005
    """Least share of the picture with probability over 0.5. 0..1."""
    max_coverage: float = 0.9
    """Largest such share. 0..1."""
    min_confidence: float = 0.85
    """Least mean probability inside the foreground. 0..1."""
    max_uncertain: float = 0.15
    """Largest area with probability 0.1..0.9 away from any edge, as a share of the foreground's area."""
    min_largest: float = 0.5
    """Least share of the foreground that its largest component holds. 0..1."""
    max_border: float = 0.7
    """Largest share of the frame's outermost pixels that are foreground. 0..1."""
    max_unsettled: float = 0.15
    """Largest area with probability 0.1..0.9, edges too, over the foreground's; over it, the model looks again at the
    mirrored picture."""
    min_stability: float = 0.85
    """Least intersection over union of the mask with that of the mirrored picture. 0..1."""
    min_agreement: float = 0.85
    """Least intersection over union with another tier for a doubtful mask to be accepted after all. 0..1."""
    min_kept: float = 0.9
    """Least intersection over union of the mask that is written with the trusted network's answer. 0..1."""
    max_left_out: float = 0.025
    """Largest area that differs with sharp edges from a plain background and that the mask leaves out, as a share of
    the foreground's. Of 103 photographs of products three have more, .035 to .15: a computer without its stand and
    keyboard, a grip missing, chocolate without its crumbs; the next has .015."""
    max_taken_in: float = 0.05
    """Largest area that is a plain background's own, goes over into it without an edge and lies in the mask, as a share
    of the foreground's. Of the same photographs one with a good mask has more, .12, a reflection; the next has .02."""
    min_right: float = 0.5
    """Least estimated probability that a mask is right: below it another network is asked, where one follows. 0..1."""


@dataclass(frozen=True)
class Figures:
    """The measured figures of one mask; every one is a share in 0..1 except ``components``."""

    peak: float
    """99.9th percentile of the probability."""
    coverage: float
    """Share of the picture with probability over 0.5."""
    confidence: float
    """Mean probability over the foreground (probability over 0.5); 0 where there is none."""
    uncertain: float
    """Pixels of probability 0.1..0.9 further from the 0.5 contour than an edge is wide, over the foreground."""
    components: int
    """Connected foreground components that hold at least 2 % of it."""
    largest: float
    """The largest component's share of the foreground."""
    border: float
    """Share of the frame's outermost pixels that are foreground."""
    unsettled: float = 0.0
    """Pixels of probability 0.1..0.9, edges too, over the foreground."""

    def as_dict(self) -> dict[str, float]:
        """Name the figures, rounded to what a table needs."""
        return {name: round(float(value), 4) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Verdict:
    """A name (``good``, ``empty``, ``covers_all`` …) and the sentence with the reason."""

    name: str
    reason: str

    @property
    def accepted(self) -> bool:
        """Whether the ladder stops here."""
        return self.name in (GOOD, AGREED, OVERRIDE)


def measure(probability: Matte) -> Figures:
    """Measure a probability map.

    Args:
        probability: float, H×W, 0..1, unstretched. Values that are not finite count as 0.

    Returns:
        The figures; all zero for a map without foreground, apart from ``peak``.

    Raises:
        ValueError: the array is not two-dimensional or is empty.

    >>> probability = np.zeros((100, 100), np.float32)
    >>> probability[20:70, 20:70] = 1
    >>> measure(probability).coverage
    0.25
    """
    if probability.ndim != 2 or probability.size == 0:
        raise ValueError(f"a probability map is H×W with at least one pixel, not {probability.shape}")
    small = shrink(np.nan_to_num(probability.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0), JUDGED_AT)
    foreground = small > 0.5
    area = int(foreground.sum())
    peak = float(np.percentile(small, 99.9))
    if area == 0:
        return Figures(peak=peak, coverage=0.0, confidence=0.0, uncertain=0.0, components=0, largest=0.0, border=0.0)

    edge_width = max(2, round(0.02 * max(small.shape)))
    doubtful = (small > 0.1) & (small < 0.9)
    away = distance_to_contour(foreground) > edge_width
    areas = parts_of(foreground).sizes[1:]
    return Figures(
        peak=peak,
        coverage=area / foreground.size,
        confidence=float(small[foreground].mean()),
        uncertain=float((doubtful & away).sum()) / area,
        components=int((areas >= 0.02 * area).sum()),
        largest=float(areas.max()) / area,
        border=float(frame_of(foreground).mean()),
        unsettled=float(doubtful.sum()) / area,
    )


def judge_given(figures: Figures, thresholds: Thresholds, name: str, reason: str) -> Verdict:
    """Judge an alpha that is used as it is.

    Args:
        figures: its figures.
        thresholds: the limits.
        name: the verdict, unless a person should look whether it is what was meant.
        reason: whose it is, in words, for the sentence.
    """
    if figures.coverage < thresholds.min_coverage:
        return Verdict("empty", f"{reason} shows next to nothing: coverage {figures.coverage:.4f}")
    if figures.coverage > thresholds.max_coverage:
        return Verdict("covers_all", f"{reason} covers {figures.coverage:.0%} of the picture")
    if figures.border > thresholds.max_border:
        return Verdict("inverted", f"{reason} looks inverted: {figures.border:.0%} of the frame is subject")
    return Verdict(name, reason)


def judge(figures: Figures, thresholds: Thresholds) -> Verdict:
    """Give the verdict that the figures earn, the gravest fault first."""
    f, t = figures, thresholds
    if f.peak < t.min_peak or f.coverage == 0.0:
        return Verdict("empty", f"the model saw nothing: peak probability {f.peak:.2f}, least {t.min_peak:.2f}")
    if f.coverage < t.min_coverage:
        return Verdict("empty", f"coverage {f.coverage:.4f} is below {t.min_coverage:.4f}")
    if f.coverage > t.max_coverage:
        return Verdict("covers_all", f"coverage {f.coverage:.2f} is over {t.max_coverage:.2f}")
    if f.border > t.max_border:
        return Verdict("touches_border", f"{f.border:.0%} of the frame is foreground, at most {t.max_border:.0%}")
    if f.confidence < t.min_confidence:
        return Verdict("low_confidence", f"mean probability inside {f.confidence:.2f}, least {t.min_confidence:.2f}")
    if f.largest < t.min_largest:
        return Verdict(
            "fragmented",
            f"{f.components} parts, the largest {f.largest:.0%} of the foreground, least {t.min_largest:.0%}",
        )
    if f.uncertain > t.max_uncertain:
        return Verdict(
            "uncertain",
            f"undecided away from edges {f.uncertain:.0%} of the foreground, at most {t.max_uncertain:.0%}",
        )
    return Verdict(GOOD, f"coverage {f.coverage:.2f}, confidence {f.confidence:.2f}, undecided {f.uncertain:.0%}")


def judge_stability(verdict: Verdict, probability: Matte, mirrored: Matte, thresholds: Thresholds) -> Verdict:
    """Judge again after the model has seen the picture mirrored.

    A network that is sure of the wrong thing is often sure of another thing then; a right mask hardly moves.

    Args:
        verdict: on ``probability``; a good one.
        probability: float, H×W.
        mirrored: the mirrored picture's, mirrored back; the same shape.
        thresholds: see ``min_stability``.

    Returns:
        ``verdict``, or ``unstable``.

    """
    shared = agreement(
        shrink(probability.astype(np.float32), JUDGED_AT), shrink(mirrored.astype(np.float32), JUDGED_AT)
    )
    if shared >= thresholds.min_stability:
        return verdict
    return Verdict(
        "unstable", f"the mirrored picture's mask overlaps by {shared:.2f}, least {thresholds.min_stability:.2f}"
    )


def agreement(one: Matte, other: Matte) -> float:
    """Intersection over union of two probability maps cut at 0.5; 1 where both are empty.

    Args:
        one: float, H×W.
        other: the same shape.

    """
    if one.shape != other.shape:
        raise ValueError(f"two masks of one picture differ in size: {one.shape} and {other.shape}")
    a, b = one > 0.5, other > 0.5
    union = int((a | b).sum())
    return float((a & b).sum()) / union if union else 1.0


def compare(alpha: Matte, probability: Matte) -> dict[str, float]:
    """What finishing made of a network's answer.

    Args:
        alpha: float, H×W, what is written.
        probability: the network's raw answer; the same shape.

    Returns:
        ``agreement`` (intersection over union), and what was ``added`` and ``removed``, as shares of the network's
        subject.

    """
    written, seen = alpha > 0.5, probability > 0.5
    area = max(int(seen.sum()), 1)
    return {
        "agreement": round(agreement(alpha, probability), 4),
        "added": round(float((written & ~seen).sum()) / area, 4),
        "removed": round(float((seen & ~written).sum()) / area, 4),
    }


def judge_written(
    alpha: Matte,
    probability: Matte,
    verdict: Verdict,
    thresholds: Thresholds,
    *,
    exact: bool = False,
    translucent: bool = False,
    doubt: str = "",
) -> Verdict:
    """Judge the alpha that is written, whatever it was made by.

    Args:
        alpha: float, H×W.
        probability: the raw answer of the network that ran; the same shape.
        verdict: on that answer. One that is not accepted stands, and the answer counts for nothing against ``alpha``.
        thresholds: see ``min_agreement``.
        exact: whether ``alpha`` was read from colours that are exact to the last bit. Then only what the network is
            sure of speaks against it: it fills the room between letters without being so.
        translucent: whether it is ink, which is soft within, and which networks fill.
        doubt: what of it is a guess, in a sentence.

    Returns:
        ``verdict``, or the fault of ``alpha``; ``disputed`` where it and a trusted network's answer differ by more
        than a rim, or where it is a guess.

    """
    if not verdict.accepted:
        return verdict
    if doubt:
        return Verdict("disputed", doubt)
    if verdict.name == AGREED:
        # A doubtful answer, whose faults two tiers' agreement has outweighed.
        return verdict
    limits = replace(thresholds, min_confidence=0.0, max_uncertain=np.inf) if translucent else thresholds
    own = judge(measure(alpha), limits)
    if not own.accepted:
        return Verdict(own.name, f"of the mask as written: {own.reason}")
    if exact and translucent:
        return verdict
    sure = (probability < 0.05) | (probability > 0.95) if exact else np.ones(alpha.shape, dtype=bool)
    shared = agreement(alpha * sure, probability * sure)
    if shared < thresholds.min_kept:
        made = compare(alpha * sure, probability * sure)
        return Verdict(
            "disputed",
            f"overlaps the network's answer by {shared:.2f}, least {thresholds.min_kept:.2f}: "
            f"{made['added']:.0%} added, {made['removed']:.0%} taken away",
        )
    return verdict


def judge_against_plain(verdict: Verdict, left_out: float, taken_in: float, thresholds: Thresholds) -> Verdict:
    """Judge a mask by what it leaves out of a plain background's picture and takes of the background.

    Args:
        verdict: so far; one that is not accepted stands.
        left_out: share of the subject's area, 0 and up.
        taken_in: likewise.
        thresholds: see ``max_left_out`` and ``max_taken_in``.

    """
    if not verdict.accepted:
        return verdict
    if left_out > thresholds.max_left_out:
        return Verdict(
            "disputed",
            f"leaves out what its plain background does not explain, {left_out:.1%} of the subject's area, "
            f"at most {thresholds.max_left_out:.1%}",
        )
    if taken_in > thresholds.max_taken_in:
        return Verdict(
            "disputed",
            f"takes in what looks like the plain background itself, {taken_in:.1%} of the subject's area, "
            f"at most {thresholds.max_taken_in:.1%}",
        )
    return verdict


def judge_estimate(verdict: Verdict, right: float, thresholds: Thresholds) -> Verdict:
    """``verdict``, or ``doubtful`` where it is accepted and the mask is too probably wrong (``right``: 0..1)."""
    if not verdict.accepted or right >= thresholds.min_right:
        return verdict
    return Verdict("doubtful", f"right with a probability of {right:.2f}, least {thresholds.min_right:.2f}")


def as_mapping(figures: Figures | None) -> Mapping[str, float]:
    """Hand the figures on as a plain mapping, empty where nothing could be measured."""
    return figures.as_dict() if figures is not None else {}
