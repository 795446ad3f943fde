"""Two runs on the same shards at the same time: the second waits and takes over what the first has done."""

import os
import signal

import pytest

pytestmark = pytest.mark.slow


def computed(log: str) -> int:
    """The pictures that the runs in this log set out to do, over all stages."""
    return sum(int(line.split(": ")[-1].split(" of ")[0]) for line in log.splitlines() if line.endswith(" to do"))


def test_each_picture_is_done_once(small, driver, another_driver, unlike_clean):
    driver.start(small)
    another_driver.start(small, log=str(small.root / "other log"))
    assert (driver.wait(), another_driver.wait()) == (0, 0), small.log()[-3000:]
    alone = small.log() + (small.root / "other log").read_text()
    stages = len(small.result()["0.png"])
    assert computed(alone) == stages * len(small.pictures)
    assert unlike_clean(small) == []


def test_when_the_first_is_killed_the_second_goes_on_at_once(small, driver, another_driver, unlike_clean):
    """Not after the two minutes in which a dead run elsewhere would have to show no sign of life."""
    assert driver.run(small, die_at=40, flush_seconds=-1.0) == -signal.SIGKILL
    assert list((small.root / "store" / "claims").rglob("*.claim")), "the killed run left its claim"
    child = driver.start(small)
    another_driver.start(small)
    os.kill(child, signal.SIGKILL)
    assert (driver.wait(), another_driver.wait()) == (-signal.SIGKILL, 0), small.log()[-3000:]
    assert unlike_clean(small) == []
    assert not list((small.root / "store" / "claims").rglob("*.claim"))
