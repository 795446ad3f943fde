"""Two processes never hold the same GPU; a second GPU is taken, a dead holder is no holder."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from resources.errors import MachineFault
from resources.runtime import gpu_lock
from resources.runtime.gpu_lock import hold_one_of

HOLDER = """
import sys
from pathlib import Path
from resources.runtime.gpu_lock import hold_one_of
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
            cwd=Path(__file__).parents[3],
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


def as_nobody(function) -> str:
    """What ``function`` returns, or what it raises, in a process of another user."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            gpu_lock._held.clear()  # what this process holds, the other does not
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            said = str(function())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.fixture
def everybody_s():
    """A folder that all users may write to, as those are where locks lie."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o1777)
        yield Path(place)


needs_root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may be another user")


@needs_root
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_another_user_takes_the_lock_once_it_is_free_and_waits_until_then(everybody_s, umask):
    def take() -> str:
        with hold_one_of(["gpu-a"], folder=everybody_s, wait_s=0) as name:
            return name

    before = os.umask(umask)
    try:
        with hold_one_of(["gpu-a"], folder=everybody_s):
            assert "still used by another process" in as_nobody(take)
        assert as_nobody(take) == "gpu-a"
        assert take() == "gpu-a"
    finally:
        os.umask(before)


@needs_root
def test_another_user_s_file_that_may_be_read_alone_is_locked_too(everybody_s):
    (everybody_s / "vivid-assets-gpu-a.lock").write_text("process 1")
    (everybody_s / "vivid-assets-gpu-a.lock").chmod(0o644)

    def take() -> str:
        with hold_one_of(["gpu-a"], folder=everybody_s, wait_s=0) as name:
            return name

    assert as_nobody(take) == "gpu-a"


@needs_root
def test_a_file_that_may_not_be_opened_is_the_machine_s_fault_and_is_named(everybody_s):
    lock = everybody_s / "vivid-assets-gpu-a.lock"
    lock.touch(0o600)

    def take() -> None:
        with hold_one_of(["gpu-a"], folder=everybody_s, wait_s=0):
            pass

    said = as_nobody(take)
    assert said.startswith("MachineFault: The GPU's lock file")
    assert str(lock) in said


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe", "folder"])
def test_what_somebody_has_put_in_the_lock_s_place_is_not_touched(tmp_path, kind):
    lock, precious = tmp_path / "vivid-assets-gpu-a.lock", tmp_path / "precious"
    precious.write_text("do not truncate")
    {
        "link": lambda: lock.symlink_to(precious),
        "dangling link": lambda: lock.symlink_to(tmp_path / "new"),
        "hard link": lambda: lock.hardlink_to(precious),
        "pipe": lambda: os.mkfifo(lock),
        "folder": lock.mkdir,
    }[kind]()
    with pytest.raises(MachineFault, match=r"vivid-assets-gpu-a\.lock"), hold_one_of(["gpu-a"], folder=tmp_path):
        pytest.fail("held")
    assert precious.read_text() == "do not truncate"
    assert not (tmp_path / "new").exists()


def test_the_place_is_the_same_whatever_the_temporary_folder_and_all_may_write_there(tmp_path, monkeypatch):
    shared, private, own = tmp_path / "shared", tmp_path / "private", tmp_path / "own"
    for folder, mode in ((shared, 0o1777), (private, 0o755), (own, 0o700)):
        folder.mkdir()
        folder.chmod(mode)
    monkeypatch.setattr(gpu_lock, "_PLACES", (str(tmp_path / "nowhere"), str(private), str(shared)))
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    with hold_one_of(["gpu-a"]):
        (lock,) = shared.iterdir()
        assert stat.S_IMODE(lock.stat().st_mode) == 0o666
    monkeypatch.setattr(gpu_lock, "_PLACES", ())
    with hold_one_of(["gpu-a"]):
        assert [path.name for path in own.iterdir()] == [lock.name]


def test_a_lock_file_that_was_cleaned_away_meanwhile_holds_nothing(tmp_path, monkeypatch):
    """Two would hold the GPU: one the file that is gone, one a new file of its name."""
    lock, real = gpu_lock._lock, []

    def cleaned_before(file: int) -> bool:
        if not real:
            real.append(file)
            (tmp_path / "vivid-assets-gpu-a.lock").unlink()
        return lock(file)

    monkeypatch.setattr(gpu_lock, "_lock", cleaned_before)
    with hold_one_of(["gpu-a"], folder=tmp_path, poll_s=0.001):
        assert (tmp_path / "vivid-assets-gpu-a.lock").read_text() == f"process {os.getpid()}"
