"""Everything that Dagster loads for one pipeline, wired on one page."""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from resources.alerts import Alerts
from resources.models import own_models
from resources.resource import Resource
from resources.spelling import did_you_mean
from resources.store.store import Store
from vivid_assets.assets.export import export_asset
from vivid_assets.assets.trials import trials_asset
from vivid_assets.pipeline import Pipeline
from vivid_assets.scheduling.alerts import failures_sensor
from vivid_assets.scheduling.catalogues import catalogue_jobs
from vivid_assets.scheduling.jobs import catalogue_job
from vivid_assets.scheduling.lost_runs import lost_runs_sensor
from vivid_assets.scheduling.state_of_work import catalogues_asset, state_of_work_checks, state_of_work_sensor
from vivid_assets.scheduling.ticks import arrivals_sensor, nightly_schedule
from vivid_assets.scheduling.updates import update_job, updates_sensor
from vivid_assets.scheduling.upkeep import upkeep_jobs
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.shard_asset import shard_asset
from vivid_assets.stages.stage import all_stages
from vivid_assets.stages.stage_settings import settings_assets

SWITCHES = ("arrivals", "failures", "lost_runs", "nightly", "state_of_work", "updates")
"""The sensors and the schedule that may be on from the start."""


@dataclass(frozen=True)
class Automation:
    """What runs by itself, and when."""

    running: tuple[str, ...] = ("failures", "lost_runs", "state_of_work", "updates")
    """The sensors and the schedule that are on from the start; the UI turns each on and off."""
    night_cron: str = "*/10 1-5 * * *"
    timezone: str = "UTC"
    sensor_seconds: int = 300

    def __post_init__(self) -> None:
        for name in self.running:
            if name not in SWITCHES:
                meant = did_you_mean(name, SWITCHES) or "."
                raise ValueError(f"There is no sensor or schedule {name!r}{meant} There are {', '.join(SWITCHES)}.")


def pipeline_assets(pipeline: Pipeline, settings: SettingsFile | None = None) -> list[dg.AssetsDefinition]:
    """The stages and the export."""
    return [*(shard_asset(pipeline, stage, settings) for stage in all_stages()), export_asset(pipeline)]


def pipeline_resources(pipeline: Pipeline, **given: Resource) -> dict[str, Any]:
    """Those ``given`` and the models, by the names that they have in Dagster.

    As they are: with a config of its own each would fill the launchpad of every job with all of its settings, which are
    vivid.toml's to say.
    """
    return pipeline.resources(**given, **{name: model() for name, model in own_models().items()})


def build_definitions(
    store: Store,
    *,
    pipeline: Pipeline | None = None,
    settings: SettingsFile | None = None,
    alerts: Alerts | None = None,
    automation: Automation | None = None,
) -> dg.Definitions:
    """A pipeline, to be a code location or to be merged into one.

    Args:
        store: where everything is kept; every pipeline of a deployment has its own.
        pipeline: its names and owners; by default keys lie under ``vivid``.
        settings: where ``vivid.toml`` is; without it the one in the store, if there is one.
        alerts: where alerts go; the log without it.
        automation: which sensors and schedules are on from the start, and when they look.

    Example:
        >>> defs = build_definitions(Store(root="/srv/shop"), pipeline=Pipeline("shop/pictures"))
        >>> defs.resolve_job_def("shop_pictures_catalogue").name
        'shop_pictures_catalogue'
    """
    pipeline, automation = pipeline or Pipeline(), automation or Automation()
    settings = settings or SettingsFile(store=store.root)

    def sensor(name: str) -> dg.DefaultSensorStatus:
        return dg.DefaultSensorStatus.RUNNING if name in automation.running else dg.DefaultSensorStatus.STOPPED

    shard_job = catalogue_job(pipeline)
    night = dg.DefaultScheduleStatus.RUNNING if "nightly" in automation.running else dg.DefaultScheduleStatus.STOPPED
    return dg.Definitions(
        assets=[
            catalogues_asset(pipeline),
            *pipeline_assets(pipeline, settings),
            *settings_assets(pipeline),
            trials_asset(pipeline),
        ],
        asset_checks=[state_of_work_checks(pipeline)],
        jobs=[*catalogue_jobs(pipeline), *upkeep_jobs(pipeline), shard_job, update_job(pipeline)],
        schedules=[nightly_schedule(pipeline, shard_job, night, automation.night_cron, automation.timezone)],
        sensors=[
            arrivals_sensor(pipeline, shard_job, sensor("arrivals"), automation.sensor_seconds),
            state_of_work_sensor(pipeline, sensor("state_of_work")),
            lost_runs_sensor(pipeline, sensor("lost_runs")),
            updates_sensor(pipeline, shard_job, sensor("updates")),
            failures_sensor(pipeline, sensor("failures")),
        ],
        resources=pipeline_resources(
            pipeline,
            store=store,
            settings=settings,
            alerts=alerts or Alerts(webhook=""),
        ),
    )
