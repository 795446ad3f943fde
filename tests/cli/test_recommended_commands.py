"""Every command that a message, the README or a page of the docs tells people to run is one that ``vivid`` takes."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from resources.clip.open_clip import OpenClip
from resources.masks.birefnet import BiRefNet
from resources.masks.rembg_tier import Rembg
from resources.masks.vitmatte import VitMatte
from resources.scenes.sdxl import SDXL
from resources.scenes.text_to_image import TextToImage
from resources.weights import pull as weights
from resources.weights.licences import OF_REMBG, forbids_commerce
from vivid_assets.cli.main import app
from vivid_assets.cli.models import models_app
from vivid_assets.cli.wanted import is_known

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"(?<![\w/-])vivid ((?:models|catalogue|replace|mask|blend|demo|ui)\b[^`\n]*)")


def texts() -> list[tuple[str, str]]:
    """Where and what: pages as they are, strings of the code with ``X`` for what is filled in."""
    found = []
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        found += [(page.name, line) for line in page.read_text().splitlines()]
    for file in sorted([*(ROOT / "resources").rglob("*.py"), *(ROOT / "vivid_assets").rglob("*.py")]):
        source = file.read_text()
        for node in ast.walk(ast.parse(source)) if "vivid " in source else ():
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values]
                found += [(file.name, line) for line in "".join(parts).splitlines()]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += [(file.name, line) for line in node.value.splitlines()]
    return found


def commands() -> list[tuple[str, str]]:
    found = {(where, match.strip()) for where, text in texts() for match in COMMAND.findall(text)}
    assert len(found) > 20, "the search finds what is there"
    return sorted(found)


def test_recommended_commands_exist_with_their_options():
    for where, command in commands():
        exists_with_its_options(where, command)


def exists_with_its_options(where: str, command: str) -> None:
    command = re.split(r" #|  |\)|; |, and ", command)[0].replace("…", "").rstrip(".,;: ")
    words = shlex.split(command)
    known = typer.main.get_command(app)
    while words and words[0] in getattr(known, "commands", {}):
        known = known.commands[words.pop(0)]
    if hasattr(known, "commands"):
        assert command in ("models", "catalogue"), f"{where}: vivid {command}"
    options = {name for parameter in known.params for name in parameter.opts} | {"--help"}
    for word in words:
        assert not word.startswith("--") or word.partition("=")[0] in options, f"{where}: vivid {command}"
    if command.startswith("models pull"):
        for name in words:
            # What an f-string leaves of a name stands for any.
            name = "rembg:silueta" if name == "rembg" else name
            assert not re.fullmatch(r"(rembg:)?[a-z_0-9-]+", name) or is_known(name), f"{where}: vivid {command}"


OTHER = "d" * 40
MODELS = [
    SDXL(),
    SDXL(vae=""),
    SDXL(variant=""),
    SDXL(variant="", vae=""),
    SDXL(model="someone/else-xl", model_revision=OTHER),
    *(SDXL(sampler=name) for name in ("lightning-4", "lightning-8", "hyper-8")),
    SDXL(sampler="lcm", sampler_revision=OTHER),
    TextToImage(model="someone/flux", model_revision=OTHER),
    BiRefNet(trust_remote_code=True),
    BiRefNet(trust_remote_code=True, hr_model="ZhengPeng7/BiRefNet_HR"),
    *(
        BiRefNet(trust_remote_code=True, model=f"ZhengPeng7/BiRefNet_{name}", model_revision=OTHER)
        for name in ("lite", "dynamic", "matting", "HR")
    ),
    *(Rembg(model=name) for name, licence in OF_REMBG.items() if not forbids_commerce(licence)),
    VitMatte(),
    VitMatte(model="someone/matte", model_revision=OTHER),
    OpenClip(),
    OpenClip(hub_revision=OTHER),
]


def lists(files) -> list[str]:
    """What a repository that has these files, and others besides, would list."""
    names = [name.replace("*", "net") for name in files.patterns]
    return [*names, "pytorch_model.bin", "unet/diffusion_pytorch_model.non_ema.safetensors", "README.md"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{type(model).__name__}")
def test_the_command_that_a_missing_model_names_fetches_all_of_it(model, monkeypatch, tmp_path):
    """Followed until nothing is missing, with the settings of another machine than the model's."""
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "rembg"))
    monkeypatch.delenv("VIVID_SETTINGS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("resources.runtime.packages._is_installed", lambda _: True)
    monkeypatch.setattr("resources.masks.u2net.load", lambda _: None)
    needed = {} if isinstance(model, Rembg) else all_of(model)

    def put(files, *_):
        place = tmp_path / "hub" / f"models--{files.source.replace('/', '--')}" / "snapshots" / files.revision
        for name in files.patterns:
            file = place / name.replace("*", "net")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text('{"_class_name": "FluxPipeline"}' if name == "model_index.json" else "")
        return place

    def pull(name, **_):
        weight = weights.CATALOGUE[name]
        if isinstance(weight, weights.HubWeight):
            return put(weight.files)
        return put_rembg(name)

    def put_rembg(name):
        (tmp_path / "rembg").mkdir(exist_ok=True)
        (tmp_path / "rembg" / f"{name}.onnx").touch()
        return tmp_path

    monkeypatch.setattr(weights, "pull_files", put)
    monkeypatch.setattr(weights, "pull", pull)
    monkeypatch.setattr("vivid_assets.cli.wanted.rembg.pull", put_rembg)
    monkeypatch.setattr(weights, "listed", lambda source, revision: (revision, dict.fromkeys(needed[source], 1)))
    for _ in range(4):
        if (missing := model.missing()) is None:
            return
        commands = re.findall(r"`vivid models (pull [^`]+)`", missing)
        assert commands, missing
        for command in commands:
            result = CliRunner().invoke(models_app, shlex.split(command))
            assert result.exit_code == 0, (command, result.output)
    pytest.fail(f"still missing: {model.missing()}")


def all_of(model) -> dict[str, list[str]]:
    asked = model.weights if isinstance(model, VitMatte) else model.weights()
    listed: dict[str, list[str]] = {}
    for files in asked if isinstance(asked, list) else [asked]:
        listed.setdefault(files.source, []).extend(lists(files))
        if "model_index.json" in files.files:
            # As the published ones: float32 beside half precision, and a decoder of its own.
            other = [name.replace(".fp16.", ".") for name in files.files]
            other += ["vae/config.json", "vae/diffusion_pytorch_model.safetensors"]
            half = [re.sub(r"(?<!fp16)\.safetensors$", ".fp16.safetensors", name) for name in other]
            listed[files.source] += other + half
    return listed


@pytest.mark.parametrize("model", [one for one in MODELS if not isinstance(one, Rembg)])
def test_what_is_set_already_is_not_advised(model, monkeypatch, tmp_path):
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*_, **__):
        raise LocalEntryNotFoundError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    allowed = model.model_copy(update={"download": True})
    asked = allowed.weights if isinstance(allowed, VitMatte) else allowed.weights()
    for files in asked if isinstance(asked, list) else [asked]:
        with pytest.raises(weights.ModelUnavailable) as raised:
            files.folder(download=True)
        assert "download =" not in str(raised.value)
