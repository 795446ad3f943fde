"""Clocks that jump: by hours, forward and back, while runs work and wait for each other."""

import os

import pytest

pytestmark = pytest.mark.slow


def test_a_clock_that_jumps_while_runs_wait_for_each_other(small, driver, another_driver, unlike_clean):
    """A claim judged by the time of day would be taken for a dead run's, and the work done twice."""
    driver.start(small, clock_jumps=True)
    another_driver.start(small, clock_jumps=True, log=str(small.root / "other log"))
    assert (driver.wait(), another_driver.wait()) == (0, 0), small.log()[-3000:]
    log = small.log() + (small.root / "other log").read_text()
    lines = [line for line in log.splitlines() if line.endswith(" to do")]
    stages = len(small.result()["0.png"])
    assert sum(int(line.split(": ")[-1].split(" of ")[0]) for line in lines) == stages * len(small.pictures)
    assert unlike_clean(small) == []


def test_a_picture_changed_under_a_clock_set_back_is_found(small, driver, unlike_clean):
    assert driver.run(small) == 0, small.log()[-3000:]
    small.put("0.png", 123)
    os.utime(small.folder / "0.png", (0, 0))
    assert driver.run(small, clock_jumps=True) == 0, small.log()[-3000:]
    assert unlike_clean(small) == []
