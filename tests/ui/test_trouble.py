"""Trouble on a live Dagster with its records in SQLite, as it ships: a killed worker, and catalogues that are broken.

A run worker is killed while it holds the GPU pool: the slot is freed and the shard tried again. Of one broken, one
empty and one good folder the good one's night goes through, and the others are named; what each of them does to a scan
is in tests/catalogue/test_listing.py and tests/assets/operations/test_nights.py.
"""

import json
import os
import re
import shutil
import signal
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files

import cv2
import dagster as dg
import numpy as np
import pytest

from resources.store.store import Store
from vivid_assets.assets.masks import MASKS
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register, take_off
from vivid_assets.cli.runs import forget_shards, register_shards
from vivid_assets.rows.tables import read_rows

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=4)]

PICTURES = 20 * (os.cpu_count() or 1)
"""So many that their masks take a few seconds: the first are noted after two."""
LAUNCH = """mutation($params: ExecutionParams!) {launchRun(executionParams: $params) {
    __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}"""
RUNS = """query {runsOrError(filter: {pipelineName: "vivid_catalogue"}) {
    ...on Runs {results {status tags {key value}}}}}"""
START_SCHEDULE = "mutation($one: ScheduleSelector!) {startSchedule(scheduleSelector: $one) {__typename}}"
START_SENSOR = "mutation($one: SensorSelector!) {startSensor(sensorSelector: $one) {__typename}}"
TICKS = """query($one: InstigationSelector!) {instigationStateOrError(instigationSelector: $one) {
    ...on InstigationState {ticks(limit: 50) {status skipReason error {message}}}}}"""


@pytest.fixture(scope="module")
def told():
    """What the webhook is told."""
    heard: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    heard_at = f"http://127.0.0.1:{server.server_port}/"
    yield heard_at, heard
    server.shutdown()


@pytest.fixture(scope="module")
def environment(tmp_path_factory, told):
    root = tmp_path_factory.mktemp("trouble")
    (root / "dagster").mkdir()
    shipped = files("vivid_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8")
    # As shipped, but that a dead worker is looked for every three seconds.
    (root / "dagster" / "dagster.yaml").write_text(re.sub(r"seconds: 15$", "seconds: 3", shipped, flags=re.MULTILINE))
    (root / "vivid.toml").write_text('[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n')
    store = Store(root=str(root / "store"))
    for name in ("broken", "empty", "good", "away"):
        (root / name).mkdir()
        register(store, name, str(root / name))
    wall = np.full((120, 120, 3), 215, np.uint8)
    cv2.circle(wall, (60, 60), 35, (30, 40, 150), -1, cv2.LINE_AA)
    for name in ("broken", "good"):
        cv2.imwrite(str(root / name / "a.png"), wall)
    (root / "good" / "b.psd").write_bytes(b"8BPS")
    (root / "broken" / "catalogue.toml").write_text("[birefnet]\ntrust_remote_code = true\n")
    (root / "away").rmdir()
    return os.environ | {
        "VIVID_GPU_POOL": "gpu",
        "VIVID_STORE": str(root / "store"),
        "VIVID_SETTINGS": str(root / "vivid.toml"),
        "VIVID_NIGHT_CRON": "* * * * *",
        "VIVID_SENSOR_SECONDS": "5",
        "VIVID_ALERT_WEBHOOK": told[0],
        "DAGSTER_HOME": str(root / "dagster"),
    }


@pytest.fixture
def many(environment, tmp_path):
    """A catalogue that has been scanned and not run; then forgotten."""
    for number in range(PICTURES):
        # Each another one: of equal pictures the mask of one is taken for all.
        wall = np.full((600, 600, 3), 215, np.uint8)
        cv2.circle(wall, (300, 300), 200, (30, 40 + number // 100, 100 + number % 100), -1, cv2.LINE_AA)
        cv2.imwrite(str(tmp_path / f"{number:03}.png"), wall)
    (tmp_path / "catalogue.toml").write_text('prompt = "teal paper"\n')
    store = Store(root=environment["VIVID_STORE"])
    found = scan(store, register(store, "spring", str(tmp_path)))
    with dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]) as instance:
        register_shards(instance, found.assignment.new_shards)
        yield
        forget_shards(instance, "spring")
    take_off(store, "spring")
    shutil.rmtree(tmp_path)


def test_the_slot_of_a_killed_worker_is_freed_and_the_shard_is_tried_again(dagster, environment, many):
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

        dagster.wait(holds_the_pool, every=0.1)
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


def test_the_good_ones_night_goes_through_and_the_others_are_named_once(dagster, environment, told):
    repository = {"repositoryName": "__repository__", "repositoryLocationName": dagster.location()}
    dagster.query(START_SCHEDULE, one={**repository, "scheduleName": "vivid_nightly"})

    def done():
        runs = dagster.query(RUNS)["runsOrError"]["results"]
        return [run for run in runs if run["status"] in ("SUCCESS", "FAILURE")]

    (run,) = dagster.wait(done)
    assert run["status"] == "SUCCESS"
    assert {"key": "dagster/partition", "value": "good-00000"} in run["tags"]
    assert Store(root=environment["VIVID_STORE"]).exists("composites/good/a.png")

    dagster.query(START_SENSOR, one={**repository, "sensorName": "vivid_arrivals"})

    def ticks(name):
        return dagster.query(TICKS, one={**repository, "name": name})["instigationStateOrError"]["ticks"]

    def rested():
        return all(
            any(tick["status"] == "SKIPPED" for tick in ticks(name)) for name in ("vivid_nightly", "vivid_arrivals")
        )

    dagster.wait(rested)
    for name in ("vivid_nightly", "vivid_arrivals"):
        assert all(tick["status"] != "FAILURE" for tick in ticks(name)), ticks(name)
        skipped = next(tick for tick in ticks(name) if tick["status"] == "SKIPPED")
        assert "Not scanned: broken:" in skipped["skipReason"]
    alerts = {alert["title"]: alert["text"] for alert in told[1]}
    assert "birefnet.trust_remote_code is not a catalogue's to set" in alerts["Catalogue broken could not be scanned"]
    assert "has no picture" in alerts["Catalogue empty could not be scanned"]
    assert "cannot be listed" in alerts["Catalogue away could not be scanned"]
    assert "1 .psd, such as 'b.psd'" in alerts["Catalogue good needs attention"]
    titles = [alert["title"] for alert in told[1] if alert["title"].startswith("Catalogue")]
    assert sorted(titles) == sorted(set(titles)), "each once, and not at every tick"
