"""What the pipeline costs beside its work: by stage, at rest, on a night with 1 % new, and as catalogues grow.

    python -m benchmarks.speed.pipeline --counts 100 1000
    python -m benchmarks.speed.pipeline --counts 200 --rembg --photographs ~/products

* A stage's pictures/s is rows computed over the stage's own seconds; "whole" is the wall time of all runs.
* "bare loop" is the same pure functions, one picture after the other in one thread, files read and written too.
* "idle" runs every shard again with nothing to do: what Dagster and the row engine cost by themselves. Its share of a
  shard's time with a model is the orchestration share.
* ``--rembg`` masks the same folder by ``rembg p`` with the same model, as it comes (cut-outs) and with ``-om``
  (masks alone), and by our stages, each a process from start to end; the folder is drawn, or filled from
  ``--photographs``.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

from benchmarks.speed.drawn_catalogue import STAGES, DrawnCatalogue, Run, quiet
from resources.masks.tiers import MASK_TIERS
from vivid_assets.imaging.analysis.light import measure_light
from vivid_assets.imaging.analysis.line_art import detect_line_art
from vivid_assets.imaging.backdrop.render import read_prompt, render
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.mask_files import decode_mask, encode_mask
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.mask import MaskRequest
from vivid_assets.masking.tiers import make_tiers

# The command itself, without its siblings, which import a web server.
REMBG_P = """
import sys, types, rembg
sys.modules["rembg.commands"] = commands = types.ModuleType("rembg.commands")
commands.__path__ = [rembg.__path__[0] + "/commands"]
from rembg.commands.p_command import p_command
p_command()
"""


def bare_loop(folder: Path, out: Path, tiers: tuple[str, ...], count: int) -> float:
    """Seconds for ``count`` pictures through the same functions with nothing around them."""
    out.mkdir()
    backdrops: dict[tuple[int, ...], bytes] = {}
    ladder = Ladder(make_tiers(tiers, lambda name: MASK_TIERS.load(name)(), ExitStack()))
    started = time.perf_counter()
    for path in sorted(folder.glob("*.jpg"))[:count]:
        (out / "prepared.png").write_bytes(encode(decode(path.read_bytes(), longest=1024).rgb))
        prepared = decode((out / "prepared.png").read_bytes()).rgb
        light, _ = measure_light(prepared), detect_line_art(prepared)
        (mask,) = ladder.masks([prepared], [MaskRequest()])
        (out / "mask.png").write_bytes(encode_mask(mask.alpha))
        size = prepared.shape[:2]
        if size not in backdrops:
            backdrops[size] = encode(
                render(read_prompt("sage green paper"), *size, seed=42, temperature=light.temperature)
            )
        alpha, scene = decode_mask((out / "mask.png").read_bytes()), decode(backdrops[size]).rgb
        blended = blend_native(decode(path.read_bytes()).rgb, Alpha(alpha, "probability"), scene)
        (out / path.name).write_bytes(encode(blended.composite, format="jpeg", quality=92))
    return time.perf_counter() - started


def total(runs: list[Run]) -> tuple[Counter[str], Counter[str], float]:
    computed: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for run in runs:
        computed.update(run.computed)
        seconds.update(run.stage_seconds)
    return computed, seconds, sum(run.seconds for run in runs)


def measure(count: int, *, size: int, shard_size: int, tiers: str, loop: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        catalogue = DrawnCatalogue.drawn(root, count, size=size, shard_size=shard_size, tiers=tiers)
        started = time.perf_counter()
        catalogue.scan()
        first_scan = time.perf_counter() - started
        with quiet():
            computed, seconds, wall = total([*catalogue.run(catalogue.shards())])
        print(f"\n{count:,} pictures of {size} × {size}, {len(catalogue.shards())} shards, tiers {tiers}")
        for stage in STAGES:
            rate = computed[stage] / max(seconds[stage], 1e-9)
            print(f"  {stage:17} {rate:9.1f} pictures/s  {seconds[stage] / wall:6.1%} of the wall time")
        print(f"  {'whole':17} {count / wall:9.1f} pictures/s  {wall / count * 1e3:.1f} ms a picture")

        started = time.perf_counter()
        again = catalogue.scan()
        idle_scan = time.perf_counter() - started
        with quiet():
            _, _, idle = total([*catalogue.run(catalogue.shards())])
        shards = len(catalogue.shards())
        print(f"  first scan {first_scan:.2f} s; scan of the same {idle_scan:.2f} s, {len(again.shards_to_run)} to run")
        print(
            f"  idle: {idle / shards:.2f} s a shard, {idle / count * 1e3:.2f} ms a picture, {idle / wall:.1%} of a run"
        )

        changed = max(1, count // 100)
        for number in range(changed):
            catalogue.draw(number * 97 % count, version=1)
        started = time.perf_counter()
        night = catalogue.scan()
        with quiet():
            computed, _, _ = total([*catalogue.run(night.shards_to_run)])
        spent = time.perf_counter() - started
        print(f"  1 % night: {spent:.2f} s for {computed['composites']} pictures in {len(night.shards_to_run)} shards")

        names = tuple(tier.strip(' "') for tier in tiers.split(","))
        some = min(count, loop)
        bare_loop(catalogue.folder, root / "warm", names, 1)
        bare = bare_loop(catalogue.folder, root / "bare", names, some)
        print(
            f"  bare loop, one thread: {some / bare:.1f} pictures/s; the pipeline is {bare / some * count / wall:.2f}×"
        )


def against_rembg(count: int, size: int, photographs: Path | None, model: str) -> None:
    """All from the start of a process to its end, over the same folder, on the processors that there are."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        catalogue = DrawnCatalogue.drawn(
            root, 0 if photographs else count, size=size, shard_size=512, tiers=f'"{model}"'
        )
        what = f"of {size} × {size}"
        if photographs:
            found = sorted(path for path in photographs.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
            for number, path in zip(range(count), cycle(found), strict=False):
                shutil.copy(path, catalogue.folder / f"{number:06d}.jpg")
            what = f"from {photographs.name}"
        rows = []
        (catalogue.folder / "catalogue.toml").rename(root / "catalogue.toml")
        for options in ([], ["-om"]):
            out = root / f"out{len(options)}"
            rembg = [sys.executable, "-c", REMBG_P, "-m", model, *options, str(catalogue.folder), str(out)]
            rows.append((f"rembg p {' '.join(options)}", *timed(rembg), len(list(out.glob("*.png")))))
        (root / "catalogue.toml").rename(catalogue.folder / "catalogue.toml")
        ours = timed([sys.executable, "-m", "benchmarks.speed.pipeline", "--masks-of", str(root)])
        made = sum("masks" in path.parts for path in (root / "store").rglob("*.png"))
        rows.append(("prepared_images and masks", *ours, made))
    print(f"\nmasks of {count} pictures {what} by {model}, start to end of a process")
    for name, wall, cpu, made in rows:
        times = f"{wall / ours[0]:.2f}× our time, {cpu / ours[1]:.2f}× our CPU time"
        print(f"  {name:26} {made:5d} files  {wall:7.1f} s  {cpu:7.1f} s of CPU  {times}")


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds of wall time and of CPU time that a command and its children took."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # Modules compiled before, as everywhere but where a container forbids it, which costs seconds of start-up.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command[:1] + command[-3:])} failed:\n{done.stderr[-2000:]}")
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def masks_of(root: Path) -> None:
    """The stages up to masks over a folder that ``against_rembg`` has drawn."""
    catalogue = DrawnCatalogue(root)
    catalogue.scan()
    for run in catalogue.run(catalogue.shards(), ["prepared_images", "masks"]):
        print(run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--size", type=int, default=512, help="pixels a side")
    parser.add_argument("--shard-size", type=int, default=512)
    parser.add_argument("--tiers", default='"gradients"')
    parser.add_argument("--loop", type=int, default=100, help="pictures for the bare loop")
    parser.add_argument("--rembg", action="store_true", help="masks alone, against rembg p")
    parser.add_argument("--model", default="u2net", choices=["u2net", "u2netp"], help="for --rembg")
    parser.add_argument("--photographs", type=Path, help="a folder of JPEGs for --rembg, repeated as often as needed")
    parser.add_argument("--masks-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.masks_of:
        masks_of(arguments.masks_of)
        return
    if len(arguments.counts) > 1:
        # The definitions read once a process where the store is.
        for count in arguments.counts:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.speed.pipeline", *sys.argv[1:], "--counts", str(count)], check=True
            )
        return
    (count,) = arguments.counts
    if arguments.rembg:
        against_rembg(count, arguments.size, arguments.photographs, arguments.model)
    else:
        measure(count, size=arguments.size, shard_size=arguments.shard_size, tiers=arguments.tiers, loop=arguments.loop)


if __name__ == "__main__":
    main()
