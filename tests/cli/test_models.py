import json
import re

import pytest
from typer.testing import CliRunner

from resources import weights
from resources.errors import ModelUnavailable
from vivid_assets.cli.models import models_app

NAMES = ["u2netp", "u2net", "birefnet", "birefnet_hr", "vitmatte", "open_clip", "sdxl", "sdxl_vae"]


@pytest.fixture
def vivid_models(monkeypatch, tmp_path):
    """``vivid models`` on a machine without any weights; returns (exit code, what it printed)."""
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(models_app, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return run


@pytest.fixture
def converted(monkeypatch) -> list[str]:
    """The names that were converted for the CPU; the converter is left out."""
    names: list[str] = []
    monkeypatch.setattr("resources.u2net.load", names.append)
    return names


@pytest.fixture
def pulled(monkeypatch, tmp_path, converted) -> list[str]:
    """The names that were asked for; the network is left out, and sdxl cannot be had."""
    asked = []

    def pull(name, progress, say):
        asked.append(name)
        if name == "sdxl":
            raise ModelUnavailable("sdxl could not be fetched: no network [by design].")
        say("the release page is blocked. Trying the package index [instead].")
        progress(1, 2)
        progress(2, 2)
        return tmp_path / f"{name}.onnx"

    monkeypatch.setattr(weights, "pull", pull)
    return asked


def test_list_shows_every_model_and_that_none_is_here(vivid_models):
    code, output = vivid_models("list")
    assert code == 0
    for name in NAMES:
        assert re.search(rf"{name} .* no\s*$", output, re.MULTILINE), name
    assert "OpenRAIL++-M" in output


def test_list_for_programs(vivid_models, tmp_path):
    (tmp_path / "u2netp.onnx").write_bytes(b"\0" * weights.CATALOGUE["u2netp"].size)
    code, output = vivid_models("list", "--json")
    rows = json.loads(output)
    assert code == 0
    assert [row["name"] for row in rows] == NAMES
    assert {row["name"]: row["path"] for row in rows if row["path"]} == {"u2netp": str(tmp_path / "u2netp.onnx")}


def test_pull_without_a_name_gets_the_small_one_ready_for_the_first_run(vivid_models, pulled, converted):
    code, output = vivid_models("pull")
    assert (code, pulled, converted) == (0, ["u2netp"], ["u2netp"])
    assert "u2netp is here: " in output
    assert "blocked. Trying the package index [instead]." in output, "said, and square brackets are not markup"


def test_pull_goes_on_after_a_failure_and_ends_with_1(vivid_models, pulled):
    code, output = vivid_models("pull", "sdxl", "u2net")
    assert (code, pulled) == (1, ["sdxl", "u2net"])
    assert "✗ sdxl could not be fetched: no network [by design]." in output
    assert "u2net is here" in output


@pytest.mark.parametrize("command", ["pull", "verify"])
def test_an_unknown_model_is_a_mistake_of_usage(vivid_models, pulled, command):
    code, output = vivid_models(command, "u2net", "nope")
    assert code == 2
    assert "there is no model 'nope'; there are: u2netp" in output
    assert pulled == []


def test_verify_finds_damage(vivid_models, tmp_path):
    (tmp_path / "u2netp.onnx").write_bytes(b"\0" * weights.CATALOGUE["u2netp"].size)
    code, output = vivid_models("verify")
    assert code == 1
    assert "u2netp.onnx is damaged" in output
    assert "vivid models pull u2netp" in output


def test_verify_of_what_is_not_here(vivid_models):
    code, output = vivid_models("verify", "birefnet")
    assert code == 1
    assert "vivid models pull birefnet" in output


def test_verify_where_there_is_nothing_says_how_to_begin(vivid_models):
    code, output = vivid_models("verify")
    assert code == 0
    assert "vivid models pull" in output


@pytest.mark.parametrize(
    ("command", "taught"),
    [
        ([], "check that they are sound"),
        (["pull"], "vivid models pull u2net"),
        (["list"], "--json"),
        (["verify"], "Ends with 1"),
    ],
)
def test_help_teaches(vivid_models, command, taught):
    code, output = vivid_models(*command, "--help")
    assert code == 0
    assert taught in output


@pytest.mark.slow
def test_verify_of_the_real_weights(u2netp):
    result = CliRunner().invoke(models_app, ["verify", "u2netp"])
    assert result.exit_code == 0
    assert "u2netp is sound" in result.output
