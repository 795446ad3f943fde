"""The servers of ``vivid ui``: their ports, and a desk that ends. Real ports and processes."""

import os
import socket
import sys

import pytest
from typer.testing import CliRunner

from resources.errors import MachineFault
from tests.support.ports import free_ports
from vivid_assets.cli import servers
from vivid_assets.cli.main import app
from vivid_assets.cli.servers import Helper, serve

# Begins once more in the file each time, and ends.
_HELPS = "import sys; open(sys.argv[1], 'a').write('again')"
# Ends when the other one has begun twice.
_SERVES = "import os, sys, time\nwhile os.path.getsize(sys.argv[1]) < 10: time.sleep(0.01)\nsys.exit(7)"


def test_a_port_in_use_is_refused_with_its_option_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    port, taken = free_ports(2)
    with socket.create_server(("127.0.0.1", taken)):
        for option, ports in {
            "--port": ["--port", str(taken), "--desk-port", str(port)],
            "--desk-port": ["--port", str(port), "--desk-port", str(taken)],
        }.items():
            done = CliRunner().invoke(app, ["ui", "--store", str(tmp_path / "store"), *ports])
            assert done.exit_code == 1
            sentence = f"Port {taken} of 127.0.0.1 cannot be used (address already in use): choose another with"
            assert f"{sentence} {option}." in done.stderr
        done = CliRunner().invoke(app, ["desk", "--store", str(tmp_path / "store"), "--port", str(taken)])
        assert (done.exit_code, done.stdout) == (1, "")
        assert f"{taken} of 127.0.0.1 cannot be used" in done.stderr


@pytest.fixture
def begun(tmp_path):
    path = tmp_path / "begun"
    path.touch()
    return path


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_helper_that_ends_is_started_again_and_said_to_be(begun, monkeypatch, capsys):
    monkeypatch.setattr(servers, "_SOON_S", 0)
    monkeypatch.setattr(servers, "_LOOK_S", 0.01)
    helper = Helper("The desk", [sys.executable, "-c", _HELPS, str(begun)], "")
    assert serve([sys.executable, "-c", _SERVES, str(begun)], helper, os.environ) == 7
    assert "The desk has ended, with the exit status 0, and is started again." in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_helper_that_cannot_run_ends_all_and_says_what_to_do(begun):
    helper = Helper("The desk", [sys.executable, "-c", "raise SystemExit(3)"], "Go without it.")
    with pytest.raises(MachineFault, match=r"The desk has ended, with the exit status 3, so all ends\. Go without it"):
        serve([sys.executable, "-c", _SERVES, str(begun)], helper, os.environ)
