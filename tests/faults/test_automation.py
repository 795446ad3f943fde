"""Nobody reruns anything: after kills at any moment the schedule finishes the catalogue by itself."""

import os
import random
import signal
import time
from contextlib import suppress

import dagster as dg
import pytest

from tests.faults.test_kill import live_on
from vivid_assets.scheduling.lost_runs import AT_WORK

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_the_schedule_finishes_after_kills(small, driver, unlike_clean, capsys, kills):
    """Whoever ticks and runs is killed each night, by the clock or before a file operation; the catalogue lives on."""
    dice = random.Random(11)
    home = small.root / "dagster"
    killed = night = 0
    seconds_of_a_night = 6.0
    while killed < kills:
        started = time.monotonic()
        if dice.random() < 0.5:
            ended = driver.run(small, home=str(home), night=night, die_at=dice.randint(1, 80))
        else:
            child = driver.start(small, home=str(home), night=night)
            time.sleep(dice.uniform(0, seconds_of_a_night))
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            ended = driver.wait()
        assert ended in (0, -signal.SIGKILL), small.log()[-3000:]
        killed += ended != 0
        night += 20
        if ended == 0:
            seconds_of_a_night = time.monotonic() - started
        if ended == 0 or dice.random() < 0.3:
            live_on(small, dice)
    assert driver.run(small, home=str(home), night=night) == 0, small.log()[-3000:]
    assert small.log().splitlines()[-1].endswith("Nothing to do.")
    assert unlike_clean(small) == []
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_runs(dg.RunsFilter(statuses=AT_WORK)) == [], "no record is left at work"
        lost = len(instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])))
    with capsys.disabled():
        print(f"\n{killed} nights killed, {lost} runs among them: finished by the schedule, 0 lost, 0 left at work")
