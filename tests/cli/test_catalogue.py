"""``vivid catalogue`` and ``vivid demo`` as a user runs them."""

from functools import partial

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from resources.runtime.cuda import CudaDriver
from vivid_assets.cli import runs
from vivid_assets.cli.main import app
from vivid_assets.demo import catalogue as demo_pictures
from vivid_assets.settings import Settings


@pytest.fixture
def vivid(tmp_path, monkeypatch):
    """Runs a command on a store and a Dagster instance of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIVID_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "store" / "dagster"))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, color in (("a", (180, 40, 30)), ("b", (30, 90, 50))):
        picture = np.full((100, 100, 3), 214, np.uint8)
        picture[30:70, 30:70] = color
        Image.fromarray(picture).save(folder / f"{name}.png")
    (folder / "catalogue.toml").write_text('prompt = "teal paper"\n[masks]\ntiers = ["gradients"]\n')
    return folder


@pytest.fixture
def small_demo(monkeypatch):
    """The demo with one photograph and drawings of half the size; `make soak` has the whole one."""
    small = partial(demo_pictures.write_demo_catalogue, size=320)
    monkeypatch.setattr(demo_pictures, "write_demo_catalogue", small)
    monkeypatch.setattr(demo_pictures, "_PHOTOGRAPHS", {"cat": demo_pictures._PHOTOGRAPHS["cat"]})


@pytest.mark.slow
def test_a_catalogue_s_day(vivid, folder):
    assert vivid("catalogue", "add", "spring", folder).exit_code == 0
    scanned = vivid("catalogue", "scan", "spring")
    assert "2 new" in scanned.output
    assert "spring-00000" in scanned.output

    first = vivid("catalogue", "run", "spring")
    assert first.exit_code == 0, first.output
    assert "2 of 2 pictures to do" in first.output
    assert (folder.parent / "store" / "composites" / "spring" / "a.png").exists()

    again = vivid("catalogue", "run", "spring")
    assert "2 unchanged" in again.output
    assert "Nothing was computed" in again.output
    assert "spring-00000 (1 of 1)" in first.output and "spring-00000 (1 of 1)" not in again.output

    (folder / "c.png").write_bytes(b"no picture")
    third = vivid("catalogue", "run", "spring")
    assert third.exit_code == 0, "pictures that failed are listed"
    assert "c.png" in third.output
    status = vivid("catalogue", "status")
    assert status.exit_code == 0
    assert "prepared_images" in status.output


def test_an_unknown_catalogue_is_a_sentence(vivid):
    result = vivid("catalogue", "run", "winter")
    assert result.exit_code == 1
    assert "no catalogue 'winter'" in result.output
    assert "Traceback" not in result.output


def test_status_of_nothing_says_how_to_begin(vivid):
    assert "vivid catalogue add" in vivid("catalogue", "status").output


@pytest.mark.slow
def test_the_demo_runs_and_then_has_nothing_to_do(vivid, small_demo, u2netp, tmp_path):
    first = vivid("demo", "--folder", tmp_path / "demo")
    assert first.exit_code == 0, first.output
    assert "u2netp" in first.output
    assert len([*(tmp_path / "demo" / "store" / "composites" / "demo").iterdir()]) == 7
    again = vivid("demo", "--folder", tmp_path / "demo")
    assert again.exit_code == 0
    assert " to do" not in again.output
    assert "Nothing was computed" in again.output


def test_a_folder_in_trouble_is_a_sentence_and_in_the_status(vivid, folder):
    assert vivid("catalogue", "add", "spring", folder).exit_code == 0
    (folder / "art.psd").write_bytes(b"8BPS")
    assert "1 .psd, such as 'art.psd'" in vivid("catalogue", "scan", "spring").output
    assert "1 .psd, such as 'art.psd'" in vivid("catalogue", "status").output

    for name in ("a.png", "b.png"):
        (folder / name).rename(folder.parent / name)
    gone = vivid("catalogue", "scan", "spring")
    assert gone.exit_code == 1
    assert "has no picture" in gone.output
    assert "vivid catalogue scan spring --accept-removals" in gone.output
    assert "Traceback" not in gone.output
    assert "The last scan failed: " in vivid("catalogue", "status").output

    accepted = vivid("catalogue", "scan", "spring", "--accept-removals")
    assert accepted.exit_code == 0, accepted.output
    assert "2 removed" in accepted.output
    (folder / "catalogue.toml").write_text("[masks]\nrefine = false\n")
    assert "catalogue.toml has changed since the last scan" in vivid("catalogue", "status").output


@pytest.mark.slow
def test_a_fresh_demo_takes_away_what_the_demo_made_and_nothing_else(vivid, small_demo, tmp_path, monkeypatch):
    monkeypatch.setattr("vivid_assets.cli.demo.bring_up_to_date", lambda *_: [])
    monkeypatch.setattr("resources.weights.pull.available", lambda _: True)
    mine = tmp_path / "mine" / "wedding" / "1.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    for _ in range(2):
        ran = vivid("demo", "--folder", str(tmp_path / "mine"), "--fresh")
        assert ran.exit_code == 0, ran.output
        assert mine.read_bytes() == b"mine"
        assert (tmp_path / "mine" / "catalogue" / "manifest.csv").exists()
        assert not (tmp_path / "mine" / "catalogue" / "old.png").exists(), "the second is a fresh one"
        (tmp_path / "mine" / "catalogue" / "old.png").write_bytes(b"old")


@pytest.mark.slow
def test_a_demo_that_was_stopped_while_it_drew_begins_again(vivid, small_demo, tmp_path, monkeypatch):
    monkeypatch.setattr("vivid_assets.cli.demo.bring_up_to_date", lambda *_: [])
    monkeypatch.setattr("resources.weights.pull.available", lambda _: True)

    def stopped(folder):
        folder.mkdir(parents=True)
        (folder / "half.png").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr("vivid_assets.demo.catalogue.write_demo_catalogue", stopped)
        assert vivid("demo", "--folder", str(tmp_path / "mine")).exit_code == 130
    assert vivid("demo", "--folder", str(tmp_path / "mine")).exit_code == 0
    found = {path.name for path in (tmp_path / "mine" / "catalogue").iterdir()}
    assert {"manifest.csv", "cartoon-owl.png"} <= found and "half.png" not in found


def test_a_damaged_record_of_one_catalogue_hides_nothing_of_the_others(vivid, folder, tmp_path):
    for name in ("broken", "sound"):
        vivid("catalogue", "add", name, str(folder))
        vivid("catalogue", "scan", name)
    (tmp_path / "store" / "catalogues" / "broken" / "settings.json").write_text("{bad")
    table = tmp_path / "store" / "tables" / "masks" / "broken-00000.parquet"
    for _ in ("settings", "table too"):
        ran = vivid("catalogue", "status")
        assert ran.exit_code == 0, ran.output
        assert "broken" in ran.output and "damaged" in ran.output
        assert "sound (1 shard)" in ran.output
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_bytes(b"no table")


def test_there_is_a_process_for_each_gpu_that_a_model_would_take(monkeypatch):
    def processes(devices, lacking, **entries):
        monkeypatch.setattr(runs, "cuda_driver", lambda: CudaDriver(devices, "13.2") if devices else None)
        monkeypatch.setattr("resources.runtime.device.usable_gpus", lambda: [f"cuda:{one}" for one in range(devices)])
        monkeypatch.setattr("resources.masks.birefnet.BiRefNet.missing", lambda _: lacking)
        return runs.gpus_to_share(Settings(open_clip={"device": "cpu"}, sdxl={"device": "cpu"}, birefnet=entries))

    assert [processes(devices, None) for devices in (0, 1, 2, 8)] == [1, 1, 2, 8]
    assert processes(8, "no weights") == 1
    assert processes(8, None, device="cuda:1") == processes(8, None, device="cpu") == 1


@pytest.mark.soak
def test_several_processes_share_the_shards_and_one_that_dies_is_said(vivid, folder, monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "gpus_to_share", lambda _: 2)
    (folder / "catalogue.toml").write_text('prompt = "teal paper"\nshard_size = 1\n[masks]\ntiers = ["gradients"]\n')
    vivid("catalogue", "add", "spring", folder)
    first = vivid("catalogue", "run", "spring")
    assert first.exit_code == 0, first.output
    assert "2 processes, one for each GPU." in first.output
    assert "1 │ spring-00000 (1 of 1)" in first.output
    assert "2 │ spring-00001 (1 of 1)" in first.output
    assert {file.name for file in (tmp_path / "store/composites/spring").iterdir()} >= {"a.png", "b.png"}
    assert "Nothing was computed" in vivid("catalogue", "run", "spring").output

    (folder / "catalogue.toml").write_text('prompt = "red paper"\nshard_size = 1\n[masks]\ntiers = ["gradients"]\n')
    monkeypatch.setattr("sys.executable", "/bin/false")
    broken = vivid("catalogue", "run", "spring")
    assert broken.exit_code == 1
    assert "The process that ran spring-00001 ended with status 1." in broken.output
    assert "The runs of spring-00000, spring-00001 failed" in broken.output
