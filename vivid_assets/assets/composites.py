"""The finished pictures, at their sources' size.

A row has the file, which **export** gives its source's name, and the blend's figures: the halo that is left, how
much of the old wall leaks, how many pixels were changed. `shadow` is the one that was laid over the background,
`kept` from the photograph or `soft`, with its layer as a file of its own, its area and depth; `notes` say what
could not be seen. The file itself says that it is a composite, and whether a model generated a part of it. Stale
when the picture, its mask, its background or a blending setting changes.
"""

from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.checks import HALO
from vivid_assets.rows.stage import Reads
from vivid_assets.settings import CompositesSettings
from vivid_assets.stages.composites import Behind, Compose, Composite, Given, MaskOf, PreparedSource
from vivid_assets.stages.stage import PipelineStage

COMPOSITES = PipelineStage(
    name="composites",
    version="6",
    description=__doc__,
    row=Composite,
    asks=Given,
    reads=(Reads(PREPARED_IMAGES, PreparedSource), Reads(BACKGROUNDS, Behind), Reads(MASKS, MaskOf)),
    work=Compose,
    settings=CompositesSettings,
    kinds=frozenset({"numpy"}),
    counts={"mode": "mode"},
    checks=(HALO,),
)
