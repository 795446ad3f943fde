"""The work on rows: load ahead in threads, compute in batches, save behind in threads."""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from resources.errors import MachineFault
from resources.spelling import counted
from vivid_assets.imaging.core.parallel_rows import single_threaded
from vivid_assets.rows.failures import PictureFailure, picture_failure
from vivid_assets.rows.stage import RowInput

Loaded = TypeVar("Loaded")
Computed = TypeVar("Computed")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work(Generic[Loaded, Computed]):
    """What is done for each row, in three parts that overlap.

    ``load`` and ``save`` run in threads, so they decode, encode and wait for the store while ``compute``, in
    the caller's thread, keeps the model busy with one batch after the other. ``compute`` returns one entry
    per input, in order; an exception as an entry fails that picture alone. ``save`` returns the row (``Stage.row``).
    """

    load: Callable[[RowInput], Loaded]
    compute: Callable[[Sequence[Loaded]], Sequence[Computed | Exception]]
    save: Callable[[RowInput, Computed], Any]
    batch_size: int = 1
    order: Callable[[RowInput], Any] | None = None
    """The order in which rows are worked on, so that those that can be computed together come together."""
    alone: Callable[[RowInput], bool] | None = None
    """Which rows take long, and so are a batch of their own, before which all earlier ones are yielded."""
    threads: int = os.cpu_count() or 2


def each(function: Callable[[RowInput], Any]) -> Work[Any, Any]:
    """Work that needs no batches: ``function`` from what is read to the row, in threads."""
    return Work(load=function, compute=lambda rows: rows, save=lambda _, row: row)


@dataclass(frozen=True)
class Done:
    """A row that is finished, or its failure, and the seconds of work spent on it."""

    row: RowInput
    result: Any
    seconds: float


def perform(rows: Sequence[RowInput], work: Work[Any, Any]) -> Iterator[Done]:
    """Do ``work`` for every row, yielding each as it is finished (failures may overtake).

    At most two batches and a handful of rows are in memory. A fault of the machine is raised after everything
    that was finished by then has been yielded.
    """
    waiting = iter(sorted(rows, key=work.order) if work.order else rows)
    loading: deque[tuple[RowInput, Future[Any]]] = deque()
    saving: deque[tuple[RowInput, float, Future[Any]]] = deque()
    ahead = work.batch_size + work.threads

    with ThreadPoolExecutor(work.threads, thread_name_prefix="rows", initializer=single_threaded) as pool:

        def load_ahead() -> None:
            for row in islice(waiting, ahead - len(loading)):
                loading.append((row, pool.submit(_timed, work.load, row)))

        def saved(at_most: int) -> Iterator[Done]:
            while len(saving) > at_most or (saving and saving[0][2].done()):
                row, seconds, future = saving.popleft()
                columns, own_seconds = _result(future, saving=True)
                yield Done(row, columns, seconds + own_seconds)

        try:
            load_ahead()
            while loading:
                batch: list[tuple[RowInput, Any, float]] = []
                if _is_alone(work, loading[0][0]):
                    yield from saved(at_most=0)
                while loading and len(batch) < _room(work, loading[0][0], batch):
                    row, future = loading.popleft()
                    loaded, seconds = _result(future)
                    load_ahead()
                    if isinstance(loaded, PictureFailure):
                        yield Done(row, loaded, seconds)
                    else:
                        batch.append((row, loaded, seconds))
                started = time.perf_counter()
                computed = _compute(work, [loaded for _, loaded, _ in batch])
                share = (time.perf_counter() - started) / max(1, len(batch))
                for (row, _, seconds), result in zip(batch, computed, strict=True):
                    if isinstance(result, PictureFailure):
                        yield Done(row, result, seconds + share)
                    else:
                        saving.append((row, seconds + share, pool.submit(_timed, work.save, row, result)))
                yield from saved(at_most=ahead)
            yield from saved(at_most=0)
        except Exception:
            yield from _finished(saving)
            raise
        finally:
            for _, future in loading:
                future.cancel()


def _is_alone(work: Work[Any, Any], row: RowInput) -> bool:
    return work.alone is not None and work.alone(row)


def _room(work: Work[Any, Any], row: RowInput, batch: Sequence[tuple[RowInput, Any, float]]) -> int:
    """How many rows a batch may have, with ``row`` as its next one."""
    return 1 if _is_alone(work, row) or (batch and _is_alone(work, batch[-1][0])) else work.batch_size


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    return function(*arguments), time.perf_counter() - started


def _result(future: Future[Any], *, saving: bool = False) -> tuple[Any, float]:
    """A load's or save's value and seconds, or the picture's failure in its place."""
    try:
        value, seconds = future.result()
        return value, seconds
    except Exception as error:
        if saving and isinstance(error, OSError):
            raise MachineFault(f"The store took no file: {error}") from error
        failure = picture_failure(error)
        if failure is None:
            raise
        _tell(error, failure)
        return failure, 0.0


def _compute(work: Work[Any, Any], loaded: list[Any]) -> list[Any]:
    """The batch's results; when the batch breaks, each picture by itself, so that one cannot take others down."""
    if not loaded:
        return []
    try:
        computed = list(work.compute(loaded))
    except Exception as error:
        failure = picture_failure(error)
        if failure is None:
            raise
        if len(loaded) > 1:
            return [result for one in loaded for result in _compute(work, [one])]
        _tell(error, failure)
        return [failure]
    if len(computed) != len(loaded):
        sent, back = counted(len(loaded), "picture"), counted(len(computed), "result")
        raise MachineFault(f"A batch of {sent} came back as {back}.")
    return [_as_failure(entry) if isinstance(entry, Exception) else entry for entry in computed]


def _as_failure(error: Exception) -> PictureFailure:
    failure = picture_failure(error)
    if failure is None:
        raise error
    return failure


def _tell(error: Exception, failure: PictureFailure) -> None:
    """Log the traceback of a fault in the code; what is expected is told with the row."""
    if not isinstance(error, (PictureFailure, ValueError, OSError)):
        _log.warning("%s", failure, exc_info=error)


def _finished(saving: deque[tuple[RowInput, float, Future[Any]]]) -> Iterator[Done]:
    """What was being saved when the machine failed and still made it."""
    for row, seconds, future in saving:
        if future.exception() is None:
            columns, own_seconds = future.result()
            yield Done(row, columns, seconds + own_seconds)
