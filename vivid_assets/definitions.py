"""The code location that this repository is: one pipeline, whose places the environment names."""

import os

import dagster as dg

from resources.alerts import Alerts
from resources.runtime.cuda import gpu_expected
from resources.store.store import Store, place_of
from vivid_assets.pipeline import Pipeline
from vivid_assets.settings import SettingsFile
from vivid_assets.wiring import Automation, build_definitions

PIPELINE = Pipeline(
    gpu_pool=os.environ.get("VIVID_GPU_POOL", "gpu" if gpu_expected() else ""),
    cpu_pool=os.environ.get("VIVID_CPU_POOL", ""),
    desk=os.environ.get("VIVID_DESK", ""),
)
STORE = Store(root=place_of(os.environ.get("VIVID_STORE") or "vivid_store"))

defs = dg.Definitions.merge(
    build_definitions(
        STORE,
        pipeline=PIPELINE,
        settings=SettingsFile(path=os.environ.get("VIVID_SETTINGS", ""), store=STORE.root),
        alerts=Alerts(webhook=os.environ.get("VIVID_ALERT_WEBHOOK", ""), ui=os.environ.get("VIVID_UI", "")),
        automation=Automation(
            night_cron=os.environ.get("VIVID_NIGHT_CRON") or Automation.night_cron,
            timezone=os.environ.get("VIVID_TIMEZONE") or Automation.timezone,
            sensor_seconds=int(os.environ.get("VIVID_SENSOR_SECONDS") or Automation.sensor_seconds),
        ),
    ),
    # Also for what is materialised without a job: one process a run, so that models are loaded once.
    dg.Definitions(executor=dg.in_process_executor),
)
