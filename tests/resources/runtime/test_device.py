"""Devices and precisions: what is asked for is what is taken, or nothing is."""

import pytest

from resources.errors import MachineFault, ModelUnavailable
from resources.runtime.cuda import CudaDriver
from resources.runtime.device import Device, GpuUse, assert_placed, decide, device_trouble, free_memory, usable_gpus

pytestmark = pytest.mark.slow


def driver(monkeypatch, devices, version="12.2"):
    """A driver that shows so many devices."""
    found = CudaDriver(devices, version) if devices else None
    monkeypatch.setattr("resources.runtime.device.cuda_driver", lambda: found)
    monkeypatch.setattr("resources.runtime.device.gpu_shown", lambda: bool(devices))
    monkeypatch.setattr("resources.runtime.device.gpu_expected", lambda: bool(devices))


@pytest.fixture
def no_cuda(monkeypatch):
    driver(monkeypatch, 0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture
def refused(monkeypatch):
    """A GPU whose driver PyTorch finds too old, as it says so."""

    def init():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 12020). Please update it.")

    driver(monkeypatch, 1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.init", init)
    monkeypatch.setattr("torch.version.cuda", "13.2")
    monkeypatch.setattr("torch.__version__", "2.15.0")


@pytest.fixture
def two_gpus(monkeypatch):
    driver(monkeypatch, 2)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_arch_list", lambda: ["sm_75", "sm_80", "sm_90a"])
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (8, 6))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "Some GPU")
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: False)


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_cuda_on_a_machine_without_is_a_fault_of_the_machine(no_cuda, device):
    with pytest.raises(MachineFault, match="no CUDA device"):
        decide(device)


def test_auto_says_what_it_chose(no_cuda):
    decided = decide()
    assert (decided.name, decided.dtype) == ("cpu", "float32")
    assert "the CPU, because this machine has no CUDA device" in decided.why


def test_auto_with_a_gpu_that_pytorch_refuses_names_driver_and_pytorch(refused, caplog):
    """Small models go on on the CPU and say why; large ones do not, unless the CPU is asked for."""
    sentence = (
        "PyTorch 2.15.0 (CUDA 13.2) cannot use the GPU that the NVIDIA driver (up to CUDA 12.2) shows: "
        "The NVIDIA driver on your system is too old (found version 12020)"
    )
    with caplog.at_level("WARNING"):
        decided = decide()
    assert (decided.name, decided.dtype) == ("cpu", "float32")
    assert sentence in decided.why
    assert sentence in caplog.text
    with pytest.raises(ModelUnavailable) as stopped:
        decide(heavy=True)
    assert sentence in str(stopped.value)
    assert "set device to cpu" in str(stopped.value)
    assert decide("cpu", heavy=True).name == "cpu"
    with pytest.raises(MachineFault, match=r"The settings ask for cuda, but PyTorch 2\.15\.0"):
        decide("cuda")


def test_a_pytorch_without_cuda_says_so(refused, monkeypatch):
    def init():
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr("torch.cuda.init", init)
    monkeypatch.setattr("torch.version.cuda", None)
    assert "(a build for the CPU alone) cannot use the GPU" in device_trouble()


def test_a_gpu_that_pytorch_has_no_binaries_for_is_none(two_gpus, monkeypatch):
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (7, 0))
    assert decide().name == "cpu"
    assert "its binaries are for sm_75, sm_80, sm_90a, and Some GPU is none of these" in device_trouble()
    # One of two that can be used is used, and the other is not.
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda index: ((7, 0), (8, 9))[index])
    assert usable_gpus() == ["cuda:1"]
    assert device_trouble() is None
    assert device_trouble("cuda:1") is None
    assert "none of these" in device_trouble("cuda:0")


@pytest.mark.parametrize(
    ("built", "capability", "runs"),
    [
        (["sm_80"], (8, 6), True),
        (["sm_86"], (8, 0), False),
        (["sm_90"], (10, 0), False),
        (["sm_90", "compute_90"], (12, 0), True),
        (["sm_90a"], (9, 0), True),
        (["compute_90a"], (10, 0), False),
        (["sm_100f"], (10, 3), True),
        (["sm_120"], (12, 1), True),
        (["gfx90a"], (9, 0), True),
    ],
)
def test_which_binaries_run_where(two_gpus, monkeypatch, built, capability, runs):
    monkeypatch.setattr("torch.cuda.get_arch_list", lambda: built)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: capability)
    assert (device_trouble() is None) == runs


def test_auto_takes_a_gpu_in_half_precision(two_gpus):
    assert (decide().name, decide().dtype) == ("cuda", "float16")
    assert decide("cuda:1").name == "cuda:1"
    assert decide("cpu").dtype == "float32"


def test_a_gpu_that_is_not_there_and_a_precision_it_lacks_are_faults(two_gpus):
    with pytest.raises(MachineFault, match="only 2 CUDA devices"):
        decide("cuda:2")
    with pytest.raises(MachineFault, match="cannot compute in bfloat16"):
        decide("cuda", "bfloat16")


@pytest.mark.parametrize(("device", "dtype"), [("gpu", "auto"), ("cpu", "int8")])
def test_names_that_mean_nothing_are_refused(device, dtype):
    with pytest.raises(ValueError, match="use auto"):
        decide(device, dtype)


def test_a_part_left_behind_is_found():
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2).half())
    with pytest.raises(MachineFault, match=r"1\.weight is torch\.float16"):
        assert_placed(module, Device("cpu", "float32", ""), "The model")
    assert_placed(module.float(), Device("cpu", "float32", ""), "The model")


def test_a_cpu_has_no_gpu_memory_and_freeing_there_is_harmless():
    assert GpuUse().now() is None
    free_memory()


def test_what_is_taken_of_a_gpu_is_counted_from_now_on(fake_cuda):
    fake_cuda.held = [3 << 30, 0]
    use = GpuUse()
    assert use.now() is None, "what others in this process hold is not this work's"
    fake_cuda.take(1, 5 << 30)
    fake_cuda.held[1] = 0
    memory = use.now()
    assert memory.device == "Some GPU 1"
    assert memory.figures() == {
        "gpu_peak_gib": 5.0,
        "gpu_reserved_gib": 6.0,
        "gpu_free_gib": 80.0,
        "gpu_total_gib": 96.0,
    }
    assert GpuUse().now() is None
