"""What ``vivid models pull`` fetches: by a name, by a repository on the hub, or by what the settings need."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from resources.errors import ModelUnavailable
from resources.masks.onnx_masks import KNOWN, is_path, pull_onnx
from resources.runtime.device import device_trouble
from resources.runtime.packages import demand
from resources.scenes.generators import TEXT_TO_IMAGE
from resources.scenes.samplers import SAMPLERS
from resources.weights import pull as weights
from resources.weights.download import Progress
from resources.weights.hub import Weights
from resources.weights.model_files import recognised
from resources.weights.registry import CATALOGUE, name_of
from resources.weights.remote_code import packages

if TYPE_CHECKING:
    from vivid_assets.settings import Settings

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


@dataclass
class Wish:
    """All that is to be fetched, and sentences on what is left out or cannot be had."""

    wanted: list[Wanted] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def is_known(name: str) -> bool:
    """Whether ``name`` can be asked for: a model's name, or a repository's."""
    return name in names() or REPOSITORY.fullmatch(name) is not None


def names() -> list[str]:
    """The models that have a name of their own."""
    few_step = [name for name, sampler in SAMPLERS.items() if sampler.unet or sampler.lora]
    return list(dict.fromkeys([*CATALOGUE, *few_step, *KNOWN]))


def by_name(name: str, variant: str | None, read: Callable[[], "Settings"]) -> Wish:
    """What ``name`` means: a model's name or ``org/name[@revision]``.

    ``read`` reads the settings, which may say more of it; it is called only then.

    Raises:
        ModelUnavailable: the hub has to be asked what a repository holds, and does not answer or holds no model.
    """
    if name in CATALOGUE:
        return Wish([_catalogued(name)])
    if name in SAMPLERS:
        return _of_sampler(name, read())
    if name in KNOWN:
        return Wish([_of_rembg(name)])
    match = REPOSITORY.fullmatch(name)
    assert match, name
    source, revision = match.groups()
    named = [one for one in _of_hub(read()) if one.source == source and revision in (None, one.revision)]
    if not revision and named:
        revision = named[0].revision
    commit, files = weights.listed(source, revision or "main")
    try:
        # What the settings ask of a repository need not be what it holds by itself.
        found = [*named, recognised(source, commit, files, variant)]
    except ModelUnavailable:
        by_file = [_catalogued(one.name) for one in CATALOGUE.values() if one.source == f"{source}@{commit[:12]}"]
        if not (by_file or named):
            raise
        return Wish(by_file + [_repository(one, files) for one in named if not name_of(one)])
    return Wish([_repository(one, files) for one in dict.fromkeys(found)])


def by_settings(settings: "Settings") -> Wish:
    """What a run with these settings would load on this machine."""
    wish = Wish()
    for tier in settings.masks.tiers:
        if tier in CATALOGUE and tier != "birefnet":
            wish.wanted.append(_catalogued(tier))
    if "birefnet" in settings.masks.tiers:
        _add_birefnet(wish, settings)
    open_clip, sdxl, vitmatte = _resources(settings)
    needed = [(open_clip.weights, "OpenCLIP")]
    if settings.masks.matting == "vitmatte":
        needed.append((lambda: vitmatte.weights, "ViTMatte"))
    for ask, what in needed:
        try:
            if not (files := ask()).is_local:
                wish.wanted.append(_repository(files))
        except ModelUnavailable as error:
            wish.refused.append(f"{what}: {error}")
    generator = settings.backgrounds.generator
    if generator == TEXT_TO_IMAGE:
        _add_text_to_image(wish, settings)
        return wish
    trouble = device_trouble(sdxl.device) if generator == "auto" else None
    if generator != "backdrop" and not trouble:
        for files in sdxl.weights():
            if files.is_local:
                continue
            if files.revision:
                wish.wanted.append(_repository(files, sampler=sdxl.sampler))
            else:
                wish.refused.append(str(sdxl.missing()))
    elif trouble:
        wish.left_out.append(f"SDXL is not fetched, and backgrounds are drawn: {trouble}.")
    return wish


def _add_text_to_image(wish: Wish, settings: "Settings") -> None:
    from resources.scenes.text_to_image import TextToImage
    from vivid_assets.settings import configured

    model = configured(TextToImage(), settings.text_to_image)
    try:
        (files,) = model.weights()
    except ModelUnavailable as error:
        wish.refused.append(str(error))
        return
    if not files.is_local:
        title = f"{files.source}@{files.revision}"
        wish.wanted.append(Wanted(title, None, lambda _progress, _say: model.pull()[0]))


def _add_birefnet(wish: Wish, settings: "Settings") -> None:
    from resources.masks.birefnet import BiRefNet
    from vivid_assets.settings import configured

    birefnet = configured(BiRefNet(), settings.birefnet)
    if birefnet.runtime == "onnx":
        if not is_path(birefnet.onnx_model):
            wish.wanted.append(_of_rembg(birefnet.onnx_model))
        return
    for files in birefnet.weights():
        try:
            birefnet.assert_consent(files)
        except ModelUnavailable as error:
            wish.left_out.append(f"BiRefNet is not fetched: {error}")
            return
        if not files.is_local:
            wish.wanted.append(_repository(files))


def _resources(settings: "Settings"):  # type: ignore[no-untyped-def]
    from resources.clip.open_clip import OpenClip
    from resources.masks.vitmatte import VitMatte
    from resources.scenes.sdxl import SDXL
    from vivid_assets.settings import configured

    return (
        configured(OpenClip(), settings.open_clip),
        configured(SDXL(), settings.sdxl),
        configured(VitMatte(), settings.vitmatte),
    )


def _of_hub(settings: "Settings") -> list[Weights]:
    """Every repository that the settings speak of, whether a run would load it or not."""
    from resources.masks.birefnet import BiRefNet
    from vivid_assets.settings import configured

    open_clip, sdxl, vitmatte = _resources(settings)
    birefnet = configured(BiRefNet(), settings.birefnet)
    found = [*birefnet.weights(), *sdxl.weights(), vitmatte.weights]
    with suppress(ModelUnavailable):  # open_clip has no such weights, and they are not what was asked for
        found.append(open_clip.weights())
    return [files for files in found if not files.is_local and files.revision]


def _of_sampler(name: str, settings: "Settings") -> Wish:
    """A sampler whose commit only the settings can know."""
    from resources.scenes.sdxl import SDXL
    from vivid_assets.settings import configured

    given = {**settings.sdxl} if settings.sdxl.get("sampler") == name else {"sampler": name}
    sdxl = configured(SDXL(), given)
    sampler = sdxl.sampling
    files = sampler.unet or sampler.lora
    if files and files.revision and not files.is_local:
        return Wish([_repository(files, sampler=name)])
    return Wish(refused=[f"{name}: {sdxl.missing()}"])


def _catalogued(name: str) -> Wanted:
    needs: Callable[[Path], None] = _packages_of_code
    if name in SAMPLERS and SAMPLERS[name].lora:
        needs = _peft(name)
    return Wanted(
        name, CATALOGUE[name].size, lambda progress, say: weights.pull(name, progress=progress, say=say), needs
    )


def _of_rembg(name: str) -> Wanted:
    return Wanted(name, None, lambda _progress, _say: pull_onnx(name))


def _repository(files: Weights, sizes: dict[str, int] | None = None, sampler: str = "") -> Wanted:
    if name := name_of(files):
        return _catalogued(name)
    title = f"{files.source}@{files.revision}"
    size = sum(size for file, size in (sizes or {}).items() if any(fnmatch(file, one) for one in files.patterns))
    needs = _peft(sampler) if sampler and SAMPLERS[sampler].lora else _packages_of_code
    return Wanted(title, size or None, lambda _progress, say: weights.pull_files(files, title, say), needs)


def _packages_of_code(place: Path) -> None:
    if place.is_dir() and any(place.glob("*.py")):
        demand("Its code", packages(place))


def _peft(sampler: str) -> Callable[[Path], None]:
    return lambda _: demand(f"The sampler {sampler}", ["peft"])
