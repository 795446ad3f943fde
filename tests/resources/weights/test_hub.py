"""Where model files come from: missing, damaged, unreachable; and what identifies them."""

import hashlib
from pathlib import Path

import pytest

from resources.errors import ModelUnavailable
from resources.weights.hub import Weights, check_digest, fingerprint


def test_a_missing_local_folder_names_itself():
    with pytest.raises(ModelUnavailable, match="/nowhere/model does not exist"):
        Weights("/nowhere/model", "").folder()


def test_a_missing_file_of_a_folder_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match=r"has no model\.safetensors"):
        Weights(str(tmp_path), "", ("config.json", "model.safetensors")).folder()


def test_what_is_not_here_is_not_fetched_unasked_and_the_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="vivid models pull"):
        Weights("someone/something", "abc").folder()


def test_no_network_is_a_sentence(monkeypatch, tmp_path):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*_, **__):
        raise LocalEntryNotFoundError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(ModelUnavailable, match=r"(?s)could not be fetched.*network") as raised:
        Weights("someone/something", "abc").folder(download=True)
    assert "download" not in str(raised.value).replace("downloaded", ""), "what is set already is no advice"


def test_a_wrong_digest_is_refused_with_both(tmp_path):
    file = tmp_path / "weights.bin"
    file.write_bytes(b"other")
    right = hashlib.sha256(b"right").hexdigest()
    with pytest.raises(ModelUnavailable, match=right):
        check_digest(file, right)
    check_digest(file, hashlib.sha256(b"other").hexdigest().upper())


def test_a_fingerprint_follows_content_not_place(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "a.json").write_text("{}")
        (folder / "big.bin").write_bytes(bytes(6 << 20))
    assert fingerprint(one) == fingerprint(two)
    (two / "a.json").write_text("[]")
    assert fingerprint(one) != fingerprint(two)
    changed = bytearray(6 << 20)
    changed[3 << 20] = 1
    (one / "big.bin").write_bytes(changed)
    before = fingerprint(one)
    (one / "big.bin").rename(one / "large.bin")
    assert fingerprint(one) != before


def test_local_weights_are_identified_by_content_hub_weights_by_commit(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert Weights(str(tmp_path), "ignored").identity.startswith("local@")
    assert Weights("someone/something", "abc").identity == "someone/something@abc"


@pytest.fixture
def cached(monkeypatch, tmp_path):
    """A model in the hub's cache, as the hub's client lays it out."""
    content = b"weights" * 1000
    name = hashlib.sha256(content).hexdigest()
    root = tmp_path / "models--someone--something"
    for folder in ("blobs", "refs", "snapshots/" + "c" * 40):
        (root / folder).mkdir(parents=True)
    (root / "blobs" / name).write_bytes(content)
    (root / "snapshots" / ("c" * 40) / "model.safetensors").symlink_to(Path("../../blobs") / name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    return Weights("someone/something", "c" * 40, ("model.safetensors",)), root / "blobs" / name


def test_a_cached_model_is_found_without_the_network_and_its_damage_seen(cached):
    weights, blob = cached
    assert (weights.folder() / "model.safetensors").read_bytes().startswith(b"weights")
    assert weights.problems() == []
    blob.write_bytes(b"damaged")
    assert "damaged" in weights.problems()[0]


def test_every_file_that_a_snapshot_lacks_is_named(cached):
    weights, _ = cached
    more = Weights(weights.source, weights.revision, ("model.safetensors", "a.txt|b.json", "config.json"))
    with pytest.raises(ModelUnavailable, match=r"has no a\.txt or b\.json, config\.json\."):
        more.folder()
    snapshot = weights.folder()
    (snapshot / "b.json").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/not-come-yet")
    with pytest.raises(ModelUnavailable, match=r"has no config\.json\."):
        more.folder()


@pytest.mark.parametrize("lacking", ["birefnet.py", "BiRefNet_config.py", "model.safetensors", "config.json"])
def test_of_a_folder_with_code_each_file_is_missed_by_name(tiny_birefnet, lacking):
    weights = Weights(str(tiny_birefnet), "", ("config.json", "*.py", "model.safetensors"))
    assert weights.folder() == tiny_birefnet
    (tiny_birefnet / lacking).unlink()
    with pytest.raises(ModelUnavailable, match=rf"has no .*{lacking}"):
        weights.folder()


def test_the_other_variant_is_hinted_at(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelUnavailable, match='variant = ""'):
        Weights(str(tmp_path), "", ("model.fp16.safetensors",)).folder()
    (tmp_path / "model.safetensors").rename(tmp_path / "model.fp16.safetensors")
    with pytest.raises(ModelUnavailable, match='variant = "fp16"'):
        Weights(str(tmp_path), "", ("model.safetensors",)).folder()
