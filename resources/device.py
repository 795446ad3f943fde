"""Which device a model runs on and in which precision: asked for, decided once, said, and asserted."""

import gc
import logging
import re
import sys
from dataclasses import dataclass
from typing import Any, Literal

from resources.errors import MachineFault

DType = Literal["auto", "float32", "float16", "bfloat16"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Device:
    """A decided device and precision."""

    name: str
    """As PyTorch writes it: ``cpu``, ``mps``, ``cuda:0``; ``cuda`` where any free GPU will do."""
    dtype: Literal["float32", "float16", "bfloat16"]
    why: str
    """One sentence for the log: what was asked for and what came of it."""

    @property
    def is_cuda(self) -> bool:
        return self.name.startswith("cuda")

    @property
    def torch_dtype(self) -> Any:
        """The ``torch.dtype``."""
        import torch

        return getattr(torch, self.dtype)


@dataclass(frozen=True)
class GpuMemory:
    """A GPU that this process computes on, and its memory in bytes."""

    device: str
    """Its name, e.g. ``NVIDIA L4``."""
    total: int
    free: int
    """Free on the whole device, whoever uses the rest."""
    peak: int
    """The most that this process's tensors have held at a time."""
    reserved: int
    """The most that PyTorch has taken of the device for them. What onnxruntime takes is not in it."""

    def figures(self) -> dict[str, float]:
        """In GiB, for the log and metadata."""
        return {
            f"gpu_{name}_gib": round(getattr(self, name) / 2**30, 2) for name in ("peak", "reserved", "free", "total")
        }


class GpuUse:
    """What this process takes of a GPU from now on. Imports nothing: who computes on a GPU has imported PyTorch."""

    def __init__(self) -> None:
        self._before: dict[int, int] = {}
        if cuda := _cuda():
            for index in range(cuda.device_count()):
                cuda.reset_peak_memory_stats(index)
                self._before[index] = cuda.memory_allocated(index)

    def now(self) -> GpuMemory | None:
        """The GPU on which memory was taken, with the peaks since the beginning; None if none was."""
        if not (cuda := _cuda()):
            return None
        peaks = {index: cuda.max_memory_allocated(index) for index in range(cuda.device_count())}
        index = max(peaks, key=lambda index: peaks[index] - self._before.get(index, 0))
        if peaks[index] <= self._before.get(index, 0):
            return None
        free, total = cuda.mem_get_info(index)
        return GpuMemory(cuda.get_device_name(index), total, free, peaks[index], cuda.max_memory_reserved(index))


def decide(device: str = "auto", dtype: DType = "auto", *, half: DType = "float16") -> Device:
    """The device and precision that the settings ask for.

    Args:
        device: ``auto`` (a free CUDA device if the machine has any, else the CPU), ``cpu``, ``mps``, ``cuda``
            (any free one), ``cuda:1``.
        dtype: ``auto`` is ``half`` on CUDA and float32 elsewhere, where halves are slow or missing.
        half: what ``auto`` means on CUDA.

    Raises:
        MachineFault: the device that was asked for is not there, or cannot compute in that precision. Never
            is another one taken in its place: a night on the CPU by mistake is worse than a night that stops.
        ValueError: no such name of a device or precision.
    """
    import torch

    cuda = torch.cuda.is_available()
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ValueError(f"{device!r} is no device: say auto, cpu, cuda, cuda:N or mps.")
    if device == "auto":
        name = "cuda" if cuda else "cpu"
        why = f"device auto: this machine has {_cuda_name(0)}" if cuda else "device auto: there is no CUDA device"
    else:
        name = device
        why = f"device {device}, as the settings ask"
        _assert_there(name)
    if dtype == "auto":
        chosen = half if name.startswith("cuda") else "float32"
    elif dtype in ("float32", "float16", "bfloat16"):
        chosen = dtype
    else:
        raise ValueError(f"{dtype!r} is no precision: say auto, float32, float16 or bfloat16.")
    bad = chosen == "bfloat16" and name.startswith("cuda")
    if bad and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise MachineFault(f"{_cuda_name(_index(name))} cannot compute in bfloat16. Set dtype to float16 or float32.")
    decided = Device(name, chosen, f"{why}; precision {chosen} ({'auto' if dtype == 'auto' else 'as set'}).")  # type: ignore[arg-type]
    _log.info("%s", decided.why)
    return decided


def _assert_there(name: str) -> None:
    import torch

    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            build = torch.version.cuda
            reason = "PyTorch sees no driver or GPU" if build else "this PyTorch is built without CUDA"
            raise MachineFault(
                f"The settings ask for {name}, but this machine has no CUDA device ({reason}). "
                "Run on a machine with a GPU, or set device to cpu or auto."
            )
        if _index(name) >= torch.cuda.device_count():
            raise MachineFault(
                f"The settings ask for {name}, but there are only {torch.cuda.device_count()} CUDA devices."
            )
    elif name == "mps" and not torch.backends.mps.is_available():
        raise MachineFault("The settings ask for mps, but this machine has no Metal device. Set device to cpu or auto.")


def assert_placed(module: Any, device: Device, what: str) -> None:
    """Check that every floating-point parameter of a ``torch.nn.Module`` is where and what was asked for.

    Raises:
        MachineFault: a library has left or put a part elsewhere.
    """
    for name, parameter in module.named_parameters():
        # "mps" is "mps:0"; a CUDA device has its number by now.
        there = str(parameter.device).startswith(device.name)
        if parameter.is_floating_point() and not (there and parameter.dtype == device.torch_dtype):
            raise MachineFault(
                f"{what}: {name} is {parameter.dtype} on {parameter.device}, "
                f"but {device.dtype} on {device.name} was asked for."
            )


def free_memory() -> None:
    """Give back what nothing refers to any more, from Python and from PyTorch's cache on CUDA."""
    gc.collect()
    if cuda := _cuda():
        cuda.empty_cache()


def _cuda() -> Any:
    """``torch.cuda`` where this process has used it. Asked of sys.modules: others are spared the import."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _index(name: str) -> int:
    return int(name.partition(":")[2] or 0)


def _cuda_name(index: int) -> str:
    import torch

    return torch.cuda.get_device_name(index)
