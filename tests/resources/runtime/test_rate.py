"""Progress: counts, rate, time left, seconds per stage; all from the clock that it is given."""

import pytest

from resources.runtime.rate import Progress, duration


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_rate_and_time_left(clock):
    progress = Progress(100, clock=clock)
    assert progress.rate is None
    assert progress.seconds_left is None
    clock.now = 10
    progress.add(20)
    assert progress.rate == 2
    assert progress.seconds_left == 40
    assert progress.line({"gpu_free_gib": 12.5}) == "20 of 100 pictures, 2.00 a second, 40 s left, gpu free gib 12.5"


def test_a_slow_start_does_not_spoil_the_time_left(clock):
    progress = Progress(1000, clock=clock, window=5)
    clock.now = 300  # loading and compiling
    for _ in range(10):
        progress.add(4)
        clock.now += 2
    assert progress.rate == 2


def test_taken_over_pictures_count_as_done_but_not_towards_the_rate(clock):
    progress = Progress(100, clock=clock)
    progress.add(taken_over=80)
    clock.now = 10
    progress.add(4, failed=1)
    assert progress.finished == 85
    assert progress.rate == 0.5
    assert progress.seconds_left == 30
    assert "80 taken over" in progress.line()
    assert "1 failed" in progress.line()


def test_the_seconds_of_a_stage_are_added_up(clock):
    progress = Progress(4, clock=clock)
    for stage, seconds in (("generate", 6), ("write", 2), ("generate", 2)):
        with progress.stage(stage):
            clock.now += seconds
    assert progress.stages == {"generate": 8, "write": 2}


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (100, "2 min"), (3600 * 3 + 300, "3 h 05 min")]
)
def test_times_are_said_as_people_do(seconds, said):
    assert duration(seconds) == said
