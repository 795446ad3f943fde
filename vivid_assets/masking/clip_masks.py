"""Masks of a clip's frames that do not flicker.

A clip is read twice, one frame in memory at a time. The first reading asks a tier for each frame's probability, finds
the scenes, and collects what the clean plate of each is made of. The second smooths the probabilities along the motion,
a window of frames each way, and makes alphas of them: against the plate where the camera stands still, else by the
frame's own edges. In between, small frames and probabilities lie in a temporary folder, so that memory does not grow
with the clip.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resources.errors import MachineFault, ModelUnavailable
from resources.masks.tier import MaskModel
from vivid_assets.imaging.blend.upsample import upsample_alpha
from vivid_assets.imaging.clips.clean_plate import CleanPlate
from vivid_assets.imaging.clips.motion import Motion
from vivid_assets.imaging.clips.plate_alpha import plate_alpha
from vivid_assets.imaging.clips.smoothing import changed_share
from vivid_assets.imaging.clips.steady import Beside, Held, held, steadied
from vivid_assets.imaging.core.alpha import fit_alpha
from vivid_assets.imaging.core.arrays import RGB8, LinearRGB, Matte
from vivid_assets.imaging.core.resize import fitted_size, resize_to_fit, shrink
from vivid_assets.imaging.matte.quality import GOOD, judge, measure
from vivid_assets.imaging.matte.refine_edges import WORKING_SIDE, refine_matte
from vivid_assets.imaging.matte.thin_structures import alpha_of_probability, keep_thin_structures
from vivid_assets.masking.clip_evidence import seen_on_plain, shadow_on_plain
from vivid_assets.masking.clip_reading import SMALL, Answer, Kept, Reading, frames_behind
from vivid_assets.masking.clip_survey import Survey
from vivid_assets.masking.clip_window import Behind, Smoothed, smoothed_probabilities
from vivid_assets.masking.ladder_settings import LadderSettings
from vivid_assets.masking.model import Tier

OVERRULED = "overruled"
"""The verdict on a clip in which a tier takes for subject what never moves, beside what moves as a whole."""
OVERRULED_REASON = "what never moves beside the subject is left out, though the tier takes it for a part of it"


@dataclass(frozen=True, eq=False)
class FrameMask:
    """A frame's mask."""

    alpha: Matte
    """float32 h×w, 0..1; of the models' size."""
    verdict: str
    """On the frame's own mask: ``good``, ``lost``, or a fault's name, see ``matte.quality``."""
    reason: str
    scene: int
    """0 for the clip's first."""
    tier: str
    flicker: float | None
    """Share of the subject that comes or goes since the frame before though nothing moves there; None for a scene's
    first frame."""
    shadow: LinearRGB | None = None
    """The one that the subject casts, as ``clip_evidence.shadow_on_plain`` gives it; None where none was asked for."""
    rest: Rest | None = None
    """Of some frames: what it takes to go on behind this one."""

    @property
    def flagged(self) -> bool:
        """Whether the mask is its neighbours' rather than its own, and a person should look."""
        return self.verdict != GOOD


@dataclass(frozen=True, eq=False)
class Rest:
    """What it takes to go on with a clip's masks from a frame on, as if they had not been interrupted."""

    behind: Behind
    alpha: Matte
    """Of the frame before, not steadied yet: float32 H×W."""
    small: Matte
    """Of the frame before, as it was given out: float32 h×w."""
    held: Held | None
    """Up to the frame before; None where the camera moves."""


