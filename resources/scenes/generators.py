"""Who makes backgrounds on this machine."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from resources.scenes.maker import SceneMaker
from resources.scenes.request import SceneRequest
from resources.weights.hub import Weights

GeneratorName = Literal["auto", "sdxl", "text_to_image", "backdrop"]
SDXL, TEXT_TO_IMAGE, BACKDROP = "sdxl", "text_to_image", "backdrop"
"""SDXL; any other pipeline of diffusers; the drawn studio, which needs no model."""
OWN = "own"
"""In a row: the user's own background."""
NOT_GENERATED = (OWN, BACKDROP)
"""What a row names where no model made the scene."""


class SceneGenerator(Protocol):
    """A model that makes scenes from prompts, by its settings; nothing is loaded before a lease is used."""

    @property
    def size(self) -> int:
        """Side of the square scene; others have about its area."""

    @property
    def batch_size(self) -> int:
        """Scenes at a time, at most."""

    @property
    def device(self) -> str:
        """As the settings name it."""

    @property
    def revision(self) -> str:
        """What a row's key needs of the model and its settings."""

    def lease(self) -> AbstractContextManager[SceneMaker]:
        """A maker of scenes for as long as the block runs."""

    def key(self, request: SceneRequest) -> str:
        """The digest of everything that a scene depends on."""

    def missing(self) -> str | None:
        """Why the model cannot be loaded here, in a sentence; None when it can."""

    def unusable(self) -> str | None:
        """Why no scene can be made here, in a sentence; None when one can."""

    def weights(self) -> Sequence[Weights]:
        """The files that the settings need."""


@dataclass(frozen=True)
class Choice:
    """The generator that holds here."""

    name: str
    model: SceneGenerator | None
    """None for the drawn backdrop."""
    why: str
    """One sentence for the log."""


def choose_generator(asked: str, models: Mapping[str, SceneGenerator]) -> Choice:
    """The generator that ``asked`` of the settings means on this machine.

    Args:
        asked: ``auto``, ``backdrop`` or a name of ``models``. ``auto`` is the first of the models if it can be used,
            else the drawn backdrop. What is asked for by name is never another: where it cannot be had, its first use
            says so and stops the step.
        models: by name, as the settings configure them.
    """
    if asked != "auto":
        return Choice(asked, models.get(asked), f"Backgrounds by {asked}, as the settings ask.")
    name, model = next(iter(models.items()))
    if reason := model.unusable():
        return Choice(BACKDROP, None, f"Backgrounds by the drawn backdrop. {reason}")
    where = "a GPU of this machine" if model.device == "auto" else f"{model.device}, as the settings ask"
    return Choice(name, model, f"Backgrounds by {name.upper()} on {where}: its weights are here.")
