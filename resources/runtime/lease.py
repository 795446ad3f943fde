"""How long a model lives: loaded on first use inside a lease, shared while held, freed when the last lease ends.

A pool's slot belongs to a step and a resource to a run, so a model kept by the resource outlives its slot and
the next run loads a second copy beside it. A lease ends inside the asset's body, before the slot is given back.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Generic, TypeVar

from resources.errors import MachineFault, ModelUnavailable, first_line
from resources.runtime.batches import is_out_of_memory
from resources.runtime.device import Device, decide, free_memory, usable_gpus
from resources.runtime.gpu_lock import hold_one_of

Model = TypeVar("Model")

_log = logging.getLogger(__name__)
_registry = threading.Lock()
_shared: dict[str, "Shared[Any]"] = {}


class Shared(Generic[Model]):
    """A model that several leases of one process use together; made by ``lease``."""

    def __init__(self, what: str, load: Callable[[Device], Model], device: Callable[[], Device]) -> None:
        self._what = what
        self._load = load
        self._device = device
        self._using = threading.RLock()
        self._held = ExitStack()
        self._model: Model | None = None
        self._on: Device | None = None
        self.leases = 0
        self.loads = 0
        """How often the model has been loaded; 0 until the first use, 1 after it."""

    @contextmanager
    def use(self) -> Iterator[Model]:
        """The model, loaded now if it is not yet; one thread at a time (the libraries are not thread-safe).

        Raises:
            ModelUnavailable, MachineFault: it cannot be loaded.
        """
        with self._using:
            if self._model is None:
                started = time.perf_counter()
                with ExitStack() as held:
                    device = self._taken(held)
                    self._model = self._loaded(device)
                    self.loads += 1
                    self._held = held.pop_all()
                    self._on = device
                seconds = time.perf_counter() - started
                _log.info("Loaded %s on %s (%s) in %.1f s", self._what, device.name, device.dtype, seconds)
            yield self._model

    def _taken(self, held: ExitStack) -> Device:
        """The device, held. Whatever fails here fails for every picture, so it is no picture's failure."""
        try:
            return held.enter_context(_own(self._device()))
        except MachineFault:
            raise
        except Exception as error:
            raise MachineFault(f"There is no device for {self._what}: {first_line(error)}") from error

    def _loaded(self, device: Device) -> Model:
        try:
            return self._load(device)
        except MachineFault:
            raise
        except Exception as error:
            # Whatever a library raises here, no picture can be processed without the model.
            if is_out_of_memory(error):
                raise MachineFault(f"No memory on {device.name} to load {self._what}: {first_line(error)}") from error
            raise ModelUnavailable(f"{self._what} could not be loaded: {first_line(error)}") from error

    @property
    def placed(self) -> str:
        """The loaded model with its device and precision; empty while it is not loaded."""
        on = self._on
        return f"{self._what} on {on.hardware} ({on.dtype})" if on else ""

    def free(self) -> None:
        """Let go of the model and its device."""
        with self._using:
            if self._model is None:
                return
            self._model = self._on = None
            # Before the device is given back, or the next process would find its memory still full.
            free_memory()
            self._held.close()
            _log.info("Freed %s", self._what)


@contextmanager
def lease(
    key: str, load: Callable[[Device], Model], device: Callable[[], Device] = decide, *, what: str = ""
) -> Iterator[Shared[Model]]:
    """A lease on the model ``key``; leases that overlap in one process share one copy.

    Args:
        key: says everything that the loaded model depends on. Equal keys share a copy, whichever object asks.
        load: makes the model on the device that it is given; called at most once while any lease is held.
        device: which device; called when the model is first used. A CUDA device is held against other
            processes until the last lease ends.
        what: the model's name in messages; the key unless told.

    Yields:
        The shared holder. Nothing is loaded before ``use``.
    """
    with _registry:
        shared = _shared.setdefault(key, Shared(what or key, load, device))
        shared.leases += 1
    try:
        yield shared
    except BaseException as error:
        _clear(error)
        raise
    finally:
        with _registry:
            shared.leases -= 1
            last = shared.leases == 0
            if last:
                del _shared[key]
                # Inside the registry's lock: a lease that begins now must not load beside what is being freed.
                shared.free()


def models_in_use() -> list[str]:
    """The models that this process has loaded, each with its device and precision, by name."""
    with _registry:
        return sorted(filter(None, (shared.placed for shared in _shared.values())))


def _clear(error: BaseException | None) -> None:
    """Empty the frames that a failed call has left, which hold the model while the error is on its way up."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


@contextmanager
def _own(device: Device) -> Iterator[Device]:
    """``device`` with a GPU held by this process alone; ``cuda`` without a number is any free one."""
    if not device.is_cuda:
        yield device
        return
    with hold_one_of(list(names := _uuids(device))) as uuid:
        yield Device(names[uuid], device.dtype, device.why)


def _uuids(device: Device) -> dict[str, str]:
    """The device's name by the UUID of its GPU: CUDA_VISIBLE_DEVICES numbers GPUs anew in each process."""
    import torch

    names = [device.name] if ":" in device.name else usable_gpus()
    return {str(torch.cuda.get_device_properties(name).uuid): name for name in names}
