"""A background for each picture, in the scene cache.

`generator` names its kind: `own` is the user's picture, `color` one colour, `transparent` none, `sdxl` a generated
scene, `sdxl_inpaint` one painted around the picture's subject, `text_to_image` a scene by another pipeline, `backdrop`
the drawn studio sweep (`unused_words` are the prompt's words that a sweep cannot show; `file` shows it at the models'
size, the composite draws it at its own size from `recipe` and `seed`). Scenes are stored by what they depend on, for
all catalogues: equal prompt, seed and size are generated once. With the generator `auto` the deployment expects SDXL
once any of its machines could use it: without it existing rows stay, and new ones are drawn and marked `degraded`,
until a machine has SDXL again. Stale when the prompt, the seed, the size, the own background or the generator changes;
painted around the subject also when the picture or its mask does.
"""

from resources.scenes.generators import GENERATORS
from vivid_assets.assets.analysis import ANALYSIS
from vivid_assets.assets.enhanced_prompts import ENHANCED_PROMPTS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.checks.black import BLACK
from vivid_assets.checks.whole import WHOLE
from vivid_assets.rows.stage import Reads
from vivid_assets.settings import BackgroundsSettings
from vivid_assets.stages.backgrounds import (
    AskedBackground,
    Background,
    FoundLight,
    MakeBackgrounds,
    PreparedSize,
    Words,
)
from vivid_assets.stages.stage import PipelineStage

BACKGROUNDS = PipelineStage(
    name="backgrounds",
    version="5",
    description=__doc__,
    row=Background,
    per_rendition=True,
    asks=AskedBackground,
    reads=(Reads(PREPARED_IMAGES, PreparedSize), Reads(ANALYSIS, FoundLight), Reads(ENHANCED_PROMPTS, Words)),
    work=MakeBackgrounds,
    uses=(GENERATORS,),
    settings=BackgroundsSettings,
    kinds=frozenset({"huggingface", "numpy"}),
    pool="gpu",
    counts={"generator": "generator"},
    checks=(WHOLE, BLACK),
)
