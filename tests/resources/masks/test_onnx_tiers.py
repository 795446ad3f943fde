"""Mask tiers of ONNX networks: rembg's by its names, and files of the user's with a TOML file beside them."""

import logging

import cv2
import numpy as np
import pytest

from resources.errors import MachineFault, ModelUnavailable
from resources.masks import rembg_sessions
from resources.masks.onnx_file import OnnxFile
from resources.masks.rembg_tier import Rembg
from resources.masks.u2net import U2Net
from resources.runtime.batches import PictureError
from resources.weights.licences import OF_REMBG
from tests.resources.masks.tiny_onnx import save_brightness

PICTURE = np.full((32, 32, 3), (200, 100, 40), np.uint8)
PICTURE[:16] = (20, 60, 10)
IMAGENET = np.array([0.485, 0.456, 0.406])
SEEN = {
    "imagenet": (PICTURE / 255 - IMAGENET) / [0.229, 0.224, 0.225],
    "imagenet_max": (PICTURE / 200 - IMAGENET) / [0.229, 0.224, 0.225],
    "isnet": PICTURE / 255 - 0.5,
    "isnet_anime": PICTURE / 255 - IMAGENET,
}
ELSEWHERE = {"sam", "withoutbg", "atlascloud", "dis_custom", "ben_custom", "u2net_custom"}


def masks(tier, images=(PICTURE,)):
    with tier.lease() as model:
        return model.probabilities(list(images))


def brightness(pixels) -> np.ndarray:
    """What the tiny network must answer to ``pixels``, H×W×3 as normalised."""
    return 1 / (1 + np.exp(-np.asarray(pixels, np.float64).mean(axis=2)))


@pytest.fixture
def file(tmp_path):
    """An ONNX file that ends in probabilities, and its description."""

    def made(name="net.onnx", *, sigmoid=True, side=None, **described):
        place = save_brightness(tmp_path / name, sigmoid=sigmoid, side=side)
        entries = {"size": "32", "normalisation": '"imagenet"', "output": '"probabilities"'} | described
        lines = [f"{key} = {value}" for key, value in entries.items() if value is not None]
        place.with_suffix(".toml").write_text("\n".join(lines))
        return OnnxFile(device="cpu").of_model(str(place))

    return made


@pytest.mark.parametrize("how", SEEN)
def test_a_file_sees_the_picture_as_it_was_trained_to(file, how):
    found = masks(file(normalisation=f'"{how}"'))
    np.testing.assert_allclose(found[0], brightness(SEEN[how]), atol=1e-5)


def test_a_normalisation_of_ones_own(file):
    tier = file(normalisation="{ mean = [0, 0, 0], std = [0.5, 0.5, 0.5] }")
    np.testing.assert_allclose(masks(tier)[0], brightness(PICTURE / 127.5), atol=1e-5)


def test_logits_are_what_the_description_says_and_no_guess(file):
    tier = file(sigmoid=False, output='"logits"')
    np.testing.assert_allclose(masks(tier)[0], brightness(SEEN["imagenet"]), atol=1e-5)
    with pytest.raises(ModelUnavailable, match=r"which are no probabilities: they are logits"):
        masks(file(sigmoid=False))
    with pytest.raises(ModelUnavailable, match="no mask read as classes"):
        masks(file(output='"classes"'))


def test_pictures_of_any_shape_come_back_at_their_size(file):
    images = [np.full((height, width, 3), 90, np.uint8) for height, width in ((50, 90), (7, 5), (400, 33))]
    for image, mask in zip(images, masks(file(size="[32, 64]"), images), strict=True):
        assert mask.shape == image.shape[:2]
        assert mask.dtype == np.float32
        np.testing.assert_allclose(mask, brightness((image / 255 - IMAGENET) / [0.229, 0.224, 0.225]), atol=1e-5)


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"size": None}, "size: Field required"),
        ({"size": "0"}, "size"),
        ({"normalisation": '"imagnet"'}, "normalisation"),
        ({"output": '"mask"'}, "output: Input should be 'probabilities', 'logits' or 'classes'"),
        ({"sise": "3"}, "sise: Extra inputs"),
        ({"size": "="}, "cannot be read"),
    ],
)
def test_a_description_that_is_wrong_is_named(file, described, said):
    missing = file(**described).missing()
    assert "net.toml" in missing
    assert said in missing


