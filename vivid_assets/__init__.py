"""Background replacement for whole image catalogues, as a Dagster pipeline.

Single pictures need no pipeline: ``find_mask``, ``blend``, ``replace_background`` and ``make_renditions`` take and
return NumPy arrays or Pillow images; ``find_clip_masks`` and ``replace_clip_background`` take the frames of a clip.
Importing this package loads none of the libraries that they need; the first use of a name does.

Example:
    >>> import vivid_assets
    >>> from PIL import Image
    >>> photo = Image.new("RGB", (64, 48), (214, 214, 214))
    >>> photo.paste((180, 40, 30), (20, 12, 44, 36))
    >>> done = vivid_assets.replace_background(photo, background="#ffffff", tiers=["gradients"])
    >>> done.composite.size, done.composite.getpixel((2, 2)), done.mask.verdict
    ((64, 48), (255, 255, 255), 'good')
"""

from typing import TYPE_CHECKING, Any

from resources.runtime.caches import find_room_for_caches

if TYPE_CHECKING:
    from vivid_assets.component import CataloguePipeline
    from vivid_assets.one_picture.api import (
        Blended,
        FoundMask,
        Replaced,
        blend,
        find_mask,
        keep_models,
        make_renditions,
        replace_background,
    )
    from vivid_assets.one_picture.clip_api import ClipMask, find_clip_masks, replace_clip_background
    from vivid_assets.one_picture.clips import Composed

    __version__: str

__all__ = [
    "Blended",
    "CataloguePipeline",
    "ClipMask",
    "Composed",
    "FoundMask",
    "Replaced",
    "__version__",
    "blend",
    "find_clip_masks",
    "find_mask",
    "keep_models",
    "make_renditions",
    "replace_background",
    "replace_clip_background",
]

# Before numba is imported, which looks for its folder once.
find_room_for_caches()


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("vivid-assets")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "CataloguePipeline":
        from vivid_assets.component import CataloguePipeline

        return CataloguePipeline
    from vivid_assets.one_picture import api, clip_api

    return getattr(api if hasattr(api, name) else clip_api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
