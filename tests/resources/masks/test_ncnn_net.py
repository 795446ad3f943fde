import errno
import logging
import shutil
import subprocess

import numpy as np
import pytest

from resources.errors import MachineFault, ModelUnavailable
from resources.masks.ncnn_net import NcnnNet
from resources.masks.u2net import preprocess
from resources.weights import pull as weights

pytestmark = pytest.mark.slow

SHAPE = (1, 3, 320, 320)


@pytest.fixture
def home(u2netp, tmp_path, monkeypatch):
    """A folder of weights of this test's own, with nothing converted yet."""
    shutil.copy(u2netp, tmp_path / "u2netp.onnx")
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    return tmp_path


def network():
    return NcnnNet(weights.get("u2netp"), SHAPE)


def converted(home):
    (folder,) = home.glob("*.ncnn")
    return folder


@pytest.fixture(scope="module")
def conversion(u2netp, tmp_path_factory):
    """The folder that is made of the weights."""
    home = tmp_path_factory.mktemp("converted")
    shutil.copy(u2netp, home / "u2netp.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("U2NET_HOME", str(home))
        network()
    return converted(home)


@pytest.fixture
def done(home, conversion):
    """A ``home`` whose weights are converted."""
    shutil.copytree(conversion, home / conversion.name)
    return home


def test_it_answers_as_onnxruntime_does(done, photograph):
    import onnxruntime

    x = preprocess(photograph)
    session = onnxruntime.InferenceSession(str(done / "u2netp.onnx"), providers=["CPUExecutionProvider"])
    (expected,) = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: x[None]})
    np.testing.assert_allclose(network().run(x), expected[0], atol=2e-4)
    assert sorted(file.name for file in converted(done).iterdir()) == ["digests.json", "net.bin", "net.param"]


def test_weights_are_converted_once(home, photograph, monkeypatch):
    first = network().run(preprocess(photograph))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("converted again"))
    np.testing.assert_array_equal(network().run(preprocess(photograph)), first)


@pytest.mark.parametrize("damage", ["flip", *(pytest.param(one, marks=pytest.mark.soak) for one in ("cut", "missing"))])
def test_a_damaged_conversion_is_made_again(done, photograph, damage):
    first = network().run(preprocess(photograph))
    file = converted(done) / "net.bin"
    whole = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(whole[:-1000] if damage == "cut" else whole[:5000] + bytes([whole[5000] ^ 64]) + whole[5001:])
    np.testing.assert_array_equal(network().run(preprocess(photograph)), first)
    assert file.read_bytes() == whole


def test_where_nobody_may_write_it_is_converted_for_the_process_and_said(home, photograph, monkeypatch, caplog):
    def refused(_):
        raise MachineFault("the folder cannot be written to")

    monkeypatch.setattr(weights, "locked", refused)
    with caplog.at_level(logging.WARNING):
        assert np.isfinite(network().run(preprocess(photograph))).all()
    assert "vivid models pull u2netp" in caplog.text
    assert not [*home.glob("*.ncnn")]


def test_a_converter_that_fails_is_said_and_leaves_nothing(home, monkeypatch):
    def failing(*_, **__):
        return subprocess.CompletedProcess([], 1, "", "Illegal instruction")

    monkeypatch.setattr(subprocess, "run", failing)
    with pytest.raises(ModelUnavailable, match="Illegal instruction"):
        network()
    assert not [entry for entry in home.iterdir() if entry.is_dir()]


def test_damaged_weights_are_not_converted(home):
    (home / "u2netp.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelUnavailable, match="damaged"):
        network()


def test_a_full_disk_is_said_and_leaves_nothing(home, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(subprocess, "run", full)
    with pytest.raises(ModelUnavailable, match="No space left on device"):
        network()
    assert not [entry for entry in home.iterdir() if entry.is_dir()]


def test_what_a_killed_conversion_left_is_swept(home, conversion):
    name = conversion.name
    (home / f".{name}-killed").mkdir()
    network()
    assert [entry.name for entry in home.iterdir() if entry.is_dir()] == [name]
