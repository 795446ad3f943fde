import numpy as np
import pytest

from resources.errors import ModelUnavailable
from resources.masks.rembg_sessions import sessions
from resources.masks.u2net import U2Net, preprocess


def test_missing_weights_are_said_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="vivid models pull u2netp"):
        U2Net("u2netp")


def test_damaged_weights_are_not_loaded(monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    (tmp_path / "u2netp.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelUnavailable, match="damaged"):
        U2Net("u2netp").probabilities([np.zeros((8, 8, 3), np.uint8)])


@pytest.mark.parametrize("name", ["u3net", "sdxl"])
def test_another_name(name):
    with pytest.raises(ValueError, match="u2netp"):
        U2Net(name)


def test_a_black_picture_is_no_division_by_zero():
    assert np.isfinite(preprocess(np.zeros((5, 9, 3), np.uint8))).all()


@pytest.mark.slow
def test_the_real_network_finds_the_astronaut(u2netp, photograph):
    (probability,) = U2Net("u2netp").probabilities([photograph])
    assert probability.shape == photograph.shape[:2]
    assert probability[150, 220] > 0.9
    assert probability[20, 20] < 0.1


@pytest.mark.slow
def test_an_empty_picture_stays_low_where_rembg_stretches_it(u2netp):
    from onnxruntime import SessionOptions
    from PIL import Image

    session = sessions()["u2netp"]
    blank = np.full((200, 300, 3), 128, np.uint8)
    (probability,) = U2Net("u2netp").probabilities([blank])
    assert probability.max() < 0.5
    stretched = np.asarray(session("u2netp", SessionOptions()).predict(Image.fromarray(blank))[0])
    assert stretched.max() > 150


@pytest.mark.slow
def test_a_batch_is_the_same_as_one_by_one(u2netp, photograph):
    model = U2Net("u2netp")
    pictures = [photograph, photograph[:300], photograph[:, 50:90]]
    together = model.probabilities(pictures)
    for picture, answer in zip(pictures, together, strict=True):
        np.testing.assert_array_equal(answer, model.probabilities([picture])[0])
