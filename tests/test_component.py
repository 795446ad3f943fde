"""The pipeline in anybody's Dagster project: names that do not collide, and a project as create-dagster makes it."""

import importlib
import warnings
from pathlib import Path

import cv2
import dagster as dg
import numpy as np
import pytest
import yaml
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests_with_backfill_policies
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap
from dagster.components.testing import create_defs_folder_sandbox

from resources.store.store import Store
from tests.support.project import Project
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.settings_versions import observations
from vivid_assets.catalogue.source import register
from vivid_assets.component import CataloguePipeline
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.pipeline import Pipeline
from vivid_assets.settings import SettingsFile
from vivid_assets.wiring import SWITCHES, Automation, build_definitions

SETTINGS = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'


def test_two_pipelines_share_a_code_location_with_other_people_s_masks(tmp_path):
    @dg.asset
    def masks() -> None: ...

    @dg.resource
    def store(_context):
        return "another's"

    ours = [
        build_definitions(Store(root=str(tmp_path / name)), pipeline=Pipeline(name)) for name in ("vivid", "shop/new")
    ]
    others = dg.Definitions(
        assets=[masks], resources={"store": store}, jobs=[dg.define_asset_job("catalogue", selection=[masks])]
    )
    both = dg.Definitions.merge(*ours, others)
    dg.Definitions.validate_loadable(both)
    keys = {key.to_user_string() for key in both.resolve_asset_graph().get_all_asset_keys()}
    assert {"masks", "vivid/masks", "shop/new/masks", "vivid/masks_settings"} <= keys
    assert {job.name for job in both.resolve_all_job_defs()} >= {"catalogue", "vivid_catalogue", "shop_new_catalogue"}
    # By its list of partitions, too: a shard of one store means nothing in another.
    lists = {
        both.resolve_asset_graph().get(dg.AssetKey(path)).partitions_def.name
        for path in (["vivid", "masks"], ["shop", "new", "masks"])
    }
    assert lists == {"vivid_shards", "shop_new_shards"}


def test_a_job_s_launchpad_opens_with_what_the_job_needs_alone(tmp_path):
    defs = build_definitions(Store(root=str(tmp_path)))
    filled = {}
    for job in (one for one in defs.resolve_all_job_defs() if one.name.startswith("vivid_")):
        schema = job.get_job_snapshot().config_schema_snapshot
        root = job.get_job_snapshot().mode_def_snaps[0].root_config_key
        filled[job.name] = yaml.safe_load(default_values_yaml_from_type_snap(schema, schema.get_config_snap(root)))
    assert filled["vivid_update"] == {
        "ops": {"vivid_find_updates": {"config": {"catalogue": "", "dry_run": False, "stages": [], "what": "STALE"}}}
    }
    assert filled["vivid_add_catalogue"] == {"ops": {"vivid_add_folder": {"config": {"run": True}}}}
    assert {entry for one in filled.values() for entry in one} == {"ops"}, "no model's settings"


def test_group_owners_and_what_runs_by_itself_are_as_they_are_given(tmp_path):
    defs = build_definitions(
        Store(root=str(tmp_path)),
        pipeline=Pipeline("vivid", group="pictures", owners=("team:studio",)),
        automation=Automation(running=("nightly",), timezone="Europe/Berlin"),
    )
    node = defs.resolve_asset_graph().get(dg.AssetKey(["vivid", "masks"]))
    assert (node.group_name, tuple(node.owners)) == ("pictures", ("team:studio",))
    groups = {node.group_name for node in defs.resolve_asset_graph().asset_nodes}
    assert groups == {"pictures", "pictures_settings", "pictures_trials"}
    assert all(node.tags["vivid/pipeline"] == "vivid" for node in defs.resolve_asset_graph().asset_nodes)
    running = {one.name for one in (*defs.sensors, *defs.schedules) if one.default_status.value == "RUNNING"}
    assert running == {"vivid_nightly"}
    assert {one.name.removeprefix("vivid_") for one in (*defs.sensors, *defs.schedules)} == {*SWITCHES}
    assert defs.resolve_schedule_def("vivid_nightly").execution_timezone == "Europe/Berlin"


