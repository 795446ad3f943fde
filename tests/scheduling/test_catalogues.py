"""Catalogues are added, scanned, renamed, pruned and removed by jobs, whose messages are those of the commands."""

import os

import cv2
import dagster as dg
import numpy as np
import pytest

from resources.store.store import Store
from vivid_assets.catalogue.source import registered
from vivid_assets.definitions import PIPELINE, defs
from vivid_assets.scheduling.updates import updates_sensor
from vivid_assets.settings import SettingsFile
from vivid_assets.stages.faults import reasons
from vivid_assets.wiring import pipeline_resources

pytestmark = pytest.mark.slow


class Deployment:
    def __init__(self, root, instance):
        self.folder, self.instance = root / "pictures", instance
        self.store = Store(root=str(root / "store"))
        self.folder.mkdir()
        self.put("a.png")

    def put(self, name):
        wall = np.full((80, 80, 3), 215, np.uint8)
        wall[25:55, 25:55] = (30, 40, 90 + len(name))
        cv2.imwrite(str(self.folder / name), wall)

    def launch(self, job, op, **config):
        """What is said, or why it failed."""
        result = defs.resolve_job_def(f"vivid_{job}").execute_in_process(
            run_config={"ops": {f"vivid_{op}": {"config": config}}},
            resources=pipeline_resources(PIPELINE, store=self.store, settings=SettingsFile(path="")),
            instance=self.instance,
            raise_on_error=False,
        )
        if not result.success:
            ((_, why),) = reasons(result.all_events)
            return why
        (event,) = [one for one in result.all_events if one.event_type_value == "STEP_OUTPUT"]
        return {name: value.value for name, value in event.event_specific_data.metadata.items()}

    def partitions(self):
        return self.instance.get_dynamic_partitions("vivid_shards")


@pytest.fixture
def deployment(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Deployment(tmp_path, instance)


def test_a_folder_is_added_scanned_and_its_shard_is_to_run(deployment):
    said = deployment.launch("add_catalogue", "add_folder", name="spring", folder=str(deployment.folder))
    assert said["found"].startswith("spring: 1 new")
    assert said["runs"] == "1 shard will run, with up to 1 picture to make, in an unknown time."
    assert deployment.partitions() == ["spring-00000"]
    sensor = updates_sensor(PIPELINE, defs.resolve_job_def("vivid_catalogue"), dg.DefaultSensorStatus.RUNNING)
    resources = PIPELINE.resources(store=deployment.store)
    with dg.build_sensor_context(deployment.instance, definitions=defs, resources=resources) as context:
        (request,) = sensor._raw_fn(context).run_requests
    assert (request.partition_key, len(request.asset_selection)) == ("spring-00000", 8)


def test_a_scan_names_what_it_left_out_and_removals_wait_for_a_word(deployment):
    deployment.launch("add_catalogue", "add_folder", name="spring", folder=str(deployment.folder), run=False)
    assert deployment.store.names("updates") == []
    (deployment.folder / "b.psd").write_bytes(b"8BPS")
    assert "b.psd" in deployment.launch("scan_catalogue", "scan_folder", name="spring")["left out"]
    (deployment.folder / "a.png").unlink()
    assert "--accept-removals" in deployment.launch("scan_catalogue", "scan_folder", name="spring")
    said = deployment.launch("scan_catalogue", "scan_folder", name="spring", accept_removals=True)
    assert "1 removed" in said["found"]


def test_what_cannot_be_added_or_found_is_said_in_a_sentence(deployment):
    assert "is not a folder" in deployment.launch("add_catalogue", "add_folder", name="spring", folder="/no/such")
    wrong = deployment.launch("add_catalogue", "add_folder", name="Spring 1", folder=str(deployment.folder))
    assert "cannot be a catalogue's name" in wrong
    assert "There is no catalogue 'winter' here" in deployment.launch("scan_catalogue", "scan_folder", name="winter")


def test_a_removed_catalogue_leaves_the_lists_and_can_come_back(deployment):
    for name in ("spring", "spring-2"):
        deployment.launch("add_catalogue", "add_folder", name=name, folder=str(deployment.folder))
    deployment.launch("remove_catalogue", "remove_name", name="spring")
    assert [one.name for one in registered(deployment.store)] == ["spring-2"]
    assert deployment.partitions() == ["spring-2-00000"]
    again = deployment.launch("add_catalogue", "add_folder", name="spring", folder=str(deployment.folder))
    assert "0 new" in again["found"]
    assert {*deployment.partitions()} == {"spring-2-00000", "spring-00000"}


def test_pruning_says_the_bytes_first_and_deletes_when_it_is_told(deployment):
    deployment.launch("add_catalogue", "add_folder", name="spring", folder=str(deployment.folder), run=False)
    stray = deployment.store.path("artefacts/spring/masks/00/of a killed run.bin")
    stray.parent.mkdir(parents=True)
    stray.write_bytes(bytes(100_000))
    os.utime(stray.path, (1e9, 1e9))
    assert "There is no catalogue 'winter' here" in deployment.launch("prune", "delete_unneeded", name="winter")
    said = deployment.launch("prune", "delete_unneeded")
    assert (said["what"], said["bytes"]) == ("1 file, 0.1 MB, to delete.", 100_000)
    assert "spring: 0 files of 0 pictures" in said["of"] and "scenes: 0 that no catalogue uses" in said["of"]
    assert stray.exists()
    said = deployment.launch("prune", "delete_unneeded", name="spring", dry_run=False)
    assert said["what"] == "1 file, 0.1 MB, deleted."
    assert not stray.exists()


def test_a_catalogue_is_moved_renamed_and_removed_with_all_that_was_made_of_it(deployment):
    deployment.launch("add_catalogue", "add_folder", name="spring", folder=str(deployment.folder), run=False)
    elsewhere = deployment.folder.rename(deployment.folder.with_name("elsewhere"))
    deployment.launch("move_catalogue", "move_folder", name="spring", folder=str(elsewhere))
    assert "cannot be a catalogue's name" in deployment.launch(
        "rename_catalogue", "rename", name="spring", new_name="Spring 1"
    )
    deployment.launch("rename_catalogue", "rename", name="spring", new_name="summer")
    assert [(one.name, one.url) for one in registered(deployment.store)] == [("summer", str(elsewhere))]
    assert deployment.partitions() == ["summer-00000"]
    again = deployment.launch("scan_catalogue", "scan_folder", name="summer", run=False)
    assert "0 new" in again["found"]
    deployment.launch("remove_catalogue", "remove_name", name="summer", files=True)
    assert deployment.partitions() == [] == registered(deployment.store)
    assert deployment.store.files_below("catalogues") == {}
