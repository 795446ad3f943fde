"""A subject placed at another scale against its finished composite resized, before the same backgrounds.

Cut-outs with exact alpha are photographed before a green sweep at 600 pixels. Each is put before a new background at
several scales: by placement, and by resizing the finished composite, in linear light and as Pillow does, by a cubic and
by Lanczos' filter. The truth is the composite of the same cut-out, kept at 2,400 pixels, at the new size. The figures
are the mean CIEDE2000 over its soft pixels (0.02 < alpha < 0.98).

    python -m benchmarks.quality.placement --data ~/cutouts --only nerf_hotdog drawn-fur
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.quality.blending import NOISE, Array, Cutout, drawn_cutouts, fit, photographs, read_cutouts
from benchmarks.quality.plain import PLATES, lit_plate, placed
from vivid_assets.imaging.blend.composite import compose
from vivid_assets.imaging.blend.options import BlendOptions, Placement
from vivid_assets.imaging.blend.separate import separate
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.core.color import ciede2000, linear_to_srgb, rgb_to_lab, srgb_to_linear, to_uint8

SIZE, LARGE = 600, 2400
SCALES = (0.5, 0.75, 1.3, 2.0)
BACKGROUNDS = {"white": (255, 255, 255), "blue": (28, 90, 170), "photograph": None}
FILTERS = {"cubic": Image.Resampling.BICUBIC, "Lanczos": Image.Resampling.LANCZOS}


def reduced(plane: Array, size: int) -> Array:
    return np.asarray(cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def in_light(picture: Array, size: int, by: Image.Resampling) -> Array:
    """Resize a picture (uint8 H×W×3) in linear light."""
    planes = (Image.fromarray(np.ascontiguousarray(one)) for one in srgb_to_linear(picture).transpose(2, 0, 1))
    light = np.dstack([np.asarray(one.resize((size, size), by)) for one in planes])
    return to_uint8(linear_to_srgb(light.clip(0, 1)))


def as_pillow(picture: Array, size: int, by: Image.Resampling) -> Array:
    return np.asarray(Image.fromarray(picture).resize((size, size), by))


def compare(cutout: Cutout, *, exact: bool) -> Iterator[tuple[tuple[float, str], str, float]]:
    """Yield the scale and background, the method, and its error."""
    large = placed(cutout, LARGE)
    light = large.color * large.alpha[..., None]
    alpha = reduced(large.alpha, SIZE)
    seen = linear_to_srgb(reduced(light, SIZE) + (1 - alpha[..., None]) * lit_plate(PLATES["green"], SIZE))
    noise = np.random.default_rng(len(cutout.name)).normal(0, NOISE / 255, seen.shape)
    given = Alpha(alpha, "person") if exact else Alpha(cv2.GaussianBlur(alpha, (0, 0), 2.5), "probability")
    cut = separate(to_uint8(seen + noise), given, BlendOptions().for_alpha(given.origin))
    for scale in SCALES:
        size = round(SIZE * scale)
        share = reduced(large.alpha, size)
        band = (share > 0.02) & (share < 0.98)
        for name, color in BACKGROUNDS.items():
            behind = fit(photographs()[1], size, size) if color is None else np.full((size, size, 3), color, np.uint8)
            truth = to_uint8(
                linear_to_srgb(reduced(light, size) + (1 - share[..., None]) * srgb_to_linear(behind)),
            )
            wanted = Placement((size, size), most_enlarged=9)
            made = {"placed": compose(cut, behind, shadow="none", placement=wanted).composite}
            small = in_light(behind, SIZE, FILTERS["Lanczos"])
            finished = compose(cut, small, shadow="none").composite
            for by, kind in FILTERS.items():
                made[f"resized in light, {by}"] = in_light(finished, size, kind)
                made[f"resized by Pillow, {by}"] = as_pillow(finished, size, kind)
            for method, picture in made.items():
                apart = ciede2000(rgb_to_lab(picture[band]), rgb_to_lab(truth[band]))
                yield (scale, name), method, float(apart.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of RGBA cut-outs")
    parser.add_argument("--only", nargs="*", default=[], help="names of the cut-outs to use")
    parser.add_argument("--network", action="store_true", help="solve a blurred alpha, in place of the exact")
    given = parser.parse_args()
    cutouts = [*drawn_cutouts(1600), *(one for folder in given.data for one in read_cutouts(folder))]
    if given.only:
        cutouts = [one for one in cutouts if one.name in given.only]
    found: dict[tuple[float, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for cutout in cutouts:
        for case, method, error in compare(cutout, exact=not given.network):
            found[case][method].append(error)
    methods = list(next(iter(found.values())))
    print(f"| scale | background | {' | '.join(methods)} |\n|---|---|{'---:|' * len(methods)}")
    for (scale, name), errors in found.items():
        print(f"| {scale:g} | {name} | {' | '.join(f'{np.mean(errors[one]):.2f}' for one in methods)} |")
    print(f"\n{len(cutouts)} cut-outs.")


if __name__ == "__main__":
    main()
