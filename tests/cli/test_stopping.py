"""Signals end a run and not a shard, and ``vivid ui`` with all its servers. Real processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from PIL import Image

from resources.store.store import Store
from tests.support.ports import free_ports
from tests.support.waiting import HANG_S, until
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.catalogue.source import register
from vivid_assets.rows.tables import read_rows

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")]
VIVID = str(Path(sys.executable).with_name("vivid"))


@pytest.fixture
def place(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        picture = np.full((100, 100, 3), 214, np.uint8)
        picture[30:70, 30:70] = (180, 40, 30 * number)
        Image.fromarray(picture).save(pictures / f"{number}.png")
    (pictures / "catalogue.toml").write_text(
        'prompt = "teal paper"\nshard_size = 2\n[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", "VIVID_STORE")}
    register(Store(root=str(tmp_path / "vivid_store")), "spring", str(pictures))
    return tmp_path, environment


def _start(place, *command):
    folder, environment = place
    output = (folder / "output").open("w")
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)


def _said(place):
    return (place[0] / "output").read_text()


def _wait_for(text, process, place):
    until(lambda: text in _said(place), alive=lambda: process.poll() is None, log=lambda: _said(place))


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)])
def test_a_signal_ends_the_run_and_what_was_finished_stays(place, number):
    folder, environment = place
    process = _start(place, VIVID, "catalogue", "run", "spring")
    _wait_for("masks spring-00000: 2 of 2", process, place)
    process.send_signal(number)
    assert process.wait(HANG_S) == 128 + number
    said = _said(place)
    assert "Stopped. Finished work is kept; run the command again to continue." in said
    assert "Traceback" not in said
    assert "spring-00001 (" not in said, "the next shard was begun"
    assert len(read_rows(Store(root=str(folder / "vivid_store")), PREPARED_IMAGES, "spring-00000")) == 2
    with dg.DagsterInstance.from_config(str(folder / "vivid_store" / "dagster")) as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.CANCELED]

    again = subprocess.run(
        [VIVID, "catalogue", "run", "spring"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert "prepared_images spring-00000: 2 pictures, all up to date" in again.stdout
    assert len([*(folder / "vivid_store" / "composites" / "spring").iterdir()]) == 4


@pytest.mark.soak
def test_a_killed_command_leaves_no_run_at_work_once_the_next_one_has_looked(place):
    folder, environment = place
    process = _start(place, VIVID, "catalogue", "run", "spring")
    _wait_for("masks spring-00000: 2 of 2", process, place)
    process.kill()
    process.wait(300)
    with dg.DagsterInstance.from_config(str(folder / "vivid_store" / "dagster")) as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.STARTED]
        subprocess.run([VIVID, "catalogue", "run", "spring"], cwd=folder, env=environment, check=True)
        *_, killed = instance.get_runs()
        assert killed.status == dg.DagsterRunStatus.FAILURE
        assert all(run.is_finished for run in instance.get_runs())
    assert not [*(folder / "vivid_store" / "claims").rglob("*.claim")]


_STUCK = """
import os, signal, sys, time
from vivid_assets.cli import catalogue, main

def stuck(*_):
    state = "here"
    while True:
        try:
            print(state, flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            state = "not yet"

catalogue.bring_up_to_date = stuck
sys.argv = ["vivid", "catalogue", "run", "spring"]
main.app()
"""


def test_a_second_signal_ends_at_once(place):
    process = _start(place, sys.executable, "-c", _STUCK)
    _wait_for("here", process, place)
    process.send_signal(signal.SIGINT)
    _wait_for("not yet", process, place)  # the first one is told to whoever works

    def is_gone():
        # Two within half a second are taken for one: a terminal and a parent may both send it.
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    until(is_gone)
    assert process.returncode == 130


def _processes(session):
    """The command lines of a session's processes."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, *numbers = (entry / "stat").read_text().rpartition(") ")[2].split()
            if int(numbers[2]) == session and state != "Z":
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (OSError, ValueError):
            continue
    return found


def _serves(process):
    """The session of the servers, once all of them run; None before."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    if not children:
        assert process.poll() is None
        return None
    commands = _processes(int(children[0]))
    wanted = ("dagster_webserver", "dagster._daemon", "code-server")
    return int(children[0]) if all(any(one in command for command in commands) for one in wanted) else None


def _desk_of(process):
    """The session of the review desk; None before it serves."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return next((int(child) for child in children if any("vivid desk" in one for one in _processes(int(child)))), None)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.soak)])
def test_no_server_outlives_the_ui(place, number):
    port, desk_port = free_ports(2)
    process = _start(place, VIVID, "ui", "--port", str(port), "--desk-port", str(desk_port))
    session = None
    try:
        session = until(lambda: _serves(process), alive=lambda: process.poll() is None, log=lambda: _said(place))
        folder, environment = place
        second = subprocess.run([VIVID, "ui"], cwd=folder, env=environment, capture_output=True, text=True)
        assert second.returncode == 1
        assert f"(process {process.pid}, http://localhost:{port}). Use that one, or stop it first." in second.stderr
        desk = until(lambda: _desk_of(process), alive=lambda: process.poll() is None, log=lambda: _said(place))
        process.send_signal(number)
        assert process.wait(HANG_S) == (128 + number if number != signal.SIGKILL else -number)
        until(lambda: not _processes(session) and not _processes(desk))
    finally:
        process.kill()
        if session and _processes(session):
            os.killpg(session, signal.SIGKILL)
