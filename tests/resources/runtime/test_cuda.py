"""What the NVIDIA driver answers, and what that means for who counts on a GPU. No PyTorch is needed for it."""

from types import SimpleNamespace

import pytest

from resources.errors import ModelUnavailable
from resources.runtime import cuda
from resources.runtime.device import decide, device_trouble


@pytest.fixture
def answering(monkeypatch, tmp_path):
    """``answering(code)``: the driver is installed, and its start ends with that code; no GPU is shown."""

    def installed(code):
        driver = SimpleNamespace(cuInit=lambda _: code, cuDeviceGetCount=lambda _: 0, cuDriverGetVersion=lambda _: 0)
        monkeypatch.setattr("resources.runtime.cuda.ctypes.CDLL", lambda _: driver)
        cuda.cuda_driver.cache_clear()

    monkeypatch.setattr("resources.runtime.cuda._AMD", tmp_path / "kfd")
    yield installed
    cuda.cuda_driver.cache_clear()


def test_a_driver_that_does_not_start_is_a_gpu_that_cannot_be_used(answering, caplog):
    """As after an update of the driver before the machine is started anew: its user counts on the GPU."""
    answering(804)
    assert not cuda.gpu_shown()
    assert cuda.gpu_expected()
    assert "does not start (error 804). Restart the machine" in device_trouble()
    with pytest.raises(ModelUnavailable, match=r"^The NVIDIA driver does not start \(error 804\)\. Restart .* to cpu"):
        decide(heavy=True)
    assert decide("cpu", heavy=True).name == "cpu"
    with caplog.at_level("WARNING"):
        assert decide().name == "cpu"
    assert "error 804" in caplog.text


@pytest.mark.parametrize("code", [100, 34])
def test_a_driver_without_a_gpu_and_the_toolkits_stub_of_one_alarm_nobody(answering, caplog, code):
    answering(code)
    assert not cuda.gpu_expected()
    assert device_trouble() == "this machine has no CUDA device"
    with caplog.at_level("WARNING"):
        assert decide(heavy=True).name == "cpu"
    assert not caplog.text
