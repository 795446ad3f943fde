"""Faults of the machine, as Dagster is told of them: which are tried again, and where.

A store or network that stutters is tried again in the same process, after a pause that grows. A dead CUDA context
stays dead in its process, so the run is tried again in a new one. Everything else (a model that is not there, a full
disk, a bad setting, a bug) fails the step at once: trying again would only say so later.
"""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from resources.errors import MachineFault, ModelUnavailable
from vivid_assets.pipeline import stage_of_step

_RETRIES = 3
_FIRST_PAUSE_SECONDS = 5.0
_PASSING = {
    errno.EIO,
    # What s3fs makes of InternalError.
    getattr(errno, "EREMOTEIO", errno.EIO),
    errno.EAGAIN,
    errno.EBUSY,
    errno.EINTR,
    errno.ESTALE,
    errno.ENETDOWN,
    errno.ENETRESET,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ETIMEDOUT,
}
_WRAPPINGS = ("Dagster", "RetryRequested")
_CHECK_FAILED = "dagster._core.errors.DagsterAssetCheckFailedError"
_SPOKEN = {"ValueError", "OSError", "FileNotFoundError", "PermissionError", "ConnectionError", "TimeoutError"}
"""Errors of Python's own that are raised with a sentence."""
_RETRY_IN_A_NEW_PROCESS = "dagster/retry_on_asset_or_op_failure"


@contextmanager
def retried_where_it_helps(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Turn a passing fault into a retry of the step, and ask for a new process after a dead CUDA context."""
    try:
        yield
    except Exception as fault:
        if is_passing(fault):
            pause = _FIRST_PAUSE_SECONDS * 3**context.retry_number
            context.log.warning("Trying again in %.0f s: %s", pause, fault)
            raise dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=pause) from fault
        if is_dead_device(fault):
            context.log.error("This process cannot use the GPU any more: the run is tried again in a new process.")
            context.instance.add_run_tags(context.run.run_id, {_RETRY_IN_A_NEW_PROCESS: "true"})
        raise


def is_passing(fault: BaseException | None) -> bool:
    """Whether the fault, or what it was raised from, is of a store or network and may be gone in a moment."""
    if fault is None or isinstance(fault, ModelUnavailable):
        return False
    if isinstance(fault, MachineFault):
        return is_passing(fault.__cause__)
    return isinstance(fault, (ConnectionError, TimeoutError)) or (
        isinstance(fault, OSError) and fault.errno in _PASSING
    )


def is_dead_device(fault: BaseException | None) -> bool:
    """Whether the fault, or what it was raised from, has broken this process's CUDA context."""
    while fault is not None:
        # PyTorch raises it as AcceleratorError, a RuntimeError; memory that ran out leaves the context alive.
        if type(fault).__name__ == "AcceleratorError" or "CUDA error" in str(fault):
            return True
        fault = fault.__cause__
    return False


def reasons(events: Iterable[dg.DagsterEvent]) -> list[tuple[str, str]]:
    """By step, why a run failed: the sentences that were raised, without what Dagster wraps them in."""
    found = []
    for event in events:
        if event.is_step_failure and event.step_failure_data.error:
            found.append((stage_of_step(event.step_key or ""), reason_of(event.step_failure_data.error)))
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if check.blocking and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
                found.append((check.asset_key.path[-1], check.description or check.check_name))
    stopped = [step for step, _ in found]
    # A check that stops the run is told of by what it says, and not by Dagster's word that it did not pass.
    return [(step, why) for step, why in found if stopped.count(step) == 1 or not why.startswith(_CHECK_FAILED)]


def reason_of(error: SerializableErrorInfo) -> str:
    """The sentence of what was raised: the outermost error that is not Dagster's own wrapping."""
    while error.cause and (error.cls_name or "").startswith(_WRAPPINGS):
        error = error.cause
    kind, colon, sentence = error.message.strip().partition(": ")
    name = error.cls_name or ""
    is_spoken = kind.startswith(("resources.", "vivid_assets.")) or kind in _SPOKEN
    return sentence if colon and is_spoken and kind.rpartition(".")[2] == name else error.message.strip()
