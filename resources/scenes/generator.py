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
    def enlarges(self) -> bool:
        """Whether scenes may come larger than ``size``, for pictures that are."""
        return False

    def scale(self, height: int, width: int) -> int:  # noqa: ARG002
        """Times its own size that a scene comes at for a picture of so many pixels."""
        return 1

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


class Enlarging(SceneGenerator):
    """A generator whose scenes may be painted larger than its model's own, for large pictures (``enlarged``)."""

    enlarge: int = Field(
        default=1,
        ge=1,
        le=4,
        description="Times the model's own size, at most, that a scene is painted at for a picture that is larger; "
        "from 2 on a scene takes 4 to 9 times as long.",
    )

    @property
    def enlarges(self) -> bool:
        """Where the settings ask for it."""
        return self.enlarge > 1

    def scale(self, height: int, width: int) -> int:
        """The nearest to the picture's own size."""
        # Not above: settings are read by commands that load no NumPy.
        from resources.scenes.request import bucket

        return max(1, min(self.enlarge, round(max(height, width) / max(bucket(height, width, self.size)))))
