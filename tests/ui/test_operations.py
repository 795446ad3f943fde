"""What a team lives with and sees, on a live Dagster: nights, its UI, tuning, failures; on SQLite and on PostgreSQL."""

import json
import os
import shutil
import threading
import time
from functools import cached_property
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from resources.store.store import Store
from vivid_assets.catalogue.source import register

# A live Dagster takes a minute to start: all stories are told on one.
pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=5)]

STAGES = ["prepared_images", "analysis", "enhanced_prompts", "backgrounds", "masks", "composites", "review"]
SETTINGS = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'

RUNS = """query($filter: RunsFilter) {runsOrError(filter: $filter) {...on Runs {results {
    runId status jobName tags {key value} assetMaterializations {assetKey {path}}}}}}"""
STALE = """query($stage: [String!]!, $shard: String!) {assetNodeOrError(assetKey: {path: $stage}) {...on AssetNode {
    staleStatus(partition: $shard) staleCauses(partition: $shard) {key {path}}}}}"""
CHECKS = """query($stage: [String!]!, $check: String!) {
    assetCheckExecutions(assetKey: {path: $stage}, checkName: $check, limit: 20) {
        evaluation {success severity description}}}"""
PARTITIONS = """query($stage: [String!]!) {assetNodeOrError(assetKey: {path: $stage}) {...on AssetNode {
    partitionStats {numMaterialized}}}}"""
LAUNCH = """mutation($params: ExecutionParams!) {launchRun(executionParams: $params) {
    __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}"""
AGAIN = """mutation($parent: String!) {launchRunReexecution(
    reexecutionParams: {parentRunId: $parent, strategy: FROM_FAILURE}) {
    __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}"""
TURN = """mutation($selector: %(kind)sSelector!) {start%(kind)s(%(argument)sSelector: $selector) {__typename}}"""
TICKS = """query($selector: InstigationSelector!) {instigationStateOrError(instigationSelector: $selector) {
    ...on InstigationState {ticks(limit: 5) {status skipReason error {message}}}}}"""


class Webhook(HTTPServer):
    """Keeps what it is told."""

    def __init__(self):
        self.told: list[dict] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def webhook():
    server = Webhook()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def storage(request):
    """What dagster.yaml says of the storage: a PostgreSQL server of this test's own where CI has one, else SQLite."""
    if not os.environ.get("VIVID_REQUIRE_POSTGRES"):
        return ""
    url = request.getfixturevalue("new_database")()
    return f'\nstorage:\n  postgres:\n    postgres_url: "{url}"\n'


@pytest.fixture(scope="module")
def environment(tmp_path_factory, webhook, storage):
    root = tmp_path_factory.mktemp("operations")
    home = root / "dagster"
    home.mkdir()
    shipped = files("vivid_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8")
    (home / "dagster.yaml").write_text(shipped + storage)
    (root / "vivid.toml").write_text(SETTINGS)
    return os.environ | {
        "VIVID_STORE": str(root / "store"),
        "VIVID_SETTINGS": str(root / "vivid.toml"),
        "VIVID_NIGHT_CRON": "* * * * *",
        "VIVID_SENSOR_SECONDS": "5",
        "VIVID_ALERT_WEBHOOK": f"http://127.0.0.1:{webhook.server_port}/",
        "DAGSTER_HOME": str(home),
    }


