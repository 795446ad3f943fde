import json
import re

import pytest
from typer.testing import CliRunner

from resources.errors import ModelUnavailable
from resources.weights import pull as weights
from vivid_assets.cli.console import console
from vivid_assets.cli.models import models_app

NAMES = ["u2netp", "u2net", "birefnet", "birefnet_hr", "vitmatte", "open_clip", "sdxl", "sdxl_vae"]
NAMES += ["lightning-4", "lightning-8", "hyper-8"]


@pytest.fixture
def vivid_models(monkeypatch, tmp_path):
    """``vivid models`` on a machine without weights, GPU and settings; returns (exit code, what it printed)."""
    monkeypatch.delenv("VIVID_SETTINGS", raising=False)
    monkeypatch.setattr("vivid_assets.cli.wanted.device_trouble", lambda _: "there is no GPU")
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(console, "_width", 200)
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
    monkeypatch.setattr("resources.masks.u2net.load", names.append)
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
        assert re.search(rf"^ *{name} .* no\b", output, re.MULTILINE), name
    assert "OpenRAIL++-M" in output


def test_list_fits_a_window_of_eighty_columns(vivid_models, monkeypatch):
    monkeypatch.setattr(console, "_width", 80)
    code, output = vivid_models("list")
    assert code == 0
    lines = output.splitlines()
    assert max(map(len, lines)) <= 80
    for row in json.loads(vivid_models("list", "--json")[1]):
        first = next(line for line in lines if line.startswith(f"{row['name']} "))
        assert all(said in first for said in (row["licence"], " no")), first
        words = row["purpose"].split()
        assert words[0] in first
        assert all(re.search(rf"(^| ){re.escape(word)}( |$)", output, re.MULTILINE) for word in words), "broken"
    assert "https://" not in output
    assert "--json" in lines[-1]


def test_list_has_sources_where_they_fit(vivid_models):
    lines = vivid_models("list")[1].splitlines()
    assert any(line.startswith("u2netp ") and line.rstrip().endswith("/u2netp.onnx") for line in lines)


def test_list_for_programs(vivid_models, tmp_path):
    (tmp_path / "u2netp.onnx").write_bytes(b"\0" * weights.CATALOGUE["u2netp"].size)
    code, output = vivid_models("list", "--json")
    rows = json.loads(output)
    assert code == 0
    assert [row["name"] for row in rows if ":" not in row["name"]] == NAMES
    assert {row["name"]: row["licence"] for row in rows}["rembg:silueta"] == "Apache-2.0"
    assert [row["name"] for row in rows if row["used"]] == ["u2net", "open_clip"]
    assert {row["name"]: row["path"] for row in rows if row["path"]} == {"u2netp": str(tmp_path / "u2netp.onnx")}


NAMED = f"""
[masks]
tiers = ["birefnet:someone/BiRefNet_lite@{"c" * 40}", "gradients"]
[birefnet]
trust_remote_code = true
[backgrounds]
generator = "text_to_image:someone/flux@{"c" * 40}"
[renditions.other]
generator = "text_to_image:black-forest-labs/FLUX.1-dev@{"d" * 40}"
[open_clip]
model = "ViT-L-14"
pretrained = "openai"
"""


@pytest.fixture
def by_names(monkeypatch, tmp_path):
    """Settings that name a tier's, a generator's and a rendition's model after a colon."""
    (tmp_path / "vivid.toml").write_text(NAMED)
    monkeypatch.setenv("VIVID_SETTINGS", str(tmp_path / "vivid.toml"))


def test_list_shows_what_the_settings_name(vivid_models, by_names):
    rows = {row["name"]: row for row in json.loads(vivid_models("list", "--json")[1])}
    flux = rows[f"text_to_image:someone/flux@{'c' * 40}"]
    assert (flux["source"], flux["licence"], flux["used"]) == ("someone/flux@cccccccccccc", "see its publisher", True)
    assert rows[f"birefnet:someone/BiRefNet_lite@{'c' * 40}"]["used"]
    assert rows[f"text_to_image:black-forest-labs/FLUX.1-dev@{'d' * 40}"]["licence"].endswith("Non-Commercial License")
    assert rows["birefnet"]["memory"] > 2 * rows["birefnet"]["bytes"]
    assert not rows["birefnet"]["used"]


