"""A run worker that is killed while it holds the GPU pool: the slot is freed and the shard tried again."""

import os
import re
import shutil
import signal
from importlib.resources import files

import cv2
import dagster as dg
import numpy as np
import pytest

from resources.store.store import Store
from vivid_assets.assets.masks import MASKS
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.rows.tables import read_rows

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=1.5)]

PICTURES = 60
LAUNCH = """mutation($params: ExecutionParams!) {launchRun(executionParams: $params) {
    __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A catalogue that has been scanned and not run, large enough for masks to take a few seconds."""
    root = tmp_path_factory.mktemp("killed")
    pictures = root / "pictures"
    pictures.mkdir()
    for number in range(PICTURES):
        # Each another one: of equal pictures the mask of one is taken for all.
        wall = np.full((600, 600, 3), 215, np.uint8)
        cv2.circle(wall, (300, 300), 200, (30, 40, 100 + number), -1, cv2.LINE_AA)
        cv2.imwrite(str(pictures / f"{number:03}.png"), wall)
    (pictures / "catalogue.toml").write_text('prompt = "teal paper"\n[masks]\ntiers = ["gradients"]\n')
    home = root / "dagster"
    home.mkdir()
    shipped = files("vivid_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8")
    # As shipped, but that a dead worker is looked for every three seconds.
    (home / "dagster.yaml").write_text(re.sub(r"seconds: 15$", "seconds: 3", shipped, flags=re.MULTILINE))
    store = Store(root=str(root / "store"))
    found = scan(store, register(store, "spring", str(pictures)))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("vivid_shards", found.assignment.new_shards)
    yield os.environ | {"VIVID_GPU_POOL": "gpu", "VIVID_STORE": store.root, "DAGSTER_HOME": str(home)}
    shutil.rmtree(root)


def test_the_slot_is_freed_and_the_shard_is_tried_again(dagster, environment):
    selector = {
        "repositoryLocationName": dagster.location(),
        "repositoryName": "__repository__",
        "pipelineName": "__ASSET_JOB",
        "assetSelection": [{"path": ["vivid", "prepared_images"]}, {"path": ["vivid", "masks"]}],
    }
    launched = dagster.query(
        LAUNCH,
        params={
            "selector": selector,
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "spring-00000"}]},
        },
    )["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    first = launched["run"]["runId"]
    store = Store(root=environment["VIVID_STORE"])
    with dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]) as instance:
        pool = instance.event_log_storage

        def holds_the_pool():
            steps = {slot.step_key for slot in pool.get_concurrency_info("gpu").claimed_slots if slot.run_id == first}
            return "vivid__masks" in steps and store.names("tables/masks/spring-00000.journal")

        dagster.wait(holds_the_pool)
        os.kill(worker_of(instance, first), signal.SIGKILL)
        noted = len(store.names("tables/masks/spring-00000.journal"))

        def ended_again():
            runs = instance.get_runs(dg.RunsFilter(tags={"dagster/parent_run_id": first}))
            return runs[0] if runs and runs[0].is_finished else None

        second = dagster.wait(ended_again)
        assert instance.get_run_by_id(first).status == dg.DagsterRunStatus.FAILURE
        assert second.status == dg.DagsterRunStatus.SUCCESS
        assert noted, "the killed run had finished some masks"
        assert dagster.wait(lambda: not pool.get_concurrency_info("gpu").claimed_slots)
        materialised = (
            instance.fetch_materializations(dg.AssetKey(["vivid", "masks"]), limit=1).records[0].asset_materialization
        )
    rows = read_rows(store, MASKS, "spring-00000")
    assert [row["status"] for row in rows.values()] == ["ok"] * PICTURES
    assert 0 < materialised.metadata["computed"].value < PICTURES, "masks that were noted are not made twice"


def worker_of(instance: dg.DagsterInstance, run_id: str) -> int:
    """The process that the run said it works in."""
    for entry in instance.all_logs(run_id):
        if found := re.search(r"\(pid: (\d+)\)", entry.user_message or ""):
            return int(found.group(1))
    raise AssertionError("the run has not said its process")
