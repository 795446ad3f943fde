"""The one list of background generators, and which of them makes backgrounds on this machine.

Other packages bring theirs by the entry point ``vivid_assets.generators``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from resources.registry import Registry
from resources.scenes.generator import SceneGenerator
from resources.scenes.plain import COLOR, TRANSPARENT

GENERATORS = Registry(
    "background generator",
    SceneGenerator,  # type: ignore[type-abstract]
    {
        "sdxl": "resources.scenes.sdxl:SDXL",
        "text_to_image": "resources.scenes.text_to_image:TextToImage",
    },
    "vivid_assets.generators",
)
"""The models. The first is what ``auto`` means where it can be used."""
AUTO, BACKDROP = "auto", "backdrop"
"""In the settings: the first of the models, or else the backdrop; the drawn studio, which needs no model."""
OWN = "own"
"""In a row: the user's own background."""
NOT_GENERATED = (OWN, BACKDROP, COLOR, TRANSPARENT)
"""What a row names where no model made the scene."""


def generator_names() -> tuple[str, ...]:
    """What the settings may ask for. Imports no generator."""
    return (AUTO, *GENERATORS.names(), BACKDROP)


def around(generator: str) -> str:
    """What a row names where the generator painted around the picture's subject."""
    return f"{generator}_inpaint"


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
        models: by name, as the settings configure them: at least the one that is asked for; for ``auto`` the first.
    """
    if asked != AUTO:
        model = None if asked == BACKDROP else models[asked]
        return Choice(asked, model, f"Backgrounds by {asked}, as the settings request.")
    name, model = next(iter(models.items()))
    if reason := model.unusable():
        return Choice(BACKDROP, None, f"Backgrounds by the drawn backdrop. {reason}")
    where = "a GPU of this machine" if model.device == "auto" else f"{model.device}, as the settings request"
    return Choice(name, model, f"Backgrounds by {name.upper()} on {where}: its weights are installed.")
