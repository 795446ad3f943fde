"""Every model that has a table in ``vivid.toml``, by the table's name, whichever list it is in."""

from resources.masks.tiers import MASK_TIERS
from resources.registry import BrokenPlugin, Registry
from resources.resource import Resource
from resources.scenes.generators import GENERATORS

_SINGLE: Registry[Resource] = Registry(
    "model",
    Resource,
    {"open_clip": "resources.clip.open_clip:OpenClip", "vitmatte": "resources.masks.vitmatte:VitMatte"},
)
"""Those that there is one of its kind of."""


def model_named(name: str) -> type[Resource] | None:
    """The model whose table has that name; None where there is none, or it has no settings.

    Raises:
        BrokenPlugin: an installed package brings it, and it cannot be loaded.
    """
    for registry in (_SINGLE, GENERATORS, MASK_TIERS):
        if name in registry.own or name in registry.names():
            model: type[Resource] = registry.load(name)
            return model if model.model_fields else None
    return None


def own_models() -> dict[str, type[Resource]]:
    """The models of this package that have settings, by name."""
    names = ("open_clip", *GENERATORS.own, *MASK_TIERS.own, "vitmatte")
    return {name: model for name in names if (model := model_named(name))}


def tables() -> list[str]:
    """The names of all tables that a model has, those of installed packages last."""
    own = own_models()
    others = (*GENERATORS.names(), *MASK_TIERS.names())
    return [*own, *(name for name in others if name not in own and _has_settings(name))]


def _has_settings(name: str) -> bool:
    try:
        return model_named(name) is not None
    except BrokenPlugin:
        return True
