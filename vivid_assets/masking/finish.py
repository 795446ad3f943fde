"""From the raw probability that won to the alpha that is written."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from vivid_assets.imaging.drawing_net import drawn_probability
from vivid_assets.imaging.flat_fills import flat_fill_matte, has_flat_parts, whole_fills
from vivid_assets.imaging.ink_strokes import stroke_matte
from vivid_assets.imaging.line_art_matte import (
    fill_regions,
    join_outlines,
    line_art_matte,
    one_ink_matte,
    unmix_outline,
)
from vivid_assets.imaging.matte_refine import WORKING_SIDE, refine_matte
from vivid_assets.imaging.matte_stretch import keep_extremities, stretch
from vivid_assets.imaging.resizing import shrink
from vivid_assets.imaging.verdict import JUDGED_AT, Figures, Thresholds, Verdict, agreement, judge, measure
from vivid_assets.imaging.wall import fit_wall, to_lab
from vivid_assets.imaging.wall_matte import open_holes
from vivid_assets.masking.ladder_settings import LadderSettings
from vivid_assets.masking.mask import TierRecord

DRAWING_NET = "drawing_net"
"""The tier that answers for drawings before busy walls."""
LEAST_SHARE = 0.4
"""Of what a network saw in a seeming photograph, the share that must look drawn."""


@dataclass(frozen=True)
class Finished:
    """An alpha, and how it was read."""

    alpha: np.ndarray
    """float32 H×W, 0..1."""
    wall: str | None
    """``plain``, ``patterned`` or ``busy`` for a drawing; ``None`` for a photograph."""
    drawing_net: TierRecord | None = None
    """The drawing net's record, where it was asked."""
    by_drawing_net: bool = False
    """Whether the alpha is its own."""


def finish(
    image: np.ndarray,
    probability: np.ndarray,
    settings: LadderSettings,
    *,
    line_art: bool,
    trusted: bool,
    ask_drawing_net: bool = True,
) -> Finished:
    """Cut a drawing from its wall, and bring a photograph's mask to the picture's edges.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, raw.
        settings: the ladder's; its thresholds are what the drawing net's mask must reach to be used, too.
        line_art: what the detector says. Its figures are the whole picture's, so a drawing before a photograph
            passes for one, until it is found here.
        trusted: whether the tier's verdict was good. A good mask that takes a part of what the wall's flood leaves
            (one figure in a drawn scene whose sky is plain) is kept; one that takes in the wall gives way.
        ask_drawing_net: whether it may answer in the tier's place.

    """
    plain = _from_wall(image, probability, trusted) if line_art else _from_ink(image)
    if plain is not None:
        return plain
    record = None
    busy = line_art or not _wall_is_plain(image)
    if ask_drawing_net and busy and (line_art or has_flat_parts(image)):
        started = time.perf_counter()
        drawn = whole_fills(image, drawn_probability(image, probability))
        figures = measure(drawn)
        share = 1.0 if line_art else _drawn_share(drawn, probability)
        left = _left_alone(figures, settings.thresholds, share)
        verdict = left or judge(figures, settings.thresholds)
        seconds = time.perf_counter() - started
        record = TierRecord(DRAWING_NET, verdict.name, verdict.reason, figures.as_dict(), seconds)
        if left is None:
            return Finished(_busy(image, drawn, settings), "busy", record, by_drawing_net=True)
    strokes = stroke_matte(image, probability) if busy else None
    if strokes is not None:
        return Finished(strokes, "busy", record)
    if line_art:
        return Finished(_busy(image, whole_fills(image, probability), settings), "busy", record)
    return Finished(_photograph(image, probability, settings), None, record)


def _wall_is_plain(image: np.ndarray) -> bool:
    """Tell a product before paper or a painted wall, whose mask the tier makes well."""
    return fit_wall(to_lab(shrink(image, JUDGED_AT))).plain


def _drawn_share(drawn: np.ndarray, probability: np.ndarray) -> float:
    """How much of what the network saw looks drawn; all of it where the drawing is no smaller than that.

    Then the network saw a thing beside the drawing.
    """
    seen, figure = probability > 0.5, drawn > 0.5
    return 1.0 if figure.sum() >= seen.sum() else float(figure[seen].mean())


def _left_alone(figures: Figures, thresholds: Thresholds, share: float) -> Verdict | None:
    """Why the drawing net's mask is not used; ``None`` where it is, if only for want of a better one."""
    # Doubtful parts and several figures are for a person to look at; the network's own mask would be no better.
    verdict = judge(figures, replace(thresholds, max_uncertain=np.inf, min_largest=0.0))
    if not verdict.accepted:
        return verdict
    if share < LEAST_SHARE:
        # A print on a shirt, the cover of a book, a logo in a corner.
        return Verdict("part", f"only {share:.0%} of the subject looks drawn, least {LEAST_SHARE:.0%}")
    return None


def _photograph(image: np.ndarray, probability: np.ndarray, settings: LadderSettings) -> np.ndarray:
    """Keep thin parts, follow the picture's own edges, stretch, open holes."""
    p = keep_extremities(shrink(probability, WORKING_SIDE) if settings.refine else probability)
    refined = refine_matte(image, p) if settings.refine else p
    return open_holes(image, stretch(refined, settings.stretch_low, settings.stretch_high))


def _from_wall(image: np.ndarray, probability: np.ndarray, trusted: bool) -> Finished | None:
    found = line_art_matte(image, probability)
    if found is None or not (found.alpha > 0.5).any():
        return None
    contradicted = trusted and agreement(found.alpha, probability) < 0.3 and _lies_within(probability, found.alpha)
    return None if contradicted else Finished(found.alpha, found.wall)


def _from_ink(image: np.ndarray) -> Finished | None:
    ink = one_ink_matte(image)
    return None if ink is None else Finished(ink, "plain")


def _busy(image: np.ndarray, probability: np.ndarray, settings: LadderSettings) -> np.ndarray:
    fills = flat_fill_matte(image, probability)
    if fills is not None:
        return fills
    joined = join_outlines(image, fill_regions(probability))
    return unmix_outline(image, stretch(joined, settings.stretch_low, settings.stretch_high))


def _lies_within(probability: np.ndarray, alpha: np.ndarray) -> bool:
    subject = probability > 0.5
    return bool((alpha[subject] > 0.5).mean() > 0.7) if subject.any() else False
