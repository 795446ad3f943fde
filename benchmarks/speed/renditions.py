"""What a composite costs in CPU time, one of each picture and five; and what a JPEG costs whose white is white.

Beside it, in the same run, what the same pictures cost when each is read, blended where it stands and written by the
functions alone, without rows, renditions or placement: the ratio is what these add.

    python -m benchmarks.speed.renditions --count 8 --size 1024

The stages are run in this process, without Dagster; drawn products, gradient masks, studio backdrops.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.speed.drawn_catalogue import STAGES, DrawnCatalogue
from benchmarks.speed.shards import open_shards, run_stages
from vivid_assets.assets.masks import MASKS
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.mask_files import decode_mask
from vivid_assets.rows.tables import read_rows
from vivid_assets.stages.stage import Shard

WHITE = (255, 255, 255)
COLOR = (232, 240, 234)
PLAIN = "one a picture, before a colour"
KINDS = {
    "one a picture": "",
    PLAIN: 'background = "#e8f0ea"\n',
    "five, before a colour": "".join(f'[renditions.{name}]\nbackground = "#e8f0ea"\n' for name in "abcde"),
    "five, as it was photographed": "".join(
        f'[renditions.{paper}]\nprompt = "{paper} paper"\n' for paper in ("sage", "grey", "beige", "blue", "white")
    ),
    "five for shops": (
        '[renditions.main]\npreset = "amazon-main"\ncanvas = "1024x1024"\n'
        '[renditions.brand]\nbackground = "#e8f0ea"\ncanvas = "1024x1024"\nfit = "subject"\npadding = 0.12\n'
        '[renditions.beach]\nprompt = "sand"\n'
        '[renditions.story]\nprompt = "sand"\ncanvas = "576x1024"\nfit = "subject"\npadding = 0.1\nalign = "bottom"\n'
        '[renditions.cut]\npreset = "cut-out"\n'
    ),
}


def cpu() -> float:
    """Seconds of this process, in all its threads."""
    times = os.times()
    return times.user + times.system


def opened(catalogue: DrawnCatalogue) -> Shard:
    """The catalogue's only shard."""
    (shard,) = open_shards(catalogue.store, catalogue.folder, catalogue.folder.parent / "vivid.toml")
    return shard


def measure(kind: str, count: int, size: int) -> tuple[int, float]:
    """How many composites were made, and the CPU seconds of that, less those of a run with nothing to do."""
    with tempfile.TemporaryDirectory() as place:
        catalogue = DrawnCatalogue.drawn(Path(place), count, size=size, shard_size=count)
        with (catalogue.folder / "catalogue.toml").open("a") as file:
            file.write(KINDS[kind])
        shard = opened(catalogue)
        run_stages(shard, STAGES[:-1])
        started = cpu()
        made = run_stages(shard, STAGES[-1:])
        between = cpu()
        assert not run_stages(shard, STAGES[-1:])
        return made, 2 * between - started - cpu()


def blend_in_place(count: int, size: int) -> float:
    """CPU seconds a picture of reading, blending and writing the same pictures, one after the other."""
    with tempfile.TemporaryDirectory() as place:
        catalogue = DrawnCatalogue.drawn(Path(place), count, size=size, shard_size=count)
        shard = opened(catalogue)
        run_stages(shard, STAGES[:-1])
        started = cpu()
        for name, row in read_rows(catalogue.store, MASKS, shard.name).items():
            picture = decode((catalogue.folder / name).read_bytes())
            alpha = Alpha(decode_mask(catalogue.store.read(row["file"])), row["origin"])
            made = blend_native(picture.rgb, alpha, np.full((64, 64, 3), COLOR, np.uint8), shadow="auto")
            encode(made.composite, format="jpeg", quality=92, carried=picture.carried)
        return (cpu() - started) / count


def compare_white(count: int, size: int) -> None:
    """Bytes and CPU time of a JPEG with an exact white, and of another, of a drawn product before white."""
    exact, other, times = 0, 0, np.zeros(2)
    with tempfile.TemporaryDirectory() as place:
        catalogue = DrawnCatalogue.drawn(Path(place), count, size=size, shard_size=count)
        for path in sorted(catalogue.folder.glob("*.jpg")):
            picture = decode(path.read_bytes()).rgb
            picture = np.where(picture.min(axis=2, keepdims=True) > 180, np.uint8(255), picture)
            started = time.process_time()
            other += len(encode(picture, format="jpeg", quality=92))
            between = time.process_time()
            exact += len(encode(picture, format="jpeg", quality=92, exact=WHITE))
            times += between - started, time.process_time() - between
    ms = times / count * 1e3
    print(
        f"white in a JPEG, {size} x {size}: {exact / other:.2f} times the bytes, {ms[1]:.0f} ms and not {ms[0]:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=8, help="pictures")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024, help="pixels a side")
    arguments = parser.parse_args()
    measure("one a picture", 1, 64)
    # The best of some, one after the other: what else runs on a machine only adds.
    best: dict[str, float] = {}
    for _ in range(arguments.repeats):
        for kind in KINDS:
            made, spent = measure(kind, arguments.count, arguments.size)
            best[kind] = min(best.get(kind, np.inf), spent / made)
    for kind, spent in best.items():
        print(f"{kind:30} {spent * 1e3:7.1f} ms of CPU a composite")
    alone = min(blend_in_place(arguments.count, arguments.size) for _ in range(arguments.repeats))
    print(f"{'blended in place, alone':30} {alone * 1e3:7.1f} ms: {PLAIN} takes {best[PLAIN] / alone:.2f} of it")
    compare_white(arguments.count, arguments.size)


if __name__ == "__main__":
    main()
