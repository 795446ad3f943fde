"""What it takes to go on with a clip's masks where a run was stopped: seconds until it is as far as it was.

    python -m benchmarks.speed.stopped_clips --frames 600

A ball walks before a plain wall, 1280 × 720 pixels. The stage of masks is stopped at two thirds of its first reading,
goes on, and is stopped again at two thirds of the second. What is printed is the time from the begin of the next run to
the frame behind the one at which it was stopped, with what was in hand then and is done again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from unittest import mock

from benchmarks.speed import clips
from benchmarks.speed.shards import open_shards, run_stages
from resources.store.store import Store

SIZE = (720, 1280)  # height, width
SETTINGS = '[masks]\ntiers = ["{tier}"]\n[backgrounds]\ngenerator = "backdrop"\n'


class Stopped(BaseException):
    """The run ends here."""


class Stops:
    """The progress of a clip's masks, which notes when a frame is done, and stops the run at another."""

    def __init__(self, passes: tuple[str, int] | None, at: tuple[str, int]) -> None:
        self._passes, self._at = passes, at
        self._begun = time.process_time(), time.perf_counter()
        self.spent: tuple[float, float] | None = None

    def __call__(self, step: str, frame: int) -> None:
        if (step, frame) == self._passes:
            self.spent = time.process_time() - self._begun[0], time.perf_counter() - self._begun[1]
        if (step, frame) == self._at:
            raise Stopped


def stopped(root: Path, passes: tuple[str, int] | None, at: tuple[str, int]) -> None:
    """Go on with the masks until the frame ``at``; print what it took to pass another."""
    (shard,) = open_shards(Store(root=str(root / "store")), root / "clips", root / "vivid.toml")
    stops = Stops(passes, at)
    with mock.patch("vivid_assets.stages.clips.masks._Progress", lambda *_: stops), suppress(Stopped):
        run_stages(shard, ["masks"])
    if passes and stops.spent:
        cpu, wall = stops.spent
        files = [*(root / "store").rglob("*.part")]
        size = sum(file.stat().st_size for file in files) / 1e6
        print(
            f"stopped at {passes[0]} {passes[1] - 1}: goes on after {cpu:.1f} s of CPU, {wall:.1f} s; "
            f"{size:.0f} MB are kept",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--model", default="u2netp")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        clips.draw(root / "clips/in/clip.mp4", given.frames, SIZE)
        (root / "clips/catalogue.toml").write_text('background = "#ffffff"\nclips = ["in/*"]\n')
        (root / "vivid.toml").write_text(SETTINGS.format(tier=given.model))
        (shard,) = open_shards(Store(root=str(root / "store")), root / "clips", root / "vivid.toml")
        run_stages(shard, ["prepared_images"])
        where = 2 * given.frames // 3
        stopped(root, None, ("finding", where))
        stopped(root, ("finding", where + 1), ("smoothing", where))
        stopped(root, ("smoothing", where + 1), ("smoothing", where + 1))


if __name__ == "__main__":
    main()
