"""Scenes in batches from a leased model, whichever it is: equal shapes together, a failure alone."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from resources.errors import MachineFault
from resources.runtime.batches import Batches
from resources.scenes.request import Scene, SceneRequest, bucket


class SceneModel(Protocol):
    """A loaded model."""

    def words(self, request: SceneRequest) -> int:
        """What requests of a batch must have in common besides their shape: the room that their texts need."""

    def make(self, requests: Sequence[SceneRequest], sides: tuple[int, int]) -> list[Scene | Exception]:
        """Scenes of one shape (height, width) and scale in one batch; an exception as an entry is its failure."""


class LeasedModel(Protocol):
    """A model that is loaded at its first use, as ``Shared`` holds it."""

    def use(self) -> AbstractContextManager[SceneModel]:
        """The model, for one thread at a time."""


class SceneMaker:
    """A leased model of scenes: call it with requests."""

    def __init__(self, shared: LeasedModel, size: int, batch_size: int, what: str, *, fill: bool = False) -> None:
        self._shared = shared
        self._size = size
        self._fill = fill
        self._batches: Batches[SceneRequest, Scene | Exception] = Batches(self._make, batch_size, what)

    def __call__(self, requests: Sequence[SceneRequest]) -> list[Scene | Exception]:
        """The scenes, in the order of the requests; an exception as an entry is that scene's failure.

        Requests of equal shape are made together, over different prompts and seeds. Give all that there are:
        what is given one by one is made one by one.

        Raises:
            ModelUnavailable: on the first call, if weights are not here or cannot be loaded.
            MachineFault: the device that was asked for is not there or has failed, or not one scene fits.
        """
        groups: dict[tuple[Any, ...], list[int]] = {}
        scenes: dict[int, Scene | Exception] = {}
        for index, request in enumerate(requests):
            try:
                groups.setdefault(self._alike(request), []).append(index)
            except MachineFault:
                raise
            except Exception as error:
                # Without the traceback, whose frames hold the model beyond its lease.
                scenes[index] = error.with_traceback(None)
        for indices in groups.values():
            made = self._batches([requests[index] for index in indices])
            scenes.update(zip(indices, made, strict=True))
        return [scenes[index] for index in range(len(requests))]

    def _alike(self, request: SceneRequest) -> tuple[Any, ...]:
        """What requests must have in common to be made in one batch."""
        with self._shared.use() as model:
            words = model.words(request)
        return *bucket(request.height, request.width, self._size), request.subject is not None, request.scale, words

    def _make(self, requests: list[SceneRequest]) -> list[Scene | Exception]:
        # A compiled model is compiled anew for each batch size, so there are few: 1, 2, 4, … and the full one.
        slots = slots_for(len(requests), self._batches.size) if self._fill else len(requests)
        filled = requests + [requests[-1]] * (slots - len(requests))
        sides = bucket(requests[0].height, requests[0].width, self._size)
        with self._shared.use() as model:
            return model.make(filled, sides)[: len(requests)]


def slots_for(count: int, largest: int) -> int:
    """The batch that ``count`` scenes are made in by a compiled model: the next power of two, at most ``largest``."""
    return min(largest, 1 << (count - 1).bit_length())
