"""Analysis: what a picture shows and in what light, for the prompt's sake."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields

from resources.clip.open_clip import OpenClip, Scores
from vivid_assets.imaging.analysis.light import measure_light
from vivid_assets.imaging.analysis.line_art import detect_line_art
from vivid_assets.imaging.core.arrays import RGB8, Matte
from vivid_assets.imaging.core.light import Temperature, Tone
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.rows.columns import Degraded, Int32
from vivid_assets.rows.stage import RowInput, Stage
from vivid_assets.stages.clips.prepared import unstacked
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
    """Why there is no answer of CLIP; null: there is."""
    lighting: str
    lighting_confidence: float | None
    atmosphere: str
    atmosphere_confidence: float | None
    temperature: Temperature
    tone: Tone
    """Whether the subject is bright or dark."""
    warmth: float
    """The subject's colour between blue and yellow: mean Lab b, above 0 warm."""
    brightness: float
    """The subject's, 0 to 1."""
    wall_warmth: float
    """The original background's colour between blue and yellow."""
    wall_brightness: float
    """The original background's, 0 to 1."""
    wall_flatness: float
    """Share of the frame's pixels that have the original background's colour."""
    line_art: bool
    """Whether the picture is line art."""
    line_art_probability: float
    """Estimated probability that it is line art."""
    degraded: Degraded
    """Which model was expected, and why it did not answer; null: nothing is missing."""


@dataclass(frozen=True)
class Prepared:
    """The picture; of a clip some of its frames too."""

    file: str
    height: Int32
    alpha_file: str | None
    samples_file: str | None


@dataclass(frozen=True)
class Looked:
    """What is looked at."""

    images: Sequence[RGB8]
    """The picture; of a clip the frames that CLIP is asked about."""
    alpha: Matte | None
    """The picture's own transparency."""


@dataclass(frozen=True)
class _NoAnswer:
    label: str = UNAVAILABLE
    confidence: float | None = None


_NONE = _NoAnswer()


class Analyse(StageWork[Looked, Analysed, Analysed]):
    """CLIP's answers to a batch of pictures, and the measures that need no model.

    Of a clip CLIP is asked about some frames, and is surest of one.
    """

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

    def load(self, row: RowInput) -> Looked:
        prepared = row.read(Prepared)
        images: list[RGB8] = [self.stored(prepared.file, decode).rgb]
        if prepared.samples_file is not None:
            images += unstacked(self.stored(prepared.samples_file, decode).rgb, prepared.height)
        return Looked(images, self.stored(prepared.alpha_file, decode_mask) if prepared.alpha_file else None)

    def compute(self, batch: Sequence[Looked]) -> Sequence[Analysed | Exception]:
        asked = [image for looked in batch for image in looked.images]
        found: Iterator[Scores | Exception | None] = iter(
            [None] * len(asked) if self._missing else self._classifier.classify(asked)
        )
        answers = [_surest([next(found) for _ in looked.images]) for looked in batch]
        return [
            scores if isinstance(scores, Exception) else self._analysed(looked, scores)
            for looked, scores in zip(batch, answers, strict=True)
        ]

    def save(self, row: RowInput, computed: Analysed) -> Analysed:  # noqa: ARG002
        return computed

    def _analysed(self, looked: Looked, scores: Scores | None) -> Analysed:
        image = looked.images[0]
        light, drawn = measure_light(image, looked.alpha), detect_line_art(image).probability
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


def _surest(answers: Sequence[Scores | Exception | None]) -> Scores | Exception | None:
    """Of the answers to some frames, for each question the surest."""
    good = [one for one in answers if isinstance(one, Scores)]
    if len(good) < 2:
        return good[0] if good else answers[0]
    best = {
        name: max((getattr(one, name) for one in good), key=lambda answer: answer.confidence)
        for name in (field.name for field in fields(Scores))
    }
    return Scores(**best)
