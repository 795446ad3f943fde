"""Which device a model runs on and in which precision: asked for, decided once, said, and asserted."""

import gc
import logging
import re
import sys
import warnings
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from resources.errors import MachineFault, ModelUnavailable, first_line
from resources.runtime.cuda import cuda_driver, gpu_expected, gpu_shown

DType = Literal["auto", "float32", "float16", "bfloat16"]


def _device_name(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError(f"{name!r} is no device: use auto, cpu, cuda, cuda:N or mps.")
    return name


DeviceName = Annotated[str, AfterValidator(_device_name)]
"""A device as the settings name it: ``auto``, ``cpu``, ``cuda`` (any free GPU), ``cuda:1``, ``mps``."""

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
    def hardware(self) -> str:
        """What it is, in words: ``NVIDIA L4``, ``CPU``."""
        return _cuda_name(_index(self.name)) if self.is_cuda else self.name.upper()

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


def decide(device: str = "auto", dtype: DType = "auto", *, half: DType = "float16", heavy: bool = False) -> Device:
    """The device and precision that the settings ask for.

    Args:
        device: ``auto`` (a free CUDA device if PyTorch can use any, else the CPU), ``cpu``, ``mps``, ``cuda``
            (any free one), ``cuda:1``.
        dtype: ``auto`` is ``half`` on CUDA and float32 elsewhere, where halves are slow or missing.
        half: what ``auto`` means on CUDA.
        heavy: ``auto`` does not mean the CPU where a GPU is there that cannot be used, by PyTorch or since its driver
            does not start: who has a GPU does not expect a night on the CPU.

    Raises:
        MachineFault: the device that was asked for is not there, or cannot compute in that precision. Never
            is another one taken in its place: a night on the CPU by mistake is worse than a night that stops.
        ModelUnavailable: ``heavy`` as above.
        ValueError: no such name of a device or precision.
    """
    _device_name(device)
    reason = device_trouble(device)
    if device != "auto":
        if reason:
            remedy = "Run on a machine that has it, or set device to cpu or auto."
            raise MachineFault(f"The settings ask for {device}, but {reason}. {remedy}")
        name, why = device, f"device {device}, as the settings request"
    elif reason is None:
        name, why = "cuda", f"device auto: this machine has {_cuda_name(_usable_gpus()[0])}"
    elif heavy and gpu_expected():
        raise ModelUnavailable(f"{reason[0].upper()}{reason[1:]}. Or set device to cpu, to compute there all the same.")
    else:
        name, why = "cpu", f"device auto: the CPU, because {reason}"
    if dtype == "auto":
        chosen = half if name.startswith("cuda") else "float32"
    elif dtype in ("float32", "float16", "bfloat16"):
        chosen = dtype
    else:
        raise ValueError(f"{dtype!r} is no precision: use auto, float32, float16 or bfloat16.")
    bad = chosen == "bfloat16" and name.startswith("cuda")
    if bad and not _torch().cuda.is_bf16_supported(including_emulation=False):
        raise MachineFault(f"{_cuda_name(_index(name))} cannot compute in bfloat16. Set dtype to float16 or float32.")
    decided = Device(name, chosen, f"{why}; precision {chosen} ({'auto' if dtype == 'auto' else 'as set'}).")  # type: ignore[arg-type]
    level = logging.WARNING if reason and gpu_expected() else logging.INFO
    _log.log(level, "%s", decided.why)
    return decided


def device_trouble(device: str = "auto") -> str | None:
    """Why PyTorch cannot compute on ``device``, as half a sentence; None when it can. ``auto`` is any GPU.

    PyTorch is imported only where a driver shows a GPU: that takes seconds, which other machines need not spend.
    """
    if device == "cpu":
        return None
    if device == "mps":
        return None if _torch().backends.mps.is_available() else "this machine has no Metal device"
    if not gpu_shown():
        driver = cuda_driver()
        return driver.fault if driver and driver.fault else "this machine has no CUDA device"
    torch = _torch()
    with warnings.catch_warnings():
        # What PyTorch warns of is in the sentence below.
        warnings.simplefilter("ignore")
        if not torch.cuda.is_available():
            return _refused(_initialisation_fault())
        count, usable = torch.cuda.device_count(), _usable_gpus()
    index = _index(device)
    if index >= count:
        return f"there are only {count} CUDA devices" if count > 1 else "there is only 1 CUDA device"
    if not usable or (":" in device and index not in usable):
        return _refused(f"its binaries are for {_architectures()}, and {_cuda_name(index)} is none of these")
    return None


def usable_gpus() -> list[str]:
    """The CUDA devices that PyTorch can compute on, as it names them: ``cuda:0``."""
    return [f"cuda:{index}" for index in _usable_gpus()]


def _refused(reason: str) -> str:
    torch, driver = _torch(), cuda_driver()
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"ROCm {hip}" if (hip := torch.version.hip) else ""
    pytorch = f"PyTorch {torch.__version__} ({build or 'a build for the CPU alone'})"
    if not (driver and driver.devices):
        return f"{pytorch} cannot use this machine's AMD GPU: {reason}"
    version = f" {driver.version}" if driver.version else ""
    return (
        f"{pytorch} cannot use the GPU that the NVIDIA driver (up to CUDA{version}) shows: {reason}. "
        f"Update the driver, or install a PyTorch that fits it (https://pytorch.org)"
    )


def _initialisation_fault() -> str:
    """PyTorch's own reason, cut to what is about this machine."""
    try:
        _torch().cuda.init()
    except Exception as error:
        first = first_line(error)
        first = re.sub(r"Did you run some cuda functions.*?\? ?", "", first)
        return re.split(r"\.\s+Please\b", first)[0].rstrip(".")
    return "it finds no device"


def _usable_gpus() -> list[int]:
    """Numbers of the GPUs that this PyTorch has binaries for."""
    cuda = _torch().cuda
    built = [found.groups() for found in map(_ARCHITECTURE.fullmatch, cuda.get_arch_list()) if found]
    if not built:  # ROCm, whose names differ
        return [*range(cuda.device_count())]
    return [index for index in range(cuda.device_count()) if _runs(built, cuda.get_device_capability(index))]


_ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")


def _runs(built: list[tuple[str, ...]], capability: tuple[int, int]) -> bool:
    """Whether code built for these architectures runs on a GPU of that compute capability.

    Binaries (``sm``) run on GPUs of their major version with an equal or higher minor one, intermediate code
    (``compute``) on all that are as new or newer, and what is marked ``a`` on that very one (CUDA C++ Programming
    Guide, "Binary compatibility").
    """
    for kind, major, minor, special in built:
        target = int(major), int(minor)
        if special == "a":
            fits = capability == target
        elif kind == "compute" and not special:
            fits = capability >= target
        else:
            fits = capability[0] == target[0] and capability[1] >= target[1]
        if fits:
            return True
    return False


def _architectures() -> str:
    return ", ".join(_torch().cuda.get_arch_list())


def _torch() -> Any:
    import torch

    return torch


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
                f"but {device.dtype} on {device.name} was requested."
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
    return str(_torch().cuda.get_device_name(index))


if __name__ == "__main__":
    # For tools/setup: what is wrong with a GPU that a driver shows; nothing where there is none, or it can be used.
    if gpu_expected() and (_trouble := device_trouble()):
        print(f"{_trouble}.")
