"""Row strips: compiled kernels over many threads without a threading layer.

Kernels are compiled with ``nogil=True`` and take a half-open range of rows. Threads of Python drive them, not
numba's own ``prange``: that needs a threading layer which aborts when two threads enter it at once
(``workqueue``) or does not survive a fork (GNU OpenMP), and a pipeline's worker does both. It also halves the
time of a first compilation.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from numba.core import config

_LEAST_ROWS = 32
_here = threading.local()


def single_threaded() -> None:
    """From now on this thread's kernels run in it alone: for threads that each have a picture of their own."""
    _here.alone = True


def parallel_rows(
    kernel: Callable[..., Any], height: int, *args: Any, threads: int | None = None, smallest: int = _LEAST_ROWS
) -> None:
    """Run ``kernel(*args, first_row, end_row)`` so that every row is covered once.

    What a row receives must not depend on the order of the rows.

    Args:
        kernel: compiled with ``nogil=True``.
        height: rows.
        args: the kernel's own; it gets named tuples as plain ones.
        threads: the most to use; by default as many as numba would (``NUMBA_NUM_THREADS``, else the cores that this
            process may use), or one in a thread that has called ``single_threaded``.
        smallest: rows that a strip has at least.
    """
    args = tuple(map(_plain, args))
    most = threads or (1 if getattr(_here, "alone", False) else int(getattr(config, "NUMBA_NUM_THREADS", 1)))
    strips = max(1, min(most, height // smallest))
    if strips == 1:
        kernel(*args, 0, height)
        return
    edges = [height * i // strips for i in range(strips + 1)]
    pool = _pool(os.getpid(), most)
    others = [pool.submit(kernel, *args, edges[i], edges[i + 1]) for i in range(1, strips)]
    kernel(*args, edges[0], edges[1])
    for done in others:
        done.result()


def _plain(argument: Any) -> Any:
    """Make named tuples plain: numba pickles their classes into its cache, and fails where one was renamed since."""
    return tuple(map(_plain, argument)) if isinstance(argument, tuple) else argument


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the threads of this process; a forked one, which inherits none, makes its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix=f"strips-of-{process}")
