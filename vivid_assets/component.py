"""The pipeline as a component of ``dg``: declared in YAML, in anybody's Dagster project."""

from pathlib import Path
from typing import Annotated

import dagster as dg
from pydantic import BaseModel, Field

from resources.alerts import Alerts
from resources.runtime.cuda import gpu_expected
from resources.store.store import Store, place_of
from vivid_assets.pipeline import Pipeline
from vivid_assets.settings import SettingsFile
from vivid_assets.wiring import SWITCHES, Automation, build_definitions

_DEFAULTS = Automation()


def _said(meaning: str) -> dg.Resolver:
    """What the UI's page about the component says of an attribute: a field's own description is lost with a default."""
    resolver: dg.Resolver = dg.Resolver.default(description=meaning)
    return resolver


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

    A catalogue is a folder of pictures. The assets are partitioned by shard, 512 pictures each; a row of a stage's
    table is one picture, and only what changed is computed. Each pipeline of a deployment has a store and a key prefix
    of its own.

    ```yaml
    type: vivid_assets.CataloguePipeline

    Attributes:
      store: "{{ env.VIVID_STORE }}"
      key_prefix: vivid
      owners: ["team:studio"]
      running: [failures, lost_runs, state_of_work, updates, nightly]
    ```
    """

    store: Annotated[str, _said("Folder or URL (s3://…) of tables and pictures; relative to the project.")]
    settings: Annotated[
        str,
        _said("vivid.toml, a path or URL; relative to the project. Empty: vivid.toml in the store, if there is one."),
    ] = ""
    key_prefix: Annotated[str, _said("Under which the asset keys lie; another for each pipeline.")] = "vivid"
    group: Annotated[str, _said("Group of the assets; empty: the prefix.")] = ""
    owners: Annotated[list[str], _said("Of the assets: e-mail addresses, or 'team:' and a name.")] = Field(
        default_factory=list
    )
    gpu_pool: Annotated[
        str | None,
        _said("Pool of the steps that ask a model. Without it: gpu, where this machine has one. Empty: none."),
    ] = None
    cpu_pool: Annotated[str, _said("Pool of the other steps that compute pictures; empty: none.")] = ""
    running: Annotated[
        list[str],
        _said(
            f"Sensors and schedules that are on from the start, of {', '.join(SWITCHES)}. "
            f"Without it: {', '.join(_DEFAULTS.running)}."
        ),
    ] = Field(default_factory=lambda: list(_DEFAULTS.running))
    night_cron: Annotated[str, _said("When the schedule nightly looks, in cron's form.")] = _DEFAULTS.night_cron
    timezone: Annotated[str, _said("Of the schedule, such as Europe/Berlin.")] = _DEFAULTS.timezone
    sensor_seconds: Annotated[int, Field(ge=1), _said("Interval of the sensor arrivals.")] = _DEFAULTS.sensor_seconds
    alert_webhook: Annotated[
        str, _said("URL that receives alerts as JSON {title, text}; empty: alerts are only logged.")
    ] = ""
    ui: Annotated[str, _said("Address of Dagster's UI, for links to runs in alerts; empty: no link.")] = ""
    desk: Annotated[
        str, _said("Address of the review desk on this store, which partitions' pages link to; empty: no link.")
    ] = ""

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
            pipeline=Pipeline(self.key_prefix, self.group, tuple(self.owners), gpu_pool, self.cpu_pool, self.desk),
            settings=SettingsFile(path=place(self.settings) if self.settings else "", store=place(self.store)),
            alerts=Alerts(webhook=self.alert_webhook, ui=self.ui),
            automation=Automation(tuple(self.running), self.night_cron, self.timezone, self.sensor_seconds),
        )
