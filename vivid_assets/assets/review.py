"""A page to look through the shard by keyboard: before, mask and after, what wants a look first.

A row is one picture, failed ones too: `rank` 0 to 3 says that it wants a look (no result, a mask in doubt, a halo,
a tier that was missing) and `why` gives the sentences; small WebP pictures are in the row, one of them of where the
mask's edge is unsure. The page is one HTML file, `review/<shard>.html`, which needs no server; the least sure masks
come first, and with `review_share` the page asks about that share of the pictures. Stale when a picture's mask,
composite or failure changes; the page is written anew when one of its rows or the share changed.
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
    version="4",
    description=__doc__,
    row=Reviewed,
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
