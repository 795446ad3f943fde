"""Runs on a Ray cluster, by the configuration that is shipped: a head, two workers, three shards."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from resources.runtime.warm import NAMESPACE
from resources.store.store import Store
from tests.support.waiting import HANG_S, until
from vivid_assets.assets.masks import MASKS
from vivid_assets.rows.tables import read_rows

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=2)]

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "ray" / "dagster.yaml"
SETTINGS = '[masks]\ntiers = ["u2netp", "gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'


@pytest.fixture(scope="module")
def settings(tmp_path_factory, u2netp):
    path = tmp_path_factory.mktemp("settings") / "vivid.toml"
    path.write_text(SETTINGS)
    return path


@pytest.fixture(scope="module")
def environment():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def cluster(environment, new_database):
    """A head that takes no work, and two workers with a CPU each. They know the database; the rest comes with a run."""
    # As Ray does by itself, but without a token in the home folder.
    environment.setenv("RAY_AUTH_MODE", "token")
    environment.setenv("RAY_AUTH_TOKEN", "vivid-" + "0123456789abcdef" * 2)
    environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
    environment.setenv("VIVID_POSTGRES_URL", new_database())
    # A run is the command `dagster`, as the node finds it.
    environment.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    # Ray gives its processes half a minute to come up; a busy machine may take longer.
    for name in (
        "RAY_DASHBOARD_STARTUP_TIMEOUT_S",
        "RAY_gcs_server_port_wait_time_s",
        "RAY_worker_register_timeout_seconds",
    ):
        environment.setenv(name, str(round(HANG_S)))
    environment.setenv("RAY_agent_register_timeout_ms", str(round(HANG_S * 1000)))
    environment.setenv("RAY_health_check_timeout_ms", str(round(HANG_S * 1000)))
    from ray._private import services
    from ray.cluster_utils import Cluster

    get_node = services.get_node

    def get_node_patiently(*arguments):
        """A node that has not registered yet is a RuntimeError, which Ray's own loop takes for half a minute."""

        def registered():
            with suppress(RuntimeError):
                return get_node(*arguments)

        return until(registered)

    environment.setattr(services, "get_node", get_node_patiently)
    environment.setattr(Cluster._wait_for_node, "__defaults__", (HANG_S,))
    memory = 80 * 2**20
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": 0, "object_store_memory": memory}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=memory)
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def ran(cluster, environment, pictures, settings, make_deployed, launch_shards, tmp_path_factory):
    """The store after three runs, and the Ray nodes that they ran on."""
    root = tmp_path_factory.mktemp("ray")
    (root / "home").mkdir()
    (root / "home" / "dagster.yaml").write_bytes(CONFIGURATION.read_bytes())
    for name, value in {
        "RAY_API_SERVER_ADDRESS": f"http://{cluster.webui_url}",
        "VIVID_STORE": str(root / "store"),
        "VIVID_SETTINGS": str(settings),
        "VIVID_WARM_MODELS": "ray",
        "DAGSTER_HOME": str(root / "home"),
    }.items():
        environment.setenv(name, value)
    shards = make_deployed(str(root / "store"), str(pictures), settings).scan()
    with dg.DagsterInstance.get() as instance:
        launched = launch_shards(instance, {shard: {} for shard in shards})
        client = instance.run_launcher.client

        def ended():
            runs = [instance.get_run_by_id(run) for run in launched]
            healthy = [instance.run_launcher.check_run_worker_health(run).status for run in runs]
            return runs if all(run.is_finished for run in runs) or WorkerStatus.FAILED in healthy else None

        runs = until(ended)
        jobs = {job.metadata["dagster/run-id"]: job for job in client.list_jobs()}
        logs = "\n".join(client.get_job_logs(job.submission_id)[-2000:] for job in jobs.values())
        assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 3, logs
    return root / "store", [jobs[run].driver_node_id for run in launched]


def test_three_shards_on_two_workers_equal_a_local_run_byte_for_byte(
    ran, environment, pictures, settings, make_deployed, contents, differences, tmp_path
):
    store, nodes = ran
    assert len(nodes) == 3
    assert len(set(nodes)) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VIVID_WARM_MODELS")
        local = make_deployed(str(tmp_path / "store"), str(pictures), settings)
        for shard in local.scan():
            local.run(shard)
    assert differences(contents(str(store)), contents(str(tmp_path / "store"))) == []


def test_the_model_stays_warm_from_run_to_run(ran, cluster):
    """Three runs, a process and a picture each, have asked one actor, or one on each node, as Ray counts nodes here."""
    store, _ = ran
    tables = [read_rows(Store(root=str(store)), MASKS, f"spring-{number:05}") for number in range(3)]
    assert all('"tier": "u2netp"' in row["tried"] for rows in tables for row in rows.values())
    import ray

    ray.init(address=cluster.address, namespace=NAMESPACE, log_to_driver=False)
    try:
        actors = [ray.get_actor(name) for name in ray.util.list_named_actors()]
        asked = [ray.get(actor.about.remote())["pictures"] for actor in actors]
    finally:
        ray.shutdown()
    assert sum(asked) == 3
    assert max(asked) > 1, "a model that was loaded in one run has answered another"
