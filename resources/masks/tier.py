"""What a mask tier is: one way to find the subject of a picture, known before anything of it is loaded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from resources.resource import Model

if TYPE_CHECKING:
    import numpy as np


class MaskModel(Protocol):
    """Anything that says, for each pixel, how probably it belongs to the subject."""

    def probabilities(self, images: Sequence[np.ndarray]) -> Sequence[np.ndarray | Exception]:
        """Raw probabilities, before any stretching.

        Args:
            images: uint8 H×W×3 sRGB each; sizes may differ within a batch.

        Returns:
            One float32 H×W array in 0..1 per image, at the image's own size; an exception in place of one is that
            image's failure.

        Raises:
            resources.errors.MachineFault: no picture can be processed (memory at batch 1, a dead device).

        """


class MaskTier(Model):
    """One tier, by its settings. Subclass it, and name the class in the list of tiers or by an entry point."""

    answers: ClassVar[Literal["probability", "matte"]] = "probability"
    """``matte`` where the answer is an alpha, soft where the subject is, and is to be left alone."""
    is_network: ClassVar[bool] = True
    """False for one that goes by the picture's own colours and edges and needs no weights: its mask is not refined, a
    network that contradicts it has it looked at, and where it was the only tier nobody need be told."""

    @property
    @abstractmethod
    def revision(self) -> str:
        """What a row's key needs of model and settings: masks of equal revisions are equal. Loads nothing.

        Raises:
            ModelUnavailable: a local folder or file is not there.
        """

    @abstractmethod
    def lease(self) -> AbstractContextManager[MaskModel]:
        """The model for as long as the block runs; its weights may be loaded with the first picture.

        Raises:
            ModelUnavailable: it cannot be loaded; so may the model's own first call.
        """

    @property
    def at_once(self) -> int:
        """How many pictures it is best given at a time."""
        return 1

    def check_longest(self, longest: int) -> None:
        """See that the settings fit pictures of at most ``longest`` pixels. Raises ValueError."""
