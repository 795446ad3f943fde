"""From the raw probability that won to the alpha that is written: candidates, what speaks for each, and a choice.

The pixels' exactness chooses. Where they are exact (``exactness``), colour separates the subject from its background
better than any network; where they are not, a trusted network is not overruled on colour, however much the detector
takes the picture for a drawing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from resources.masks.drawing_net import drawn_probability
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.color import opencv_lab
from vivid_assets.imaging.core.resize import JUDGED_AT, shrink
from vivid_assets.imaging.matte.background_gaps import open_gaps
from vivid_assets.imaging.matte.drawing_on_plain import drawing_matte
from vivid_assets.imaging.matte.exactness import DENIED, is_drawn, is_smooth
from vivid_assets.imaging.matte.flat_fills import flat_fill_matte, has_flat_parts, whole_fills
from vivid_assets.imaging.matte.from_background import open_holes
from vivid_assets.imaging.matte.one_ink import is_hollow_outline, one_ink_matte
from vivid_assets.imaging.matte.outlines import fill_regions, join_outlines, soften_outline
from vivid_assets.imaging.matte.plain_background import fit_background
from vivid_assets.imaging.matte.quality import Figures, Thresholds, Verdict, agreement, judge, measure
from vivid_assets.imaging.matte.refine_edges import WORKING_SIDE, refine_matte
from vivid_assets.imaging.matte.strokes import stroke_matte
from vivid_assets.imaging.matte.thin_structures import alpha_of_probability, keep_thin_structures
from vivid_assets.masking.ladder_settings import LadderSettings
from vivid_assets.masking.mask import TierRecord

DRAWING_NET = "drawing_net"
"""The tier that answers for drawings against busy backgrounds."""
LEAST_SHARE = 0.4
"""Of what a network saw in a seeming photograph, the share that must look drawn."""

MOST_UNSEEN = 0.03
"""Of what a network saw, the share that may lie beside it where a lossy codec has left its marks: of 20 drawings before
two backgrounds, quality 88, at most .019 do."""


@dataclass(frozen=True)
class Finished:
    """An alpha, and how it was read."""

    alpha: Matte
    """float32 H×W, 0..1."""
    background: str | None
    """``plain``, ``patterned`` or ``busy`` for a drawing; ``None`` for a photograph."""
    exact: bool = False
    """Whether the colours that it was read from are exact to the last bit."""
    translucent: bool = False
    """Whether it is ink, soft within by nature."""
    doubt: str = ""
    """What of it is a guess, in a sentence; empty where nothing is."""
    drawing_net: TierRecord | None = None
    """The drawing net's record, where it ran."""
    drawn: Matte | None = None
    """The drawing net's probability, where the alpha is its own."""

    @property
    def by_drawing_net(self) -> bool:
        """Whether the alpha is the drawing net's own."""
        return self.drawn is not None


@dataclass
class _Case:
    image: RGB8
    probability: Matte
    settings: LadderSettings
    line_art: bool
    """Whether it is a drawing to the detector and by its pixels."""
    trusted: bool
    ask_drawing_net: bool
    matte: bool
    record: TierRecord | None = None
    """The drawing net's record, once it ran."""
    doubt: str = ""
    """What a candidate that was not taken shows against the others."""


def finish(
    image: RGB8,
    probability: Matte,
    settings: LadderSettings,
    *,
    line_art: bool,
    trusted: bool,
    ask_drawing_net: bool = True,
    matte: bool = False,
) -> Finished:
    """Take the first candidate for which enough speaks; the network's own mask is the last, and always there.

    Args:
        image: uint8 H×W×3 sRGB.
        probability: float32 H×W, 0..1, raw.
        settings: the ladder's; its thresholds are what the drawing net's mask must reach to be used, too.
        line_art: the detector's answer: one vote, for which the pixels must be exact, too. Its figures are the whole
            picture's, so a drawing before a photograph passes for one, until it is found here.
        trusted: whether the tier's verdict was good.
        ask_drawing_net: whether it may answer in the tier's place.
        matte: whether the network answers an alpha and no probability: a photograph's is used as it is.

    """
    drawn = line_art and is_drawn(image, probability)
    case = _Case(image, probability, settings, drawn, trusted, ask_drawing_net, matte)
    candidates: list[Callable[[_Case], Finished | None]] = [_flood, _ink]
    if drawn or not (_background_is_plain(image) or is_smooth(image, probability)):
        candidates += [_drawing_net, _strokes, _fills]
    found = next((alpha for alpha in (propose(case) for propose in candidates) if alpha is not None), None)
    found = found or _photograph(case)
    return replace(found, drawing_net=case.record, doubt=found.doubt or case.doubt)


