"""Two processes never hold the same GPU; a second GPU is taken, a dead holder is no holder."""

import subprocess
import sys
from pathlib import Path

import pytest

from resources.errors import MachineFault
from resources.gpu_lock import hold_one_of

HOLDER = """
import sys
from pathlib import Path
from resources.gpu_lock import hold_one_of
with hold_one_of(sys.argv[2:], folder=Path(sys.argv[1])) as name:
    print(name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds one of the names it is given, until it is told to stop."""
    started: list[subprocess.Popen] = []

    def start(*names: str) -> tuple[subprocess.Popen, str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_what_another_process_holds_is_waited_for_in_vain(tmp_path, other):
    _, name = other("gpu-a")
    assert name == "gpu-a"
    with (
        pytest.raises(MachineFault, match="still used by another process"),
        hold_one_of(["gpu-a"], folder=tmp_path, wait_s=0, poll_s=0.01),
    ):
        pytest.fail("held twice")


def test_a_free_gpu_is_taken_instead(tmp_path, other):
    other("gpu-a")
    with hold_one_of(["gpu-a", "gpu-b"], folder=tmp_path, wait_s=0) as name:
        assert name == "gpu-b"


def test_a_killed_holder_holds_nothing(tmp_path, other):
    process, _ = other("gpu-a")
    process.kill()
    process.wait()
    with hold_one_of(["gpu-a"], folder=tmp_path, wait_s=10, poll_s=0.01) as name:
        assert name == "gpu-a"


def test_given_back_at_the_end_of_the_block_even_after_an_error(tmp_path, other):
    with pytest.raises(ZeroDivisionError), hold_one_of(["gpu-a"], folder=tmp_path):
        raise ZeroDivisionError
    _, name = other("gpu-a")
    assert name == "gpu-a"


def test_within_a_process_it_is_shared_until_the_last_holder_goes(tmp_path, other):
    with hold_one_of(["gpu-a", "gpu-b"], folder=tmp_path) as first:
        with hold_one_of(["gpu-a", "gpu-b"], folder=tmp_path) as second:
            assert first == second == "gpu-a"
        _, name = other("gpu-a", "gpu-b")
        assert name == "gpu-b"