def test_pull_gets_the_models_that_names_have_after_a_colon(vivid_models, by_names, hub, fetched, monkeypatch):
    pulled = []
    monkeypatch.setattr(
        "resources.scenes.text_to_image.TextToImage.pull", lambda self: pulled.append(self.model) or [""]
    )
    code, output = vivid_models(
        "pull", f"text_to_image:someone/flux@{'c' * 40}", f"birefnet:someone/BiRefNet_lite@{'c' * 40}"
    )
    assert (code, pulled, [files.source for files in fetched]) == (0, ["someone/flux"], ["someone/BiRefNet_lite"]), (
        output
    )
    code, output = vivid_models("pull")
    assert pulled == ["someone/flux"] * 2
    assert re.search(r"FLUX.1-dev@d+ is not fetched: The licence of black-forest-labs/FLUX.1-dev", output)
    code, output = vivid_models("pull", "text_to_image:someone/flux")
    assert (code, "there is no model 'text_to_image:someone/flux'" in output) == (2, True)


def test_pull_without_a_name_gets_what_the_settings_need_here(vivid_models, pulled, converted):
    code, output = vivid_models("pull")
    assert (code, pulled, converted) == (0, ["u2net", "open_clip"], ["u2net"])
    assert "The settings need: u2net (176 MB), open_clip (605 MB)." in output
    assert "BiRefNet is not fetched: ZhengPeng7/BiRefNet runs Python code" in output
    assert "SDXL is not fetched, and backgrounds are drawn: there is no GPU." in output
    assert "u2net is installed: " in output
    assert "blocked. Trying the package index [instead]." in output, "said, and square brackets are not markup"


def test_pull_without_a_name_follows_the_settings(vivid_models, pulled, fetched, monkeypatch, tmp_path):
    other = "f" * 40
    (tmp_path / "vivid.toml").write_text(
        f"""
        [backgrounds]
        generator = "auto"
        [masks]
        tiers = ["birefnet", "u2netp"]
        matting = "vitmatte"
        [open_clip]
        checkpoint = "{tmp_path}/mine.pt"
        [birefnet]
        trust_remote_code = true
        model = "someone/BiRefNet_lite"
        model_revision = "{other}"
        [sdxl]
        model = "someone/else-xl"
        model_revision = "{other}"
        vae = ""
        variant = ""
        sampler = "lightning-8"
        """
    )
    monkeypatch.setenv("VIVID_SETTINGS", str(tmp_path / "vivid.toml"))
    monkeypatch.setattr("vivid_assets.cli.wanted.device_trouble", lambda _: None)
    code, output = vivid_models("pull")
    assert (code, pulled) == (0, ["u2netp", "vitmatte", "lightning-8"]), output
    assert [files.source for files in fetched] == ["someone/BiRefNet_lite", "someone/else-xl"]
    assert "unet/diffusion_pytorch_model.safetensors" in fetched[1].files
    assert "vae/diffusion_pytorch_model.safetensors" in fetched[1].files


def test_settings_that_are_wrong_are_a_mistake_of_usage(vivid_models, pulled, monkeypatch, tmp_path):
    (tmp_path / "vivid.toml").write_text('[sdxl]\nmodle = "x"')
    monkeypatch.setenv("VIVID_SETTINGS", str(tmp_path / "vivid.toml"))
    code, output = vivid_models("pull")
    assert (code, pulled) == (2, [])
    assert "there is no entry 'modle'" in output


def test_lcm_needs_a_commit_and_says_how_to_give_it_one(vivid_models, fetched, monkeypatch, tmp_path):
    code, output = vivid_models("pull", "lcm")
    assert (code, fetched) == (1, [])
    assert "sampler_revision" in output
    (tmp_path / "vivid.toml").write_text(f'[sdxl]\nsampler = "lcm"\nsampler_revision = "{"a" * 40}"')
    monkeypatch.setenv("VIVID_SETTINGS", str(tmp_path / "vivid.toml"))
    code, output = vivid_models("pull", "lcm")
    assert (code, [(files.source, files.revision) for files in fetched]) == (
        0,
        [("latent-consistency/lcm-sdxl", "a" * 40)],
    )


REPOSITORIES = {
    "someone/BiRefNet_lite": (["config.json", "birefnet.py", "model.safetensors", "pytorch_model.bin"], "model"),
    "someone/pipeline": (
        [
            "model_index.json",
            "sd_xl.safetensors",
            "vae/config.json",
            "text_encoder_2/config.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "unet/diffusion_pytorch_model.safetensors",
        ],
        "unet/diffusion_pytorch_model.fp16",
    ),
    "someone/flux": (
        [
            "model_index.json",
            "flux.safetensors",
            "text_encoders/t5xxl.safetensors",
            "text_encoder_2/config.json",
            "text_encoder_2/model.safetensors",
            "transformer/config.json",
            "transformer/diffusion_pytorch_model-00001-of-00001.safetensors",
        ],
        "transformer/diffusion_pytorch_model-00001-of-00001",
    ),
    "someone/vae": (["config.json", "diffusion_pytorch_model.safetensors"], "diffusion_pytorch_model"),
    "someone/unet": (["config.json", "diffusion_pytorch_model.fp16.safetensors"], "diffusion_pytorch_model.fp16"),
    "someone/clip": (["open_clip_config.json", "open_clip_model.safetensors"], "open_clip_model"),
    "someone/vitmatte": (["config.json", "model.safetensors"], "model"),
}


