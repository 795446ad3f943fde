"""Prompts: the user's words first, and what the picture's light and subject suggest after them."""

from dataclasses import asdict
from typing import Any

import dagster as dg
import pyarrow as pa

from resources.store.store import Store
from vivid_assets.assets.analysis import ANALYSIS, UNAVAILABLE
from vivid_assets.prompts.enhance import AddedWords, enhance
from vivid_assets.rows.stage import Reads, Row, Stage
from vivid_assets.rows.work import each
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.shard_asset import ShardConfig, materialize_shard, settings_of, shard_asset

_WORDS = pa.list_(pa.struct([("words", pa.string()), ("reason", pa.string())]))

ENHANCED_PROMPTS = Stage(
    name="enhanced_prompts",
    version="1",
    columns=pa.schema(
        [
            ("prompt", pa.string()),
            ("negative_prompt", pa.string()),
            ("user_prompt", pa.string()),
            ("user_negative_prompt", pa.string()),
            ("added", _WORDS),
            ("left_out", _WORDS),
            ("negative_added", _WORDS),
            ("negative_left_out", _WORDS),
            ("tokens", pa.int32()),
            ("negative_tokens", pa.int32()),
            ("warnings", pa.list_(pa.string())),
        ]
    ),
    asks=("prompt", "negative_prompt"),
    reads=(Reads(ANALYSIS, ("subject_type", "temperature", "tone", "line_art")),),
)


@shard_asset(ENHANCED_PROMPTS, kinds={"python"})
def enhanced_prompts(
    context: dg.AssetExecutionContext,
    config: ShardConfig,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[SettingsFile],
) -> dg.MaterializeResult:
    """The prompt and negative prompt for each picture's background.

    A row begins with the user's words, unchanged; every word added by rule, and every word left out, has its reason
    in the row. Within the 77 tokens that CLIP reads. Stale when the user's words, or the subject's type, light or
    line-art verdict change.
    """

    def write_prompt(row: Row) -> dict[str, Any]:
        found = row.read["analysis"]
        subject = found["subject_type"]
        enhanced = enhance(
            row.asked["prompt"],
            row.asked["negative_prompt"],
            subject_type=None if subject in (UNAVAILABLE, "unknown") else subject,
            temperature=found["temperature"],
            tone=found["tone"],
            line_art=found["line_art"],
        )
        plain = {
            name: getattr(enhanced, name)
            for name in (
                "prompt",
                "negative_prompt",
                "user_prompt",
                "user_negative_prompt",
                "tokens",
                "negative_tokens",
            )
        }
        return plain | {
            "added": _records(enhanced.added),
            "left_out": _records(enhanced.left_out),
            "negative_added": _records(enhanced.negative_added),
            "negative_left_out": _records(enhanced.negative_left_out),
            "warnings": list(enhanced.warnings),
        }

    return materialize_shard(
        context,
        ENHANCED_PROMPTS,
        lambda: each(write_prompt),
        store=store,
        config=config,
        limits=settings_of(context, store, settings).checks,
    )


def _records(words: tuple[AddedWords, ...]) -> list[dict[str, str]]:
    return [asdict(entry) for entry in words]
