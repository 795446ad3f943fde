"""What ``vivid models pull`` fetches: by name, by repository on the hub, or what the settings need."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.errors import ModelUnavailable
from resources.masks import rembg_sessions as rembg
from resources.masks.tiers import MASK_TIERS
from resources.registry import Registry
from resources.resource import Model
from resources.runtime.device import device_trouble
from resources.runtime.packages import demand
from resources.scenes.generators import AUTO, BACKDROP, GENERATORS
from resources.scenes.samplers import SAMPLERS
from resources.weights import pull as weights
from resources.weights.download import Progress
from resources.weights.hub import Weights
from resources.weights.model_files import recognised
from resources.weights.registry import CATALOGUE, name_of
from resources.weights.remote_code import packages
from vivid_assets.settings import Settings, configured, find_model, generator_name, scene_generators, tier_name

if TYPE_CHECKING:
    from resources.clip.open_clip import OpenClip
    from resources.masks.vitmatte import VitMatte

REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


@dataclass(frozen=True)
class Wanted:
    """One thing to fetch."""

    name: str
    size: int | None
    """Bytes, about; None where only its publisher knows."""
    fetch: Callable[[Progress, Callable[[str], None]], Path]
    """Brings it here, unless it is. Raises MachineFault."""
    needs: Callable[[Path], None] = lambda _: None
    """Raises ModelUnavailable when what came needs packages that are not installed."""
    prepare: Callable[[], None] = lambda: None
    """What is done once with what came, where the first run would have to. Raises MachineFault."""
    files: Weights | None = None
    """Of a repository on the hub that has no name of its own here: its files."""


@dataclass
class Wish:
    """What is to be fetched, and messages on what is left out or unavailable."""

    wanted: list[Wanted] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def is_known(name: str) -> bool:
    """Whether ``name`` can be fetched: a model's name, or a repository's."""
    return name in CATALOGUE or bool(_list_of(name)) or bool(REPOSITORY.fullmatch(name)) or name in names()


def names() -> list[str]:
    """The models that have a name of their own."""
    few_step = [name for name, sampler in SAMPLERS.items() if sampler.unet or sampler.lora]
    return list(dict.fromkeys([*CATALOGUE, *few_step, *beside_catalogue()]))


def _list_of(name: str) -> Registry[Any] | None:
    """The list that has ``name``, a mask tier's or a generator's with a model after a colon; None for other names."""
    lists: tuple[tuple[Callable[[str], str], Registry[Any]], ...]
    lists = ((tier_name, MASK_TIERS), (generator_name, GENERATORS))
    for is_name, models in lists:
        with suppress(ValueError):
            if ":" in name and is_name(name):
                return models
    return None


def configured_names(settings: Settings) -> dict[str, Registry[Any]]:
    """The tiers and generators that the settings name, and the list of each."""
    own = settings.backgrounds.generator
    generators = [own, *(one.generator for one in settings.renditions.values() if one.generator)]
    named: dict[str, Registry[Any]] = dict.fromkeys(settings.masks.tiers, MASK_TIERS)
    return named | {name: GENERATORS for name in generators if name not in (AUTO, BACKDROP)}


def beside_catalogue() -> dict[str, Registry[Any]]:
    """Models whose weights the catalogue does not list, those of installed packages among them, and where each is."""
    lists: tuple[Registry[Any], ...] = (MASK_TIERS, GENERATORS)
    found: dict[str, Registry[Any]] = {}
    for models in lists:
        for name in models.names():
            if name in models.own and (several := models.load(name).models()):
                found |= {f"{name}:{model}": models for model in several}
            elif name not in CATALOGUE and (name not in models.own or models.load(name).brings_weights()):
                found[name] = models
    return found


def by_name(name: str, variant: str | None, read: Callable[[], Settings]) -> Wish:
    """What ``name`` means: a model's name or ``org/name[@revision]``.

    ``read`` reads the settings, which may determine it further; it is called only then.

    Raises:
        ModelUnavailable: the hub does not answer, or the repository has no model.
    """
    if name in CATALOGUE:
        return Wish([_catalogued(name)])
    if name in SAMPLERS:
        return _of_sampler(name, read())
    if models := _list_of(name) or beside_catalogue().get(name):
        return _of_model(name, models, read())
    match = REPOSITORY.fullmatch(name)
    assert match, name
    source, revision = match.groups()
    named = [one for one in _of_hub(read()) if one.source == source and revision in (None, one.revision)]
    if not revision and named:
        revision = named[0].revision
    commit, files = weights.listed(source, revision or "main")
    try:
        # The settings may need other files of a repository than its own description.
        found = [*named, recognised(source, commit, files, variant)]
    except ModelUnavailable:
        by_file = [_catalogued(one.name) for one in CATALOGUE.values() if one.source == f"{source}@{commit[:12]}"]
        if not (by_file or named):
            raise
        return Wish(by_file + [_repository(one, files) for one in named if not name_of(one)])
    return Wish([_repository(one, files) for one in dict.fromkeys(found)])


def by_settings(settings: Settings) -> Wish:
    """What a run with these settings would load on this machine."""
    wish = Wish()
    for name, models in configured_names(settings).items():
        _add(wish, name, models, settings)
    needed: list[tuple[Callable[[], Weights], str]] = [(_open_clip(settings).weights, "OpenCLIP")]
    if settings.masks.matting == "vitmatte":
        needed.append((lambda: _vitmatte(settings).weights, "ViTMatte"))
    for ask, what in needed:
        try:
            if not (files := ask()).is_local:
                wish.wanted.append(_repository(files))
        except ModelUnavailable as error:
            wish.refused.append(f"{what}: {error}")
    asked = (settings.backgrounds.generator, *(one.generator for one in settings.renditions.values()))
    if AUTO in asked:
        generator, model = next(iter(scene_generators(settings, asked=AUTO).items()))
        if generator in asked:
            return wish
        if trouble := device_trouble(model.device):
            wish.left_out.append(f"{model.title} is not fetched, and backgrounds are drawn: {trouble}.")
        else:
            _add(wish, generator, GENERATORS, settings)
    return wish


def _add(wish: Wish, name: str, models: Registry[Any], settings: Settings) -> None:
    """Add what the model of that name needs, by the settings."""
    try:
        model: Model = find_model(models, name, settings)
        if refusal := model.refusal():
            wish.left_out.append(f"{model.title or name} is not fetched: {refusal}")
            return
        fetched = model.fetched()
    except ModelUnavailable as error:
        wish.refused.append(str(error))
        return
    if model.is_fetched_whole:
        files = [one for one in fetched if isinstance(one, Weights)]
        remote = [one for one in files if not one.is_local]
        title = ", ".join(f"{one.source}@{one.revision}" for one in remote) or name
        if remote or not files:
            fetch: Callable[..., Path] = lambda _progress, _say: model.pull()[-1]  # noqa: E731
            wish.wanted.append(Wanted(title, None, fetch, lambda _: model.demand_packages(), model.prepare))
        return
    for one in fetched:
        if isinstance(one, str):
            wish.wanted.append(_catalogued(one) if one in CATALOGUE else _of_rembg(one))
        elif one.is_local:
            continue
        elif one.revision:
            wish.wanted.append(_repository(one, model=model))
        else:
            wish.refused.append(str(model.missing()))


def _of_hub(settings: Settings) -> list[Weights]:
    """Every repository that the settings speak of, whether a run would load it or not."""
    found: list[Weights] = []
    registries: tuple[Registry[Any], ...] = (MASK_TIERS, GENERATORS)
    for registry in registries:
        for name in registry.names():
            # A model without such weights, or a broken one, was not requested.
            with suppress(ModelUnavailable):
                model = find_model(registry, name, settings)
                found += [] if model.is_fetched_whole else model.weights()
    found.append(_vitmatte(settings).weights)
    with suppress(ModelUnavailable):  # open_clip has no such weights
        found.append(_open_clip(settings).weights())
    return [files for files in found if not files.is_local and files.revision]


def _open_clip(settings: Settings) -> "OpenClip":
    from resources.clip.open_clip import OpenClip

    return configured(OpenClip(), settings.entries("open_clip"))


def _vitmatte(settings: Settings) -> "VitMatte":
    from resources.masks.vitmatte import VitMatte

    return configured(VitMatte(), settings.entries("vitmatte"))


def _of_model(name: str, models: Registry[Any], settings: Settings) -> Wish:
    wish = Wish()
    _add(wish, name, models, settings)
    if not (wish.wanted or wish.left_out or wish.refused):
        wish.left_out.append(f"{name} needs no weights, or has all that it needs.")
    return wish


def _of_sampler(name: str, settings: Settings) -> Wish:
    """A sampler whose commit only the settings can know."""
    from resources.scenes.sdxl import SDXL

    entries = settings.entries("sdxl")
    sdxl = configured(SDXL(), entries if entries.get("sampler") == name else {"sampler": name})
    files = sdxl.sampling.unet or sdxl.sampling.lora
    if files and files.revision and not files.is_local:
        return Wish([_repository(files, model=sdxl)])
    return Wish(refused=[f"{name}: {sdxl.missing()}"])


def _catalogued(name: str) -> Wanted:
    needs: Callable[[Path], None] = _packages_of_code
    if name in SAMPLERS and SAMPLERS[name].lora:
        needs = _peft(name)
    prepare = MASK_TIERS.load(name)().prepare if name in MASK_TIERS.own else lambda: None
    size = CATALOGUE[name].size
    return Wanted(name, size, lambda progress, say: weights.pull(name, progress=progress, say=say), needs, prepare)


def _of_rembg(name: str) -> Wanted:
    return Wanted(f"rembg:{name}", None, lambda _progress, _say: rembg.pull(name))


def _repository(files: Weights, sizes: dict[str, int] | None = None, model: Model | None = None) -> Wanted:
    if name := name_of(files):
        return _catalogued(name)
    title = f"{files.source}@{files.revision}"
    size = sum(size for file, size in (sizes or {}).items() if any(fnmatch(file, one) for one in files.patterns))

    def needs(place: Path) -> None:
        _packages_of_code(place)
        if model:
            model.demand_packages()

    fetch: Callable[..., Path] = lambda _progress, say: weights.pull_files(files, title, say)  # noqa: E731
    return Wanted(title, size or None, fetch, needs, files=files)


def _packages_of_code(place: Path) -> None:
    if place.is_dir() and any(place.glob("*.py")):
        demand("Its code", packages(place))


def _peft(sampler: str) -> Callable[[Path], None]:
    return lambda _: demand(f"The sampler {sampler}", ["peft"])
