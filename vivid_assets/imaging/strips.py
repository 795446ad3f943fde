"""Row strips: compiled kernels over many threads without a threading layer.

Kernels are compiled with ``nogil=True`` and take a half-open range of rows. Threads of Python drive them, not
numba's own ``prange``: that needs a threading layer which aborts when two threads enter it at once
(``workqueue``) or does not survive a fork (GNU OpenMP), and a pipeline's worker does both. It also halves the
time of a first compilation.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from numba.core import config

_SMALLEST_STRIP = 32


def run_strips(kernel: Callable[..., Any], height: int, *args: Any, threads: int | None = None) -> None:
    """Run ``kernel(*args, first_row, end_row)`` so that every row of ``height`` is covered once.

    ``threads`` is the most threads to use; by default as many as numba would (``NUMBA_NUM_THREADS``, else the
    cores this process may use). What a row receives must not depend on the order of the rows.
    """
    most = threads or int(getattr(config, "NUMBA_NUM_THREADS", 1))
    strips = max(1, min(most, height // _SMALLEST_STRIP))
    if strips == 1:
        kernel(*args, 0, height)
        return
    edges = [height * i // strips for i in range(strips + 1)]
    with ThreadPoolExecutor(strips) as pool:
        for done in [pool.submit(kernel, *args, edges[i], edges[i + 1]) for i in range(strips)]:
            done.result()
