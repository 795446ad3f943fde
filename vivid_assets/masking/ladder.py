"""The tier ladder: ask the best model, judge its mask, go on to the next tier when the mask is no good.

Every tier that was asked leaves a record, so that nothing falls back without a word.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from resources.errors import ModelUnavailable
from resources.masks.tier import MaskModel
from resources.runtime.batches import FirstPictures
from resources.spelling import counted
from vivid_assets.imaging.analysis.line_art import LineArtVerdict, detect_line_art
from vivid_assets.imaging.core.alpha import Alpha, fit_alpha
from vivid_assets.imaging.core.own_alpha import packaging, solid_box, uncut_circle, visible_part
from vivid_assets.imaging.core.parallel_rows import single_threaded
from vivid_assets.imaging.matte.against_plain import against_plain
from vivid_assets.imaging.matte.estimate_figures import estimate_figures
from vivid_assets.imaging.matte.quality import (
    SEVERITY,
    Figures,
    Verdict,
    agreement,
    as_mapping,
    compare,
    judge,
    judge_against_plain,
    judge_estimate,
    judge_given,
    judge_stability,
    judge_written,
    measure,
)
from vivid_assets.imaging.matte.subject_box import box_pixels
from vivid_assets.masking.estimate import Estimate, Estimator, estimate, is_learned
from vivid_assets.masking.finish import finish
from vivid_assets.masking.ladder_settings import LadderSettings
from vivid_assets.masking.mask import NO_ANSWER, SOURCE_ALPHA, UNAVAILABLE, Mask, MaskRequest, TierRecord
from vivid_assets.masking.model import Tier
from vivid_assets.rows.failures import picture_failure

MOST_OF_CIRCLE = 0.9
"""Of a circle that a photograph was cut to, what its subject covers at most; what covers more is round itself."""

_Made = TypeVar("_Made")


@dataclass
class Attempt:
    """One picture on its way down the ladder."""

    image: np.ndarray
    window: tuple[int, int, int, int]
    forced: str | None
    line_art: LineArtVerdict
    visible: np.ndarray | None = None
    circle: Mask | None = None
    """The mask that its own transparency is, where that seems to be a photograph cut to a circle."""
    records: list[TierRecord] = field(default_factory=list)
    answers: list[tuple[str, np.ndarray, Figures, Verdict]] = field(default_factory=list)
    mirrored: dict[str, np.ndarray] = field(default_factory=dict)
    """By tier, its answer to the mirrored picture, mirrored back."""
    right: dict[str, float] = field(default_factory=dict)
    """By tier, how probably its answer is right, 0..1, where the ladder had to know before it went on."""
    troubles: list[str] = field(default_factory=list)

    @property
    def crop(self) -> np.ndarray:
        top, bottom, left, right = self.window
        return np.ascontiguousarray(self.image[top:bottom, left:right])

    @property
    def is_whole(self) -> bool:
        """Whether nobody has pointed to a part of the picture, beside which other things may well lie."""
        return self.window == (0, self.image.shape[0], 0, self.image.shape[1])

    @property
    def done(self) -> bool:
        return bool(self.answers) and (self.answers[-1][3].accepted or self.answers[-1][0] == self.forced)


def trouble(tier: str, reason: str | None) -> str:
    """What a mask that was made without a tier says of it."""
    return f"tier {tier} could not load: {reason}"


class Ladder:
    """Tiers in order of trust. The last should need no weights, as ``gradients`` does not."""

    def __init__(
        self, tiers: Sequence[Tier], settings: LadderSettings | None = None, estimator: Estimator = estimate
    ) -> None:
        """Nothing is loaded yet.

        Args:
            tiers: in order of trust.
            settings: the defaults without them.
            estimator: what says how probably a mask is right; by default the one that was trained.

        Raises:
            ValueError: no tier, or two of the same name.

        """
        names = [tier.name for tier in tiers]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a ladder needs tiers of different names, not {names}")
        self.tiers = tuple(tiers)
        self._by_name = {tier.name: tier for tier in self.tiers}
        self.settings = settings or LadderSettings()
        self._estimate = estimator
        self._models: dict[str, MaskModel] = {}
        self._unavailable: dict[str, str] = {}
        self._first = {tier.name: FirstPictures(f"The tier {tier.name}") for tier in self.tiers}
        self._lock = Lock()

    @property
    def revision(self) -> str:
        """Names and revisions of all tiers, for a row's key. Loads nothing."""
        return "+".join(f"{tier.name}@{tier.revision}" for tier in self.tiers)

    @property
    def unavailable(self) -> dict[str, str]:
        """Tiers that are installed but could not load so far, with the reason; for the run's log and the check."""
        return dict(self._unavailable)

    @property
    def note(self) -> str | None:
        """Which tiers are not installed, what is missing and what to do, for a run's beginning; None if all are."""
        absent = [f"{tier.name} ({tier.missing.rstrip('.')})" for tier in self.tiers if tier.missing]
        if not absent:
            return None
        present = [tier.name for tier in self.tiers if not tier.missing]
        return (
            f"Mask tiers that are not installed here: {'; '.join(absent)}. "
            f"Masks are made by {', '.join(present) or 'none'}. "
            "Install what is missing, or take these tiers off `tiers` in [masks]."
        )

    def masks(self, images: Sequence[np.ndarray], requests: Sequence[MaskRequest | None] | None = None) -> list[Mask]:
        """One mask per picture.

        Args:
            images: uint8 H×W×3 sRGB; sizes may differ.
            requests: what the user asked for each, or ``None``.

        Returns:
            The masks in the order of the pictures.

        Raises:
            ValueError: a request names no tier of this ladder, or its box or override does not fit.
            MachineFault: the machine, not a picture, failed (a tier that cannot load is no such fault).
            ModelUnavailable: no tier at all is installed and can be loaded.

        """
        wishes = [None] * len(images) if requests is None else requests
        if len(wishes) != len(images):
            raise ValueError(f"{counted(len(images), 'picture')} but {counted(len(wishes), 'request')}")
        begun = _in_threads(self.begin, images, wishes)
        self.ask(begun)
        return self.finish_all(begun)

    def begin(self, image: np.ndarray, wish: MaskRequest | None = None) -> Mask | Attempt:
        """The first of three steps: a mask that was given, or a picture to ask about. Needs no model.

        A picture may begin, and finish, in any thread, while a model is asked about others.

        Raises:
            ValueError: the request names no tier of this ladder, or its box or override does not fit.
        """
        wish = wish or MaskRequest()
        if wish.override is None:
            return self._start(image, wish)
        alpha = fit_alpha(wish.override.values, *image.shape[:2])
        own = wish.override.origin == "own"
        packed = packaging(alpha) if own else None
        if packed is None:
            given = self._given(image, alpha, wish.override)
            uncut = uncut_circle(image, alpha) if own else None
            return given if uncut is None else self._start_circle(uncut, wish, alpha, given)
        attempt = self._start(image, wish)
        attempt.visible = visible_part(alpha)
        if wish.box is None:
            attempt.window = solid_box(attempt.visible)
        reason = f"the source's own transparency is no cut-out: {packed}"
        attempt.records.append(TierRecord(SOURCE_ALPHA, "packaging", reason, measure(alpha).as_dict(), 0.0))
        return attempt

    def ask(self, begun: Sequence[Mask | Attempt]) -> None:
        """The second step: ask the tiers about a batch, one after the other until a mask is good. Changes ``begun``.

        Raises:
            MachineFault: the machine, not a picture, failed (a tier that cannot load is no such fault).
            ModelUnavailable: no tier at all is installed and can be loaded.
        """
        attempts = [one for one in begun if isinstance(one, Attempt)]
        for tier in self.tiers:
            waiting = [one for one in attempts if self._waits(one, tier)]
            if waiting:
                self._ask(tier, waiting)
        if any(one.forced is None and not one.answers for one in attempts):
            self._assert_any_tier()

    def finish(self, begun: Mask | Attempt) -> Mask:
        """The last step, which needs no model: the mask of a picture that the tiers were asked about."""
        if isinstance(begun, Mask):
            return begun
        return self._finish(begun) if begun.circle is None else self._finish_circle(begun, begun.circle)

    def finish_all(self, begun: Sequence[Mask | Attempt]) -> list[Mask]:
        """``finish`` of each, in threads."""
        return _in_threads(self.finish, begun)

    def _start(self, image: np.ndarray, wish: MaskRequest) -> Attempt:
        if wish.tier is not None and wish.tier not in {tier.name for tier in self.tiers}:
            raise ValueError(f"tier {wish.tier!r} is not one of {[tier.name for tier in self.tiers]}")
        height, width = image.shape[:2]
        window = box_pixels(wish.box, height, width, margin=0.1) if wish.box else (0, height, 0, width)
        return Attempt(image, window, wish.tier, detect_line_art(image))

    def _start_circle(self, uncut: np.ndarray, wish: MaskRequest, alpha: np.ndarray, given: Mask) -> Attempt:
        attempt = self._start(uncut, wish)
        attempt.visible, attempt.circle = alpha, given
        return attempt

    def _finish_circle(self, attempt: Attempt, given: Mask) -> Mask:
        """The network's mask where it is sure of a subject within the circle, else the circle, for a person to see."""
        reason = "the source's own transparency is no cut-out: a photograph in a circle"
        record = TierRecord(SOURCE_ALPHA, "packaging", reason, given.figures, 0.0)
        if attempt.answers and self._by_name[attempt.answers[-1][0]].is_network:
            found = self._finish(attempt)
            if not found.review and (found.alpha > 0.5).sum() < MOST_OF_CIRCLE * (given.alpha > 0.5).sum():
                return replace(found, tried=(record, *found.tried))
        reason = (
            "the source's own transparency is a circle, in which no tier is sure of a subject: perhaps a photograph"
        )
        return replace(
            given, verdict="disputed", reason=reason, tried=(replace(record, verdict="disputed", reason=reason),)
        )

    def _given(self, image: np.ndarray, alpha: np.ndarray, given: Alpha) -> Mask:
        own = given.origin == "own"
        tier, what = (SOURCE_ALPHA, "the source's own transparency") if own else ("override", "the user's own mask")
        measured = measure(alpha)
        figures = measured.as_dict()
        verdict = judge_given(measured, self.settings.thresholds, tier, what)
        found = detect_line_art(image).probability
        record = TierRecord(tier, verdict.name, verdict.reason, figures, 0.0)
        drawn = found >= self.settings.line_art_threshold
        return Mask(
            alpha,
            tier,
            verdict.name,
            verdict.reason,
            figures,
            (record,),
            drawn,
            found,
            origin=given.origin,
            notes=given.notes,
        )

    def _assert_any_tier(self) -> None:
        reasons = {tier.name: tier.missing or self._unavailable.get(tier.name) for tier in self.tiers}
        if all(reasons.values()):
            said = " ".join(f"{name}: {reason}" for name, reason in reasons.items())
            raise ModelUnavailable(f"No mask tier is available. {said} The tier gradients needs no weights.")

    def loaded(self, tier: Tier) -> MaskModel:
        """The tier's model, which is loaded once. Raises ModelUnavailable where it cannot be."""
        model = self._model(tier)
        if model is None:
            raise ModelUnavailable(self._unavailable[tier.name])
        return model

    def _model(self, tier: Tier) -> MaskModel | None:
        with self._lock:
            if tier.name not in self._models and tier.name not in self._unavailable:
                try:
                    self._models[tier.name] = tier.load()
                except ModelUnavailable as error:
                    self._unavailable[tier.name] = str(error)
            return self._models.get(tier.name)

    def _ask(self, tier: Tier, waiting: list[Attempt]) -> None:
        started = time.perf_counter()
        model = None if tier.missing else self._model(tier)
        if model is None:
            reason = tier.missing or self._unavailable[tier.name]
            for attempt in waiting:
                attempt.records.append(TierRecord(tier.name, UNAVAILABLE, reason, {}, 0.0))
                if not tier.missing:
                    attempt.troubles.append(trouble(tier.name, reason))
            return None
        try:
            found = _answers(model, [attempt.crop for attempt in waiting])
            self._judge_first(tier, found)
        except ModelUnavailable as error:
            # A model that loads its weights on first use, or that fails on whatever it is given.
            with self._lock:
                self._unavailable[tier.name] = str(error)
                del self._models[tier.name]
            return self._ask(tier, waiting)
        seconds = (time.perf_counter() - started) / len(waiting)
        _in_threads(lambda attempt, answer: self._record(tier, attempt, answer, seconds), waiting, found)
        self._look_again(model, [attempt for attempt in waiting if self._is_soft(tier, attempt)])
        _in_threads(self._doubt, [attempt for attempt in waiting if self._can_gain(tier, attempt)])
        return None

    def _judge_first(self, tier: Tier, found: Sequence[np.ndarray | Exception]) -> None:
        """Raise ModelUnavailable for a tier that has failed on each of its first pictures, in the same way."""
        for answer in found:
            if not isinstance(answer, Exception):
                self._first[tier.name].went_well()
            # With a ValueError a tier refuses a picture; without weights there is nothing that could be at fault.
            elif not isinstance(answer, ValueError) and tier.is_network:
                self._first[tier.name].failed(answer)

    @staticmethod
    def _waits(attempt: Attempt, tier: Tier) -> bool:
        """Whether a tier is asked: by colour alone nothing is told of a network's mask that is probably wrong."""
        return not attempt.done and attempt.forced in (None, tier.name) and (tier.is_network or not attempt.right)

    def _can_gain(self, tier: Tier, attempt: Attempt) -> bool:
        """Whether a good mask of this tier would give way to another network's that is more probably right."""
        if not attempt.done or attempt.forced or not is_learned(tier.name) or self._is_drawn(attempt):
            return False
        later = self.tiers[self.tiers.index(tier) + 1 :]
        others = any(one.is_network and not one.missing and one.name not in self._unavailable for one in later)
        return tier.is_network and (others or bool(attempt.right))

    def _doubt(self, attempt: Attempt) -> None:
        """Take a good answer for a doubtful one where it is too probably wrong: the next network's may be right."""
        name, probability, figures, verdict = attempt.answers[-1]
        evidence = estimate_figures(attempt.crop, probability, probability, attempt.mirrored.get(name))
        attempt.right[name] = self._estimate(evidence, name).right
        verdict = judge_estimate(verdict, attempt.right[name], self.settings.thresholds)
        attempt.answers[-1] = name, probability, figures, verdict
        attempt.records[-1] = replace(attempt.records[-1], verdict=verdict.name, reason=verdict.reason)

    def _is_drawn(self, attempt: Attempt) -> bool:
        return attempt.line_art.probability >= self.settings.line_art_threshold

    def _is_soft(self, tier: Tier, attempt: Attempt) -> bool:
        """Whether a good mask of this tier is soft enough in parts to be worth a second look."""
        if not attempt.answers or attempt.answers[-1][0] != tier.name or attempt.forced:
            return False
        _, _, figures, verdict = attempt.answers[-1]
        is_soft = figures.unsettled > self.settings.thresholds.max_unsettled
        return verdict.accepted and is_soft and not self._is_drawn(attempt)

    def _look_again(self, model: MaskModel, doubtful: list[Attempt]) -> None:
        """Judge masks once more by what the model makes of the mirrored pictures."""
        if not doubtful:
            return
        started = time.perf_counter()
        mirrored = _answers(model, [np.ascontiguousarray(attempt.crop[:, ::-1]) for attempt in doubtful])
        seconds = (time.perf_counter() - started) / len(doubtful)
        for attempt, answer in zip(doubtful, mirrored, strict=True):
            name, probability, figures, verdict = attempt.answers[-1]
            if isinstance(answer, Exception) or answer.shape != probability.shape or not np.isfinite(answer).all():
                # The first look was good and stands.
                what = answer if isinstance(answer, Exception) else "no mask of the picture"
                attempt.troubles.append(f"tier {name} broke on its second look: {what}")
                continue
            attempt.mirrored[name] = answer[:, ::-1]
            verdict = judge_stability(verdict, probability, attempt.mirrored[name], self.settings.thresholds)
            attempt.answers[-1] = (name, probability, figures, verdict)
            first = attempt.records[-1]
            attempt.records[-1] = replace(
                first, verdict=verdict.name, reason=verdict.reason, seconds=first.seconds + seconds
            )

    def _record(self, tier: Tier, attempt: Attempt, answer: np.ndarray | Exception, seconds: float) -> None:
        if not isinstance(answer, Exception) and answer.shape != attempt.crop.shape[:2]:
            answer = ValueError(f"answered {answer.shape} for a picture of {attempt.crop.shape[:2]}")
        if isinstance(answer, Exception):
            reason = f"{type(answer).__name__}: {answer}"
            attempt.records.append(TierRecord(tier.name, "broke", reason, {}, seconds))
            attempt.troubles.append(f"tier {tier.name} broke on this picture: {reason}")
            return
        if not np.isfinite(answer).all():
            reason = "probabilities that are not finite"
            attempt.records.append(TierRecord(tier.name, "invalid", reason, {}, seconds))
            attempt.troubles.append(f"tier {tier.name} gave {reason}")
            return
        probability = np.clip(answer, 0.0, 1.0).astype(np.float32)
        figures = measure(probability)
        verdict = judge(figures, self.settings.thresholds)
        attempt.answers.append((tier.name, probability, figures, verdict))
        attempt.records.append(TierRecord(tier.name, verdict.name, verdict.reason, as_mapping(figures), seconds))

    def _finish(self, attempt: Attempt) -> Mask:
        height, width = attempt.image.shape[:2]
        alpha = np.zeros((height, width), dtype=np.float32)
        drawn = self._is_drawn(attempt)
        if not attempt.answers:
            absent = [f"tier {one.tier} is not installed: {one.reason}" for one in attempt.records]
            reason = "no tier answered: " + "; ".join(attempt.troubles or absent)
            return Mask(
                alpha,
                tier="",
                verdict=NO_ANSWER,
                reason=reason,
                figures={},
                tried=tuple(attempt.records),
                line_art=drawn,
                line_art_probability=attempt.line_art.probability,
                degraded="; ".join(attempt.troubles) or None,
            )
        name, probability, figures, verdict = self._choose(attempt)
        answer = TierRecord(name, verdict.name, verdict.reason, as_mapping(figures), 0.0)
        top, bottom, left, right = attempt.window
        wall, estimated = None, Estimate(0.0, 0.0)
        tier = self._by_name[name]
        if verdict.name != "empty":
            # What is no network's is the picture's own edges already.
            settings = replace(self.settings, refine=self.settings.refine and tier.is_network)
            found = finish(
                attempt.crop,
                probability,
                settings,
                line_art=drawn,
                trusted=verdict.accepted,
                ask_drawing_net=attempt.forced is None,
                matte=tier.answers == "matte",
            )
            alpha[top:bottom, left:right] = found.alpha
            if attempt.visible is not None:
                alpha *= attempt.visible
            wall, drawn = found.background, found.background is not None
            if found.drawing_net is not None:
                attempt.records.append(found.drawing_net)
                answer = found.drawing_net if found.by_drawing_net else answer
            raw = probability if found.drawn is None else found.drawn
            written = judge_written(
                found.alpha,
                raw,
                Verdict(answer.verdict, answer.reason),
                self.settings.thresholds,
                exact=found.exact,
                translucent=found.translucent,
                doubt=found.doubt,
            )
            if written.accepted and not tier.is_network:
                written = self._against_networks(attempt, found.alpha, written)
            if written.accepted and attempt.is_whole:
                compared = against_plain(attempt.image, found.alpha)
                written = judge_against_plain(written, *compared, self.settings.thresholds)
            if wall is None:
                evidence = estimate_figures(attempt.crop, probability, found.alpha, attempt.mirrored.get(name))
                estimated = self._estimate(evidence, name)
                if is_learned(name):
                    written = judge_estimate(written, estimated.right, self.settings.thresholds)
            made = {**measure(found.alpha).as_dict(), **compare(found.alpha, raw)}
            answer = TierRecord(answer.tier, written.name, written.reason, made, 0.0)
        return Mask(
            alpha=alpha,
            tier=answer.tier,
            verdict=answer.verdict,
            reason=answer.reason,
            figures=answer.figures,
            tried=tuple(attempt.records),
            line_art=drawn,
            line_art_probability=attempt.line_art.probability,
            degraded="; ".join(attempt.troubles) or None,
            line_art_wall=wall,
            origin=tier.answers if wall is None else "drawing",
            right=estimated.right if wall is None else None,
            edge_right=estimated.edge_right if wall is None else None,
        )

    def _against_networks(self, attempt: Attempt, alpha: np.ndarray, verdict: Verdict) -> Verdict:
        """A mask by colour alone, which a network before it contradicts, is for a person to look at."""
        for other, probability, _, refused in attempt.answers:
            if self._by_name[other].is_network and refused.name != "empty":
                shared = agreement(alpha, probability)
                if shared < self.settings.thresholds.min_agreement:
                    return Verdict(
                        "disputed", f"{other} was refused ({refused.name}), and overlaps by {shared:.2f} only"
                    )
        return verdict

    def _choose(self, attempt: Attempt) -> tuple[str, np.ndarray, Figures, Verdict]:
        if attempt.done:
            return attempt.answers[-1]
        # Nobody was good. Doubtful tiers that agree are believed; else the least bad, of the doubtful the most probably
        # right, the earlier at a tie.
        best = min(attempt.answers, key=lambda one: (SEVERITY.index(one[3].name), -attempt.right.get(one[0], 0.0)))
        for other in attempt.answers:
            if other[0] != best[0] and best[3].name != "empty":
                shared = agreement(best[1], other[1])
                if shared >= self.settings.thresholds.min_agreement:
                    reason = f"{best[3].reason}; but {other[0]} agrees ({shared:.2f})"
                    return best[0], best[1], best[2], Verdict("agreed", reason)
        return best


def _in_threads(function: Callable[..., _Made], *arguments: Iterable[Any]) -> list[_Made]:
    """``function`` of each picture, in order; array work leaves Python to the other threads."""
    each = list(zip(*arguments, strict=True))
    if len(each) < 2:
        return [function(*one) for one in each]
    with ThreadPoolExecutor(os.cpu_count() or 1, initializer=single_threaded) as pool:
        return list(pool.map(lambda one: function(*one), each))


def _answers(model: MaskModel, images: Sequence[np.ndarray]) -> list[np.ndarray | Exception]:
    """The model's answers; when it breaks, those of one picture after the other, so that one costs no other its own.

    Raises what is the machine's fault and not a picture's, such as no memory for even one.
    """
    try:
        return list(model.probabilities(images))
    except Exception as error:
        alone = len(images) == 1
        if picture_failure(error) is None and (alone or not isinstance(error, MemoryError)):
            raise
        return [error] if alone else [answer for image in images for answer in _answers(model, [image])]
