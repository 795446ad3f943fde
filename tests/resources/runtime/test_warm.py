import sys

import pytest

from resources.errors import MachineFault
from resources.masks.u2net import U2Net
from resources.runtime.warm import kept_warm


@pytest.fixture
def model(monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    (tmp_path / "u2netp.onnx").write_bytes(b"never loaded")
    return U2Net("u2netp")


def test_nothing_is_asked_of_ray_unless_it_is_said(model, monkeypatch):
    monkeypatch.delenv("VIVID_WARM_MODELS", raising=False)
    assert kept_warm(model) is model


def test_another_word_is_no_silent_no(model, monkeypatch):
    monkeypatch.setenv("VIVID_WARM_MODELS", "yes")
    with pytest.raises(MachineFault, match="set it to ray"):
        kept_warm(model)


def test_without_ray_the_run_stops_with_what_to_install(model, monkeypatch):
    monkeypatch.setenv("VIVID_WARM_MODELS", "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MachineFault, match=r"install vivid-assets\[ray\]"):
        kept_warm(model)


def test_without_a_cluster_the_run_stops(model, monkeypatch):
    import ray

    def nowhere(**_):
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setenv("VIVID_WARM_MODELS", "ray")
    monkeypatch.setattr(ray, "init", nowhere)
    with pytest.raises(MachineFault, match="no Ray cluster here"):
        kept_warm(model)
