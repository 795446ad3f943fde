"""``vivid catalogue retry`` in processes of its own, as a person runs it."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def vivid(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    wall = np.full((160, 160, 3), 215, np.uint8)
    cv2.circle(wall, (80, 80), 50, (30, 40, 180), -1, cv2.LINE_AA)
    cv2.imwrite(str(pictures / "sound.png"), wall)
    settings = tmp_path / "vivid.toml"
    settings.write_text('[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n')
    environment = os.environ | {
        "VIVID_STORE": str(tmp_path / "store"),
        "VIVID_SETTINGS": str(settings),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }

    def run(*arguments):
        command = [str(Path(sys.executable).with_name("vivid")), "catalogue", *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    run("add", "spring", str(pictures))
    return pictures, run


def test_retry_tries_what_failed_for_good_and_a_run_does_not(vivid):
    pictures, run = vivid
    run("run", "spring")
    assert "No picture has failed" in run("retry", "spring")
    (pictures / "corrupt.png").write_bytes(b"no picture")
    cv2.imwrite(str(pictures / "second.png"), cv2.imread(str(pictures / "sound.png")))
    run("run", "spring")
    assert "prepared_images spring-00001: all 2 pictures are up to date" in run("run", "spring")
    again = run("retry", "spring")
    assert "prepared_images spring-00001: 1 of 2 pictures to do" in again
    assert "spring-00000" not in again, "its pictures are all well"
