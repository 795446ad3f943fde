"""One small catalogue of three shards, and an S3 server."""

import hashlib
import io
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import dagster as dg
import numpy as np
import pyarrow.parquet as pq
import pytest

from resources.store.store import Store
from tests.support.ports import free_ports
from tests.support.shards import run_shard
from tests.support.waiting import HANG_S, until
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import find, register
from vivid_assets.settings import SettingsFile

SETTINGS = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'

# How long something took, and who of several came first: what two good runs differ in.
_CHANCE = {"seconds", "seconds_each", "reused"}
# Records of who works on what, and Dagster's own where the instance lies in the store.
_ASIDE = ("claims/", "scenes/claims/", "dagster/")


class Deployed:
    """A catalogue and its store, wherever they are, and runs over it in this process."""

    def __init__(self, store: str, pictures: str, settings: Path):
        self.store = Store(root=store)
        self.settings_file = settings
        self.instance: dg.DagsterInstance | None = None
        register(self.store, "spring", pictures)

    def scan(self) -> list[str]:
        """The shards that have work."""
        found = scan(self.store, find(self.store, "spring"))
        if self.instance:
            self.instance.add_dynamic_partitions("vivid_shards", found.assignment.new_shards)
        return found.shards_to_run

    def run(self, shard: str) -> dict[str, int]:
        """How many rows each stage computed."""
        return run_shard(self.store, shard, self.settings_file)

    def run_in_dagster(self, shard: str) -> None:
        from vivid_assets.definitions import PIPELINE, defs

        settings = SettingsFile(path=str(self.settings_file))
        defs.resolve_job_def("vivid_catalogue").execute_in_process(
            instance=self.instance,
            partition_key=shard,
            resources={**(defs.resources or {}), **PIPELINE.resources(store=self.store, settings=settings)},
        )


def product(number: int) -> bytes:
    """A round product on a wall, as a PNG file."""
    wall = np.full((64, 64, 3), (205, 200, 190), np.uint8)
    cv2.circle(wall, (32, 32), 20, (60 * number % 256, 40 + 50 * number % 90, 180), -1)
    return cv2.imencode(".png", wall)[1].tobytes()


def contents(root: str) -> dict[str, object]:
    """Every file of a store: a table's rows and notes, the digest of anything else."""
    store = Store(root=root)
    folder = store.path("")
    base = folder.path.rstrip("/")
    names = [name[len(base) + 1 :] for name in folder.fs.find(base)]
    return {name: _content(name, store.read(name)) for name in names if not name.startswith(_ASIDE)}


def _content(name: str, data: bytes) -> object:
    if name.startswith("progress/"):
        stages = json.loads(data)
        return {
            stage: {key: value for key, value in one.items() if key not in _CHANCE} for stage, one in stages.items()
        }
    if not name.endswith(".parquet"):
        return hashlib.sha256(data).hexdigest()
    table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
    rows = [{column: _plain(column, value) for column, value in row.items()} for row in table.to_pylist()]
    return table.schema.names, table.schema.metadata, rows


def _plain(column: str, value: object) -> object:
    if column in _CHANCE:
        return None
    # The mask tiers that were asked, each with its time.
    return [one | {"seconds": 0} for one in json.loads(value)] if column == "tried" and value else value


def differences(found: dict[str, object], expected: dict[str, object]) -> list[str]:
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


@pytest.fixture(scope="session", name="contents")
def _contents() -> Callable[[str], dict[str, object]]:
    return contents


@pytest.fixture(scope="session", name="differences")
def _differences() -> Callable[[dict, dict], list[str]]:
    return differences


@pytest.fixture(scope="session", name="product")
def _product() -> Callable[[int], bytes]:
    return product


@pytest.fixture(scope="session")
def make_deployed() -> type[Deployed]:
    return Deployed


@pytest.fixture(scope="session")
def settings(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "vivid.toml"
    path.write_text(SETTINGS)
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """Three products, a shard each."""
    folder = tmp_path_factory.mktemp("source") / "pictures"
    folder.mkdir()
    (folder / "catalogue.toml").write_text('prompt = "red paper"\nshard_size = 1\n')
    for number in range(3):
        (folder / f"{number}.png").write_bytes(product(number))
    return folder


@pytest.fixture(scope="session")
def launch_shards():
    """``launch_shards(instance, {shard: tags})``: a run a shard, by the instance's run launcher; the runs' numbers."""
    return launch


def launch(instance: dg.DagsterInstance, shards: dict[str, dict[str, str]]) -> list[str]:
    """As Dagster's daemon launches: from a code location in a process of its own."""
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import ModuleTarget

    instance.add_dynamic_partitions("vivid_shards", [*shards])
    # The daemon makes a pool known before it launches; two first runs at once would both, and one of them fail.
    if instance.event_log_storage.supports_global_concurrency_limits:
        instance.event_log_storage.initialize_concurrency_limit_to_default("gpu")
    target = ModuleTarget("vivid_assets.definitions", None, None, "vivid_assets")
    with WorkspaceProcessContext(instance, target) as process:
        workspace = process.create_request_context()
        (repository,) = workspace.code_locations[0].get_repositories().values()
        job = repository.get_full_job("vivid_catalogue")
        runs = [
            instance.create_run(
                job_name=job.name,
                run_id=None,
                run_config={},
                status=None,
                tags={"dagster/partition": shard} | dict(job.run_tags) | tags,
                root_run_id=None,
                parent_run_id=None,
                step_keys_to_execute=None,
                execution_plan_snapshot=None,
                job_snapshot=job.job_snapshot,
                parent_job_snapshot=job.parent_job_snapshot,
                op_selection=None,
                resolved_op_selection=None,
                asset_selection=None,
                asset_check_selection=None,
                remote_job_origin=job.get_remote_origin(),
                job_code_origin=job.get_python_origin(),
                asset_graph=repository.asset_graph,
            ).run_id
            for shard, tags in shards.items()
        ]
        for run in runs:
            instance.launch_run(run, workspace)
    return runs


@pytest.fixture(scope="session")
def s3():
    """A bucket, ``s3://vivid``, of an S3 server in a process of its own; told to all clients by the environment."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, Path(__file__).with_name("s3_server.py"), str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(url), alive=lambda: server.poll() is None)
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            patch.setenv("AWS_ENDPOINT_URL", url)
            patch.setenv("AWS_ACCESS_KEY_ID", "vivid")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "vivid")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            import s3fs

            client = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
            client.mkdir("vivid")
            yield client
    finally:
        server.terminate()
        server.wait()


def answers(url: str) -> bool:
    with suppress(urllib.error.HTTPError):  # it refuses us, so it is there
        urllib.request.urlopen(url, timeout=HANG_S).close()
    return True
