"""Batches that shrink when memory runs out, and a picture's failure that stays that picture's."""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from resources.errors import MachineFault, ModelUnavailable, first_line
from resources.runtime.device import free_memory
from resources.spelling import counted

Item = TypeVar("Item")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)

_NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|failed to allocate memory|(CUBLAS|CUDNN)_STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)
# After these the CUDA context of the process is lost: every later call fails too.
_DEAD_DEVICE = re.compile(r"CUDA error|CUDNN_STATUS_EXECUTION_FAILED|NCCL error|device-side assert", re.IGNORECASE)
# That many pictures that fail alone, and none that ever did not, are no chance: the model is at fault, or too large.
_PATIENCE = 3
_COMPILER = ("torch._dynamo", "torch._inductor")


class PictureError(ValueError):
    """One picture cannot be processed. The message is a sentence for people."""


class FirstPictures:
    """Tells a model that is at fault from pictures that are: it has failed on each of the first, in the same way.

    Pictures that a model sees have been decoded and brought to size, so three that break it one after the other,
    while none ever went well, are no chance: a precision that a layer lacks, a library that does not fit.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._kinds: list[type] = []
        self._settled = False

    def went_well(self) -> None:
        """A picture was done; from now on failures are the pictures' own."""
        self._settled = True

    def failed(self, error: Exception) -> None:
        """A picture failed.

        Raises:
            ModelUnavailable: as did the two before it, and none ever went well.
        """
        self._kinds.append(type(error))
        self._settled = self._settled or len({*self._kinds}) > 1
        if not self._settled and len(self._kinds) >= _PATIENCE:
            raise ModelUnavailable(
                f"{self._what} failed on each of its first {_PATIENCE} pictures, always with {type(error).__name__}: "
                f"{_first_line(error)} So it is not the pictures: look at the model's settings and packages."
            ) from error


class Batches(Generic[Item, Result]):
    """Runs a function over batches and learns which size fits.

    Made once per loaded model, so that the size found by the first out-of-memory holds for the rest of the
    shard. ``function`` takes a list of items and returns one result per item, in order.
    """

    def __init__(
        self, function: Callable[[list[Item]], Sequence[Result]], batch_size: int, what: str = "The model"
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        self._function = function
        self.size = batch_size
        """The size in use: what was asked for, or less after memory has run out."""
        self._any_fitted = False
        self._alone_too_large = 0
        self._first = FirstPictures(what)

    def __call__(self, items: Sequence[Item]) -> list[Result | Exception]:
        """One result per item, in order; an exception as an entry is that picture's failure.

        Out of memory halves the size and tries again what is left; an item that does not fit alone becomes a
        ``PictureError``. Any other exception in a batch is traced to its item by halving, and becomes that
        item's entry as it was raised.

        Raises:
            MachineFault: as raised by the function; the device is dead; or three items alone did not fit in
                memory and none ever has.
            ModelUnavailable: each of the first items failed in the same way, or compiling the model does.
        """
        results: list[Result | Exception] = []
        left = list(items)
        while left:
            batch = left[: self.size]
            done = self._run(batch)
            if done is None:
                self.size = max(1, len(batch) // 2)
                _log.warning("Out of memory at batch %d: going on with batches of %d.", len(batch), self.size)
                continue
            results.extend(done)
            left = left[len(batch) :]
        return results

    def _run(self, batch: list[Item]) -> list[Result | Exception] | None:
        """The batch's results, or None when more than one item did not fit in memory."""
        fault: Exception
        try:
            done = list(self._function(batch))
        except MachineFault:
            raise
        except Exception as error:
            # The traceback's frames hold the tensors that filled the memory: without it they can be freed.
            fault = error.with_traceback(None)
            fault.__context__ = fault.__cause__ = None
        else:
            if len(done) != len(batch):
                sent, back = counted(len(batch), "picture"), counted(len(done), "result")
                raise MachineFault(f"A batch of {sent} came back as {back}.")
            self._any_fitted = True
            for entry in done:
                if isinstance(entry, Exception):
                    self._first.failed(entry)
                else:
                    self._first.went_well()
            return list(done)
        if is_out_of_memory(fault):
            free_memory()
            return [self._too_large(fault)] if len(batch) == 1 else None
        if _is_dead_device(fault):
            raise MachineFault(f"The device has failed and this process cannot use it any more: {fault}") from fault
        if type(fault).__module__.startswith(_COMPILER):
            raise ModelUnavailable(
                f"torch.compile failed: {_first_line(fault)} Set compile to off in the settings."
            ) from fault
        if len(batch) == 1:
            self._first.failed(fault)
            return [fault]
        _log.warning("A batch of %d broke (%s: %s): looking for the picture.", len(batch), type(fault).__name__, fault)
        middle = len(batch) // 2
        halves: list[Result | Exception] = []
        for half in (batch[:middle], batch[middle:]):
            done_half = self._run(half)
            if done_half is None:
                return None
            halves.extend(done_half)
        return halves

    def _too_large(self, fault: Exception) -> PictureError:
        self._alone_too_large += 1
        if not self._any_fitted and self._alone_too_large >= _PATIENCE:
            raise MachineFault(
                f"No memory for even one picture at a time, {_PATIENCE} times over: {_first_line(fault)} "
                "Free the device of other processes, or choose a smaller model or size."
            )
        return PictureError(f"Out of memory even alone in its batch: {_first_line(fault)}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on a GPU (PyTorch, onnxruntime) or on the machine."""
    if isinstance(error, MemoryError):
        return True
    known = isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime")
    return known and bool(_NO_MEMORY.search(str(error)))


def _is_dead_device(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and bool(_DEAD_DEVICE.search(str(error)))


def _first_line(error: BaseException) -> str:
    """As a sentence."""
    line = first_line(error)
    return line if line.endswith((".", "!", "?")) else f"{line}."
