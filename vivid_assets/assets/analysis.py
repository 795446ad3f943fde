"""Analysis: what a picture shows and in what light, for the prompt's sake."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from resources.clip.open_clip import OpenClip, Scores
from resources.store.store import Store
from vivid_assets.assets.deployment import wanted_revision
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.imaging.analysis.light import measure_light
from vivid_assets.imaging.analysis.line_art import detect_line_art
from vivid_assets.imaging.io.codec import decode
from vivid_assets.rows.stage import Reads, Stage
from vivid_assets.rows.work import Work
from vivid_assets.settings import SettingsFile, configured
from vivid_assets.stages.shard_asset import ShardConfig, histogram, materialize_shard, settings_of, shard_asset
from vivid_assets.stages.stored import read_stored

ANALYSIS = Stage(
    name="analysis",
    version="3",
    columns=pa.schema(
        [
            ("subject_type", pa.string()),
            ("subject_confidence", pa.float64()),
            ("subject_reason", pa.string()),
            ("lighting", pa.string()),
            ("lighting_confidence", pa.float64()),
            ("atmosphere", pa.string()),
            ("atmosphere_confidence", pa.float64()),
            ("temperature", pa.string()),
            ("tone", pa.string()),
            ("warmth", pa.float64()),
            ("brightness", pa.float64()),
            ("wall_warmth", pa.float64()),
            ("wall_brightness", pa.float64()),
            ("wall_flatness", pa.float64()),
            ("line_art", pa.bool_()),
            ("line_art_probability", pa.float64()),
            ("degraded", pa.string()),
        ]
    ),
    degraded="degraded",
    reads=(Reads(PREPARED_IMAGES, ("file",)),),
)

UNAVAILABLE = "unavailable"


@shard_asset(ANALYSIS, kinds={"openclip"}, pool="gpu")
def analysis(
    context: dg.AssetExecutionContext,
    config: ShardConfig,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[SettingsFile],
    open_clip: dg.ResourceParam[OpenClip],
) -> dg.MaterializeResult:
    """What each picture shows, and the light on it.

    A row has CLIP's answers with their confidence: the subject's type, and lighting and atmosphere of the picture as a
    whole, old wall included (`unknown` where it is not sure, `unavailable` where the model is not installed, with the
    reason; `degraded` where it was installed once, or is on another machine). Measured without a model: colour
    temperature and brightness of the subject and of its wall apart, and whether the picture is line art. Stale when the
    prepared picture or the model changes.
    """
    wanted = settings_of(context, store, settings)
    open_clip = configured(open_clip, wanted.entries("open_clip"))
    missing = open_clip.missing()
    revision = wanted_revision(store, "open_clip", None if missing else open_clip.revision)
    lacking = missing if revision else None
    if missing:
        context.log.warning("Subject types, lighting and atmosphere are unavailable: %s", missing)

    with open_clip.lease() as classifier:

        def analyse(images: Sequence[Any]) -> list[dict[str, Any] | Exception]:
            found = [unavailable(missing)] * len(images) if missing else map(answers_of, classifier.classify(images))
            return [
                answers
                if isinstance(answers, Exception)
                else answers | light_and_line_art(image) | {"degraded": lacking}
                for image, answers in zip(images, found, strict=True)
            ]

        return materialize_shard(
            context,
            ANALYSIS,
            lambda: Work(
                load=lambda row: read_stored(store, row.read["prepared_images"]["file"], decode).rgb,
                compute=analyse,
                save=lambda _, columns: columns,
                batch_size=open_clip.batch_size,
            ),
            store=store,
            config=config,
            limits=wanted.checks,
            # Once the weights are here, the rows that did without are out of date.
            revision={"open_clip": revision or UNAVAILABLE},
            lacking=lacking,
            count="subject_type",
            report=lambda outcome: {column: histogram(outcome, column) for column in ("lighting", "atmosphere")},
        )


def unavailable(reason: str) -> dict[str, Any]:
    """CLIP's columns where there is no model."""
    return {
        "subject_type": UNAVAILABLE,
        "subject_confidence": None,
        "subject_reason": reason,
        "lighting": UNAVAILABLE,
        "lighting_confidence": None,
        "atmosphere": UNAVAILABLE,
        "atmosphere_confidence": None,
    }


def answers_of(scores: Scores | Exception) -> dict[str, Any] | Exception:
    """CLIP's columns from its scores."""
    if isinstance(scores, Exception):
        return scores
    return {
        "subject_type": scores.subject.label,
        "subject_confidence": scores.subject.confidence,
        "subject_reason": None,
        "lighting": scores.lighting.label,
        "lighting_confidence": scores.lighting.confidence,
        "atmosphere": scores.atmosphere.label,
        "atmosphere_confidence": scores.atmosphere.confidence,
    }


def light_and_line_art(image: Any) -> dict[str, Any]:
    """The columns that need no model, from a picture (uint8 H×W×3 sRGB)."""
    light, drawn = measure_light(image), detect_line_art(image).probability
    return {
        "temperature": light.temperature,
        "tone": light.tone,
        "warmth": light.subject.warmth,
        "brightness": light.subject.brightness,
        "wall_warmth": light.background.warmth,
        "wall_brightness": light.background.brightness,
        "wall_flatness": light.background_flatness,
        "line_art": drawn >= 0.5,
        "line_art_probability": drawn,
    }
