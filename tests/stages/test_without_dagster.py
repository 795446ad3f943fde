"""Stages run on a shard by themselves: no run, no instance, no import of Dagster."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

_PROGRAM = """
import json, logging, sys
from pathlib import Path
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.rows.tables import read_rows
from vivid_assets.settings import parse_settings
from vivid_assets.stages.stage import Shard, all_stages

root = Path(sys.argv[1])
store = Store(root=str(root / "store"))
scan(store, register(store, "spring", str(root / "pictures")))
said = '[masks]\\ntiers = ["gradients"]\\n[backgrounds]\\ngenerator = "backdrop"\\n'
shard = Shard("spring-00000", store, parse_settings(said, where="", overrides={}), logging.getLogger())
done = {}
for again in range(2):
    for stage in all_stages():
        with stage.at_work(shard) as work:
            outcome = work.run(live_pictures(store, shard.name))
        done.setdefault(stage.name, []).append([outcome.computed, len(outcome.with_status("ok"))])
print(json.dumps([done, "dagster" in sys.modules]))
"""


@pytest.mark.slow
def test_all_stages_run_without_dagster(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = np.full((90, 90, 3), 214, np.uint8)
    picture[30:60, 30:60] = (30, 40, 180)
    cv2.imwrite(str(folder / "a.png"), picture)
    (folder / "b.png").write_text("no picture")
    said = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    done, imported = json.loads(said.stdout.splitlines()[-1])
    assert not imported
    stages = ("prepared_images", "masks", "analysis", "enhanced_prompts", "backgrounds", "composites")
    # The stage that shows all works on the failed picture too.
    assert {name: done[name][0] for name in (*stages, "review")} == {
        "prepared_images": [2, 1],
        **{key: [1, 1] for key in stages[1:]},
        "review": [2, 2],
    }
    assert all(again == [0, first[1]] for first, again in done.values())
