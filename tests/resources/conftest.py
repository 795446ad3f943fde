"""Real model classes with small random parts, in folders laid out as the real models' are."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests share the machine's cores, and nothing here is large enough for more than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``StableDiffusionXLPipeline`` of a few hundred thousand weights; ``vae-fix`` inside is its VAE apart."""
    from benchmarks.architectures import save_sdxl

    return save_sdxl(tmp_path_factory.mktemp("sdxl"), tiny=True)


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An open_clip model with the real tokenizer."""
    from benchmarks.architectures import save_clip

    return save_clip(tmp_path_factory.mktemp("clip"), tiny=True)


@pytest.fixture
def tiny_birefnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A model folder as BiRefNet's: custom code, configuration, weights.

    Its logit is the picture's normalised brightness, so that its answer can be foreseen. Like BiRefNet's own
    code it takes ``bb_pretrained`` first, reads a value from a tensor while it is built, never calls
    ``post_init`` and replaces ``config``: what transformers' loader trips over.
    """
    from safetensors.torch import save_file
    from torch import tensor

    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    folder = tmp_path / "birefnet"
    folder.mkdir()
    auto_map = {
        "AutoConfig": "BiRefNet_config.BiRefNetConfig",
        "AutoModelForImageSegmentation": "birefnet.BiRefNet",
    }
    (folder / "config.json").write_text(json.dumps({"auto_map": auto_map, "bb_pretrained": True}))
    (folder / "BiRefNet_config.py").write_text(_CONFIG)
    (folder / "birefnet.py").write_text(_MODEL)
    save_file({"scale": tensor([4.0]), "offset": tensor([0.0])}, folder / "model.safetensors")
    yield folder


_CONFIG = """
from transformers import PretrainedConfig


class BiRefNetConfig(PretrainedConfig):
    model_type = "SegformerForSemanticSegmentation"

    def __init__(self, bb_pretrained=False, **kwargs):
        self.bb_pretrained = bb_pretrained
        super().__init__(**kwargs)
"""

_MODEL = """
import torch
from transformers import PreTrainedModel

from .BiRefNet_config import BiRefNetConfig


class Config:
    size = 1024


class BiRefNet(PreTrainedModel):
    config_class = BiRefNetConfig

    def __init__(self, bb_pretrained=True, config=BiRefNetConfig()):
        super().__init__(config)
        assert not config.bb_pretrained, "would fetch a backbone from the network"
        self.config = Config()
        self.rates = [rate.item() for rate in torch.linspace(0, 0.1, 3)]
        self.scale = torch.nn.Parameter(torch.zeros(1))
        self.offset = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, x):
        self.seen.append(tuple(x.shape))
        assert x.shape[-1] % 32 == 0 and x.shape[-2] % 32 == 0
        if x.max() > 2.63:
            raise ValueError("this picture is too bright for me")
        logits = x.mean(dim=1, keepdim=True) * self.scale + self.offset
        return [torch.zeros_like(logits), logits]
"""
