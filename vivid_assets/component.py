"""The pipeline as a component of ``dg``: declared in YAML, in anybody's Dagster project."""

from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field

from resources.alerts import Alerts
from resources.runtime.cuda import gpu_expected
from resources.store.store import Store, place_of
from vivid_assets.pipeline import Pipeline
from vivid_assets.settings import SettingsFile
from vivid_assets.wiring import SWITCHES, Automation, build_definitions

_DEFAULTS = Automation()


class ScaffoldParams(BaseModel):
    """What ``dg scaffold defs`` asks for."""

    store: str = Field(
        "vivid_store", description="Folder or URL (s3://…) of tables and pictures; relative to the project."
    )
    key_prefix: str = Field("vivid", description="Under which the asset keys lie; another for each pipeline.")


class CataloguePipelineScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a ``defs.yaml`` that runs as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        given = request.params or ScaffoldParams.model_validate({})
        dg.scaffold_component(request, {"store": given.store, "key_prefix": given.key_prefix})


@dg.scaffold_with(CataloguePipelineScaffolder)
class CataloguePipeline(dg.Component, dg.Model, dg.Resolvable):
    """Background replacement for catalogues of pictures: masks, new backgrounds, composites, review and export.

    A catalogue is a folder of pictures. The assets are partitioned by shard, some hundred pictures each; a row of a
    stage's table is one picture, and only what changed is computed. Each pipeline of a deployment has a store and a
    key prefix of its own.

    Example:
        type: vivid_assets.CataloguePipeline

        attributes:
          store: "{{ env.VIVID_STORE }}"
          key_prefix: vivid
          owners: ["team:studio"]
          running: [failures, lost_runs, state_of_work, updates, nightly]

    """

    store: str = Field(description="Folder or URL (s3://…) of tables and pictures; relative to the project.")
    settings: str = Field("", description="vivid.toml, a path or URL; relative to the project. Empty: the store's.")
    key_prefix: str = Field("vivid", description="Under which the asset keys lie; another for each pipeline.")
    group: str = Field("", description="Group of the assets; empty: the prefix.")
    owners: list[str] = Field(
        default_factory=list, description="Of the assets: e-mail addresses, or 'team:' and a name."
    )
    gpu_pool: str | None = Field(
        None,
        description="Pool of the steps that ask a model. Without it: gpu, where this machine has one. Empty: none.",
    )
    cpu_pool: str = Field("", description="Pool of the other steps that compute pictures; empty: none.")
    running: list[str] = Field(
        default_factory=lambda: list(_DEFAULTS.running),
        description=f"Sensors and schedules that are on from the start, of {', '.join(SWITCHES)}.",
    )
    night_cron: str = Field(_DEFAULTS.night_cron, description="When the schedule nightly looks, in cron's form.")
    timezone: str = Field(_DEFAULTS.timezone, description="Of the schedule, such as Europe/Berlin.")
    sensor_seconds: int = Field(_DEFAULTS.sensor_seconds, ge=1, description="Interval of the sensor arrivals.")
    alert_webhook: str = Field(
        "", description="URL that receives alerts as JSON {title, text}; empty: alerts are only logged."
    )

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Replaces the backgrounds of catalogues of pictures.",
            tags=["images"],
            produces=["asset", "asset_check", "job", "schedule", "sensor", "resource"],
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        def place(written: str) -> str:
            here = "://" not in written and not Path(written).expanduser().is_absolute()
            return place_of(str(context.project_root / written) if here else written)

        gpu_pool = ("gpu" if gpu_expected() else "") if self.gpu_pool is None else self.gpu_pool
        return build_definitions(
            Store(root=place(self.store)),
            pipeline=Pipeline(self.key_prefix, self.group, tuple(self.owners), gpu_pool, self.cpu_pool),
            settings=SettingsFile(path=place(self.settings) if self.settings else "", store=place(self.store)),
            alerts=Alerts(webhook=self.alert_webhook),
            automation=Automation(tuple(self.running), self.night_cron, self.timezone, self.sensor_seconds),
        )
