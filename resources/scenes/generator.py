"""What a background generator is: a model that makes scenes from prompts, known before anything of it is loaded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from resources.resource import Model
from resources.runtime.device import DeviceName, device_trouble

if TYPE_CHECKING:
    from resources.scenes.request import Scene, SceneRequest

    Maker = Callable[[Sequence[SceneRequest]], Sequence[Scene | Exception]]
    """Makes scenes, in the order of the requests; an exception as an entry is that scene's failure."""


class SceneGenerator(Model):
    """One generator, by its settings. Subclass it, and name the class in the list or by an entry point."""

    paints_around: ClassVar[bool] = False
    """Whether it paints around the subject of a request that has one."""
    of_the_machine: ClassVar[frozenset[str]] = frozenset({"device", "batch_size", "download"})
    """Those of its settings that say how it is run, and not what comes out."""

    size: int = Field(default=1024, ge=32, description="Side of the square scene; others have about its area.")
    batch_size: int = Field(default=4, ge=1, description="Scenes at once; halved when memory runs out.")
    device: DeviceName = Field(default="auto", description="auto, cpu, cuda, cuda:N or mps.")

    @property
    @abstractmethod
    def revision(self) -> str:
        """What a row's key needs of model and settings: scenes of equal revisions and requests are equal.

        Raises:
            ModelUnavailable: no model is named, or a local folder is not there.
        """

    @abstractmethod
    def lease(self) -> AbstractContextManager[Maker]:
        """A maker of scenes for as long as the block runs: loaded on its first call, freed when the block ends."""

    @property
    def called(self) -> str:
        """What it is called in messages."""
        return self.title

    def key(self, request: SceneRequest) -> str:
        """The digest of everything that the scene depends on."""
        return request.key(self.revision, self.size)

    def unusable(self) -> str | None:
        """Why no scene can be made here, in a sentence; None when the device can be had and nothing is ``missing``.

        ``auto`` is a GPU: on a CPU a scene takes minutes to hours, so that must be asked for.
        """
        if trouble := device_trouble(self.device):
            ask = "" if self.device != "auto" else "; with device cpu in the settings it computes on the CPU, slowly"
            return f"{self.called} cannot compute here: {trouble}{ask}."
        return self.missing()
