"""What blending costs: milliseconds and memory per megapixel, and how it rises with threads.

    python -m benchmarks.speed.blending_speed
    python -m benchmarks.speed.blending_speed --photographs ~/products --masks ~/products-masks
    python -m benchmarks.speed.blending_speed --large ~/cutouts/shoe.png

Each figure stands beside the same picture's reading and writing as PNG and pymatting's multilevel foregrounds alone, on
one thread, in processor seconds, the best of five. "product" and "hair" are drawn by code at 1 megapixel; a folder of
photographs with masks of the models' size shows the whole way at native size, enlarging the mask included. ``--large``
takes a cut-out before a yellow sweep and before a photograph at 12 megapixels, with a mask of 320 pixels as of U²-Net,
and at 1 megapixel; no shadow is asked for, and nothing else is run.
"""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import io
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from PIL import Image

from benchmarks.quality.blending import Array, Cutout, blurred_alpha, capture, drawn_cutouts, read_cutouts
from benchmarks.quality.plain import photograph, placed
from vivid_assets.imaging.blend.composite import blend
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.color import srgb_to_linear
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.io.mask_files import decode_mask


def cpu_ms(work: Callable[[], object], megapixels: float, times: int = 5) -> float:
    best = np.inf
    for _ in range(times):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return float(best) * 1e3 / megapixels


def read_and_write(picture: Array) -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    Image.open(io.BytesIO(buffer.getvalue())).load()


def drawn() -> None:
    from pymatting import estimate_foreground_ml

    print("| picture | alpha | soft | verdict | blend | multilevel alone (pymatting) | PNG read + write | memory |")
    print("| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |")
    for cutout in drawn_cutouts(1024):
        if cutout.name == "drawn-grass":
            continue
        case = capture(cutout, "green")
        for kind, alpha in (("exact", cutout.alpha), ("blurred", blurred_alpha(case))):

            def once(case=case, alpha=alpha) -> object:  # type: ignore[no-untyped-def]
                return blend(case.picture, alpha, case.background, threads=1)

            result = once()
            mp = alpha.size / 1e6
            light = srgb_to_linear(case.picture)
            theirs = cpu_ms(lambda light=light, alpha=alpha: estimate_foreground_ml(light, alpha), mp)  # type: ignore[misc]
            files = cpu_ms(lambda case=case: read_and_write(case.picture), mp)  # type: ignore[misc]
            tracemalloc.start()
            once()
            memory = tracemalloc.get_traced_memory()[1] / (alpha.size * 12)
            tracemalloc.stop()
            soft = ((alpha > 0) & (alpha < 1)).mean()
            verdict = result.evidence.verdict if result.evidence else "-"  # type: ignore[attr-defined]
            print(
                f"| {cutout.name} | {kind} | {soft:.1%} | {verdict} | {cpu_ms(once, mp):.0f} ms/MP "
                f"| {theirs:.0f} ms/MP | {files:.0f} ms/MP | {memory:.1f} × the float32 picture |",
                flush=True,
            )


def threads() -> None:
    """Throughput in wall seconds: one picture on more threads, and more pictures at once on one thread each."""
    cutout = next(drawn_cutouts(2048))
    case = capture(cutout, "green")
    picture, alpha, background = case.picture, cutout.alpha, case.background
    print("\n| threads | one picture of 4 MP | pictures at once, one thread each |\n| ---: | ---: | ---: |")
    for count in range(1, (os.cpu_count() or 1) + 1):
        blend(picture, alpha, background, threads=count)
        alone, together = np.inf, np.inf
        for _ in range(3):
            started = time.perf_counter()
            blend(picture, alpha, background, threads=count)
            alone = min(alone, time.perf_counter() - started)
            started = time.perf_counter()
            with ThreadPoolExecutor(count) as pool:
                done = [pool.submit(blend, picture, alpha, background, threads=1) for _ in range(2 * count)]
                for future in done:
                    future.result()
            together = min(together, (time.perf_counter() - started) / (2 * count))
        print(f"| {count} | {alpha.size / 1e6 / alone:.1f} MP/s | {alpha.size / 1e6 / together:.1f} MP/s |", flush=True)