class Operator:
    """What a person does and sees, by the API that the UI uses."""

    def __init__(self, dagster, environment):
        self.dagster = dagster
        self.store = Store(root=environment["VIVID_STORE"])
        self.settings = Path(environment["VIVID_SETTINGS"])
        self.pictures = self.settings.parent / "pictures"
        if not self.pictures.exists():
            self.pictures.mkdir()
            (self.pictures / "catalogue.toml").write_text("shard_size = 2")
            for name in "abc":
                self.put(f"{name}.png")
            register(self.store, "spring", str(self.pictures))

    def put(self, name):
        wall = np.full((200, 200, 3), 215, np.uint8)
        cv2.circle(wall, (100, 100), 60, (30, 40, 90 + len(name)), -1, cv2.LINE_AA)
        cv2.imwrite(str(self.pictures / name), wall)

    @cached_property
    def repository(self):
        return {"repositoryName": "__repository__", "repositoryLocationName": self.dagster.location()}

    def turn_on(self, kind, name):
        argument = kind.lower()
        query = TURN % {"kind": kind, "argument": argument}
        self.dagster.query(query, selector={**self.repository, f"{argument}Name": name})

    def runs(self, **wanted):
        return self.dagster.query(RUNS, filter=wanted or None)["runsOrError"]["results"]

    def runs_of(self, shard, **wanted):
        tag = {"key": "dagster/partition", "value": shard}
        return [run for run in self.runs(**wanted) if tag in run["tags"]]

    def materialized(self, stage):
        node = self.dagster.query(PARTITIONS, stage=["vivid", stage])["assetNodeOrError"]
        return node["partitionStats"]["numMaterialized"]

    def stale(self, shard):
        """The stages that the UI shows as out of date, and why."""
        found = {}
        for stage in STAGES:
            node = self.dagster.query(STALE, stage=["vivid", stage], shard=shard)["assetNodeOrError"]
            if node["staleStatus"] != "FRESH":
                found[stage] = [cause["key"]["path"][-1] for cause in node["staleCauses"]]
        return found

    def launch(self, job, assets=None, config=None, **tags):
        selection = {"assetSelection": [{"path": ["vivid", asset]} for asset in assets]} if assets else {}
        params = {
            "selector": {**self.repository, "jobName": job, **selection},
            "mode": "default",
            "runConfigData": config or {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        return self.launched(self.dagster.query(LAUNCH, params=params)["launchRun"])

    def launched(self, answer):
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def ended(self, run_id):
        def status():
            (run,) = self.runs(runIds=[run_id])
            return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

        return self.dagster.wait(status)


def done_by(run):
    return {event["assetKey"]["path"][-1] for event in run["assetMaterializations"]}


@pytest.fixture(scope="module")
def operator(dagster, environment):
    return Operator(dagster, environment)


@pytest.fixture(scope="module")
def after_a_night(operator):
    """The schedule is on and has brought the catalogue through."""
    operator.turn_on("Schedule", "vivid_nightly")
    operator.dagster.wait(lambda: len(operator.runs(statuses=["SUCCESS"])) >= 2)
    return operator


def test_the_night_finds_the_catalogue_runs_its_shards_and_then_rests(after_a_night):
    operator = after_a_night
    runs = operator.runs()
    assert len(runs) == 2
    for shard in ("spring-00000", "spring-00001"):
        (run,) = operator.runs_of(shard)
        assert (run["status"], run["jobName"]) == ("SUCCESS", "vivid_catalogue")
        assert done_by(run) >= {*STAGES}
    assert all(operator.materialized(stage) == 2 for stage in STAGES)
    assert operator.store.exists("composites/spring/c.png")

    def rested():
        selector = {**operator.repository, "name": "vivid_nightly"}
        ticks = operator.dagster.query(TICKS, selector=selector)["instigationStateOrError"]["ticks"]
        return any(tick["status"] == "SKIPPED" and tick["skipReason"] == "Nothing to do." for tick in ticks)

    operator.dagster.wait(rested)
    assert len(operator.runs()) == 2


def test_the_asset_graph_opens(after_a_night, page):
    location = after_a_night.repository["repositoryLocationName"]
    page.goto(f"{after_a_night.dagster.url}/locations/{location}/asset-groups/vivid/lineage")
    for stage in STAGES:
        page.get_by_text(stage, exact=True).first.wait_for()


def test_partitions_and_contact_sheet_are_shown(after_a_night, page):
    page.goto(f"{after_a_night.dagster.url}/assets/vivid/review?view=partitions&partition=spring-00000")
    page.get_by_text("spring-00000").first.wait_for()
    page.get_by_text("Show Markdown").first.click()
    sheet = page.locator("img[src^='data:image/webp']").first
    sheet.wait_for()
    assert sheet.evaluate("image => image.complete && image.naturalWidth") > 200


def test_a_partition_is_materialised_as_the_ui_does_it(after_a_night):
    run = after_a_night.launch("__ASSET_JOB", ["composites"], **{"dagster/partition": "spring-00000"})
    assert after_a_night.ended(run)["status"] == "SUCCESS"


def test_the_sensor_finds_a_picture_that_arrives_and_runs_it_alone(after_a_night):
    operator = after_a_night
    before = len(operator.runs())
    operator.turn_on("Sensor", "vivid_arrivals")
    operator.put("new arrival.png")
    operator.dagster.wait(lambda: len(operator.runs_of("spring-00001", statuses=["SUCCESS"])) == 2)
    assert len(operator.runs()) == before + 1
    assert operator.store.exists("composites/spring/new arrival.png")


def test_a_tuned_blend_is_shown_as_out_of_date_and_reblends_alone(after_a_night):
    operator, shards = after_a_night, ["spring-00000", "spring-00001"]
    operator.settings.write_text(SETTINGS + '[composites]\nmode = "lab-deprojection"\n')
    operator.dagster.wait(lambda: operator.stale(shards[0]))
    assert operator.stale(shards[0]) == operator.stale(shards[1]) == {"composites": ["composites_settings"]}
    scenes = {path: path.stat().st_mtime_ns for path in operator.store.path("scenes").rglob("*.png")}
    assert scenes

    # The graph stays green; the checks of the catalogues say it, without a run.
    def counted(check):
        found = operator.dagster.query(CHECKS, stage=["vivid", "catalogues"], check=check)["assetCheckExecutions"]
        return found and found[0]["evaluation"]["description"]

    all_of_them = len([*operator.pictures.glob("*.png")])
    operator.dagster.wait(lambda: counted("composites_up_to_date") == f"spring: {all_of_them} stale")
    assert counted("masks_up_to_date") == "All is up to date."

    assert operator.ended(operator.launch("vivid_update"))["status"] == "SUCCESS"
    tags = [{"key": "dagster/sensor_name", "value": "vivid_updates"}]
    operator.dagster.wait(lambda: len(operator.runs(tags=tags, statuses=["SUCCESS"])) == 2)
    assert [done_by(run) for run in operator.runs(tags=tags)] == [{"composites", "review", "export"}] * 2
    operator.dagster.wait(lambda: counted("composites_up_to_date") == "All is up to date.")
    # In Dagster's own eyes, too.
    assert "composites" not in operator.stale(shards[0])
    assert {path: path.stat().st_mtime_ns for path in operator.store.path("scenes").rglob("*.png")} == scenes


def test_a_corrupt_picture_is_a_warning_by_name_and_one_job_tries_it_again(after_a_night, webhook):
    operator = after_a_night
    # Both at once, so that one run sees both.
    arriving = operator.settings.parent / "arriving"
    arriving.mkdir()
    (arriving / "corrupt.png").write_bytes(b"no picture")
    shutil.copy(operator.pictures / "a.png", arriving / "sound.png")
    arriving.rename(operator.pictures / "arrived")
    (run,) = operator.dagster.wait(lambda: operator.runs_of("spring-00002", statuses=["SUCCESS"]))
    assert run["jobName"] == "vivid_catalogue"
    executions = operator.dagster.query(CHECKS, stage=["vivid", "prepared_images"], check="complete")[
        "assetCheckExecutions"
    ]
    warnings = [one["evaluation"] for one in executions if one["evaluation"] and not one["evaluation"]["success"]]
    assert [warning["severity"] for warning in warnings] == ["WARN"]
    assert "corrupt.png" in warnings[0]["description"]
    operator.dagster.wait(lambda: any("corrupt.png" in told["text"] for told in webhook.told))

    before = {run["runId"] for run in operator.runs()}
    config = {"ops": {"vivid_find_updates": {"config": {"what": "FAILED"}}}}
    assert operator.ended(operator.launch("vivid_update", config=config))["status"] == "SUCCESS"

    def tried_again():
        tags = [{"key": "dagster/sensor_name", "value": "vivid_updates"}]
        return [run for run in operator.runs(statuses=["SUCCESS"], tags=tags) if run["runId"] not in before]

    (again,) = operator.dagster.wait(tried_again)
    assert {"key": "dagster/partition", "value": "spring-00002"} in again["tags"]


def test_a_machine_s_fault_fails_the_step_is_told_and_goes_on_from_there(after_a_night, webhook):
    operator = after_a_night
    operator.settings.write_text(SETTINGS + "[composites]\nspill_strength = 0.5\n")
    folder = operator.store.path("artefacts/spring/composites")
    folder.rename(folder.with_name("away"))
    folder.write_bytes(b"in the way")
    failed = operator.ended(operator.launch("vivid_catalogue", **{"dagster/partition": "spring-00000"}))
    assert failed["status"] == "FAILURE"
    assert "backgrounds" in done_by(failed)
    assert "composites" not in done_by(failed)
    operator.dagster.wait(lambda: any("Run failed" in told["title"] for told in webhook.told))
    folder.unlink()
    folder.with_name("away").rename(folder)
    started = time.time()
    answer = operator.dagster.query(AGAIN, parent=failed["runId"])["launchRunReexecution"]
    again = operator.ended(operator.launched(answer))
    assert again["status"] == "SUCCESS", f"after {time.time() - started:.0f} s"
    assert {"composites", "review"} <= done_by(again) <= {"composites", "review", "export"}
