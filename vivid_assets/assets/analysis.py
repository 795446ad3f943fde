"""Analysis: what a picture shows and in what light, for the prompt's sake."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from resources.errors import ModelUnavailable
from resources.open_clip import OpenClip
from resources.store import Store
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.assets.shard_asset import ShardConfig, materialize_shard, settings_of, shard_asset
from vivid_assets.imaging.codec import decode
from vivid_assets.imaging.light import measure_light
from vivid_assets.imaging.line_art import detect_line_art
from vivid_assets.rows.stage import Reads, Stage
from vivid_assets.rows.work import Work
from vivid_assets.settings import SettingsFile, configured

ANALYSIS = Stage(
    name="analysis",
    version="1",
    columns=pa.schema(
        [
            ("subject_type", pa.string()),
            ("subject_confidence", pa.float64()),
            ("subject_reason", pa.string()),
            ("temperature", pa.string()),
            ("tone", pa.string()),
            ("warmth", pa.float64()),
            ("brightness", pa.float64()),
            ("wall_warmth", pa.float64()),
            ("wall_brightness", pa.float64()),
            ("wall_flatness", pa.float64()),
            ("line_art", pa.bool_()),
            ("line_art_probability", pa.float64()),
        ]
    ),
    reads=(Reads(PREPARED_IMAGES, ("file",)),),
)

UNAVAILABLE = "unavailable"


@shard_asset(ANALYSIS, kinds={"openclip"}, pool="gpu")
def analysis(
    context: dg.AssetExecutionContext, config: ShardConfig, store: Store, settings: SettingsFile, open_clip: OpenClip
) -> dg.MaterializeResult:
    """What each picture shows, and the light on it.

    A row has the subject's type with CLIP's confidence (`unknown` where it is not sure, `unavailable` where the
    model cannot be loaded, with the reason), colour temperature and brightness of the subject and of its wall apart,
    and whether the picture is line art. Stale when the prepared picture or the model changes.
    """
    open_clip = configured(open_clip, settings_of(context, store, settings).open_clip)
    with open_clip.lease() as classifier:
        missing: list[str] = []

        def subjects(images: Sequence[Any]) -> list[dict[str, Any] | Exception]:
            if not missing:
                try:
                    return [
                        scores
                        if isinstance(scores, Exception)
                        else {
                            "subject_type": scores.subject,
                            "subject_confidence": scores.confidence,
                            "subject_reason": None,
                        }
                        for scores in classifier.classify(images)
                    ]
                except ModelUnavailable as error:
                    missing.append(str(error))
                    context.log.warning("Subject types are unavailable: %s", error)
            reason = {"subject_type": UNAVAILABLE, "subject_confidence": None, "subject_reason": missing[0]}
            return [reason] * len(images)

        def analyse(images: Sequence[Any]) -> list[dict[str, Any] | Exception]:
            return [
                subject if isinstance(subject, Exception) else subject | light_and_line_art(image)
                for image, subject in zip(images, subjects(images), strict=True)
            ]

        return materialize_shard(
            context,
            ANALYSIS,
            lambda: Work(
                load=lambda row: decode(store.read(row.read["prepared_images"]["file"])).rgb,
                compute=analyse,
                save=lambda _, columns: columns,
                batch_size=64,
            ),
            store=store,
            config=config,
            revision={"open_clip": open_clip.revision},
            count="subject_type",
        )


def light_and_line_art(image: Any) -> dict[str, Any]:
    """The columns that need no model, from a picture (uint8 H×W×3 sRGB)."""
    light, drawn = measure_light(image), detect_line_art(image).probability
    return {
        "temperature": light.temperature,
        "tone": light.tone,
        "warmth": light.subject.warmth,
        "brightness": light.subject.brightness,
        "wall_warmth": light.wall.warmth,
        "wall_brightness": light.wall.brightness,
        "wall_flatness": light.wall_flatness,
        "line_art": drawn >= 0.5,
        "line_art_probability": drawn,
    }
