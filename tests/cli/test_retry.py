"""``vivid catalogue retry`` as a person runs it."""

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from resources.store.store import Store
from tests.support.shards import run_shard
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
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

    store = Store(root=str(tmp_path / "store"))
    catalogue = register(store, "spring", str(pictures))

    def vivid(command):
        ran = CliRunner().invoke(app, ["catalogue", command, "spring"])
        assert ran.exit_code == 0, ran.output
        return ran.output

    def bring_through():
        for shard in scan(store, catalogue).shards_to_run:
            run_shard(store, shard, settings)

    return pictures, vivid, bring_through


def test_retry_tries_what_failed_for_good_and_a_run_does_not(vivid):
    pictures, vivid, bring_through = vivid
    bring_through()
    assert "No picture has failed" in vivid("retry")
    (pictures / "corrupt.png").write_bytes(b"no picture")
    bring_through()
    assert "prepared_images spring-00001: 1 picture, all up to date" in vivid("run")
    again = vivid("retry")
    assert "prepared_images spring-00001: 1 of 1 picture to do" in again
    assert "spring-00000" not in again, "its pictures are all well"
