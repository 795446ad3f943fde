"""A clip of a hundred frames among photographs, whose run is killed again and again."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.assets.clips.test_clips import CLIP, WHITE, masks_of, parts_in, photographs, published
from tests.support.clips import moving_disc, save_clip
from vivid_assets.assets.masks import MASKS
from vivid_assets.imaging.io.video.read import read_video
from vivid_assets.stages.clips import kept

pytestmark = pytest.mark.soak


def bring_scanned(pipeline):
    pipeline.say(WHITE)
    photographs(pipeline)
    frames = moving_disc(50, (180, 320))
    save_clip(pipeline.folder / CLIP, [*frames, *frames[::-1]])
    pipeline.scan()


def test_killed_again_and_again_its_masks_are_those_of_a_clean_run(pipeline_after, monkeypatch, capsys):
    monkeypatch.setattr(kept, "_SECONDS", 0.2)
    pipeline = pipeline_after(bring_scanned)
    began = time.monotonic()
    pipeline.run(selection=["prepared_images", "masks"])
    clean, seconds = masks_of(pipeline, CLIP), time.monotonic() - began
    pipeline = pipeline_after(bring_scanned)
    dice, kills, files = random.Random(3), 0, {0}
    while CLIP not in pipeline.rows(MASKS):
        run = multiprocessing.get_context("fork").Process(target=pipeline.run)
        run.start()
        run.join(dice.uniform(0.3, 0.6) * seconds)
        if run.is_alive():
            os.kill(run.pid, signal.SIGKILL)
            kills += 1
        run.join()
        files.add(len(parts_in(pipeline)))
        assert kills < 60
    with capsys.disabled():
        print(f"\nkilled {kills} times, up to {max(files)} files of unfinished masks")
    assert kills >= 2
    pipeline.run()
    made = masks_of(pipeline, CLIP)
    assert made.notes == clean.notes
    assert [*made.pictures()] == [*clean.pictures()]
    assert parts_in(pipeline) == []
    assert len([*read_video(Path(published(pipeline, CLIP)))]) == 100
