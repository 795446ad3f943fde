"""A page to review the shard by keyboard: before, mask and after; pictures that need review come first.

A row is one picture, failed ones too: `rank` 0 to 4 marks those that need review (no result, a doubtful mask, a
halo, a broken rule of its preset, a missing tier), and `why` has the reasons; small WebP pictures are in the row, one
of which shows where the mask's edge is unsure. The page is a single HTML file, `review/<shard>.html`, without a server;
the least sure masks come first, and `review_share` sets the share of the pictures to review. Stale when a picture's
mask, composite or error changes; the page is written again when one of its rows or the share changes.
"""

from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.rows.stage import Reads
from vivid_assets.settings import ReviewSettings
from vivid_assets.stages.review import (
    BackgroundToSee,
    CompositeToSee,
    MaskToSee,
    PreparedToSee,
    Review,
    Reviewed,
    WordsToSee,
)
from vivid_assets.stages.stage import PipelineStage

REVIEW = PipelineStage(
    name="review",
    version="8",
    description=__doc__,
    row=Reviewed,
    per_rendition=True,
    reads=(
        Reads(PREPARED_IMAGES, PreparedToSee),
        Reads(ENHANCED_PROMPTS, WordsToSee),
        Reads(BACKGROUNDS, BackgroundToSee),
        Reads(MASKS, MaskToSee),
        Reads(COMPOSITES, CompositeToSee),
    ),
    work=Review,
    settings=ReviewSettings,
    kinds=frozenset({"html"}),
    counts={"verdicts": "verdict", "tiers": "tier"},
    is_view=True,
)
