"""Dagster with ten thousand shards: its start, its pages, a backfill of all and a night, in seconds and CPU seconds.

    python -m benchmarks.speed.instance --postgres postgresql+psycopg2://user@host/empty [--shards 10000] [--runs 500]

The database must be empty. ``vivid ui`` runs on a catalogue that is all done, by its records: a manifest with digests,
of pictures that nobody has, and one materialisation of each shard and stage. Pages are opened in Chromium. No run is
launched (``max_concurrent_runs: 0``), since others measure what a run costs: of the backfill the first ``--runs`` are
waited for. CPU seconds are those of all processes of ``vivid ui``, so that they hold on a busy machine too.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import create_engine, text

from benchmarks.speed.nights import note_all_done, write_manifest
from resources.store.store import Store
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.flow import STAGE_NAMES
from vivid_assets.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
PIPELINE = Pipeline()
ASSETS = (*STAGE_NAMES, "export")
PICTURES = 4
"""Of a shard."""
ROLES = {
    "dagster_webserver": "web server",
    "dagster._daemon": "daemon",
    "code-server": "code server",
    "api grpc": "code server",
}

COPY = """insert into event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
    select run_id, replace(event, :first, key), dagster_event_type, timestamp, step_key, asset_key, key
    from event_logs, (select 'big-' || lpad(n::text, 5, '0') as key from generate_series(1, :last) n) as keys
    where partition = :first"""
LOCATIONS = "{repositoriesOrError {...on RepositoryConnection {nodes {name location {name}}}}}"
BACKFILL = """mutation($assets: [AssetKeyInput!]) {
    launchPartitionBackfill(backfillParams: {assetSelection: $assets, allPartitions: true}) {
        __typename ...on LaunchBackfillSuccess {backfillId} ...on PythonError {message}}}"""
CANCEL = "mutation($backfill: String!) {cancelPartitionBackfill(backfillId: $backfill) {__typename}}"
START = "mutation($schedule: ScheduleSelector!) {startSchedule(scheduleSelector: $schedule) {__typename}}"
TICKS = """query($selector: InstigationSelector!) {instigationStateOrError(instigationSelector: $selector) {
    ...on InstigationState {ticks(limit: 5) {status timestamp endTimestamp runIds error {message}}}}}"""
PARTITIONS = """query($key: AssetKeyInput!) {assetNodeOrError(assetKey: $key) {...on AssetNode {
    partitionKeys partitionStats {numMaterialized} assetPartitionStatuses {
        ...on DefaultPartitionStatuses {materializedPartitions}}}}}"""


class Servers:
    """``vivid ui`` and all the processes that it starts."""

    def __init__(self, environment: dict[str, str], store: str, port: int):
        self.url = f"http://127.0.0.1:{port}"
        vivid = str(Path(sys.executable).with_name("vivid"))
        self._process = subprocess.Popen(
            [vivid, "ui", "--store", store, "--port", str(port), "--desk-port", str(port + 1)],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def query(self, what: str, **variables: Any) -> Any:
        body = json.dumps({"query": what, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            found = json.load(answer)
        if "errors" in found:
            raise RuntimeError(found["errors"])
        return found["data"]

    def processes(self) -> dict[int, str]:
        """The processes' numbers, and what each is for."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
            except OSError:
                continue
        ours, found = {self._process.pid}, {self._process.pid: "others"}
        while more := {child for child, parent in parents.items() if parent in ours} - ours:
            ours |= more
        for child in ours:
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            found[child] = next((role for part, role in ROLES.items() if part in command), "others")
        return found

    def cpu(self) -> Counter[str]:
        """CPU seconds by what a process is for, with those of processes that have ended."""
        seconds: Counter[str] = Counter()
        for process, role in self.processes().items():
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
            seconds[role] += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        return seconds

    def memory(self, role: str) -> float:
        """GiB of the largest process with that role, at its peak."""
        peaks = [0]
        for process, its in self.processes().items():
            if its == role:
                status = Path(f"/proc/{process}/status").read_text()
                peaks.append(int(status.partition("VmHWM:")[2].split()[0]))
        return max(peaks) / 2**20

    def stop(self) -> None:
        started = time.perf_counter()
        self._process.terminate()
        self._process.wait()
        print(f"{'stop, by SIGTERM':46} {time.perf_counter() - started:7.1f} s", flush=True)


@contextmanager
def measured(servers: Servers, what: str) -> Iterator[None]:
    """Print what the block took, on the clock and of each server's processor."""
    started, before = time.perf_counter(), servers.cpu()
    yield
    seconds, cpu = time.perf_counter() - started, servers.cpu() - before
    by_role = ", ".join(f"{role} {used:.1f}" for role, used in cpu.most_common() if used >= 0.05)
    print(f"{what:46} {seconds:7.1f} s   CPU {cpu.total():7.1f} s ({by_role})", flush=True)


def until(what: Callable[[], Any], every: float = 0.5) -> Any:
    while True:
        try:
            if found := what():
                return found
        except OSError:
            pass
        time.sleep(every)


