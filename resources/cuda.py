"""How many CUDA devices this machine has, asked of the driver: importing PyTorch for it would take seconds."""

import ctypes
from functools import cache

_DRIVERS = ("libcuda.so.1", "nvcuda.dll")


@cache
def cuda_device_count() -> int:
    """The number of CUDA devices that the driver shows this process; 0 without a driver."""
    for name in _DRIVERS:
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_int()
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0
