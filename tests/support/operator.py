"""What a person does and sees on a live Dagster, by the API that its UI uses."""

import json
import threading
import time
from functools import cached_property
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import cv2
import dagster as dg
import numpy as np

from resources.store.store import Store
from vivid_assets.catalogue.source import register, take_off
from vivid_assets.cli.runs import forget_shards

SETTINGS = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'

RUNS = """query($filter: RunsFilter) {runsOrError(filter: $filter) {...on Runs {results {
    runId status jobName tags {key value} assetMaterializations {assetKey {path}}}}}}"""
LAUNCH = """mutation($params: ExecutionParams!) {launchRun(executionParams: $params) {
    __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}"""
START = """mutation($one: %(kind)sSelector!) {start%(kind)s(%(argument)sSelector: $one) {
    __typename ...on PythonError {message}}}"""
SWITCH = """query($one: InstigationSelector!) {instigationStateOrError(instigationSelector: $one) {
    ...on InstigationState {id status ticks(limit: 50) {timestamp status skipReason error {message}}}}}"""
STOP = {
    "Schedule": """mutation($id: String!) {stopRunningSchedule(id: $id) {
        __typename ...on PythonError {message}}}""",
    "Sensor": "mutation($id: String!) {stopSensor(id: $id) {__typename ...on PythonError {message}}}",
}
DRY_RUN = """mutation($one: ScheduleSelector!, $now: Float!) {scheduleDryRun(selectorData: $one, timestamp: $now) {
    ...on DryRunInstigationTick {evaluationResult {skipReason error {message} runRequests {runKey}}}
    ...on PythonError {message}}}"""
SWITCHES = {"vivid_nightly": "Schedule", "vivid_arrivals": "Sensor"}


class Webhook(HTTPServer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Operator:
    """Whoever looks after the pipeline: switches, launches, reads.

    Args:
        dagster: the live Dagster.
        environment: what it was started with.
        webhook: what its alerts are sent to.

    """

    def __init__(self, dagster: Any, environment: dict[str, str], webhook: Webhook) -> None:
        self.dagster, self.webhook = dagster, webhook
        self.home = environment["DAGSTER_HOME"]
        self.store = Store(root=environment["VIVID_STORE"])
        self.settings = Path(environment["VIVID_SETTINGS"])

    @cached_property
    def repository(self) -> dict[str, str]:
        return {"repositoryName": "__repository__", "repositoryLocationName": self.dagster.location()}

    def register(self, catalogue: str, folder: Path) -> None:
        register(self.store, catalogue, str(folder))

    def forget(self, *catalogues: str) -> None:
        """What one module has added is no other's."""
        with dg.DagsterInstance.from_config(self.home) as instance:
            for catalogue in catalogues:
                take_off(self.store, catalogue)
                forget_shards(instance, catalogue)

    def turn_on(self, name: str) -> None:
        kind = SWITCHES[name]
        argument = kind.lower()
        query = START % {"kind": kind, "argument": argument}
        (answer,) = self.dagster.query(query, one={**self.repository, f"{argument}Name": name}).values()
        assert answer["__typename"] != "PythonError", answer

    def turn_off(self, name: str) -> None:
        state = self.dagster.query(SWITCH, one={**self.repository, "name": name})["instigationStateOrError"]
        (answer,) = self.dagster.query(STOP[SWITCHES[name]], id=state["id"]).values()
        assert answer["__typename"] != "PythonError", answer

    def is_on(self, name: str) -> bool:
        state = self.dagster.query(SWITCH, one={**self.repository, "name": name})["instigationStateOrError"]
        return state["status"] == "RUNNING"

    def ticks(self, name: str) -> list[dict[str, Any]]:
        """The newest first."""
        state = self.dagster.query(SWITCH, one={**self.repository, "name": name})["instigationStateOrError"]
        return state["ticks"]

    def night(self) -> dict[str, Any]:
        """What the schedule's next tick would do, without waiting for it."""
        one = {**self.repository, "scheduleName": "vivid_nightly"}
        evaluation = self.dagster.query(DRY_RUN, one=one, now=time.time())["scheduleDryRun"]["evaluationResult"]
        assert evaluation["error"] is None, evaluation
        return evaluation

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        return self.dagster.query(RUNS, filter=wanted or None)["runsOrError"]["results"]

    def runs_of(self, shard: str, **wanted: Any) -> list[dict[str, Any]]:
        tag = {"key": "dagster/partition", "value": shard}
        return [run for run in self.runs(**wanted) if tag in run["tags"]]

    def launch(
        self, job: str, assets: list[str] | None = None, config: dict[str, Any] | None = None, **tags: str
    ) -> str:
        """The new run's identity."""
        selection = {"assetSelection": [{"path": ["vivid", asset]} for asset in assets]} if assets else {}
        params = {
            "selector": {**self.repository, "jobName": job, **selection},
            "mode": "default",
            "runConfigData": config or {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        return self.launched(self.dagster.query(LAUNCH, params=params)["launchRun"])

    def launched(self, answer: dict[str, Any]) -> str:
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def ended(self, run_id: str) -> dict[str, Any]:
        """The run, once it has ended."""

        def status() -> dict[str, Any] | None:
            (run,) = self.runs(runIds=[run_id])
            return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

        return self.dagster.wait(status)


def done_by(run: dict[str, Any]) -> set[str]:
    """The stages that a run has materialised."""
    return {event["assetKey"]["path"][-1] for event in run["assetMaterializations"]}


def put(path: Path, side: int = 200) -> None:
    """A drawn picture of a disc, another one for each length of its name."""
    wall = np.full((side, side, 3), 215, np.uint8)
    cv2.circle(wall, (side // 2, side // 2), side * 3 // 10, (30, 40, 90 + len(path.name)), -1, cv2.LINE_AA)
    cv2.imwrite(str(path), wall)
