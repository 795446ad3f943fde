"""The prompt and negative prompt for each picture's background.

The prompt begins with the user's words, unchanged; the row has the reason of every word that a rule added or left
out. It fits the 77 tokens that CLIP reads. Stale when the user's words, or the subject's type, light or line-art
verdict change.
"""

from vivid_assets.assets.analysis import ANALYSIS
from vivid_assets.rows.stage import Reads
from vivid_assets.stages.enhanced_prompts import AskedWords, EnhancePrompts, Found, PromptRow
from vivid_assets.stages.stage import PipelineStage

ENHANCED_PROMPTS = PipelineStage(
    name="enhanced_prompts",
    version="1",
    description=__doc__,
    row=PromptRow,
    per_rendition=True,
    asks=AskedWords,
    reads=(Reads(ANALYSIS, Found),),
    work=EnhancePrompts,
    kinds=frozenset({"python"}),
)
