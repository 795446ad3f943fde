"""The one list of stages, in the order of the flow. All else that names stages derives from it.

A stage is declared in the module of its name in ``vivid_assets.assets``, as the constant of its name. Here is only the
name, so that the settings or the command line can list stages without importing what they need.
"""

from functools import cache
from importlib import import_module
from typing import Any

STAGE_NAMES = (
    "prepared_images",
    "analysis",
    "enhanced_prompts",
    "backgrounds",
    "masks",
    "composites",
    "review",
)

PER_RENDITION = frozenset({"enhanced_prompts", "backgrounds", "composites", "review"})
"""Those with a row per picture and rendition (``Stage.per_rendition``): rows are counted without importing stages."""


@cache
def stage_named(name: str) -> Any:
    """The stage (``vivid_assets.stages.stage.PipelineStage``) of that name, imported now if it was not yet."""
    return getattr(import_module(f"vivid_assets.assets.{name}"), name.upper())
