"""Progress: counts, rate and time left; all from the clock that it is given."""

import random

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
    for size in (15, 20):
        assert progress.rate is None
        assert progress.seconds_left is None
        with progress.batch(size):
            clock.now += size / 2
    progress.add(18, failed=2)
    assert progress.rate == 2
    assert progress.seconds_left == 32.5
    said = "20 of 100 pictures, 2 failed, 2.00 a second, 32 s left"
    assert progress.line({"gpu_free_gib": 12.5}) == f"{said}, gpu free gib 12.5"
    clock.now += 8
    assert progress.seconds_left == 24.5, "a batch is being computed meanwhile"
    progress.add(80)
    assert progress.seconds_left == 0
    assert progress.computing == 17.5


def test_one_is_one_picture_and_many_are_read_in_thousands(clock):
    assert Progress(1, clock=clock).line() == "0 of 1 picture"
    many = Progress(1200, clock=clock)
    many.add(1100)
    assert many.line() == "1,100 of 1,200 pictures"


def _mixed(cheap, dear, share):
    """Costs as of pictures some of which a further tier is asked for."""
    return lambda draw, number: [dear if draw.random() < share else cheap for _ in range(number)]


def _lines_that_err(clock, costs, size, warm_up, since):
    """Of the estimates after each batch: how many there are, and how many are off by more than a third.

    The pictures that are left at the very end may be two dear ones where cheap ones were expected.
    """
    progress, estimates, wrong = Progress(len(costs), clock=clock), 0, 0
    for start in range(0, len(costs), size):
        batch = costs[start : start + size]
        with progress.batch(len(batch)):
            clock.now += sum(batch) + (0 if progress.computed else warm_up)
        if progress.computed < since or progress.computed == size:
            continue
        truth = sum(costs[progress.computed :])
        estimates += 1
        wrong += abs(progress.seconds_left - truth) > max(truth / 3, 2 * max(costs))
    return estimates, wrong


@pytest.mark.parametrize("size", [1, 4, 16])
@pytest.mark.parametrize(
    ("costs", "since", "tolerated"),
    [
        pytest.param(lambda _, number: [2.0] * number, 10, 0, id="even"),
        pytest.param(_mixed(1.0, 3.0, 0.3), 10, 0.02, id="a second tier for three of ten"),
        pytest.param(lambda draw, number: [draw.lognormvariate(0, 0.5) for _ in range(number)], 10, 0.02, id="sizes"),
        # The tier is asked for fifteen pictures, breaks, and a quicker one makes the rest: known twenty pictures later.
        pytest.param(lambda _, number: [4.0] * 15 + [1.0] * (number - 15), 36, 0, id="a tier breaks"),
    ],
)
def test_the_time_left_is_within_a_third_of_the_truth_from_the_tenth_picture_on(clock, costs, since, tolerated, size):
    lines = wrong = 0
    for number in (30, 400):
        for seed in range(5):
            found = _lines_that_err(clock, costs(random.Random(seed), number), size, warm_up=60, since=since)
            lines, wrong = lines + found[0], wrong + found[1]
    assert lines > 100
    assert wrong <= tolerated * lines, f"{wrong} of {lines} lines"


def test_what_is_saved_behind_the_last_batch_is_part_of_the_time_left(clock):
    progress, left = Progress(12, clock=clock), []
    for _ in range(3):
        with progress.batch(4):
            clock.now += 10
        left.append(progress.seconds_left)
        # Those of the batch before are saved beside the next one.
        for _ in range(4 if progress.computed > 4 else 0):
            progress.saved(1.5)
            progress.add(1)
    assert left == [None, 10, 6 + 6]
    for _ in range(3):
        clock.now += 1.5
        progress.saved(1.5)
    assert progress.seconds_left == 1.5


def test_files_are_written_behind_the_last_batch_as_the_quickest_were_beside_others(clock):
    progress = Progress(22, clock=clock)
    for _ in range(2):
        with progress.batch(8):
            clock.now += 16
    for seconds in (5.0, 3.0, 0.5, 4.0, 6.0, 2.0, 3.0, 1.0):
        progress.saved(seconds)
        progress.add(1)
    assert progress.seconds_left == 6 * 2 + 6 * 0.5, "the six of the last batch"


def test_a_batch_that_breaks_counts_no_picture(clock):
    progress = Progress(4, clock=clock)
    with pytest.raises(RuntimeError), progress.batch(4):
        clock.now += 3
        raise RuntimeError
    assert (progress.computed, progress.computing) == (0, 3)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (100, "2 min"), (3600 * 3 + 300, "3 h 05 min")]
)
def test_times_are_said_as_people_do(seconds, said):
    assert duration(seconds) == said
