"""kill -9 at random moments of a running catalogue: by the clock, and at each kind of file operation."""

import os
import random
import signal
import time
from contextlib import suppress

import pytest

pytestmark = pytest.mark.slow

KILLS_A_LIFE = 10


@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.soak)])
def test_killed_again_and_again_it_ends_like_a_clean_run(make_small, driver, unlike_clean, tmp_path, capsys, kills):
    """Between kills the catalogue goes on living: pictures come, change and go, the prompt changes."""
    dice = random.Random(7)
    killed = {"by the clock": 0, "before a file operation": 0}
    runs = lives = 0
    seconds_of_a_run = 3.0
    while sum(killed.values()) < kills:
        small = make_small(tmp_path / f"life {lives}")
        lives += 1
        for _ in range(min(KILLS_A_LIFE, kills - sum(killed.values()))):
            way, ended = kill(small, driver, dice, seconds_of_a_run)
            runs += 1
            killed[way] += ended != 0
            assert small.partial() == []
            if ended == 0 or dice.random() < 0.2:
                live_on(small, dice)
        started = time.monotonic()
        assert driver.run(small) == 0, small.log()[-3000:]
        seconds_of_a_run = time.monotonic() - started
        assert unlike_clean(small) == []
        assert not list((small.root / "store" / ".parts").iterdir()), "what killed runs left is swept"
        done = small.recorded()
        assert driver.run(small) == 0
        assert small.recorded() == done, "what is done is not done again"
    with capsys.disabled():
        print(f"\n{sum(killed.values())} of {runs} runs killed ({killed}), {lives} lives: 0 lost, 0 twice, 0 partial")


def kill(small, driver, dice, seconds_of_a_run):
    """Run and kill, at a moment that is drawn. How, and how the run ended (0: it was faster)."""
    # With every row noted at once a killed stage's rows are there; else the whole stage is done again.
    flush = dice.choice([-1.0, 2.0])
    if dice.random() < 0.5:
        ended = driver.run(small, dagster=True, die_at=dice.randint(1, 80), flush_seconds=flush)
        way = "before a file operation"
    else:
        child = driver.start(small, dagster=True, flush_seconds=flush)
        time.sleep(dice.uniform(0, seconds_of_a_run))
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        ended = driver.wait()
        way = "by the clock"
    assert ended in (0, -signal.SIGKILL), small.log()[-3000:]
    return way, ended


def test_what_is_noted_is_not_done_again_after_a_kill(small, driver, capsys):
    """Every file that a row vouched for when the run was killed is the same file (inode) when all is done."""
    kept = []
    for die_at in (20, 50, 80):
        assert driver.run(small, die_at=die_at, flush_seconds=-1.0) == -signal.SIGKILL
        kept.append(small.recorded())
    assert driver.run(small) == 0, small.log()[-3000:]
    done = small.recorded()
    assert kept[-1]
    for before in kept:
        assert {path: done[path] for path in before} == before
    with capsys.disabled():
        print(f"\n{[len(before) for before in kept]} files vouched for at the kills, none of them written again")


def live_on(small, dice):
    name = f"{dice.randint(0, 8)}.png"
    change = dice.choice(["put", "put", "remove", "prompt"])
    if change == "remove" and name in small.pictures and len(small.pictures) > 3:
        small.remove(name)
    elif change == "prompt":
        small.say(dice.choice(["red paper", "sage green paper", "a dark studio"]))
    else:
        small.put(name, dice.randint(0, 255))
