"""One live Dagster (web server, daemon, code server) for all that is told on one, and a real browser.

It serves a project as ``create-dagster`` makes it, with two pipelines in it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.operator import SETTINGS, Operator, Webhook
from tests.support.ports import free_ports
from tests.support.project import Project
from tests.support.waiting import HANG_S, until

STOPPED_S = 60
"""Seconds that servers get to end by themselves; then they are killed, and no test depends on how."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class LiveDagster:
    """``dg dev`` in a process group of its own, in the ``folder`` of a project."""

    def __init__(self, environment: dict[str, str], log: Path, folder: Path):
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).with_name("dg")), "dev", "--port", str(self.port), "--host", "127.0.0.1"],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def query(self, text: str, **variables):
        body = json.dumps({"query": text, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=HANG_S) as answer:
            result = json.load(answer)
        assert "errors" not in result, result
        return result["data"]

    def wait(self, what, every=1.0):
        """``what()`` as soon as it is truthy; an error with the server's log when the server has ended."""
        return until(what, alive=self.is_alive, log=lambda: self._log.read_text()[-3000:], every=every)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def location(self) -> str | None:
        nodes = self.query("{repositoriesOrError{...on RepositoryConnection{nodes{name location{name}}}}}")
        found = nodes["repositoriesOrError"].get("nodes")
        return found[0]["location"]["name"] if found else None

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)
        try:
            self._process.wait(STOPPED_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)


@pytest.fixture(scope="package")
def webhook():
    server = Webhook()
    yield server
    server.shutdown()


@pytest.fixture(scope="package")
def storage(request):
    """What dagster.yaml says of the storage: a PostgreSQL server of these tests' own where CI has one, else SQLite."""
    if not os.environ.get("VIVID_REQUIRE_POSTGRES"):
        return ""
    url = request.getfixturevalue("new_database")()
    return f'\nstorage:\n  postgres:\n    postgres_url: "{url}"\n'


@pytest.fixture(scope="package")
def environment(tmp_path_factory, storage):
    """Of the live Dagster: a dead worker is looked for every three seconds."""
    root = tmp_path_factory.mktemp("live")
    home = root / "dagster"
    home.mkdir()
    shipped = files("vivid_assets.cli").joinpath("dagster.yaml").read_text(encoding="utf-8")
    (home / "dagster.yaml").write_text(re.sub(r"seconds: 15$", "seconds: 3", shipped, flags=re.MULTILINE) + storage)
    (root / "vivid.toml").write_text(SETTINGS)
    return os.environ | {
        "VIVID_STORE": str(root / "store"),
        "VIVID_SETTINGS": str(root / "vivid.toml"),
        "DAGSTER_HOME": str(home),
    }


@pytest.fixture(scope="package")
def project(environment, webhook, tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("project"))
    project.add(
        "pictures",
        store=environment["VIVID_STORE"],
        settings=environment["VIVID_SETTINGS"],
        gpu_pool="gpu",
        night_cron="* * * * *",
        sensor_seconds=5,
        alert_webhook=f"http://127.0.0.1:{webhook.server_port}/",
    )
    project.add("shop", store="shop_store", key_prefix="shop/pictures", running=[])
    (project.root / "src/studio/defs/executor.py").write_text(
        "import dagster as dg\n\ndefs = dg.Definitions(executor=dg.in_process_executor)\n"
    )
    return project


@pytest.fixture(scope="package")
def dagster(environment, project, tmp_path_factory):
    found = {name: project.environment[name] for name in ("PYTHONPATH", "VIRTUAL_ENV")}
    server = LiveDagster(environment | found, tmp_path_factory.mktemp("log") / "dg.log", project.root)
    try:
        server.wait(server.location)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="package")
def operator(dagster, environment, webhook):
    """Modules share it: each has catalogues of its own, forgets them at its end, and puts the settings back."""
    return Operator(dagster, environment, webhook)


@pytest.fixture(scope="package")
def browser():
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        if os.environ.get("VIVID_REQUIRE_BROWSER"):
            pytest.fail("no Chromium is installed, and VIVID_REQUIRE_BROWSER is set")
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # No GPU: what stands in for one takes a core from the servers.
        options = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"]
        browser = playwright.chromium.launch(executable_path=executable, args=options, timeout=HANG_S * 1000)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    # Dagster's content security policy forbids what Playwright's waiting functions evaluate.
    page = browser.new_page(bypass_csp=True, viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(HANG_S * 1000)
    yield page
    page.close()
