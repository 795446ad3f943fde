"""The finished pictures, at their sources' size or on a canvas.

A row has the file, which **export** publishes under its source's name, and the blend's figures: the remaining halo,
how much of the original background is left in the edge, how many pixels changed. `shadow` is `kept` from the
photograph, `soft` (drawn) or `none`, with its layer as a file of its own, its area and depth; `notes` list what the
photograph did not show, and `broken_rules` what a rendition's preset demands and the picture is not. The file's XMP
packet records that it is a composite, and whether a model generated a part of it. Stale when the picture, its mask,
its background or a blending setting changes. A clip's is a video with its times and sound, `still_file` the frame
that stands for it, and its layers of shadow are in a ZIP.
"""

from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.checks.halo import HALO
from vivid_assets.checks.presets import PRESETS
from vivid_assets.rows.stage import Reads
from vivid_assets.settings import CompositesSettings
from vivid_assets.stages.composites import Behind, Compose, Composite, Given, MaskOf, PreparedSource
from vivid_assets.stages.stage import PipelineStage

COMPOSITES = PipelineStage(
    name="composites",
    version="24",
    description=__doc__,
    row=Composite,
    per_rendition=True,
    asks=Given,
    reads=(Reads(PREPARED_IMAGES, PreparedSource), Reads(BACKGROUNDS, Behind), Reads(MASKS, MaskOf)),
    work=Compose,
    settings=CompositesSettings,
    kinds=frozenset({"numpy"}),
    pool="cpu",
    counts={"mode": "mode"},
    checks=(HALO, PRESETS),
)
