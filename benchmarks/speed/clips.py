"""Clips: frames a second from file to files against per-frame masks alone, and memory by length.

    python -m benchmarks.speed.clips --clip ~/720p.mp4 --frames 48
    python -m benchmarks.speed.clips --lengths 200 1000

* "per frame" is the mask of each frame as a picture of its own, in memory: nothing is read or written.
* "masks" is ``vivid mask``, from the file to a PNG a frame; "composite" is ``vivid replace`` before a colour, from the
  file to an MP4: masks, blending and encoding.
* Seconds are CPU seconds of the whole process, which other programs of the machine hardly change; wall time beside it.
* ``--lengths`` draws clips of so many frames before a plain background, brings each through the stages of a catalogue
  in a process of its own, and prints that process's peak memory after its masks and after its composite.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from vivid_assets.imaging.io.video.read import read_video
from vivid_assets.imaging.io.video.write import h264, writing
from vivid_assets.settings import Rendition, Settings

SIZE = (360, 640)  # height, width of drawn clips

SETTINGS = '[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n'


def spent(work: Callable[[], None]) -> tuple[float, float]:
    """CPU and wall seconds of ``work``."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def speed(path: Path, tier: str, most: int) -> None:
    """Print the frames a second of a clip's first frames by each way, and their share of those of masks alone."""
    import vivid_assets
    from vivid_assets.cli.clips import mask_clip, replace_clip

    with tempfile.TemporaryDirectory() as place, vivid_assets.keep_models():
        source = Path(place) / "clip.mp4"
        clip = read_video(path)
        with writing(source, h264(), clip.rate) as sink:
            for frame in islice(clip, most):
                sink.add(frame.rgb, frame.time)
        frames = [frame.rgb for frame in read_video(source)]
        vivid_assets.find_mask(frames[0], tiers=[tier])

        def alone() -> None:
            for frame in frames:
                vivid_assets.find_mask(frame, tiers=[tier])

        def masks() -> None:
            mask_clip(source, Path(place) / "masks", Settings(), (tier,), force=True)

        def composite() -> None:
            white = Rendition(background="#ffffff")
            target = Path(place) / "done.mp4"
            replace_clip(source, target, None, Settings(), white, (tier,), seed=42, generator=None, force=True)

        print(f"{len(frames)} frames of {frames[0].shape[1]} × {frames[0].shape[0]}")
        first = 0.0
        for name, work in (("per frame", alone), ("masks", masks), ("composite", composite)):
            cpu, wall = spent(work)
            first = first or cpu
            print(
                f"{name:12s}{1e3 * cpu / len(frames):8.0f} ms of CPU a frame, {len(frames) / wall:.2f} frames/s; "
                f"{first / cpu:.2f} of per frame"
            )


def draw(path: Path, count: int, size: tuple[int, int] = SIZE) -> None:
    """Draw a clip (``size`` is height, width) of a ball that walks to and fro before a plain wall, with its shadow."""
    height, width = size
    path.parent.mkdir(parents=True)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    with writing(path, h264(), Fraction(25)) as sink:
        for number in range(count):
            across = width * (0.4 + 0.2 * abs(number % 80 - 40) / 40)
            shade = 1 - 0.3 * np.exp(-(((x - across - 60) / 50) ** 2) - ((y - height * 0.6) / 40) ** 2)
            frame = (np.float32((205, 200, 190)) * shade[..., None] ** np.float32(1 / 2.2)).astype(np.uint8)
            cv2.circle(frame, (round(across), height // 2), height // 4, (180, 40, 30), -1, cv2.LINE_AA)
            sink.add(frame, Fraction(number, 25))


def memory(count: int) -> None:
    """Print the peak memory of a process that makes the masks and the composite of a clip of ``count`` frames."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        draw(root / "clips/in/clip.mp4", count)
        (root / "clips/catalogue.toml").write_text('background = "#ffffff"\nclips = ["in/*"]\n')
        (root / "vivid.toml").write_text(SETTINGS)
        places = (str(root / name) for name in ("clips", "vivid.toml", "store"))
        command = [sys.executable, "-m", "benchmarks.speed.shards", *places]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peak = dict(line.split() for line in done.stdout.splitlines())
        print(
            f"{count:6d} frames: {peak['masks']} MB after the masks, {peak['composites']} MB after the composite",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, help="a clip to time")
    parser.add_argument("--frames", type=int, default=48, help="of it, at most")
    parser.add_argument("--model", default="u2netp")
    parser.add_argument("--lengths", type=int, nargs="+", default=[], help="frames of drawn clips")
    given = parser.parse_args()
    if given.clip:
        speed(given.clip, given.model, given.frames)
    for count in given.lengths:
        memory(count)


if __name__ == "__main__":
    main()