def test_what_is_not_there_is_named(file, tmp_path):
    assert "Which ONNX file?" in OnnxFile().missing()
    assert "does not exist: correct" in OnnxFile().of_model(str(tmp_path / "none.onnx")).missing()
    tier = file()
    (tmp_path / "net.toml").unlink()
    assert 'as in size = 1024, normalisation = "imagenet"' in tier.missing()
    with pytest.raises(ValueError, match=r"no file that ends in \.onnx"):
        OnnxFile().of_model("net.pt")
    damaged = file()
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(ModelUnavailable, match=r"net\.onnx could not be loaded"):
        masks(damaged)
    with pytest.raises(ModelUnavailable, match="has no output 'edge'; it has mask"):
        masks(file(output_name='"edge"'))


def test_a_network_of_one_size_is_not_given_another(file):
    with pytest.raises(ModelUnavailable, match=r"works at 64×64 alone, and is given 32×32"):
        masks(file(side=64))


def test_the_revision_is_of_content_and_description(file, tmp_path):
    revisions = [file().revision, file(size="48").revision, file(sigmoid=False).revision]
    assert len(set(revisions)) == 3
    assert file("other.onnx").revision.split("-")[2] == file().revision.split("-")[2]
    assert file(licence='"MIT"').revision == file().revision
    assert file(licence='"MIT"').licence == "MIT"
    assert file().answers == "probability"
    assert file(answers='"matte"').answers == "matte"


# ─── rembg ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_session_of_the_installed_rembg_is_accepted_and_loads_or_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    for name in rembg_sessions.sessions():
        tier = Rembg(non_commercial=True).of_model(name)
        missing = tier.missing()
        if name in ELSEWHERE:
            assert missing == rembg_sessions.unusable(name)
        else:
            assert f"{name}.onnx is not on this machine. Fetch it once with `vivid models pull rembg:{name}`" in missing
            assert name in Rembg.models()
            assert name in OF_REMBG, "its licence is to be looked up"
            assert tier.licence
    with pytest.raises(ValueError, match="The installed rembg has no model 'isnet'; it has birefnet-general"):
        Rembg().of_model("isnet")
    assert "Which of rembg's networks?" in Rembg().missing()


@pytest.mark.parametrize("name", ["birefnet-general", "birefnet-general-lite", "bria-rmbg", "isnet-general-use"])
def test_what_rembg_reads_of_its_networks(name):
    """By its source: BiRefNet's end in logits, the others in probabilities."""
    assert rembg_sessions.reading_of(name) == ("logits" if name.startswith("birefnet") else "probabilities")
    assert rembg_sessions.fed(name, PICTURE).shape == (3, 1024, 1024)


@pytest.mark.parametrize("name", ["silueta", "isnet-anime", "isnet-general-use", "birefnet-general"])
def test_a_network_is_fed_as_rembg_does_it(monkeypatch, tmp_path, name):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    save_brightness(tmp_path / f"{name}.onnx", sigmoid=not name.startswith("birefnet"))
    image = np.full((64, 64, 3), (200, 100, 40), np.uint8)
    (found,) = masks(Rembg(device="cpu").of_model(name), [image])
    # rembg divides by the picture's largest value.
    mean, std = (
        (0.5, 1.0) if name == "isnet-general-use" else (IMAGENET, 1.0 if "anime" in name else [0.229, 0.224, 0.225])
    )
    np.testing.assert_allclose(found, brightness((image / 200 - mean) / std), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["u2netp", pytest.param("u2net", marks=pytest.mark.soak)])