def fill(home: Path, root: Path, shards: int) -> None:
    """A catalogue of that many shards, all done, and its records."""
    pictures = root / "pictures"
    pictures.mkdir()
    (pictures / "catalogue.toml").write_text(f"shard_size = {PICTURES}\n")
    write_manifest(pictures, shards * PICTURES, changed=0)
    store = Store(root=str(root / "store"))
    found = scan(store, register(store, "big", str(pictures)))
    assert note_all_done(store) == len(found.assignment.new_shards) == shards
    with dg.DagsterInstance.from_config(str(home)) as instance:
        keys = [f"big-{number:05}" for number in range(shards)]
        instance.add_dynamic_partitions(PIPELINE.shards_name, keys)
        for asset in ASSETS:
            instance.report_runless_asset_event(dg.AssetMaterialization(PIPELINE.key(asset), partition=keys[0]))
    # The others' events as Dagster would write them, which takes it a quarter of an hour.
    engine = create_engine(os.environ["VIVID_POSTGRES_URL"])
    with engine.begin() as connection:
        connection.execute(text(COPY), {"first": keys[0], "last": shards - 1})
    engine.dispose()


def pages(servers: Servers, page: Page, shards: int) -> None:
    composites = f"{servers.url}/assets/vivid/composites"
    for visit in ("first", "again"):
        with measured(servers, f"partitions page, {visit}"):
            page.goto(f"{composites}?view=partitions")
            page.get_by_text("big-00000").first.wait_for()
    with measured(servers, "a partition's page"):
        page.goto(f"{composites}?view=partitions&partition=big-{shards // 2:05}")
        page.get_by_text("Materialization").first.wait_for()
    with measured(servers, "graph of the group"):
        page.goto(f"{servers.url}/locations/vivid_assets.definitions/asset-groups/vivid")
        page.get_by_role("button", name="Materialize all").wait_for()
    with measured(servers, "launch dialog of all stages"):
        page.get_by_role("button", name="Materialize all").click()
        page.get_by_role("button", name="All", exact=True).click()
        page.get_by_text(re.compile(f"^({shards}|{shards:,}) partitions$")).first.wait_for()
    with measured(servers, "GraphQL: partitions of an asset"):
        servers.query(PARTITIONS, key={"path": ["vivid", "composites"]})


def backfill(servers: Servers, instance: dg.DagsterInstance, runs: int) -> None:
    with measured(servers, "backfill of all: asked for"):
        answer = servers.query(BACKFILL, assets=[{"path": ["vivid", asset]} for asset in ASSETS])
        identity = answer["launchPartitionBackfill"]["backfillId"]
    wanted = dg.RunsFilter(tags={"dagster/backfill": identity})
    with measured(servers, "backfill of all: its first run"):
        until(lambda: instance.get_runs_count(wanted))
    first = instance.get_runs_count(wanted)
    with measured(servers, f"backfill of all: {runs} further runs in the queue"):
        until(lambda: instance.get_runs_count(wanted) >= first + runs)
    print(f"                {instance.get_runs_count(wanted) - first} there")
    with measured(servers, "backfill of all: cancelled"):
        servers.query(CANCEL, backfill=identity)
        until(lambda: instance.get_backfill(identity).status.value == "CANCELED")


def night(servers: Servers, root: Path, shards: int) -> None:
    """A tick of the schedule, with one per cent of the pictures changed."""
    changed = shards * PICTURES // 100
    write_manifest(root / "pictures", shards * PICTURES, changed=changed)
    node = servers.query(LOCATIONS)["repositoriesOrError"]["nodes"][0]
    repository = {"repositoryName": node["name"], "repositoryLocationName": node["location"]["name"]}
    name = PIPELINE.named("nightly")

    def tick() -> Any:
        state = servers.query(TICKS, selector={**repository, "name": name})["instigationStateOrError"]
        ended = [one for one in state.get("ticks", []) if one["endTimestamp"]]
        return ended[-1] if ended else None

    servers.query(START, schedule={**repository, "scheduleName": name})
    with measured(servers, f"a night's tick, {changed} pictures changed"):
        found = until(tick)
    seconds = found["endTimestamp"] - found["timestamp"]
    print(
        f"                {found['status']}: {len(found['runIds'])} runs requested, {seconds:.1f} s from its minute on"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--port", type=int, default=3100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        root = Path(temporary)
        home = root / "dagster"
        home.mkdir()
        os.environ["VIVID_POSTGRES_URL"] = arguments.postgres
        shipped = yaml.safe_load((ROOT / "deploy" / "postgres" / "dagster.yaml").read_text())
        shipped["concurrency"]["runs"]["max_concurrent_runs"] = 0
        (home / "dagster.yaml").write_text(yaml.safe_dump(shipped))
        fill(home, root, arguments.shards)
        environment = os.environ | {"DAGSTER_HOME": str(home), "VIVID_NIGHT_CRON": "* * * * *"}
        servers = Servers(environment, str(root / "store"), arguments.port)
        try:
            with measured(servers, "start until the first answer of GraphQL"):
                until(lambda: servers.query(LOCATIONS)["repositoriesOrError"].get("nodes"))
            executable = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(bypass_csp=True, viewport={"width": 1500, "height": 1000})
            page.set_default_timeout(600_000)
            pages(servers, page, arguments.shards)
            # An open page asks the web server every few seconds.
            browser.close()
            with dg.DagsterInstance.from_config(str(home)) as instance:
                backfill(servers, instance, arguments.runs)
            night(servers, root, arguments.shards)
            for role in ("daemon", "code server", "web server"):
                print(f"{role:46} {servers.memory(role):7.2f} GiB at most")
        finally:
            servers.stop()


if __name__ == "__main__":
    main()
