"""The one list of mask tiers. Other packages bring theirs by the entry point ``vivid_assets.mask_tiers``.

A tier that knows several models is named with one after a colon: ``rembg:silueta``, ``birefnet:ORG/NAME@COMMIT``,
``onnx:/a/file.onnx``.
"""

from resources.masks.tier import MaskTier
from resources.registry import Registry

MASK_TIERS = Registry(
    "mask tier",
    MaskTier,  # type: ignore[type-abstract]
    {
        "birefnet": "resources.masks.birefnet:BiRefNet",
        "u2net": "resources.masks.u2net:U2NetTier",
        "u2netp": "resources.masks.u2net:U2NetPTier",
        "gradients": "vivid_assets.masking.gradient_tier:Gradients",
        "rembg": "resources.masks.rembg_tier:Rembg",
        "onnx": "resources.masks.onnx_file:OnnxFile",
    },
    "vivid_assets.mask_tiers",
)
LADDER = ("birefnet", "u2net", "u2netp", "gradients")
"""Those that are asked for one picture, in their order, where the settings name none."""
