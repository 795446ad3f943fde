"""Devices and precisions: what is asked for is what is taken, or nothing is."""

import pytest

from resources.device import Device, GpuUse, assert_placed, decide, free_memory
from resources.errors import MachineFault

pytestmark = pytest.mark.slow


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
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
    assert "there is no CUDA device" in decided.why


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
    with pytest.raises(ValueError, match="say auto"):
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
