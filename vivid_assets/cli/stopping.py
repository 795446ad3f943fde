"""Stopping: the first SIGINT, SIGTERM or SIGHUP ends the command in order, the second ends it at once."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_SAME_S = 0.5
"""A terminal and the program that started this one may both send one and the same Ctrl-C."""


class Stopped(KeyboardInterrupt):
    """The process was interrupted."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


_received: list[int] = []
_before_the_end: list[Callable[[], object]] = []


def stop_if_interrupted() -> None:
    """Raise Stopped if the process was interrupted, even if other handlers caught the signal."""
    if _received:
        raise Stopped(_received[0])


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it a signal raises Stopped; even if others replace the handlers, ``stop_if_interrupted`` notices it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # Written to whichever handler there is, and also while the main thread is deep in a library.
    earlier_pipe = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # What is ignored stays ignored: nohup has SIGHUP so.
    earlier = {number: signal.getsignal(number) for number in STOPPING if signal.getsignal(number) != signal.SIG_IGN}
    watcher = threading.Thread(target=_watch, args=(reading,), name="signals", daemon=True)
    watcher.start()
    try:
        for number in earlier:
            signal.signal(number, _stop)
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(earlier_pipe)
        os.close(writing)
        watcher.join()


@contextmanager
def before_the_end(action: Callable[[], object]) -> Iterator[None]:
    """Within it ``action`` is done before the process ends at once."""
    _before_the_end.append(action)
    try:
        yield
    finally:
        _before_the_end.remove(action)


def _stop(number: int, _frame: object) -> None:
    raise Stopped(number)


def _watch(pipe: int) -> None:
    first = 0.0
    with os.fdopen(pipe, "rb", buffering=0) as signals:
        while byte := signals.read(1):
            if byte[0] not in STOPPING:
                continue
            if not _received:
                first = time.monotonic()
            elif time.monotonic() - first > _SAME_S:
                for action in _before_the_end:
                    action()
                os._exit(128 + byte[0])
            _received.append(byte[0])
