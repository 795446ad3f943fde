"""What a model needs of Python packages is read from its code, and named with the command that installs it."""

import importlib.util

import pytest

from resources.clip.open_clip import OpenClip
from resources.errors import ModelUnavailable
from resources.masks.birefnet import BiRefNet
from resources.masks.rembg_tier import Rembg
from resources.masks.vitmatte import VitMatte
from resources.runtime.packages import demand
from resources.scenes.sdxl import SDXL
from resources.weights.remote_code import absent_files, packages

CODE = """
import os, math
import numpy.linalg
from a_package.filters import blur
from .other import Thing
try:
    import optional_package
except ImportError:
    optional_package = None

def late():
    import never_at_import
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text('{"auto_map": {"AutoModelForImageSegmentation": "net.Net"}}')
    (tmp_path / "net.py").write_text(CODE)
    (tmp_path / "other.py").write_text("import another_package\nfrom . import third\n")
    (tmp_path / "model.safetensors").touch()
    return tmp_path


def test_what_code_imports_is_found_in_all_its_files_and_nothing_is_run(folder):
    assert absent_files(folder) == ["third.py"]
    (folder / "third.py").write_text("import yaml\nraise SystemExit('this was run')\n")
    assert absent_files(folder) == []
    assert packages(folder) == ["a_package", "another_package", "numpy", "yaml"]


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"auto_map": 3}'])
def test_a_config_that_names_no_code_asks_for_none(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert (absent_files(tmp_path), packages(tmp_path)) == ([], [])


def test_birefnet_misses_the_packages_of_its_code_before_it_is_loaded(folder):
    (folder / "third.py").touch()
    model = BiRefNet(model=str(folder), trust_remote_code=True, device="cpu")
    assert "not installed: a_package, another_package. Install with: " in model.missing()
    assert model.missing().endswith(" install a_package another_package")
    with pytest.raises(ModelUnavailable, match="not installed: a_package"), model.lease() as leased:
        leased.probabilities([])
        with leased._workers[0]._shared.use():
            pass


def test_what_the_published_birefnet_imports_is_installed_with_vivid_assets():
    demand("BiRefNet", ["torch", "torchvision", "timm", "kornia", "einops", "transformers"])


@pytest.mark.parametrize(
    ("model", "package"),
    [
        (SDXL(), "diffusers"),
        (SDXL(sampler="hyper-8"), "peft"),
        (OpenClip(), "open_clip"),
        (VitMatte(), "transformers"),
        (BiRefNet(trust_remote_code=True), "torchvision"),
        (Rembg(model="silueta"), "rembg"),
    ],
)
def test_every_model_misses_the_library_that_it_is_loaded_with(monkeypatch, model, package):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else real(name))
    called = {"open_clip": "open_clip_torch"}.get(package, package)
    assert f"not installed: {called}. Install with: " in model.missing()


def test_in_an_environment_without_pip_the_command_is_uv_s(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("pip", "thing") else real(name))
    with pytest.raises(ModelUnavailable, match=r"Install with: uv pip install --python \S+ thing$"):
        demand("It", ["thing"])
