"""Every picture decoded, upright, in sRGB and at the models' size.

A row is one picture: `file` is a PNG of at most 1024 pixels, `alpha_file` the source's own transparency if it has
any, `notes` records what was converted. Of a clip `file` is the frame that stands for it (its number is `still`);
`frames` and `fps` are its length and rate. The source stays in its folder and is read again for the composite, and a
clip's for its masks too. Stale when the picture's content or the configured size changes.
"""

from vivid_assets.settings import PreparedImagesSettings
from vivid_assets.stages.prepared_images import Content, PreparedImage, PrepareImages
from vivid_assets.stages.stage import PipelineStage

PREPARED_IMAGES = PipelineStage(
    name="prepared_images",
    version="4",
    description=__doc__,
    row=PreparedImage,
    asks=Content,
    work=PrepareImages,
    settings=PreparedImagesSettings,
    kinds=frozenset({"pillow", "opencv"}),
    counts={"source_format": "source_format"},
)
