"""At most so many pixels in hand at once, however many threads ask: sixteen small pictures, or one enormous one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Lock

_CGROUP = Path("/sys/fs/cgroup/memory.max")


class PixelBudget:
    """Pixels that may be worked on at the same time."""

    def __init__(self, pixels: int) -> None:
        """``pixels`` is the most, at least 1; a larger picture is worked on alone."""
        self._all = self._free = pixels
        self._room, self._turn = Condition(), Lock()

    @contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for ``pixels``, and hold it. Who waits is not overtaken."""
        share = min(pixels, self._all)
        with self._turn, self._room:
            self._room.wait_for(lambda: self._free >= share)
            self._free -= share
        try:
            yield
        finally:
            with self._room:
                self._free += share
                self._room.notify_all()


def budget_of_memory(bytes_per_pixel: int) -> PixelBudget:
    """The budget that fills a quarter of the memory that there is, at ``bytes_per_pixel``.

    A process has two of them, for what is only decoded and for composites from their decoding to their encoding, and a
    machine often two runs.
    """
    return PixelBudget(max(1, usable_memory() // 4 // bytes_per_pixel))


def usable_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes: the machine's memory, or what its container is limited to."""
    memory = 8 << 30  # where the system does not say
    with suppress(ValueError, OSError, AttributeError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(ValueError, OSError):
        memory = min(memory, int(cgroup.read_text()))
    return memory
