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
from vivid_assets.imaging.io.video.read import read_video
from vivid_assets.stages.clips import kept, segments

pytestmark = pytest.mark.soak


def bring_scanned(pipeline):
    pipeline.say(WHITE)
    photographs(pipeline)
    frames = moving_disc(50, (180, 320))
    save_clip(pipeline.folder / CLIP, [*frames, *frames[::-1]])
    pipeline.scan()


def killed_at(pipeline, parts):
    """Run the pipeline in a process of its own, which is killed once it has written so many more files of what is
    unfinished; whether it was."""
    run = multiprocessing.get_context("fork").Process(target=pipeline.run)
    before, seen = unfinished(pipeline), set()
    run.start()
    while run.is_alive() and len(seen) < parts:
        seen |= unfinished(pipeline) - before
        time.sleep(0.02)
    alive = run.is_alive()
    if alive:
        os.kill(run.pid, signal.SIGKILL)
    run.join()
    return alive


def unfinished(pipeline):
    return {path for stage in ("masks", "composites") for path in parts_in(pipeline, stage)}


def test_killed_again_and_again_it_ends_as_a_clean_run(pipeline_after, monkeypatch, capsys):
    # A file a frame, however fast the machine is.
    monkeypatch.setattr(kept, "SECONDS", 0.0)
    monkeypatch.setattr(segments, "_SECONDS", 0.0)
    monkeypatch.setattr(segments, "_MOST", 12)
    clean = pipeline_after(bring_scanned)
    clean.run()
    pipeline = pipeline_after(bring_scanned)
    dice, kills = random.Random(3), 0
    while killed_at(pipeline, dice.randint(20, 50)):
        kills += 1
        assert kills < 30
    with capsys.disabled():
        print(f"\nkilled {kills} times")
    assert kills >= 3
    pipeline.run()
    assert unfinished(pipeline) == set()
    masks = [masks_of(one, CLIP) for one in (clean, pipeline)]
    assert masks[0].notes == masks[1].notes
    assert [*masks[0].pictures()] == [*masks[1].pictures()]
    files = [Path(published(one, CLIP)) for one in (clean, pipeline)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len([*read_video(files[1])]) == 100