def test_probabilities_are_rembgs_own_before_its_stretching(name, u2netp, photograph):
    onnxruntime = pytest.importorskip("onnxruntime")
    tier = Rembg(device="cpu").of_model(name)
    if tier.missing():
        pytest.skip(str(tier.missing()))
    session = rembg_sessions.session_named(name)
    made = session(name, onnxruntime.SessionOptions())
    raw = []
    run = made.inner_session.run

    class Watched:
        def run(self, *args):
            raw.append(run(*args)[0][0, 0])
            return [raw[-1][None, None]]

        get_inputs = made.inner_session.get_inputs

    made.inner_session = Watched()
    from PIL import Image

    (mask,) = made.predict(Image.fromarray(photograph))
    (found,) = masks(tier, [photograph])
    small = cv2.resize(found, (320, 320), interpolation=cv2.INTER_AREA)
    with tier.lease() as model:
        answer = model._shared
        with answer.use() as net:
            ours = net(rembg_sessions.fed(name, photograph)[None])[0]
    assert np.abs(ours - raw[0]).max() < 1e-4
    assert np.abs(small - raw[0]).mean() < 0.02
    assert (np.asarray(mask)[found > 0.9] > 128).all()
    # And the same network by ncnn, whose preparation is its own.
    (other,) = U2Net(name).probabilities([photograph])
    assert np.abs(found - other).mean() < 0.001


def test_a_network_of_classes_finds_all_but_the_background(monkeypatch):
    assert rembg_sessions.reading_of("u2net_cloth_seg") == "classes"
    monkeypatch.setattr("resources.masks.onnx_net._session", lambda *_: Classes())
    from pathlib import Path

    from resources.masks.onnx_net import OnnxNet
    from resources.runtime.device import Device

    net = OnnxNet(Path("classes.onnx"), Device("cpu", "float32", ""), "classes")
    found = net(np.zeros((1, 3, 2, 2), np.float32))
    np.testing.assert_allclose(found[0], [[0.75, 0.75], [0, 1]], atol=1e-6)
    with pytest.raises(PictureError, match="not finite"):
        net(np.full((1, 3, 2, 2), np.nan, np.float32))


class Classes:
    """Four classes: all alike in the first row; the background alone; another alone."""

    def get_inputs(self):
        return [type("Input", (), {"name": "x", "type": "tensor(float)", "shape": ["n", 3, "h", "w"]})]

    def get_outputs(self):
        return [type("Output", (), {"name": "y"})]

    def run(self, _names, given):
        answer = np.zeros((1, 4, 2, 2), np.float32)
        answer[0, 0, 1] = 50, -50
        return [answer + given["x"].mean()]


def test_a_licence_that_forbids_commercial_use_is_refused_without_consent(monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    save_brightness(tmp_path / "bria-rmbg.onnx", sigmoid=True)
    tier = Rembg(device="cpu").of_model("bria-rmbg")
    assert "forbids commercial use: consent with non_commercial = true under [rembg]" in tier.missing()
    with pytest.raises(ModelUnavailable, match="forbids commercial use"), tier.lease():
        pass
    assert Rembg(non_commercial=True).of_model("bria-rmbg").missing() is None


def test_rembgs_file_is_pulled_by_rembg(monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    there = save_brightness(tmp_path / "isnet-general-use.onnx", sigmoid=True)
    assert list(Rembg().of_model("isnet-general-use").pull()) == [there]

    def no_network(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr("pooch.retrieve", no_network)
    with pytest.raises(ModelUnavailable, match=r"birefnet-general could not be fetched .*Name or service not known"):
        Rembg().of_model("birefnet-general").pull()


# ─── where they compute ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def gpu_for_torch_alone(monkeypatch):
    """A GPU that PyTorch sees, and an onnxruntime that is built for the CPU."""
    monkeypatch.setattr("resources.runtime.device.device_trouble", lambda *_: None)
    monkeypatch.setattr("resources.runtime.lease._uuids", lambda device: {"test-gpu-onnx": "cuda:0"})
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])


def test_auto_takes_the_provider_that_is_there_and_says_so(file, gpu_for_torch_alone, caplog):
    with caplog.at_level(logging.INFO, logger="resources"):
        assert masks(file().model_copy(update={"device": "auto"}))[0].shape == (32, 32)
    assert "this onnxruntime has CPUExecutionProvider, and no CUDA" in caplog.text


def test_a_gpu_that_was_asked_for_and_that_onnxruntime_lacks_stops(file, gpu_for_torch_alone, monkeypatch):
    tier = file().model_copy(update={"device": "cuda"})
    with pytest.raises(MachineFault, match=r"request cuda:0, but this onnxruntime has no CUDAExecutionProvider"):
        masks(tier)
    # A provider that is listed but does not load, as onnxruntime-gpu without its CUDA libraries.
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: both)
    with pytest.raises(MachineFault, match="was requested, but onnxruntime runs"):
        masks(tier)
