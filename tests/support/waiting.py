"""Waiting without guesses: as long as what is waited for can still come, however busy the machine is."""

import time
from collections.abc import Callable
from typing import TypeVar

HANG_S = 600.0
"""Seconds after which something hangs, whatever else the machine does. No test passes by waiting for it."""

_Found = TypeVar("_Found")


def until(
    what: Callable[[], _Found],
    *,
    alive: Callable[[], bool] = lambda: True,
    log: Callable[[], str] = lambda: "",
    every: float = 0.2,
) -> _Found:
    """``what()`` as soon as it is truthy.

    Args:
        what: asked again and again; an ``OSError``, such as a server that does not listen yet, is no answer yet.
        alive: whether what is waited for can still come, such as ``lambda: process.poll() is None``.
        log: what the error shows.
        every: seconds between two questions; those that cost whoever answers are asked less often.

    Raises:
        AssertionError: it can come no more.

    """
    deadline = time.monotonic() + HANG_S
    while True:
        could_come = alive()
        try:
            if found := what():
                return found
        except OSError:
            pass
        assert could_come, f"what should bring it has ended:\n{log()}"
        assert time.monotonic() < deadline, f"it hangs:\n{log()}"
        time.sleep(every)
