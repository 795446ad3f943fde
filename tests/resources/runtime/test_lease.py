"""A model's life: nothing before the first use, one copy while held, nothing after."""

import gc
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from resources.errors import MachineFault, ModelUnavailable
from resources.runtime import lease as leases
from resources.runtime.device import Device
from resources.runtime.environment import environment
from resources.runtime.lease import lease, models_in_use

CPU = Device("cpu", "float32", "")


class Model:
    pass


class Loader:
    def __init__(self) -> None:
        self.models: list[weakref.ref] = []

    def __call__(self, device: Device) -> Model:
        model = Model()
        self.models.append(weakref.ref(model))
        return model

    @property
    def alive(self) -> int:
        gc.collect()
        return sum(model() is not None for model in self.models)


@pytest.fixture
def loader():
    return Loader()


def on_cpu() -> Device:
    return CPU


@pytest.mark.slow
def test_nothing_is_loaded_before_the_first_use_and_nothing_is_left_after(loader):
    with lease("m", loader, on_cpu) as held:
        assert loader.models == []
        with held.use():
            pass
        with held.use():
            pass
        assert loader.alive == len(loader.models) == 1
    assert loader.alive == 0


def test_what_is_loaded_is_told_with_its_device_and_precision(loader):
    with lease("m", loader, on_cpu, what="U²-Net") as held:
        assert models_in_use() == []
        with held.use():
            assert models_in_use() == ["U²-Net on CPU (float32)"]
            assert environment().endswith("; U²-Net on CPU (float32)")
    assert models_in_use() == []
    assert f"numpy {np.__version__}" in environment()


def test_a_lease_that_is_never_used_asks_for_no_device(loader):
    def fails() -> Device:
        raise AssertionError("asked for")

    with lease("m", loader, fails):
        pass
    assert loader.models == []


@pytest.mark.slow
def test_a_second_lease_while_the_first_is_held_loads_nothing_new(loader):
    other = Loader()
    with lease("m", loader, on_cpu) as first, first.use() as model:
        with lease("m", other, on_cpu) as second, second.use() as same:
            assert same is model
        # The second lease's end frees nothing that the first still holds.
        with first.use() as still:
            assert still is model
    del model, same, still
    assert other.models == []
    assert loader.alive == 0


def test_other_settings_are_another_model(loader):
    with lease("a", loader, on_cpu) as a, lease("b", loader, on_cpu) as b, a.use() as x, b.use() as y:
        assert x is not y


@pytest.mark.slow
def test_runs_that_overlap_never_hold_two_copies(loader):
    most: list[int] = []
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        for _ in range(5):
            with lease("m", loader, on_cpu) as held, held.use():
                most.append(sum(model() is not None for model in loader.models))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert loader.alive == 0


RUN = """
import os, sys
from functools import partial
from pathlib import Path
from resources.runtime import lease as leases
from resources.runtime.device import Device

log = Path(sys.argv[1]).open("a", buffering=1)
leases._uuids = lambda device: {"gpu-a": "cuda:0"}
leases.hold_one_of = partial(leases.hold_one_of, folder=Path(sys.argv[2]))
leases.free_memory = lambda: print("freed", os.getpid(), file=log)

def load(device):
    print("loaded", os.getpid(), file=log)
    return object()

for _ in range(5):
    with leases.lease("m", load, lambda: Device("cuda", "float16", "")) as held, held.use():
        pass
"""


def test_processes_that_overlap_never_hold_two_copies_on_one_gpu(tmp_path):
    """The model is freed before its GPU is given back, and loaded only once the GPU is held."""
    log, root = tmp_path / "log", Path(__file__).parents[3]
    command = [sys.executable, "-c", RUN, str(log), str(tmp_path)]
    runs = [subprocess.Popen(command, cwd=root) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    lines = log.read_text().split("\n")[:-1]
    assert len(lines) == 2 * 2 * 5
    for loaded, freed in zip(lines[::2], lines[1::2], strict=True):
        assert loaded.removeprefix("loaded") == freed.removeprefix("freed")


def test_freed_after_an_error_too(loader):
    with pytest.raises(ZeroDivisionError), lease("m", loader, on_cpu) as held, held.use():
        raise ZeroDivisionError
    assert loader.alive == 0
    assert leases._shared == {}


def test_after_an_error_the_model_is_gone_before_its_device_is_given_back(loader, monkeypatch):
    alive: list[int] = []
    monkeypatch.setattr(leases, "free_memory", lambda: alive.append(loader.alive))

    def fails(held) -> None:
        with held.use() as model:
            assert model
            raise MachineFault("the device is gone")

    with pytest.raises(MachineFault), lease("m", loader, on_cpu) as held:
        try:
            fails(held)
        except MachineFault as error:
            raise MachineFault("told again") from error
    assert alive == [0]


def test_what_a_library_raises_while_loading_is_a_model_that_is_not_available():
    def breaks(_: Device) -> Model:
        raise KeyError("weight")

    def fills(_: Device) -> Model:
        raise RuntimeError("CUDA out of memory.")

    with lease("m", breaks, on_cpu) as held, pytest.raises(ModelUnavailable, match="could not be loaded"), held.use():
        pass
    with lease("m", fills, on_cpu) as held, pytest.raises(MachineFault, match="No memory on cpu"), held.use():
        pass


@pytest.mark.parametrize(
    "breaks", [ValueError("'gpu' is no device"), PermissionError(13, "Permission denied"), ImportError("no libtorch")]
)
def test_no_device_is_the_machine_s_fault_whatever_was_raised(loader, breaks):
    def device() -> Device:
        raise breaks

    with lease("m", loader, device, what="SDXL") as held, pytest.raises(MachineFault) as fault, held.use():
        pass
    assert str(fault.value) == f"There is no device for SDXL: {breaks}"
    assert loader.models == []


def test_the_resources_load_no_library_until_a_lease_is_used():
    """What the code server, every tick and every worker that computes nothing would pay for."""
    script = (
        "import sys; from resources.scenes.sdxl import SDXL; from resources.clip.open_clip import OpenClip; "
        "from resources.masks.birefnet import BiRefNet; from resources.masks.vitmatte import VitMatte\n"
        "models = SDXL(), OpenClip(), BiRefNet(), VitMatte()\n"
        "revisions = [model.revision for model in models]\n"
        "with models[0].lease(), models[1].lease(), models[2].lease(), models[3].lease(): pass\n"
        "heavy = 'torch diffusers transformers open_clip rembg onnxruntime ncnn'.split()\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[3], check=True
    )
    assert done.stdout.strip() == "[]"
