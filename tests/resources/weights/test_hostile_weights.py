"""Weights that run code when they are opened: pickles in the place of safetensors. None of their code is run."""

import os
import pickle
from pathlib import Path

import pytest

from resources.errors import ModelUnavailable
from resources.weights.hub import Weights


class Evil:
    """Unpickled, it makes the folder ``marker``."""

    def __init__(self, marker: Path):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.fixture
def marker(tmp_path):
    marker = tmp_path / "was run"
    yield marker
    assert not marker.exists(), "the pickle's code was run"


def test_the_evil_pickle_works(tmp_path):
    """Or the other tests would show nothing."""
    pickle.loads(pickle.dumps(Evil(tmp_path / "was run")))
    assert (tmp_path / "was run").exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.ckpt", "model.pt", "diffusion_pytorch_model.bin"])
def test_a_folder_that_has_pickles_only_is_refused_by_what_it_lacks(tmp_path, marker, name):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_bytes(pickle.dumps(Evil(marker)))
    with pytest.raises(ModelUnavailable, match=r"has no model\.safetensors"):
        Weights(str(tmp_path), "", ("config.json", "model.safetensors")).folder()


@pytest.mark.slow
def test_a_pickle_under_the_name_of_safetensors_is_not_unpickled(tmp_path, marker):
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Evil(marker)))
    with pytest.raises(SafetensorError):
        load_file(tmp_path / "model.safetensors")


@pytest.mark.slow
def test_a_checkpoint_for_openclip_is_read_for_its_weights_only(tmp_path, marker):
    """What the setting ``checkpoint`` names may be an older format, and goes through this function of open_clip."""
    from open_clip.factory import load_state_dict

    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil(marker)))
    with pytest.raises(pickle.UnpicklingError):
        load_state_dict(str(tmp_path / "evil.pt"))
