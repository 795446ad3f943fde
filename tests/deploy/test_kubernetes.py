"""The Kubernetes jobs that the shipped values lead to: what dagster-k8s sends to an API server for a shard's run."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.live(minutes=0.5)]

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())
DEPLOYMENT = VALUES["dagster-user-deployments"]["deployments"][0]
IMAGE = "{repository}:{tag}".format(**DEPLOYMENT["image"])


class ApiServer(ThreadingHTTPServer):
    """Takes jobs and keeps what it was sent."""

    def __init__(self):
        self.jobs: list[dict] = []
        jobs = self.jobs

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                jobs.append({"path": self.path, "body": json.loads(body)})
                self.send_response(201)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def launcher_config() -> dict:
    """The run launcher's configuration as the chart writes it into dagster.yaml from the values."""
    values = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    assert values.keys() == {"imagePullPolicy", "runK8sConfig"}, "what is written here is all that is in the values"
    return {
        "load_incluster_config": True,
        "job_namespace": "vivid",
        "image_pull_policy": values["imagePullPolicy"],
        "service_account_name": "vivid-dagster",
        "dagster_home": "/opt/dagster/dagster_home",
        "instance_config_map": "vivid-dagster-instance",
        "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
        "run_k8s_config": {snake(key): value for key, value in values["runK8sConfig"].items()},
    }


def container_context() -> str:
    """What the chart tells the code location of itself, for its runs (includeConfigInLaunchedRuns)."""
    assert DEPLOYMENT["includeConfigInLaunchedRuns"]["enabled"]
    return json.dumps(
        {
            "k8s": {
                "image_pull_policy": DEPLOYMENT["image"]["pullPolicy"],
                "env_secrets": [secret["name"] for secret in DEPLOYMENT["envSecrets"]],
                "env": DEPLOYMENT["env"],
                "volumes": DEPLOYMENT["volumes"],
                "volume_mounts": DEPLOYMENT["volumeMounts"],
            }
        }
    )


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)


@pytest.fixture(scope="module")
def jobs(launch_shards, tmp_path_factory):
    """The jobs of two runs: an ordinary one, and one with the tag of the documentation that asks for no GPU."""
    import kubernetes

    server = ApiServer()

    def in_cluster():
        configuration = kubernetes.client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
        kubernetes.client.Configuration.set_default(configuration)

    home = tmp_path_factory.mktemp("home")
    launcher = {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher_config()}
    (home / "dagster.yaml").write_text(yaml.safe_dump({"run_launcher": launcher}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kubernetes.config, "load_incluster_config", in_cluster)
        patch.setenv("DAGSTER_CURRENT_IMAGE", IMAGE)
        patch.setenv("DAGSTER_CONTAINER_CONTEXT", container_context())
        with dg.DagsterInstance.from_config(str(home)) as instance:
            no_gpu = {"dagster-k8s/config": json.dumps(no_gpu_tag())}
            launched = launch_shards(instance, {"spring-00000": {}, "spring-00001": no_gpu})
            assert instance.get_run_by_id(launched[0]).tags["dagster/partition"] == "spring-00000"
    assert server.jobs[0]["body"]["metadata"]["labels"]["dagster/run-id"] == launched[0]
    server.shutdown()
    kubernetes.client.Configuration.set_default(None)
    return server.jobs


def no_gpu_tag() -> dict:
    """As docs/scaling.md says it."""
    text = (FOLDER.parents[1] / "docs" / "scaling.md").read_text()
    return json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])


def test_a_run_is_a_pod_with_a_gpu_and_all_that_it_needs(jobs):
    sent = jobs[0]
    assert sent["path"].startswith("/apis/batch/v1/namespaces/vivid/jobs")
    job = sent["body"]
    assert job["metadata"]["name"].startswith("dagster-run-")
    assert job["metadata"]["labels"]["dagster/job"] == "vivid_catalogue"
    assert job["metadata"]["labels"]["dagster/code-location"] == "vivid_assets"
    assert (job["spec"]["backoffLimit"], job["spec"]["ttlSecondsAfterFinished"]) == (0, 86400)
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "vivid-dagster"
    assert pod["restartPolicy"] == "Never"
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert pod["volumes"] == DEPLOYMENT["volumes"]
    assert pod["securityContext"] == {"fsGroup": 1000}, "or the image's user could not write to the models' volume"
    (container,) = pod["containers"]
    assert container["image"] == IMAGE
    assert container["resources"]["limits"] == {"memory": "32Gi", "nvidia.com/gpu": "1"}
    assert container["resources"]["requests"] == {"cpu": "4", "memory": "16Gi"}
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert env["VIVID_STORE"] == "s3://example-bucket/vivid/store"
    assert {"DAGSTER_HOME", "DAGSTER_PG_PASSWORD", "VIVID_SETTINGS", "U2NET_HOME"} <= env.keys()
    assert container["envFrom"] == [{"secretRef": {"name": "vivid-s3"}}]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/models"}
    executable, *arguments = container["args"]
    assert (executable, arguments[:2]) == ("dagster", ["api", "execute_run"])
    assert job["metadata"]["labels"]["dagster/run-id"] in arguments[2]


def test_a_run_that_needs_no_gpu_asks_for_none(jobs):
    limits = jobs[1]["body"]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"memory": "32Gi", "nvidia.com/gpu": "0"}


def test_the_image_s_files_are_there():
    text = (FOLDER / "Dockerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE) for name in line.split()[:-1]]
    assert {"vivid_assets", "resources", "partitions"} <= set(copied)
    assert all((FOLDER.parents[1] / name).exists() for name in copied)
