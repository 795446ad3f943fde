"""``vivid catalogue retry`` as a person runs it."""

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from vivid_assets.cli.main import app

pytestmark = pytest.mark.slow


@pytest.fixture
def vivid(tmp_path, monkeypatch):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    wall = np.full((160, 160, 3), 215, np.uint8)
    cv2.circle(wall, (80, 80), 50, (30, 40, 180), -1, cv2.LINE_AA)
    cv2.imwrite(str(pictures / "sound.png"), wall)
    (pictures / "catalogue.toml").write_text("shard_size = 1")
    settings = tmp_path / "vivid.toml"
    settings.write_text('[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n')
    monkeypatch.setenv("VIVID_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("VIVID_SETTINGS", str(settings))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        ran = CliRunner().invoke(app, ["catalogue", *arguments])
        assert ran.exit_code == 0, ran.output
        return ran.output

    run("add", "spring", str(pictures))
    return pictures, run


def test_retry_tries_what_failed_for_good_and_a_run_does_not(vivid):
    pictures, run = vivid
    run("run", "spring")
    assert "No picture has failed" in run("retry", "spring")
    (pictures / "corrupt.png").write_bytes(b"no picture")
    run("run", "spring")
    assert "prepared_images spring-00001: all 1 pictures are up to date" in run("run", "spring")
    again = run("retry", "spring")
    assert "prepared_images spring-00001: 1 of 1 pictures to do" in again
    assert "spring-00000" not in again, "its pictures are all well"