def photographs(folder: Path, masks: Path) -> None:
    background = next(drawn_cutouts(64)).color
    behind = (np.clip(background, 0, 1) * 255).astype(np.uint8)
    found: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(folder.iterdir()):
        mask = masks / f"{path.stem}.png"
        if not mask.exists():
            continue
        picture, alpha = decode(path.read_bytes()).rgb, Alpha(decode_mask(mask.read_bytes()), "probability")
        covered = cv2.resize(behind, picture.shape[1::-1])
        result = blend_native(picture, alpha, covered, threads=1)
        mp = picture.shape[0] * picture.shape[1] / 1e6
        spent = cpu_ms(lambda p=picture, a=alpha, b=covered: blend_native(p, a, b, threads=1), mp, 3)  # type: ignore[misc]
        soft = float(((result.alpha > 0) & (result.alpha < 1)).mean())
        found.setdefault(result.evidence.verdict if result.evidence else "no soft edge", []).append((spent, soft))
    print("\n| alpha is | photographs | soft | blend, mask enlarged |\n| --- | ---: | ---: | ---: |")
    for verdict, rows in sorted(found.items()):
        spent, soft = (fmean(values) for values in zip(*rows, strict=True))
        print(f"| {verdict} | {len(rows)} | {soft:.1%} | {spent:.0f} ms/MP, at most {max(rows)[0]:.0f} |")


def large(path: Path, times: int) -> None:
    """Print processor seconds a picture, the best of some."""
    (cutout,) = (one for one in read_cutouts(path.parent, 10**6) if one.name == path.stem)
    print("| picture | verdict | seconds |\n| --- | --- | ---: |")
    for megapixels in (12, 1):
        size = round((megapixels * 1e6) ** 0.5)
        subject = placed(cutout, size)
        network = cv2.GaussianBlur(subject.alpha, (0, 0), size / 320)
        mask = Alpha(np.asarray(cv2.resize(network, (320, 320), interpolation=cv2.INTER_AREA)), "probability")
        behind = np.full((size, size, 3), (236, 232, 226), np.uint8)
        for name, picture in _large_pictures(cutout, subject, size):

            def once(picture: Array = picture, mask: Alpha = mask, behind: Array = behind) -> object:
                return blend_native(picture, mask, behind, shadow="none", threads=1)

            verdict = blend_native(picture, mask, behind, shadow="none", threads=1).alpha_verdict
            print(f"| {name}, {megapixels} MP | {verdict} | {cpu_ms(once, 1000, times):.2f} |", flush=True)


def _large_pictures(cutout: Cutout, subject: Cutout, size: int) -> Iterator[tuple[str, Array]]:
    for name, quality in (("plain, JPEG", 92), ("plain, lossless", None)):
        picture = decode(photograph(cutout, "yellow", size, 1, quality).data).rgb
        yield name, picture
    yield "plain, 16 bits", picture.astype(np.uint16) * np.uint16(257)
    busy = capture(subject, "photo").picture
    yield "busy, lossless", busy
    yield "busy, 16 bits", busy.astype(np.uint16) * np.uint16(257)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, help="a folder of photographs")
    parser.add_argument("--masks", type=Path, help="their masks, grey PNGs of the same names, of any size")
    parser.add_argument("--large", type=Path, help="an RGBA cut-out for pictures of 12 megapixels")
    parser.add_argument("--times", type=int, default=5, help="the best of how many, for --large")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if given.large:
        large(given.large, given.times)
        return
    drawn()
    threads()
    if given.photographs and given.masks:
        photographs(given.photographs, given.masks)


if __name__ == "__main__":
    main()
