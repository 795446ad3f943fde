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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resources.errors import ModelUnavailable
from resources.masks.tier import MaskModel
from vivid_assets.imaging.blend.upsample import upsample_alpha
from vivid_assets.imaging.clips.clean_plate import CleanPlate
from vivid_assets.imaging.clips.cuts import CutFinder
from vivid_assets.imaging.clips.plate_alpha import plate_alpha
from vivid_assets.imaging.clips.smoothing import steadied
from vivid_assets.imaging.core.alpha import fit_alpha
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.resize import fitted_size, resize_to_fit, shrink
from vivid_assets.imaging.matte.quality import GOOD, judge, measure
from vivid_assets.imaging.matte.refine_edges import WORKING_SIDE, refine_matte
from vivid_assets.imaging.matte.thin_structures import alpha_of_probability, keep_thin_structures
from vivid_assets.masking.clip_survey import Samples, Survey
from vivid_assets.masking.clip_window import Smoothed, smoothed_probabilities
from vivid_assets.masking.ladder_settings import LadderSettings
from vivid_assets.masking.model import Tier

SMALL = 480
"""Longer side in pixels at which motion is found and probabilities are smoothed."""


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

    @property
    def flagged(self) -> bool:
        """Whether the mask is its neighbours' rather than its own, and a person should look."""
        return self.verdict != GOOD


class ClipMasks:
    """Masks of clips by the first tier that sees their subject."""

    def __init__(self, tiers: Sequence[Tier], settings: LadderSettings, longest: int) -> None:
        """Nothing is loaded yet; ``longest`` is the models' size: the longer side, in pixels."""
        self._tiers, self._settings, self._longest = tuple(tiers), settings, longest
        self._models: dict[str, MaskModel] = {}
        self.notes: list[str] = []
        """What is not installed, and which tiers were passed over."""

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
            for number, mask in enumerate(self.smoothed(survey, clip), start=1):
                progress("smoothing", number)
                yield mask

    def survey(self, clip: Iterable[RGB8], folder: Path, progress: Callable[[str, int], None]) -> Survey:
        """Read a clip the first time: by each tier until one sees the subject in most frames, else the best."""
        best: Survey | None = None
        for tier in self._tiers:
            model = self._model(tier)
            if model is None:
                continue
            place = folder / tier.name
            place.mkdir()
            found = self._survey(clip, tier, model, place, progress)
            if best is None or found.good > best.good:
                best = found
            if best.good >= 0.5:
                break
            self.notes.append(f"tier {tier.name} sees the subject in {found.good:.0%} of the frames")
        if best is None:
            raise ModelUnavailable(f"No mask tier is available. {' '.join(self.notes)}")
        return best

    def smoothed(self, survey: Survey, clip: Iterable[RGB8]) -> Iterator[FrameMask]:
        """Read a clip the second time, and yield the masks, each when the frame after it has been read."""
        before: Matte | None = None
        here: tuple[Smoothed, Matte, int] | None = None
        for found, alpha, scene in self._alphas(survey, clip):
            if here is not None:
                yield _steadied(here, before, alpha, survey.tier)
                before = here[1]
            here = found, alpha, scene
        if here is not None:
            yield _steadied(here, before, None, survey.tier)

    def _alphas(self, survey: Survey, clip: Iterable[RGB8]) -> Iterator[tuple[Smoothed, Matte, int]]:
        scene, plate = -1, None
        mattes = {tier.name for tier in self._tiers if tier.answers == "matte"}
        flow = smoothed_probabilities(survey, self._models[survey.tier], self._settings.thresholds)
        for number, (frame, found) in enumerate(zip(clip, flow, strict=True)):
            if survey.scene_of(number) != scene:
                scene = survey.scene_of(number)
                plate = survey.plate(scene)
            image = resize_to_fit(frame, self._longest)
            yield found, self._alpha(image, found.probability, plate, matte=survey.tier in mattes), scene

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
                self.notes.append(f"tier {tier.name} could not load: {error}")
        return self._models.get(tier.name)

    def _survey(
        self, clip: Iterable[RGB8], tier: Tier, model: MaskModel, folder: Path, progress: Callable[[str, int], None]
    ) -> Survey:
        survey, cuts, samples = None, CutFinder(), Samples()
        for number, frame in enumerate(clip):
            image = resize_to_fit(frame, self._longest)
            small = shrink(image, SMALL)
            if survey is None:
                survey = Survey(folder, tier.name, fitted_size(image.shape[1], image.shape[0], SMALL))
            if cuts.begins(small):
                if survey.starts:
                    survey.keep_plate(samples.plate())
                survey.starts.append(number)
                samples = Samples()
            probability, verdict = self._asked(model, image)
            survey.broken += verdict[0] == "broke"
            survey.verdicts.append(verdict)
            survey.write(small, shrink(probability, SMALL))
            if verdict[0] == GOOD:
                samples.add(image, probability)
            progress("finding", number + 1)
        if survey is None:
            raise ValueError("The clip has no frames.")
        survey.keep_plate(samples.plate())
        return survey

    def _asked(self, model: MaskModel, image: RGB8) -> tuple[Matte, tuple[str, str]]:
        """Ask the tier about a frame; one for which it breaks is bridged like one in which it sees nothing."""
        try:
            answer: Any = model.probabilities([image])[0]
        except (ValueError, RuntimeError) as error:
            answer = error
        if isinstance(answer, Exception):
            return np.zeros(image.shape[:2], np.float32), ("broke", str(answer))
        probability = np.clip(np.nan_to_num(answer), 0, 1).astype(np.float32)
        verdict = judge(measure(probability), self._settings.thresholds)
        return probability, (verdict.name, verdict.reason)


def _steadied(here: tuple[Smoothed, Matte, int], before: Matte | None, after: Matte | None, tier: str) -> FrameMask:
    found, alpha, scene = here
    past = None if before is None or found.back is None else (before, found.back)
    future = None if after is None or found.onward is None else (after, found.onward)
    return FrameMask(steadied(alpha, past, future), found.verdict, found.reason, scene, tier)
