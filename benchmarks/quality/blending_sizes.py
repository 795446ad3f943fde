"""The same cut-outs photographed at several sizes and replaced by the whole product: is a large picture's edge as good?

A cut-out with exact alpha is brought to each size, put against a background in linear light and photographed (8 bits,
sensor noise). A network masks the prepared picture, and ``blend_native`` puts it before a new background. The figure is
the mean CIEDE2000 over the soft pixels (0.02 < alpha < 0.98) against the composite of the exact cut-out, beside it
alpha's own mean error there. Cut-outs whose subject the network missed at some size (IoU under 0.85) are left out.

    python -m benchmarks.quality.blending_sizes ~/cutouts --tier u2net --write docs/sizes_table.md
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.quality.blending import BACKGROUNDS, NOISE, Array, Cutout, fit, photographs
from resources.masks.u2net import U2Net
from vivid_assets.imaging.blend.native import blend_native
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.color import (
    ciede2000,
    linear_to_srgb,
    rgb_to_lab,
    srgb_to_linear,
    to_uint8,
)
from vivid_assets.imaging.io.codec import resize_to_fit
from vivid_assets.imaging.io.mask_files import decode_mask, encode_mask
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.model import Tier

_MARGIN = 0.1  # of background about a cut-out, as a share of its longer side


def at_size(pixels: Array, size: int) -> Cutout:
    """Bring an RGBA picture to a canvas of ``size`` pixels on its longer side, with a margin of background."""
    alpha = np.pad(pixels[..., 3], 1).astype(np.float32) / 255
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    margin = round(_MARGIN * max(np.ptp(rows), np.ptp(columns)))
    cut = slice(rows[0] - 1, rows[-1]), slice(columns[0] - 1, columns[-1])
    alpha = np.pad(pixels[(*cut, 3)], margin).astype(np.float32) / 255
    light = np.pad(srgb_to_linear(pixels[(*cut, slice(3))]), ((margin, margin), (margin, margin), (0, 0)))
    scale = size / max(alpha.shape)
    to = (round(alpha.shape[1] * scale), round(alpha.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(alpha, to, interpolation=method).clip(0, 1)
    premultiplied = cv2.resize(light * alpha[..., None], to, interpolation=method)
    color = premultiplied / np.maximum(large, 1 / 255)[..., None]
    large = np.where(large < 1 / 510, 0, np.where(large > 1 - 1 / 510, 1, large))
    return Cutout("", color.clip(0, 1).astype(np.float32), large.astype(np.float32))


def photograph(cutout: Cutout, plate: tuple[int, int, int]) -> Array:
    weight = cutout.alpha[..., None]
    light = srgb_to_linear(np.uint8([[plate]]))
    seen = linear_to_srgb(weight * cutout.color + (1 - weight) * light)
    rng = np.random.default_rng(1)
    return to_uint8(seen + rng.standard_normal(seen.shape, np.float32) * np.float32(NOISE / 255))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="RGBA cut-outs")
    parser.add_argument("--sizes", type=int, nargs="*", default=[900, 1800, 2700, 4000])
    parser.add_argument("--backgrounds", nargs="*", default=["grey"], choices=list(BACKGROUNDS))
    parser.add_argument("--tier", default="u2net", help="u2net or u2netp")
    parser.add_argument("--only", nargs="*", default=[], help="names of the cut-outs to use")
    parser.add_argument("--masks", type=Path, help="a folder to keep the masks in, for another blend of the same")
    parser.add_argument("--each", action="store_true", help="also a line for each cut-out")
    parser.add_argument("--write", type=Path, help="the Markdown file to write")
    given = parser.parse_args()

    net = U2Net(given.tier)
    ladder = Ladder([Tier(given.tier, lambda: net, net.revision)])
    paths = [path for path in sorted(given.folder.rglob("*.png")) if not given.only or path.stem in given.only]
    new = photographs()[1]
    errors: dict[tuple[str, int], list[tuple[float, float]]] = {}
    verdicts: dict[int, Counter[str]] = {size: Counter() for size in given.sizes}
    seconds = dict.fromkeys(given.sizes, 0.0)
    missed = 0
    for path in paths:
        with Image.open(path) as file:
            pixels = np.asarray(file.convert("RGBA"))
        for plate in given.backgrounds:
            found = {}
            for size in given.sizes:
                cutout = at_size(pixels, size)
                picture = photograph(cutout, BACKGROUNDS[plate])
                small = resize_to_fit(picture)
                kept = given.masks and given.masks / f"{path.stem}-{plate}-{size}-{given.tier}.png"
                if kept and kept.exists():
                    alpha = decode_mask(kept.read_bytes())
                else:
                    data = encode_mask(ladder.masks([small])[0].alpha)
                    alpha = decode_mask(data)
                    if kept:
                        given.masks.mkdir(parents=True, exist_ok=True)
                        kept.write_bytes(data)
                truth = cv2.resize(cutout.alpha, alpha.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
                if (truth & (alpha > 0.5)).sum() < 0.85 * (truth | (alpha > 0.5)).sum():
                    break
                background = fit(new, *cutout.alpha.shape)
                started = time.process_time()
                blended = blend_native(picture, Alpha(alpha, "probability"), background)
                seconds[size] += time.process_time() - started
                soft = (cutout.alpha > 0.02) & (cutout.alpha < 0.98)
                weight, front = cutout.alpha[soft][:, None], cutout.color[soft]
                exact = to_uint8(linear_to_srgb(weight * front + (1 - weight) * srgb_to_linear(background[soft])))
                delta = ciede2000(rgb_to_lab(blended.composite[soft]), rgb_to_lab(exact))
                found[size] = float(delta.mean()), float(np.abs(blended.alpha - cutout.alpha)[soft].mean())
                verdicts[size][blended.evidence.verdict if blended.evidence else "none"] += 1
            if len(found) < len(given.sizes):
                missed += 1
                continue
            if given.each:
                print(f"{path.stem:32}", plate, *(f"{f[0]:6.2f} {f[1]:.3f} " for f in found.values()), flush=True)
            for size, figures in found.items():
                errors.setdefault((plate, size), []).append(figures)
    lines = ["| longer side | " + " | ".join(given.backgrounds) + " | alpha | verdicts | s/MP |"]
    lines.append("| ---: | " + "---: | " * (len(given.backgrounds) + 1) + "--- | ---: |")
    used = sum(len(rows) for (_, size), rows in errors.items() if size == given.sizes[0])
    for size in given.sizes:
        per_background = [np.mean(errors[plate, size], axis=0) for plate in given.backgrounds]
        said = ", ".join(f"{count} {name}" for name, count in verdicts[size].most_common())
        cost = seconds[size] / max(sum(verdicts[size].values()), 1) / (size**2 / 1e6)
        figures = " | ".join(f"{figure[0]:.2f}" for figure in per_background)
        lines.append(f"| {size} | {figures} | {np.mean(per_background, axis=0)[1]:.3f} | {said} | {cost:.3f} |")
    text = "\n".join(lines) + f"\n\n{used} captures; {missed} left out, where the network missed the subject.\n"
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
