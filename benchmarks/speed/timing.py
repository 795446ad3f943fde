"""One measurement of a model: time to the first picture, then, warm, pictures a second and peak memory."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measurement."""

    model: str
    way: str
    per_second: float
    first_s: float
    """Seconds from nothing loaded to the first picture, compilation included."""
    peak_gib: float | None
    note: str = ""
    failed: bool = False


def measured(
    model: str,
    way: str,
    options: argparse.Namespace,
    load: Callable[[], Callable[[list[Any]], Any]],
    items: list[Any],
    *,
    least: int = 1,
) -> Row:
    """Time to the first picture, then, warm, pictures per second over all items; what fails is a row that says so."""
    try:
        return _measured(model, way, options, load, items, least)
    except Exception as error:
        return failure(model, way, error)


def failure(model: str, way: str, error: Exception) -> Row:
    """A row without figures. The traceback goes, whose frames hold what filled the memory."""
    error.with_traceback(None)
    reason = (str(error).strip().splitlines() or ["no message"])[0].replace("|", "/")
    return Row(model, way, float("nan"), float("nan"), None, f"{type(error).__name__}: {reason}", failed=True)


def _measured(
    model: str,
    way: str,
    options: argparse.Namespace,
    load: Callable[[], Callable[[list[Any]], Any]],
    items: list[Any],
    least: int,
) -> Row:
    import torch

    from resources.runtime.device import free_memory

    cuda = device_of(options).startswith("cuda")
    items = items * -(-least // len(items))
    free_memory()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    run = load()
    assert_made(run(items[:1]))
    first = time.perf_counter() - started
    assert_made(run(items[:least]))
    if cuda:
        torch.cuda.synchronize()
    started = time.perf_counter()
    results = run(items)
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    assert_made(results)
    peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else None
    retried = sum(getattr(result, "figures", {}).get("retried_in_float32", 0) for result in results or [])
    return Row(model, way, len(items) / seconds, first, peak, f"{retried:.0f} made twice" if retried else "")


def assert_made(results: Any) -> None:
    """A failure is quick, and would pass for speed."""
    for result in results or []:
        if isinstance(result, Exception):
            raise result


def device_of(options: argparse.Namespace) -> str:
    import torch

    if options.device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    return "cuda:0" if options.device == "cuda" else options.device


def half_of(options: argparse.Namespace) -> Any:
    import torch

    return torch.float16 if device_of(options).startswith("cuda") else torch.float32
