"""Review: the shard's pictures before a person's eyes, what wants a look first."""

from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from resources.store.store import Store
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.review.look import FINE, judge_look
from vivid_assets.review.page import page_digest, review_page, rows_digest
from vivid_assets.review.thumbnails import LONGEST_TO_JUDGE, LONGEST_TO_SEE, thumbnail
from vivid_assets.rows.engine import Outcome
from vivid_assets.rows.stage import OK, Reads, Row, Stage
from vivid_assets.rows.work import each
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.shard_asset import (
    Groups,
    ShardConfig,
    histogram,
    materialize_shard,
    settings_of,
    shard_asset,
)
from vivid_assets.stages.stored import read_stored

REVIEW = Stage(
    name="review",
    version="3",
    columns=pa.schema(
        [
            ("outcome", pa.string()),
            ("rank", pa.int8()),
            ("why", pa.list_(pa.string())),
            ("tier", pa.string()),
            ("verdict", pa.string()),
            ("reason", pa.string()),
            ("leakage", pa.float64()),
            ("generator", pa.string()),
            ("prompt", pa.string()),
            ("composite", pa.string()),
            ("source_width", pa.int32()),
            ("source_height", pa.int32()),
            ("before", pa.binary()),
            ("mask", pa.binary()),
            ("after", pa.binary()),
        ]
    ),
    reads=(
        Reads(PREPARED_IMAGES, ("file", "source_width", "source_height"), required=False),
        Reads(ENHANCED_PROMPTS, ("user_prompt",), required=False),
        Reads(BACKGROUNDS, ("generator", "degraded"), required=False),
        Reads(MASKS, ("file", "tier", "verdict", "reason", "degraded", "review"), required=False),
        Reads(COMPOSITES, ("file", "leakage"), required=False),
    ),
)


@shard_asset(REVIEW, kinds={"html"})
def review(
    context: dg.AssetExecutionContext,
    config: ShardConfig,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[SettingsFile],
) -> dg.MaterializeResult:
    """A page to look through the shard by keyboard: before, mask and after, what wants a look first.

    A row is one picture, failed ones too: `rank` 0 to 3 says that it wants a look (no result, a mask in doubt, a halo,
    a tier that was missing) and `why` gives the sentences; small WebP pictures are in the row. The page is one HTML
    file, `review/<shard>.html`, which needs no server. Stale when a picture's mask, composite or failure changes; the
    page is written anew when one of its rows changed.
    """
    shard = context.partition_key
    all_settings = settings_of(context, store, settings)
    wanted, max_pixels = all_settings.review, round(all_settings.prepared_images.max_megapixels * 1e6)

    def small(file: str | None, longest: int) -> bytes | None:
        if not file:
            return None
        picture = read_stored(store, file, lambda data: decode(data, longest=longest, max_pixels=max_pixels))
        return thumbnail(picture.rgb, longest)

    def look(row: Row) -> dict[str, Any]:
        read = row.read
        judged = judge_look(read, high_leakage=wanted.high_leakage)
        longest = LONGEST_TO_SEE if judged["rank"] == FINE else LONGEST_TO_JUDGE
        mask, composite = read["masks"], read["composites"]
        return judged | {
            "tier": mask["tier"],
            "verdict": mask["verdict"],
            "reason": mask["reason"],
            "leakage": composite["leakage"],
            "generator": read["backgrounds"]["generator"],
            "prompt": read["enhanced_prompts"]["user_prompt"],
            "composite": composite["file"],
            "source_width": read["prepared_images"]["source_width"],
            "source_height": read["prepared_images"]["source_height"],
            "before": small(read["prepared_images"]["file"], longest),
            "mask": thumbnail(_levels(store, mask["file"]), longest) if mask["file"] else None,
            "after": small(composite["file"], longest),
        }

    def report(outcome: Outcome) -> dict[str, Any]:
        rows = outcome.with_status(OK)
        path = f"review/{shard}.html"
        target = store.path(path)
        if _written_with(store, path) != rows_digest(rows):
            store.write(path, review_page(shard, rows))
        return {
            "page": dg.MetadataValue.path(str(target)),
            "page MB": round(target.stat().st_size / 1e6, 1),
            "wants a look": sum(row["rank"] != FINE for row in rows),
            "verdicts": histogram(outcome, "verdict"),
            "tiers": histogram(outcome, "tier"),
        }

    def show(rows: Any) -> Groups:
        for row in rows:
            if row["after"]:
                yield [decode(row[name], longest=112).rgb for name in ("before", "mask", "after")]

    return materialize_shard(
        context,
        REVIEW,
        lambda: each(look),
        store=store,
        config=config,
        limits=all_settings.checks,
        settings=wanted.model_dump(mode="json"),
        pictures=show,
        report=report,
    )


def _levels(store: Store, file: str) -> np.ndarray:
    return np.rint(read_stored(store, file, decode_mask) * 255).astype(np.uint8)


def _written_with(store: Store, path: str) -> str | None:
    """The digest of the rows that the page at ``path`` shows; None where there is no page."""
    if not store.exists(path):
        return None
    with store.path(path).open("rb") as page:
        return page_digest(page.read(400))
