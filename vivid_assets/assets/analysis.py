"""What each picture shows, and the light on it.

A row has CLIP's answers with their confidence: the subject's type, and lighting and atmosphere of the whole picture
with its original background (`unknown` if CLIP is not sure, `unavailable` if the model is not installed, with the
reason; `degraded` if it was installed once, or is on another machine). Measured without a model: colour temperature
and brightness of the subject and of its background separately, and whether the picture is line art. Stale when the
prepared picture or the model changes. Of a clip some frames are looked at, and the surest answers count.
"""

from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.checks.whole import WHOLE
from vivid_assets.rows.stage import Reads
from vivid_assets.stages.analysis import Analyse, Analysed, Prepared
from vivid_assets.stages.stage import PipelineStage

ANALYSIS = PipelineStage(
    name="analysis",
    version="6",
    description=__doc__,
    row=Analysed,
    reads=(Reads(PREPARED_IMAGES, Prepared),),
    work=Analyse,
    uses=("open_clip",),
    kinds=frozenset({"openclip"}),
    pool="gpu",
    counts={name: name for name in ("subject_type", "lighting", "atmosphere")},
    checks=(WHOLE,),
)
