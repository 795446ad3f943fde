"""What the NVIDIA driver shows this process, asked of the driver: importing PyTorch for it would take seconds."""

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
_NO_DEVICE = {34, 100}
"""No GPU is there; 34 is what the toolkit's stub of the driver answers."""
_AMD = Path("/dev/kfd")


@dataclass(frozen=True)
class CudaDriver:
    """The driver as it answers this process."""

    devices: int
    """How many CUDA devices it shows; ``CUDA_VISIBLE_DEVICES`` counts."""
    version: str
    """The newest CUDA that it can run, e.g. ``12.2``; empty where it does not tell."""
    fault: str = ""
    """Why a driver that is installed shows no device, where the reason is not that there is none."""


@cache
def cuda_driver() -> CudaDriver | None:
    """The NVIDIA driver; None without one."""
    for name in _DRIVERS:
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count, version = ctypes.c_int(), ctypes.c_int()
        code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
        known = getattr(driver, "cuDriverGetVersion", lambda _: 1)(ctypes.byref(version)) == 0
        return CudaDriver(
            devices=0 if code else count.value,
            version=f"{version.value // 1000}.{version.value % 1000 // 10}" if known else "",
            fault=_does_not_start(code) if code and code not in _NO_DEVICE else "",
        )
    return None


def gpu_shown() -> bool:
    """Whether a driver shows a GPU that PyTorch may be able to compute on: NVIDIA's, or AMD's in the kernel."""
    driver = cuda_driver()
    return bool(driver and driver.devices) or _AMD.exists()


def gpu_expected() -> bool:
    """Whether this machine's user counts on a GPU: one is shown, or would be if its driver started."""
    driver = cuda_driver()
    return gpu_shown() or bool(driver and driver.fault)


def _does_not_start(code: int) -> str:
    return f"the NVIDIA driver does not start (error {code}). Restart the machine, or reinstall the driver"
