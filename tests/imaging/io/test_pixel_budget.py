import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.waiting import until
from vivid_assets.imaging.io.pixel_budget import PixelBudget, usable_memory


class Crowd:
    """How many pixels are in hand, and the most that ever were."""

    def __init__(self, budget: PixelBudget):
        self.budget, self.now, self.most, self._lock = budget, 0, 0, threading.Lock()

    def work(self, pixels: int) -> None:
        with self.budget.take(pixels):
            with self._lock:
                self.now += pixels
                self.most = max(self.most, self.now)
            time.sleep(0.002)
            with self._lock:
                self.now -= pixels


def test_never_more_than_the_budget_at_once_and_all_are_done():
    crowd = Crowd(PixelBudget(100))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(crowd.work, [10, 90, 40, 60, 100, 1, 99, 50] * 8))
    assert crowd.now == 0
    assert 60 <= crowd.most <= 100


def test_a_larger_one_is_worked_on_alone_and_is_not_overtaken():
    budget, order = PixelBudget(100), []
    inside, leave = threading.Event(), threading.Event()

    def first():
        with budget.take(10):
            inside.set()
            leave.wait()

    def note(name, pixels):
        with budget.take(pixels):
            order.append(name)

    threads = [threading.Thread(target=first)]
    threads[0].start()
    inside.wait()
    for name, pixels in (("enormous", 5000), ("small", 1)):
        threads.append(threading.Thread(target=note, args=(name, pixels)))
        threads[-1].start()
        # Held by who waits: only then does the next one come.
        until(budget._turn.locked)
    assert order == []
    leave.set()
    for thread in threads:
        thread.join()
    assert order == ["enormous", "small"]


def test_what_is_taken_comes_back_after_an_error():
    budget = PixelBudget(10)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="broken"), budget.take(10):
            raise RuntimeError("broken")
    with budget.take(10):
        pass


def test_a_container_s_limit_counts(tmp_path):
    limit = tmp_path / "memory.max"
    machine = usable_memory(limit)
    limit.write_text("max\n")
    assert usable_memory(limit) == machine > 1 << 28
    limit.write_text("268435456\n")
    assert usable_memory(limit) == 1 << 28
