"""ONNX networks: what each was trained to see, what it ends in, and where it computes."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from resources.errors import MachineFault, ModelUnavailable
from resources.masks.birefnet import BiRefNet
from resources.masks.birefnet_onnx import KNOWN, NORMALISATIONS, onnx_file, pull_onnx, rembg_sessions
from tests.resources.masks.tiny_onnx import save_brightness

PICTURE = np.full((32, 32, 3), (200, 100, 40), np.uint8)
PICTURE[:16] = (20, 60, 10)


def masks(**settings):
    settings = {"runtime": "onnx", "device": "cpu", "size": 32} | settings
    with BiRefNet(**settings).lease() as model:
        return model.probabilities([PICTURE])[0]


def brightness(pixels) -> np.ndarray:
    """What the tiny network must answer to ``pixels``, H×W×3 as normalised."""
    return 1 / (1 + np.exp(-np.asarray(pixels, np.float64).mean(axis=2)))


IMAGENET = np.array([0.485, 0.456, 0.406])
SEEN = {
    "imagenet": (PICTURE / 255 - IMAGENET) / [0.229, 0.224, 0.225],
    "imagenet_max": (PICTURE / 200 - IMAGENET) / [0.229, 0.224, 0.225],
    "isnet": PICTURE / 255 - 0.5,
    "isnet_anime": PICTURE / 255 - IMAGENET,
}


@pytest.mark.parametrize(
    "name", ["birefnet-general", "bria-rmbg", "u2net", "silueta", "isnet-general-use", "isnet-anime"]
)
def test_each_network_sees_the_picture_as_it_was_trained_to(tmp_path, name):
    file = save_brightness(tmp_path / f"{name}.onnx", sigmoid=True)
    np.testing.assert_allclose(masks(onnx_model=str(file)), brightness(SEEN[KNOWN[name]]), atol=1e-5)


def test_all_of_rembg_s_networks_of_one_mask_are_known_and_normalised_as_rembg_does(monkeypatch):
    """rembg's own code is asked what it feeds each; that it divides each picture by its maximum is left out."""
    from PIL import Image

    class Seen(Exception):
        pass

    def normalize(self, img, mean, std, size, *_, **__):
        raise Seen(mean, std)

    sessions = rembg_sessions()
    (base,) = {one for session in sessions for one in session.__mro__ if one.__name__ == "BaseSession"}
    monkeypatch.setattr(base, "normalize", normalize)
    others = {"dis_custom", "ben_custom", "u2net_custom", "u2net_cloth_seg", "sam", "withoutbg", "atlascloud"}
    assert {session.name() for session in sessions} == KNOWN.keys() | others
    for session in sessions:
        if session.name() in KNOWN:
            made = session.__new__(session)
            made.inner_session = SimpleNamespace(run=None)
            with pytest.raises(Seen) as seen:
                made.predict(Image.new("RGB", (8, 8)))
            known = NORMALISATIONS[KNOWN[session.name()]]
            assert (known.mean, known.std) == seen.value.args, session.name()


def test_a_network_that_nobody_knows_is_asked_for_and_not_guessed(tmp_path):
    file = save_brightness(tmp_path / "my_export.onnx", sigmoid=True)
    model = BiRefNet(runtime="onnx", onnx_model=str(file), device="cpu", size=32)
    assert "set onnx_input to imagenet" in model.missing()
    with pytest.raises(ModelUnavailable, match=r"my_export\.onnx is not known: set onnx_input"):
        masks(onnx_model=str(file))
    np.testing.assert_allclose(masks(onnx_model=str(file), onnx_input="isnet"), brightness(SEEN["isnet"]), atol=1e-5)
    revisions = {BiRefNet(runtime="onnx", onnx_model=str(file), onnx_input=how).revision for how in SEEN}
    assert len(revisions) == len(SEEN)


@pytest.mark.parametrize("name", ["birefnet.onnx", "my_export.onnx"])
@pytest.mark.parametrize("sigmoid", [True, False])
@pytest.mark.parametrize("side", [32, None])
def test_whether_a_network_ends_in_logits_is_measured_whatever_it_is_called(tmp_path, name, sigmoid, side):
    file = save_brightness(tmp_path / name, sigmoid=sigmoid, side=side)
    found = masks(onnx_model=str(file), onnx_input="imagenet")
    np.testing.assert_allclose(found, brightness(SEEN["imagenet"]), atol=1e-5)


@pytest.mark.slow
def test_what_was_set_to_be_probabilities_and_is_none_stops(tmp_path):
    file = save_brightness(tmp_path / "net.onnx", sigmoid=False)
    settings = {"onnx_model": str(file), "onnx_input": "imagenet"}
    with pytest.raises(ModelUnavailable, match='no probabilities: set onnx_output = "logits"'):
        masks(**settings, onnx_output="probabilities")
    found = masks(**settings, onnx_output="logits")
    np.testing.assert_allclose(found, brightness(SEEN["imagenet"]), atol=1e-5)


@pytest.fixture
def gpu_for_torch_alone(monkeypatch):
    """A GPU that PyTorch sees, and an onnxruntime that is built for the CPU."""
    monkeypatch.setattr("resources.runtime.device.device_trouble", lambda *_: None)
    monkeypatch.setattr("resources.runtime.lease._uuids", lambda device: {"test-gpu-onnx": "cuda:0"})
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])


def test_auto_takes_the_provider_that_is_there_and_says_so(tmp_path, gpu_for_torch_alone, caplog):
    file = save_brightness(tmp_path / "u2netp.onnx", sigmoid=True)
    with caplog.at_level(logging.INFO, logger="resources"):
        assert masks(onnx_model=str(file), device="auto").shape == (32, 32)
    assert "this onnxruntime has CPUExecutionProvider, and no CUDA" in caplog.text


def test_a_gpu_that_was_asked_for_and_that_onnxruntime_lacks_stops(tmp_path, gpu_for_torch_alone):
    file = save_brightness(tmp_path / "u2netp.onnx", sigmoid=True)
    with pytest.raises(MachineFault, match=r"request cuda:0, but this onnxruntime has no CUDAExecutionProvider"):
        masks(onnx_model=str(file), device="cuda")


def test_rembg_s_file_is_found_and_pulled_by_rembg_s_name(monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=r"not on this machine.*vivid models pull isnet-general-use`"):
        onnx_file("isnet-general-use")
    with pytest.raises(ModelUnavailable, match="knows no mask model 'sam'"):
        onnx_file("sam")
    there = save_brightness(tmp_path / "isnet-general-use.onnx", sigmoid=True)
    assert pull_onnx("isnet-general-use") == onnx_file("isnet-general-use") == there
    assert pull_onnx(str(there)) == there

    def no_network(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr("pooch.retrieve", no_network)
    with pytest.raises(ModelUnavailable, match=r"birefnet-general could not be fetched .*Name or service not known"):
        pull_onnx("birefnet-general")