class ClipMasks:
    """Masks of clips by the first tier that sees their subject."""

    def __init__(self, tiers: Sequence[Tier], settings: LadderSettings, longest: int, *, shadows: bool = False) -> None:
        """Nothing is loaded yet.

        Args:
            tiers: in the order in which they are asked.
            settings: of pictures' masks.
            longest: the models' size: the longer side, in pixels.
            shadows: whether the shadows that the frames' subjects cast are measured.
        """
        self._tiers, self._settings, self._longest, self._shadows = tuple(tiers), settings, longest, shadows
        self._models: dict[str, MaskModel] = {}
        self.notes: list[str] = []
        """What is not installed, and which tiers were passed over."""
        self.passed: dict[str, str] = {}
        """By tier that was asked and passed over: why."""
        self.broken: dict[str, str] = {}
        """By tier that is installed and could not be loaded: why."""

    def masks(self, clip: Iterable[RGB8], progress: Callable[[str, int], None]) -> Iterator[FrameMask]:
        """Yield the mask of every frame, in order.

        Args:
            clip: uint8 H×W×3 sRGB frames of one size; iterated twice.
            progress: is told the step (``finding``, ``smoothing``) and the number of the frame that is done.

        Raises:
            ValueError: the clip has no frames.
            ModelUnavailable: no tier can be loaded.
        """
        with tempfile.TemporaryDirectory(prefix="vivid-clip-") as place:
            survey = self.survey(clip, Path(place), progress)
            if survey.overruled:
                self.notes.append(OVERRULED_REASON)
            for number, mask in enumerate(self.smoothed(survey, clip), start=1):
                progress("smoothing", number)
                yield mask

    def survey(
        self,
        clip: Iterable[RGB8],
        folder: Path,
        progress: Callable[[str, int], None],
        *,
        kept: Kept | None = None,
        only: str | None = None,
    ) -> Survey:
        """Read a clip the first time: by each tier until one sees the subject in most frames, else the best.

        Args:
            clip: its frames.
            folder: where small copies of them are kept.
            progress: as for ``masks``.
            kept: where it is kept as far as it comes, and may be already.
            only: the one tier that may be asked.

        Raises:
            ValueError: the clip has no frames, or there is no such tier.
            ModelUnavailable: no tier can be loaded.
        """
        best: Survey | None = None
        for number, tier in enumerate(self._tiers):
            if only not in (None, tier.name) or (model := self._model(tier)) is None:
                continue
            place = folder / f"{number}"
            place.mkdir()
            try:
                reading = Reading(Survey(place, tier.name), self._longest, kept)
                found = reading.run(clip, partial(self._ask, model), progress)
            except ModelUnavailable as error:
                # A model that loads its weights on first use.
                self._note_broken(tier, error)
                continue
            if best is None or found.good > best.good:
                best = found
            if best.good >= 0.5:
                break
            self.passed[tier.name] = f"it sees the subject in {found.good:.0%} of the frames"
            self.notes.append(f"tier {tier.name} sees the subject in {found.good:.0%} of the frames")
        if best is None:
            raise ModelUnavailable(f"No mask tier is available. {' '.join(self.notes)}")
        return best

    def smoothed(self, survey: Survey, clip: Iterable[RGB8], rest: Rest | None = None) -> Iterator[FrameMask]:
        """Read a clip the second time, and yield the masks, each when the frame after it has been read.

        Args:
            survey: of the clip.
            clip: its frames.
            rest: where to begin; None for the clip's beginning.
        """
        behind = rest.behind if rest else None
        first = max(behind.frame - 1, 0) if behind else 0
        images = (resize_to_fit(frame, self._longest) for frame in frames_behind(clip, first))
        before = _Pixels.of(rest.alpha, next(images)) if rest else None
        shown = _Shown(rest.small, rest.held) if rest else None
        here: _Solved | None = None
        for after in self._alphas(survey, images, behind):
            if here is not None:
                mask, shown = self._steadied(here, before, after.pixels, shown, survey)
                before, behind = here.pixels, after.found.behind
                yield replace(mask, rest=Rest(behind, before.alpha, *shown)) if behind else mask
            here = after
        if here is not None:
            yield self._steadied(here, before, None, shown, survey)[0]

    def _alphas(self, survey: Survey, images: Iterable[RGB8], behind: Behind | None) -> Iterator[_Solved]:
        scene, plate = -1, None
        mattes = {tier.name for tier in self._tiers if tier.answers == "matte"}
        flow = smoothed_probabilities(survey, self._models[survey.tier], self._settings.thresholds, behind)
        first = behind.frame if behind else 0
        for number, (image, found) in enumerate(zip(images, flow, strict=True), start=first):
            if survey.scene_of(number) != scene:
                scene = survey.scene_of(number)
                plate = survey.plate(scene)
            alpha = self._alpha(image, found.probability, plate, matte=survey.tier in mattes)
            yield _Solved(_Pixels.of(alpha, image), found, scene, None if plate is None else plate.noise)

    def _alpha(self, image: RGB8, probability: Matte, plate: CleanPlate | None, *, matte: bool) -> Matte:
        height, width = image.shape[:2]
        if plate is not None:
            return plate_alpha(image, fit_alpha(probability, height, width), plate)
        if matte:
            return upsample_alpha(probability, image)
        low, high = self._settings.stretch_low, self._settings.stretch_high
        if not self._settings.refine:
            return alpha_of_probability(fit_alpha(probability, height, width), low, high)
        columns, rows = fitted_size(width, height, WORKING_SIDE)
        return alpha_of_probability(
            refine_matte(image, keep_thin_structures(fit_alpha(probability, rows, columns))), low, high
        )

    def _model(self, tier: Tier) -> MaskModel | None:
        if tier.missing:
            self.notes.append(f"tier {tier.name} is not installed: {tier.missing}")
        elif tier.name not in self._models:
            try:
                self._models[tier.name] = tier.load()
            except ModelUnavailable as error:
                self._note_broken(tier, error)
        return self._models.get(tier.name)

    def _note_broken(self, tier: Tier, error: ModelUnavailable) -> None:
        self.broken[tier.name] = str(error)
        self.notes.append(f"tier {tier.name} could not load: {error}")

    def _ask(self, model: MaskModel, image: RGB8) -> Answer:
        """Ask the tier about a frame; one for which it breaks is bridged like one in which it sees nothing."""
        try:
            answer: Any = model.probabilities([image])[0]
        except MachineFault:
            raise
        except (ValueError, RuntimeError) as error:
            answer = error
        if isinstance(answer, Exception):
            return Answer(np.zeros(image.shape[:2], np.uint8), "broke", str(answer))
        probability = np.clip(np.nan_to_num(answer), 0, 1).astype(np.float32)
        verdict = judge(measure(probability), self._settings.thresholds)
        probability = seen_on_plain(image, probability, SMALL)
        return Answer(np.rint(probability * 255).astype(np.uint8), verdict.name, verdict.reason)

    def _steadied(
        self, here: _Solved, before: _Pixels | None, after: _Pixels | None, shown: _Shown | None, survey: Survey
    ) -> tuple[FrameMask, _Shown]:
        """The mask of a frame, and what is shown of it; ``shown`` is that of the frame before."""
        found, (alpha, image, sized) = here.found, here.pixels
        made = steadied(alpha, sized, _beside(before, found.back), _beside(after, found.onward))
        last = None
        if here.noise is not None:
            last = held(made, sized, here.noise, shown.held if shown and found.back else None)
            made = last.alpha
        small = fit_alpha(made, *found.probability.shape)
        flicker = None if shown is None or found.back is None else changed_share(small, shown.small, found.back)
        shadow = shadow_on_plain(image, made) if self._shadows else None
        mask = FrameMask(made, found.verdict, found.reason, here.scene, survey.tier, flicker, shadow)
        return mask, _Shown(small, last)


class _Pixels(NamedTuple):
    """A frame whose alpha is solved, and not steadied yet."""

    alpha: Matte
    image: RGB8
    """Of the models' size."""
    sized: RGB8
    """The same, of the alpha's: three frames ask for it."""

    @classmethod
    def of(cls, alpha: Matte, image: RGB8) -> _Pixels:
        return cls(alpha, image, shrink(image, max(alpha.shape)))


class _Solved(NamedTuple):
    """The same, and what is known of it."""

    pixels: _Pixels
    found: Smoothed
    scene: int
    noise: float | None
    """Of its scene, where the camera stands still."""


class _Shown(NamedTuple):
    """What is given out of a frame, and held for the next one."""

    small: Matte
    held: Held | None


def _beside(pixels: _Pixels | None, motion: Motion | None) -> Beside | None:
    if pixels is None or motion is None:
        return None
    return Beside(pixels.alpha, pixels.sized, motion)
