"""How far a shard is, how fast it goes, how long it will take, and where the time went."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class Progress:
    """Counts pictures and times stages of the work, and says so in a line for the log.

    Pure but for the clock that it is given. The rate is that of the last ``window`` reports, so that loading
    and compiling at the start do not spoil the time that is left. Pictures taken over from an earlier run
    count as done but not towards the rate.
    """

    def __init__(
        self, total: int, *, what: str = "pictures", clock: Callable[[], float] = time.monotonic, window: int = 20
    ) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.taken_over = 0
        self.stages: dict[str, float] = {}
        """Seconds per stage, as measured by ``stage``."""
        self._what = what
        self._clock = clock
        self._started = clock()
        self._reports: deque[tuple[float, int]] = deque([(self._started, 0)], maxlen=window + 1)

    def add(self, done: int = 0, *, failed: int = 0, taken_over: int = 0) -> None:
        """Count pictures that are finished: made, failed, or taken over without work."""
        self.done += done
        self.failed += failed
        self.taken_over += taken_over
        if done or failed:
            self._reports.append((self._clock(), self.done + self.failed))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to the stage ``name``."""
        started = self._clock()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + self._clock() - started

    @property
    def finished(self) -> int:
        """Pictures that need no more work."""
        return self.done + self.failed + self.taken_over

    @property
    def rate(self) -> float | None:
        """Pictures per second over the last reports; None before the first."""
        (first, count), (last, latest) = self._reports[0], self._reports[-1]
        return (latest - count) / (last - first) if last > first else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all is done at the present rate; None while there is no rate."""
        left = self.total - self.finished
        if left <= 0:
            return 0.0
        return left / self.rate if self.rate else None

    def line(self, extra: Mapping[str, float] | None = None) -> str:
        """One line for the log, e.g. ``128 of 512 pictures, 3 failed, 2.10 a second, 3 min left``."""
        parts = [f"{self.finished} of {self.total} {self._what}"]
        if self.taken_over:
            parts.append(f"{self.taken_over} taken over")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.rate:
            per = f"{self.rate:.2f} a second" if self.rate >= 0.1 else f"{1 / self.rate:.1f} s each"
            parts.append(per)
        if self.seconds_left:
            parts.append(f"{duration(self.seconds_left)} left")
        parts += [f"{name.replace('_', ' ')} {value:g}" for name, value in (extra or {}).items()]
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Say a time as people do: ``45 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
