"""Everything that Dagster loads, wired on one page."""

import dagster as dg

from resources.birefnet import BiRefNet
from resources.open_clip import OpenClip
from resources.sdxl import SDXL
from resources.store import Store
from vivid_assets.assets.analysis import analysis
from vivid_assets.assets.backgrounds import backgrounds
from vivid_assets.assets.composites import composites
from vivid_assets.assets.enhanced_prompts import enhanced_prompts
from vivid_assets.assets.masks import masks
from vivid_assets.assets.prepared_images import prepared_images
from vivid_assets.automation import catalogue_job
from vivid_assets.settings import SettingsFile

ASSETS = [prepared_images, analysis, enhanced_prompts, backgrounds, masks, composites]

defs = dg.Definitions(
    assets=ASSETS,
    jobs=[catalogue_job],
    resources={
        "store": Store(root=dg.EnvVar("VIVID_STORE").get_value("vivid_store")),
        "settings": SettingsFile(path=dg.EnvVar("VIVID_SETTINGS").get_value("")),
        "open_clip": OpenClip(),
        "sdxl": SDXL(),
        "birefnet": BiRefNet(),
    },
    # One process a run, so that a model is loaded once and not by every step; runs are what is parallel.
    executor=dg.in_process_executor,
)
