"""How far a shard is, how fast it goes, and how long it will take."""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from resources.spelling import counted

_LEAST = 20
_SHARE = 1 / 3
"""The pace is that of the last third of the pictures, twenty at least: fewer would differ too much from the rest, and
with all of them a tier that broke would be felt until the end."""


class Progress:
    """Counts pictures and times the work on them, and says so in a line for the log.

    Pure but for the clock that it is given. Pictures are loaded ahead of the work and saved behind it, in bursts, so
    the pace is that of the work's batches, and what is saved after the last one is added. The first batch loads and
    compiles: there is no pace before the second.
    """

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.computing = 0.0
        """Seconds in batches."""
        self._clock = clock
        self._counts: list[int] = []
        """The pictures computed after each batch."""
        self._times: list[float] = []
        self._saves: list[float] = []

    def add(self, done: int = 0, *, failed: int = 0) -> None:
        """Count pictures that are finished: made, or failed."""
        self.done += done
        self.failed += failed

    @contextmanager
    def batch(self, pictures: int) -> Iterator[None]:
        """Time the work on a batch; its pictures count as computed unless it raises."""
        started = self._clock()
        try:
            yield
        finally:
            self.computing += self._clock() - started
        self._counts.append(self.computed + pictures)
        self._times.append(self._clock())

    def saved(self, seconds: float) -> None:
        """Count a picture whose files were written in so many seconds, less where several are at once."""
        self._saves.append(seconds)

    @property
    def computed(self) -> int:
        return self._counts[-1] if self._counts else 0

    @property
    def finished(self) -> int:
        """Pictures that need no more work."""
        return self.done + self.failed

    @property
    def rate(self) -> float | None:
        """Pictures per second of the last batches; None before the second one."""
        since = self.computed - max(_LEAST, self.computed * _SHARE)
        first = max(0, bisect_right(self._counts, since) - 1)
        if first >= len(self._times) - 1 or self._times[-1] <= self._times[first]:
            return None
        return (self.computed - self._counts[first]) / (self._times[-1] - self._times[first])

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all is done at the present rate; None while there is no rate."""
        if self.finished >= self.total:
            return 0.0
        if not self.rate:
            return None
        left = self.total - max(self.computed, self.finished)
        computing = max(0.0, left / self.rate - (self._clock() - self._times[-1]))
        unsaved = self.total - max(len(self._saves), self.finished)
        if left:
            # By the end of the last batch those of the earlier ones are.
            size = self._counts[-1] - self._counts[-2]
            unsaved = min(unsaved, (left - 1) % size + 1 if size else left)
        # Beside the work on a batch files are written slowly; behind the last one as the quickest were.
        seconds_each = sorted(self._saves)[len(self._saves) // 10] if self._saves else 0.0
        return computing + unsaved * seconds_each

    def line(self, extra: Mapping[str, float] | None = None) -> str:
        """One line for the log, e.g. ``128 of 512 pictures, 3 failed, 2.10 a second, 3 min left``."""
        parts = [f"{self.finished:,} of {counted(self.total, 'picture')}"]
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
