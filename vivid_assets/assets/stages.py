"""The stages in the order of the flow."""

from vivid_assets.assets.analysis import ANALYSIS
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.assets.review import REVIEW

STAGES = (PREPARED_IMAGES, ANALYSIS, ENHANCED_PROMPTS, BACKGROUNDS, MASKS, COMPOSITES, REVIEW)
