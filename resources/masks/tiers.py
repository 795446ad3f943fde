"""The one list of mask tiers. Other packages bring theirs by the entry point ``vivid_assets.mask_tiers``."""

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
    },
    "vivid_assets.mask_tiers",
)
