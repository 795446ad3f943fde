"""Real model classes with small random parts, in folders laid out as the real models' are."""

import os
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
def tiny_birefnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder as BiRefNet's: custom code, configuration, weights.

    Its logit is the picture's normalised brightness, so that its answer can be foreseen.
    """
    from benchmarks.architectures import save_tiny_birefnet

    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    return save_tiny_birefnet(tmp_path / "birefnet")