def _flood(case: _Case) -> Finished | None:
    """Cut a drawing from its plain or patterned background by the background's colour."""
    found = drawing_matte(case.image, case.probability, trusted=case.trusted) if case.line_art else None
    if found is None or not (found.alpha > 0.5).any():
        return None
    # One figure in a drawn scene whose sky is plain: the flood leaves all of the scene.
    inked = np.where(found.fills, 0.0, found.alpha)
    if case.trusted and agreement(inked, case.probability) < 0.3 and _lies_within(case.probability, inked):
        return None
    if case.trusted and not found.exact:
        # Codecs leave less than certainty; the network's word counts, but on holes that have kept the background's
        # colour.
        shared = agreement(found.alpha, np.where(found.holes, 0.0, case.probability))
        if shared < case.settings.thresholds.min_kept:
            case.doubt = f"the background's colour shows another subject, which overlaps the network's by {shared:.2f}"
            return None
    doubt = found.doubt
    if case.trusted and not found.exact and _unseen(found.alpha, case.probability) > MOST_UNSEEN:
        doubt = doubt or "the background's colour shows parts of which the network sees nothing: how whole is a guess"
    return Finished(found.alpha, found.background, exact=found.exact, translucent=found.translucent, doubt=doubt)


def _unseen(alpha: Matte, probability: Matte) -> float:
    """How much of an alpha the network denies, as a share of what it sees."""
    return float(((alpha > 0.5) & (probability < DENIED)).sum() / max(int((probability > 0.5).sum()), 1))


def _ink(case: _Case) -> Finished | None:
    """Cut out a glow or a stamp on a background of one colour; the detector knows none of them."""
    ink = one_ink_matte(case.image, case.probability)
    return None if ink is None else Finished(ink, "plain", exact=True, translucent=True)


def _drawing_net(case: _Case) -> Finished | None:
    """Ask the drawing net, where parts of the picture are flat; believe it where it is sure of what the tier saw."""
    image, probability, settings = case.image, case.probability, case.settings
    if not case.ask_drawing_net or not (case.line_art or has_flat_parts(image)):
        return None
    started = time.perf_counter()
    drawn = whole_fills(image, drawn_probability(image, probability))
    figures = measure(drawn)
    share = 1.0 if case.line_art else _drawn_share(drawn, probability)
    left = _left_alone(figures, settings.thresholds, share)
    verdict = left or judge(figures, settings.thresholds)
    seconds = time.perf_counter() - started
    case.record = TierRecord(DRAWING_NET, verdict.name, verdict.reason, figures.as_dict(), seconds)
    return None if left else Finished(_busy(image, drawn, settings), "busy", drawn=drawn)


def _strokes(case: _Case) -> Finished | None:
    """Cut out a sign in strokes of one ink, which a network fills."""
    strokes = stroke_matte(case.image, case.probability)
    return None if strokes is None else Finished(strokes, "busy", translucent=True)


def _fills(case: _Case) -> Finished | None:
    """Follow the flat fills of what the network sees of a drawing."""
    if not case.line_art:
        return None
    return Finished(_busy(case.image, whole_fills(case.image, case.probability), case.settings), "busy")


def _photograph(case: _Case) -> Finished:
    """Keep thin structures, follow the picture's own edges, make an alpha, open holes and the gaps between hairs."""
    image, probability, settings = case.image, case.probability, case.settings
    if case.matte:
        return Finished(probability, None)
    p = keep_thin_structures(shrink(probability, WORKING_SIDE) if settings.refine else probability)
    refined = refine_matte(image, p) if settings.refine else p
    alpha = open_gaps(
        image, open_holes(image, alpha_of_probability(refined, settings.stretch_low, settings.stretch_high))
    )
    doubt = "outlines in one ink enclose more than they are; what they enclose was left out"
    return Finished(alpha, None, doubt=doubt if is_hollow_outline(image, alpha) else "")


def _background_is_plain(image: RGB8) -> bool:
    """Tell a product before paper or a painted wall, whose mask the tier makes well."""
    return fit_background(opencv_lab(shrink(image, JUDGED_AT))).is_plain


def _drawn_share(drawn: Matte, probability: Matte) -> float:
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


def _busy(image: RGB8, probability: Matte, settings: LadderSettings) -> Matte:
    fills = flat_fill_matte(image, probability)
    if fills is not None:
        return fills
    joined = join_outlines(image, fill_regions(probability))
    return soften_outline(image, alpha_of_probability(joined, settings.stretch_low, settings.stretch_high))


def _lies_within(probability: Matte, alpha: Matte) -> bool:
    subject = probability > 0.5
    return bool((alpha[subject] > 0.5).mean() > 0.7) if subject.any() else False
