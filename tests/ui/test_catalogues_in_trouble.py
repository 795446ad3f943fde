"""One broken, one empty and one good folder on a live Dagster: the good one's night goes through, the others are named.

What each of them does to a scan is in tests/catalogue/test_listing.py and tests/assets/operations/test_nights.py.
"""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files

import cv2
import numpy as np
import pytest

from resources.store.store import Store
from vivid_assets.catalogue.source import register

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=3)]

RUNS = "query {runsOrError {...on Runs {results {status tags {key value}}}}}"
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
    (root / "dagster" / "dagster.yaml").write_text(shipped)
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
        "VIVID_STORE": str(root / "store"),
        "VIVID_SETTINGS": str(root / "vivid.toml"),
        "VIVID_NIGHT_CRON": "* * * * *",
        "VIVID_SENSOR_SECONDS": "5",
        "VIVID_ALERT_WEBHOOK": told[0],
        "DAGSTER_HOME": str(root / "dagster"),
    }


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