@pytest.fixture
def hub(monkeypatch):
    """A hub that has ``REPOSITORIES`` at one commit; every file has a megabyte."""

    def listed(source, revision):
        if source not in REPOSITORIES:
            raise ModelUnavailable(f"The hub does not list the files of {source} at {revision}: 404.")
        return "c" * 40, dict.fromkeys(REPOSITORIES[source][0], 1_000_000)

    monkeypatch.setattr(weights, "listed", listed)


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """The files that were asked of the hub without a name of the catalogue."""
    asked = []

    def pull_files(files, name, say):
        asked.append(files)
        return tmp_path

    monkeypatch.setattr(weights, "pull_files", pull_files)
    return asked


@pytest.mark.parametrize("source", REPOSITORIES)
def test_any_repository_of_a_kind_that_is_used_can_be_pulled_by_its_name(vivid_models, hub, fetched, source):
    code, output = vivid_models("pull", source)
    assert code == 0, output
    (files,) = fetched
    assert (files.source, files.revision) == (source, "c" * 40), "pinned to the commit that the branch is at"
    assert f"{REPOSITORIES[source][1]}.safetensors" in files.patterns
    others = {"pytorch_model.bin", "sd_xl.safetensors", "flux.safetensors", "text_encoders/t5xxl.safetensors"}
    assert not others & set(files.patterns)
    assert " MB)" in output


def test_of_a_pipeline_the_float32_files_can_be_asked_for(vivid_models, hub, fetched):
    vivid_models("pull", "someone/pipeline", "--variant", "")
    assert "unet/diffusion_pytorch_model.safetensors" in fetched[0].files


def test_pull_without_a_name_gets_the_pipeline_that_the_settings_name(
    vivid_models, pulled, converted, hub, monkeypatch, tmp_path
):
    (tmp_path / "vivid.toml").write_text(
        '[backgrounds]\ngenerator = "text_to_image"\n[text_to_image]\nmodel = "someone/flux"\n'
        f'model_revision = "{"c" * 40}"\n[masks]\ntiers = ["gradients"]\n'
    )
    monkeypatch.setenv("VIVID_SETTINGS", str(tmp_path / "vivid.toml"))
    asked = []

    def snapshot(source, revision, allow_patterns):
        asked.append((source, revision, allow_patterns))
        place = tmp_path / "hub" / "models--someone--flux" / "snapshots" / revision
        for name in allow_patterns:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text('{"_class_name": "FluxPipeline"}' if name == "model_index.json" else "{}")
        return str(place)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    code, output = vivid_models("pull")
    assert code == 0, output
    ((source, revision, files),) = asked
    assert (source, revision) == ("someone/flux", "c" * 40)
    assert "transformer/diffusion_pytorch_model-00001-of-00001.safetensors" in files
    assert "flux.safetensors" not in files


@pytest.mark.parametrize("name", ["nobody/nothing", "org/name@abc"])
def test_a_repository_that_is_not_there_is_said(vivid_models, hub, fetched, name):
    code, output = vivid_models("pull", name)
    assert (code, fetched) == (1, [])
    assert "does not list the files of" in output


def test_packages_that_a_model_s_code_needs_are_named_after_pulling(vivid_models, hub, fetched, tmp_path):
    (tmp_path / "config.json").write_text('{"auto_map": {"AutoModelForImageSegmentation": "birefnet.Net"}}')
    (tmp_path / "birefnet.py").write_text("import math\nimport a_package_that_is_not_there\n")
    code, output = vivid_models("pull", "someone/BiRefNet_lite")
    assert code == 1
    assert re.search(r"not installed: a_package_that_is_not_there. Install with: .*pip install a_package", output)


def test_pull_goes_on_after_a_failure_and_ends_with_1(vivid_models, pulled):
    code, output = vivid_models("pull", "sdxl", "u2net")
    assert (code, pulled) == (1, ["sdxl", "u2net"])
    assert "✗ sdxl could not be fetched: no network [by design]." in output
    assert "u2net is installed" in output


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
        ([], "list and verify"),
        (["pull"], "vivid models pull u2net"),
        (["pull"], "vivid models pull ZhengPeng7/BiRefNet_lite"),
        (["list"], "--json"),
        (["verify"], "Exits with status 1"),
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
    assert "u2netp is intact" in result.output
