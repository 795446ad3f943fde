"""A full disk: the run ends with a sentence, keeps what it had, and goes on once there is room."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of four megabytes."""
    if os.geteuid() or sys.platform != "linux":
        pytest.skip("mounting a small file system takes root on Linux")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_said_and_nothing_is_lost(driver, make_small, unlike_clean, tmp_path, tiny_disk, capsys):
    catalogue = make_small(tmp_path / "lived", store_root=str(tiny_disk / "store"))
    assert driver.run(catalogue) == 0, catalogue.log()[-3000:]
    for number in range(5):
        catalogue.put(f"{number}.png", 30 + 50 * number)
    ballast = tiny_disk / "ballast"
    stopped = 0
    # From hardly any room to enough: each run stops somewhere else.
    for room in (0, 16, 80):
        fill(ballast, leaving=room << 10)
        status = driver.run(catalogue, dagster=True, flush_seconds=-1.0)
        ballast.unlink()
        assert status in (0, 1)
        stopped += status
        assert catalogue.partial() == []
        assert [*(tiny_disk / "store" / ".parts").iterdir()] == []
    assert stopped >= 2
    assert "No room left to write" in catalogue.log()
    assert driver.run(catalogue) == 0, catalogue.log()[-3000:]
    assert unlike_clean(catalogue) == []
    with capsys.disabled():
        print(f"\n{stopped} runs stopped by the full disk: 0 lost, 0 partial")


def fill(ballast: Path, leaving: int) -> None:
    """Write until no more than ``leaving`` bytes are free."""
    statistics = os.statvfs(ballast.parent)
    ballast.write_bytes(b"\0" * max(0, statistics.f_bavail * statistics.f_frsize - leaving))
