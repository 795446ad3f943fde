"""A mask for each picture, and how good it is.

A row has the tier that made the mask, its verdict and figures, and every tier tried before with the reason to go on;
`degraded` has the reason if a tier that is installed, or once was, could not be loaded or broke: the next run makes
such a row again. A tier that was never installed is reported once, when a run starts. A mask in the catalogue's
`overrides` folder is used as it is; so is the source's own transparency, if it can be a cut-out. `origin` is the
kind of alpha: `person` or `own` for these two, else a network's `probability` or `matte`, or a `drawing`; `notes`
record how a mask's file was read. With `matting` a network refines the edges of photographs' masks, and `tried`
ends with its result. `right` and `edge_right` are the estimated probabilities that a photograph's mask is
right, and that its edge is. Of a clip `frames_file` has the masks of all frames, which do not flicker, `flagged_frames`
counts those whose masks are their neighbours', and `flicker` is the share of the subject that comes or goes between two
frames though nothing moves it. Stale when the picture, the override, a threshold or a model changes.
"""

from resources.masks.tiers import MASK_TIERS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.checks.clips import FLICKER, LOST
from vivid_assets.checks.estimates import ESTIMATES
from vivid_assets.checks.tiers import TIERS
from vivid_assets.checks.verdicts import VERDICTS
from vivid_assets.rows.stage import Reads
from vivid_assets.settings import MasksSettings
from vivid_assets.stages.masks import AskedMask, MakeMasks, MaskRow, PreparedForMask
from vivid_assets.stages.stage import PipelineStage

MASKS = PipelineStage(
    name="masks",
    version="30",
    description=__doc__,
    row=MaskRow,
    asks=AskedMask,
    reads=(Reads(PREPARED_IMAGES, PreparedForMask),),
    work=MakeMasks,
    uses=(MASK_TIERS, "vitmatte"),
    settings=MasksSettings,
    kinds=frozenset({"onnx", "huggingface"}),
    pool="gpu",
    # First, since backgrounds may be painted around the masks' subjects.
    priority=1,
    counts={"tier": "tier"},
    checks=(TIERS, VERDICTS, ESTIMATES, FLICKER, LOST),
)