def test_a_backfill_is_a_run_a_shard_which_is_tagged_with_it(tmp_path):
    graph = build_definitions(Store(root=str(tmp_path))).resolve_asset_graph()
    shards = {"spring-00000", "spring-00001"}
    keys = [Pipeline().key(name) for name in ("masks", "composites", "export", "trials")]
    wanted = {AssetKeyPartitionKey(key, shard) for key in keys for shard in shards}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("vivid_shards", [*shards])
        requests = build_run_requests_with_backfill_policies(wanted, graph, instance)
    # The queue's limit of one run a shard, the nights and the updates go by this tag.
    assert {request.tags["dagster/partition"] for request in requests} == shards
    assert all({*request.asset_selection} == {*keys} for request in requests)
    assert len(requests) == 2


def test_nobody_is_warned_of_what_we_rely_on(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_definitions(Store(root=str(tmp_path)))


def test_models_are_in_a_pool_only_where_the_deployment_has_one(tmp_path):
    def pools(**given):
        graph = build_definitions(Store(root=str(tmp_path)), pipeline=Pipeline(**given)).resolve_asset_graph()
        names = ("analysis", "masks", "composites", "export")
        return [graph.get(dg.AssetKey(["vivid", name])).pools for name in names]

    assert pools() == [set(), set(), set(), set()]
    assert pools(gpu_pool="a100", cpu_pool="cpu") == [set(), {"a100"}, {"cpu"}, set()], "CLIP is not on this machine"
    (tmp_path / "clip.pt").write_bytes(b"weights")
    (tmp_path / "vivid.toml").write_text(f'[open_clip]\ncheckpoint = "{tmp_path}/clip.pt"')
    assert pools(gpu_pool="a100")[:2] == [{"a100"}, {"a100"}]
    (tmp_path / "vivid.toml").write_text("no settings")
    assert pools(gpu_pool="a100")[:2] == [set(), {"a100"}], "it loads all the same"


@pytest.mark.parametrize("prefix", ["", "Vivid", "a//b", "a__b", "a-b", "1a"])
def test_a_prefix_that_cannot_be_is_refused_with_what_can(prefix):
    with pytest.raises(ValueError, match="cannot be a key prefix: use lower-case letters"):
        Pipeline(prefix)


def test_a_switch_that_there_is_not_is_refused_by_name():
    with pytest.raises(ValueError, match="no sensor or schedule 'nightlly'; did you mean 'nightly'"):
        Automation(running=("nightlly",))


def test_a_pipeline_knows_its_own_runs():
    ours, theirs = Pipeline("vivid"), Pipeline("vivid/two")

    def run(name, **options):
        return dg.DagsterRun(job_name=name, **options)

    assert ours.owns(run("vivid_catalogue", tags=ours.tags))
    assert not ours.owns(run("vivid_two_catalogue", tags=theirs.tags))
    assert not ours.owns(run("catalogue"))
    assert ours.owns(run("__ASSET_JOB", asset_selection={ours.key("masks")}))
    assert not ours.owns(run("__ASSET_JOB", asset_selection={theirs.key("masks"), dg.AssetKey("masks")}))


def test_the_page_about_the_component_says_what_each_attribute_means():
    attributes = CataloguePipeline.model().model_json_schema()["properties"]
    assert "store" in attributes
    assert [name for name, said in attributes.items() if not said.get("description")] == []


@pytest.mark.slow
@pytest.mark.live(minutes=1)
def test_in_a_created_project_two_pipelines_bring_their_catalogues_through(tmp_path, monkeypatch):
    project = Project(tmp_path)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    wall = np.full((120, 120, 3), 215, np.uint8)
    cv2.circle(wall, (60, 60), 35, (30, 40, 150), -1, cv2.LINE_AA)
    cv2.imwrite(str(pictures / "a.png"), wall)
    (project.root / "vivid.toml").write_text(SETTINGS)
    component = ("vivid_assets.CataloguePipeline", "second", "--store", "second", "--key-prefix", "shop/pictures")
    project.call("dg", "scaffold", "defs", *component)
    folder = project.root / "src" / "studio" / "defs"
    written = (
        folder / "second" / "defs.yaml"
    ).read_text() + "  settings: vivid.toml\n  desk: https://desk.example.com\n"
    assert "type: vivid_assets.CataloguePipeline" in written
    (folder / "second" / "defs.yaml").write_text(written)
    (folder / "first").mkdir()
    (folder / "first" / "defs.yaml").write_text(written.replace("second", "first").replace("shop/pictures", "vivid"))
    assert "All definitions loaded successfully." in project.call("dg", "check", "defs")
    with dg.DagsterInstance.from_config(project.environment["DAGSTER_HOME"]) as instance:
        for name, partitions in (("first", "vivid_shards"), ("second", "shop_pictures_shards")):
            store = Store(root=str(project.root / name))
            found = scan(store, register(store, "spring", str(pictures)))
            instance.add_dynamic_partitions(partitions, found.assignment.new_shards)
        project.call("dg", "launch", "--job", "vivid_catalogue", "--partition", "spring-00000")
        assert (project.root / "first" / "composites" / "spring" / "a.png").exists()
        assert not (project.root / "second" / "composites").exists()
        # The other one in this process, which has what it takes imported.
        monkeypatch.syspath_prepend(str(project.root / "src"))
        second = importlib.import_module("studio.definitions").defs().resolve_job_def("shop_pictures_catalogue")
        result = second.execute_in_process(instance=instance, partition_key="spring-00000")
        assert result.success
        made = {event.asset_key.path[-1]: event for event in result.get_asset_materialization_events()}
        links = {name: event.materialization.metadata["review desk"].value for name, event in made.items()}
        assert links == dict.fromkeys((*STAGE_NAMES, "export"), "https://desk.example.com/spring")
        assert (project.root / "second" / "composites" / "spring" / "a.png").exists()


AUTOMATED = {
    "type": "vivid_assets.CataloguePipeline",
    "attributes": {"store": "store", "settings": "vivid.toml"},
    "post_processing": {
        "assets": [
            {
                "target": "key:vivid/masks",
                "attributes": {"automation_condition": "{{ dg.AutomationCondition.eager() }}"},
            },
            {
                "target": "key:vivid/export",
                "attributes": {
                    "freshness_policy": "{{ dg.FreshnessPolicy.time_window(datetime.timedelta(hours=26)) }}"
                },
            },
        ]
    },
}


class Automated:
    """A pipeline that a deployment has given conditions, with one picture, on an instance of its own."""

    def __init__(self, root: Path, defs: dg.Definitions, instance: dg.DagsterInstance):
        self.root, self.defs, self.instance = root, defs, instance
        self._cursor = None

    def requested(self) -> set[str]:
        """The shards of masks that the conditions ask for now, which is all that they ask for."""
        found = dg.evaluate_automation_conditions(self.defs, self.instance, cursor=self._cursor)
        self._cursor = found.cursor
        masks = found.get_requested_partitions(Pipeline().key("masks"))
        assert found.total_requested == len(masks)
        return masks

    def scan(self) -> None:
        (self.root / "pictures").mkdir()
        cv2.imwrite(str(self.root / "pictures" / "a.png"), np.full((80, 80, 3), 215, np.uint8))
        store = Store(root=str(self.root / "store"))
        found = scan(store, register(store, "spring", str(self.root / "pictures")))
        self.instance.add_dynamic_partitions("vivid_shards", found.assignment.new_shards)

    def say(self, settings: str) -> None:
        """Write vivid.toml, and do what the sensor does."""
        (self.root / "vivid.toml").write_text(settings)
        store, file = Store(root=str(self.root / "store")), SettingsFile(path=str(self.root / "vivid.toml"))
        for observation in observations(Pipeline(), self.instance, store, file):
            self.instance.report_runless_asset_event(observation)

    def run(self, stage: str) -> bool:
        job = self.defs.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance, partition_key="spring-00000", asset_selection=[Pipeline().key(stage)]
        ).success


def test_a_deployment_s_conditions_ask_for_a_stage_once_and_its_freshness_policies_hold():
    with dg.DagsterInstance.ephemeral() as instance, create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(CataloguePipeline, defs_yaml_contents=AUTOMATED)
        with sandbox.load_component_and_build_defs(path) as (_, defs):
            graph = defs.resolve_asset_graph()
            assert graph.get(Pipeline().key("export")).freshness_policy
            assert not graph.get(Pipeline().key("composites")).automation_condition
            deployment = Automated(sandbox.project_root, defs, instance)
            deployment.say(SETTINGS)
            assert deployment.requested() == set()
            deployment.scan()
            assert deployment.requested() == set(), "there is nothing yet to make masks of"
            assert deployment.run("prepared_images")
            assert deployment.requested() == {"spring-00000"}
            assert deployment.requested() == set(), "once"
            assert deployment.run("masks")
            assert deployment.requested() == set()
            deployment.say(SETTINGS.replace("[masks]", "[masks]\nstretch_low = 0.2"))
            assert deployment.requested() == {"spring-00000"}
            assert deployment.requested() == set()
