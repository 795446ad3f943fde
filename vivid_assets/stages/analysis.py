"""Analysis: what a picture shows and in what light, for the prompt's sake."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from resources.clip.open_clip import OpenClip, Scores
from vivid_assets.imaging.analysis.light import measure_light
from vivid_assets.imaging.analysis.line_art import detect_line_art
from vivid_assets.imaging.core.light import Temperature, Tone
from vivid_assets.imaging.io.codec import decode
from vivid_assets.rows.columns import Degraded
from vivid_assets.rows.stage import RowInput, Stage
from vivid_assets.stages.deployment import wanted_revision
from vivid_assets.stages.stage import Shard, StageWork

UNAVAILABLE = "unavailable"
"""CLIP's answer where it is not installed."""


@dataclass(frozen=True)
class Analysed:
    """What a picture shows, and the light on it."""

    subject_type: str
    subject_confidence: float | None
    subject_reason: str | None
    lighting: str
    lighting_confidence: float | None
    atmosphere: str
    atmosphere_confidence: float | None
    temperature: Temperature
    tone: Tone
    warmth: float
    brightness: float
    wall_warmth: float
    wall_brightness: float
    wall_flatness: float
    line_art: bool
    line_art_probability: float
    degraded: Degraded


@dataclass(frozen=True)
class Prepared:
    """The picture."""

    file: str


@dataclass(frozen=True)
class _NoAnswer:
    label: str = UNAVAILABLE
    confidence: float | None = None


_NONE = _NoAnswer()


class Analyse(StageWork[np.ndarray, Analysed, Analysed]):
    """CLIP's answers to a batch of pictures, and the measures that need no model."""

    def __init__(self, stage: Stage, shard: Shard, leases: ExitStack) -> None:
        super().__init__(stage, shard, leases)
        open_clip = shard.model(OpenClip, "open_clip")
        self._missing = open_clip.missing()
        revision = wanted_revision(shard.store, "open_clip", None if self._missing else open_clip.revision)
        self.lacking = self._missing if revision else None
        if self._missing:
            shard.log.warning("Subject types, lighting and atmosphere are unavailable: %s", self._missing)
        # Once the weights are here, the rows that did without are out of date.
        self.revision = {"open_clip": revision or UNAVAILABLE}
        self.batch_size = open_clip.batch_size
        self._classifier = leases.enter_context(open_clip.lease())

    def load(self, row: RowInput) -> np.ndarray:
        image: np.ndarray = self.stored(row.read(Prepared).file, decode).rgb
        return image

    def compute(self, batch: Sequence[np.ndarray]) -> Sequence[Analysed | Exception]:
        found: Sequence[Scores | Exception | None] = (
            [None] * len(batch) if self._missing else list(self._classifier.classify(batch))
        )
        return [
            scores if isinstance(scores, Exception) else self._analysed(image, scores)
            for image, scores in zip(batch, found, strict=True)
        ]

    def save(self, row: RowInput, computed: Analysed) -> Analysed:  # noqa: ARG002
        return computed

    def _analysed(self, image: np.ndarray, scores: Scores | None) -> Analysed:
        light, drawn = measure_light(image), detect_line_art(image).probability
        subject, lighting, atmosphere = (
            (scores.subject, scores.lighting, scores.atmosphere) if scores else (_NONE, _NONE, _NONE)
        )
        return Analysed(
            subject_type=subject.label,
            subject_confidence=subject.confidence,
            subject_reason=None if scores else self._missing,
            lighting=lighting.label,
            lighting_confidence=lighting.confidence,
            atmosphere=atmosphere.label,
            atmosphere_confidence=atmosphere.confidence,
            temperature=light.temperature,
            tone=light.tone,
            warmth=light.subject.warmth,
            brightness=light.subject.brightness,
            wall_warmth=light.background.warmth,
            wall_brightness=light.background.brightness,
            wall_flatness=light.background_flatness,
            line_art=drawn >= 0.5,
            line_art_probability=drawn,
            degraded=self.lacking,
        )
