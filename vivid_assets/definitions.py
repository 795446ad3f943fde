"""Everything that Dagster loads, wired on one page."""

import os
from typing import Any

import dagster as dg

from resources.alerts import Alerts
from resources.models import own_models
from resources.resource import Resource
from resources.store.store import Store, place_of
from vivid_assets.assets.export import export
from vivid_assets.assets.trials import trials
from vivid_assets.scheduling.alerts import failures
from vivid_assets.scheduling.jobs import catalogue_job, retry_job
from vivid_assets.scheduling.lost_runs import lost_runs
from vivid_assets.scheduling.reruns import rerun_failed, rerun_failed_shards
from vivid_assets.scheduling.ticks import arrivals, nightly
from vivid_assets.scheduling.tuning import settings_changes
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.shard_asset import shard_asset
from vivid_assets.stages.stage import all_stages
from vivid_assets.stages.stage_settings import STAGE_SETTINGS


def _in_dagster(resource: Resource) -> dg.ConfigurableResource[Any]:
    """``resource`` as one whose fields Dagster shows, and lets a run change."""
    own = type(resource)
    both = type(own.__name__, (own, dg.ConfigurableResource), {"__doc__": own.__doc__, "__module__": own.__module__})
    in_dagster: dg.ConfigurableResource[Any] = both(**resource.model_dump())
    return in_dagster


ASSETS = [*(shard_asset(stage) for stage in all_stages()), export]

STORE = Store(root=place_of(os.environ.get("VIVID_STORE") or "vivid_store"))
SETTINGS = SettingsFile(path=os.environ.get("VIVID_SETTINGS", ""))

defs = dg.Definitions(
    assets=[*ASSETS, *STAGE_SETTINGS, trials],
    jobs=[catalogue_job, retry_job, rerun_failed],
    schedules=[nightly],
    sensors=[arrivals, settings_changes, lost_runs, rerun_failed_shards, failures],
    resources={
        name: _in_dagster(resource)
        for name, resource in {
            "store": STORE,
            "settings": SETTINGS,
            **{name: model() for name, model in own_models().items()},
            "alerts": Alerts(webhook=os.environ.get("VIVID_ALERT_WEBHOOK", "")),
        }.items()
    },
    # One process a run, so that a model is loaded once and not by every step; runs are what is parallel.
    executor=dg.in_process_executor,
)
