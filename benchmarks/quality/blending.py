"""Blending against its peers: how far is the new composite from the one that the exact cut-out gives?

Cut-outs with exact alpha are put against a background in linear light, photographed (8 bits, sensor noise), cut out
again with a given alpha and put before a new background. The figure is the mean CIEDE2000 over the soft pixels (0.02 <
alpha < 0.98) against the composite of the exact cut-out. The cut-outs are drawn by code; ``--data`` adds folders of
RGBA pictures.

    python -m benchmarks.quality.blending --data ~/cutouts --write docs/blending_table.md

Run it on one thread to compare seconds: ``NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 taskset -c 0 python …``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vivid_assets.imaging.blend.composite import blend
from vivid_assets.imaging.core.color import (
    ciede2000,
    linear_to_srgb,
    rgb_to_lab,
    srgb_to_linear,
    to_uint8,
)

Array = NDArray[Any]
Method = Callable[[Array, Array, Array], Array]

NOISE = 1.2  # standard deviation of a capture, in levels of 8 bits
BACKGROUNDS = {
    "yellow": (232, 200, 60),
    "green": (60, 170, 75),
    "grey": (182, 180, 177),
    "white": (244, 244, 242),
}


@dataclass(frozen=True)
class Cutout:
    name: str
    color: Array  # linear light, float32 H×W×3
    alpha: Array  # float32 H×W


@dataclass(frozen=True)
class Case:
    """One capture of one cut-out, its alpha to work with and the composite it should become."""

    cutout: Cutout
    plate: str
    picture: Array
    background: Array
    truth: Array


def drawn_cutouts(size: int = 640) -> Iterator[Cutout]:
    """Draw fur, a leafy plant and a product with a soft shadow-free edge, at four times the size, then shrink."""
    rng = np.random.default_rng(7)
    big = 4 * size
    for name, strands, width, hues in (
        ("drawn-fur", 2600, 5, ((72, 48, 30), (150, 110, 70))),
        ("drawn-grass", 500, 14, ((40, 90, 30), (150, 190, 60))),
        ("drawn-hair", 1500, 3, ((20, 16, 18), (70, 44, 40))),
    ):
        color = np.zeros((big, big, 3), np.uint8)
        mask = np.zeros((big, big), np.uint8)
        color[:] = hues[0]
        centre = np.array([big / 2, big / 2])
        cv2.circle(mask, (big // 2, big // 2), int(big * 0.27), 255, -1)
        for _ in range(strands):
            angle = rng.uniform(0, 2 * np.pi)
            start = centre + big * rng.uniform(0.05, 0.26) * np.array([np.cos(angle), np.sin(angle)])
            bend = angle + rng.normal(0, 0.35)
            length = big * rng.uniform(0.05, 0.17)
            middle = start + length * np.array([np.cos(angle), np.sin(angle)])
            end = middle + length * np.array([np.cos(bend), np.sin(bend)])
            tint = np.array(hues[0]) + (np.array(hues[1]) - hues[0]) * rng.uniform(0, 1)
            path = np.array([start, (start + middle) / 2, middle, (middle + end) / 2, end]).astype(np.int32)
            for plane, value in ((color, tuple(float(v) for v in tint)), (mask, 255)):
                cv2.polylines(plane, [path], False, value, int(rng.integers(2, width + 1)), cv2.LINE_AA)
        yield _shrunk(name, color, mask, size)
    color = np.zeros((big, big, 3), np.uint8)
    mask = np.zeros((big, big), np.uint8)
    color[:] = (200, 36, 44)
    box = (big // 4, big // 3, 3 * big // 4, 3 * big // 4)
    cv2.rectangle(mask, box[:2], box[2:], 255, -1)
    cv2.ellipse(mask, (big // 2, big // 3), (big // 5, big // 6), 0, 0, 360, 255, big // 60)
    stripes = (np.arange(big) // (big // 20)) % 2 == 0
    color[:, stripes] = (235, 230, 220)
    yield _shrunk("drawn-bag", color, mask, size)


def _shrunk(name: str, color: Array, mask: Array, size: int) -> Cutout:
    weight = (mask / np.float32(255))[..., None]
    light = cv2.resize(srgb_to_linear(color) * weight, (size, size), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(weight[..., 0], (size, size), interpolation=cv2.INTER_AREA)
    plain = cv2.resize(srgb_to_linear(color), (size, size), interpolation=cv2.INTER_AREA)
    color = np.where(alpha[..., None] > 0.004, light / np.maximum(alpha[..., None], 1e-3), plain)
    return Cutout(name, np.clip(color, 0, 1).astype(np.float32), np.round(alpha * 255).astype(np.float32) / 255)


def read_cutouts(folder: Path, most: int = 1024) -> Iterator[Cutout]:
    """Read the RGBA pictures of a folder that have a soft edge at all."""
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as file:
            if file.mode != "RGBA":
                continue
            pixels = np.asarray(file)
        soft = (pixels[..., 3] > 5) & (pixels[..., 3] < 250)
        if max(pixels.shape) <= most * 1.2 and soft.mean() > 0.003 and (pixels[..., 3] > 250).mean() > 0.01:
            yield Cutout(path.stem, srgb_to_linear(pixels[..., :3]), pixels[..., 3].astype(np.float32) / 255)


def photographs() -> tuple[Array, Array]:
    """Return two photographs that scikit-image carries: one as an original background, one as a new background."""
    from skimage import data

    return data.coffee(), data.rocket()


def fit(picture: Array, height: int, width: int) -> Array:
    """Cover ``height`` x ``width`` with a picture: scaled, then cut about its middle."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    big = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (big.shape[0] - height) // 2, (big.shape[1] - width) // 2
    return np.ascontiguousarray(big[top : top + height, left : left + width])


def capture(cutout: Cutout, plate: str, spill: float = 0.0) -> Case:
    """Photograph a cut-out against a background, mixed in light, noisy, 8 bits; ``spill`` is its light on the rim."""
    height, width = cutout.alpha.shape
    old, new = photographs()
    behind = fit(old, height, width) if plate == "photo" else np.full((height, width, 3), BACKGROUNDS[plate], np.uint8)
    weight = cutout.alpha[..., None]
    light = srgb_to_linear(behind)
    front = cutout.color
    if spill:
        depth = cv2.distanceTransform((cutout.alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
        rim = spill * np.exp(-depth / 6)[..., None]
        front = front + rim * light * (0.2 + 0.8 * front)
    seen = linear_to_srgb(weight * front + (1 - weight) * light)
    noise = np.random.default_rng(len(cutout.name)).normal(0, NOISE / 255, seen.shape)
    background = fit(new, height, width)
    truth = to_uint8(linear_to_srgb(weight * cutout.color + (1 - weight) * srgb_to_linear(background)))
    return Case(cutout, plate, to_uint8(seen + noise), background, truth)


def predicted_alpha(case: Case, session: Any) -> Array:
    """Return the alpha that the network gives for the capture."""
    return np.asarray(session.predict(Image.fromarray(case.picture))[0], np.float32) / 255


def blurred_alpha(case: Case, sigma: float = 1.5) -> Array:
    """Return the exact alpha, blurred: the commonest error of a network that works at a lower resolution."""
    return np.clip(cv2.GaussianBlur(case.cutout.alpha, (0, 0), sigma), 0, 1)


def blur_fusion(image: Array, alpha: Array, radii: tuple[int, int] = (45, 3)) -> Array:
    """Estimate the foreground (float32 H×W×3) by two rounds of blurred averages (Forte 2021).

    ``image`` is linear light, ``alpha`` 0..1.
    """
    a = alpha[..., None].astype(np.float32)
    front, back = image, image
    for radius in radii:
        size = (2 * radius + 1,) * 2
        blurred_a = cv2.blur(alpha.astype(np.float32), size)[..., None]
        mean_front = cv2.blur(front * a, size) / (blurred_a + 1e-5)
        back = cv2.blur(back * (1 - a), size) / (1 - blurred_a + 1e-5)
        front = np.clip(mean_front + a * (image - a * mean_front - (1 - a) * back), 0, 1)
    return front.astype(np.float32)


def _mix_srgb(front: Array, alpha: Array, background: Array) -> Array:
    weight = alpha[..., None]
    return to_uint8(weight * front + (1 - weight) * (background / np.float32(255)))


def _mix_linear(front: Array, alpha: Array, background: Array) -> Array:
    weight = alpha[..., None]
    return to_uint8(linear_to_srgb(weight * front + (1 - weight) * srgb_to_linear(background)))


def _peers(closed_form: bool) -> dict[str, Method]:
    """Return what others do, each with the space its users mix in."""
    from pymatting import estimate_foreground_cf, estimate_foreground_ml

    def multilevel_srgb(picture: Array, alpha: Array, background: Array) -> Array:
        return _mix_srgb(estimate_foreground_ml(picture / 255.0, alpha.astype(np.float64)), alpha, background)

    def multilevel_linear(picture: Array, alpha: Array, background: Array) -> Array:
        return _mix_linear(estimate_foreground_ml(srgb_to_linear(picture), alpha), alpha, background)

    def closed(picture: Array, alpha: Array, background: Array) -> Array:
        light = srgb_to_linear(picture).astype(np.float64)
        return _mix_linear(estimate_foreground_cf(light, alpha.astype(np.float64)), alpha, background)

    methods: dict[str, Method] = {
        "alpha blend in sRGB": lambda p, a, b: _mix_srgb(p / np.float32(255), a, b),
        "alpha blend in linear light": lambda p, a, b: _mix_linear(srgb_to_linear(p), a, b),
        "Lab deprojection": lambda p, a, b: blend(p, a, b, mode="lab-deprojection").composite,
        "blur fusion x2 (BiRefNet's helper)": lambda p, a, b: _mix_srgb(blur_fusion(p / np.float32(255), a), a, b),
        "blur fusion x2 in linear light": lambda p, a, b: _mix_linear(blur_fusion(srgb_to_linear(p), a), a, b),
        "rembg decontaminate (multilevel, sRGB)": multilevel_srgb,
        "multilevel in linear light (pymatting)": multilevel_linear,
    }
    if closed_form:
        methods["closed form in linear light"] = closed
    return methods


def _ours(picture: Array, alpha: Array, background: Array) -> Array:
    return blend(picture, alpha, background, spill=False).composite


def _ours_with_spill(picture: Array, alpha: Array, background: Array) -> Array:
    return blend(picture, alpha, background).composite


@dataclass
class Tally:
    """Scores of one method under one kind of alpha."""

    means: dict[str, list[float]]
    tails: list[float]
    solid: list[float]
    seconds: float = 0.0
    megapixels: float = 0.0

    def add(self, case: Case, composite: Array, seconds: float) -> None:
        alpha = case.cutout.alpha
        soft = (alpha > 0.02) & (alpha < 0.98)
        delta = ciede2000(rgb_to_lab(composite[soft]), rgb_to_lab(case.truth[soft]))
        self.means.setdefault(case.plate, []).append(float(delta.mean()))
        self.tails.append(float(np.percentile(delta, 95)))
        solid = np.flatnonzero(alpha >= 1)[::7]
        pair = (p.reshape(-1, 3)[solid] for p in (composite, case.truth))
        self.solid.append(float(ciede2000(*(rgb_to_lab(p) for p in pair)).mean()) if len(solid) else 0.0)
        self.seconds += seconds
        self.megapixels += alpha.size / 1e6

    def row(self, backgrounds: list[str]) -> list[float | None]:
        """By background, then over those that have captures: mean, tail, solid pixels, seconds a megapixel."""
        means = [float(np.mean(self.means[plate])) if plate in self.means else None for plate in backgrounds]
        measured = [mean for mean in means if mean is not None]
        if not measured:
            return [*means, None, None, None, None]
        figures = (float(np.mean(values)) for values in (measured, self.tails, self.solid))
        return [*means, *figures, self.seconds / self.megapixels]


def compare(cutouts: list[Cutout], kind: str, closed_form: bool, spill: float = 0.0) -> str:
    """Run every method over every capture under one kind of alpha; returns a Markdown table."""
    methods = _peers(closed_form) | {"**this project (`decontaminate`)**": _ours}
    if spill:
        methods |= {"**this project, spill stage on**": _ours_with_spill}
    backgrounds = ["yellow", "green"] if spill else [*BACKGROUNDS, "photo"]
    session = None
    if kind == "predicted":
        from rembg import new_session

        session = new_session("u2netp")
    tallies = {name: Tally({}, [], []) for name in methods}
    used = skipped = 0
    for cutout in cutouts:
        for plate in backgrounds:
            case = capture(cutout, plate, spill)
            alpha = cutout.alpha if kind == "exact" else blurred_alpha(case)
            if session is not None:
                alpha = predicted_alpha(case, session)
                both, either = (alpha > 0.5) & (cutout.alpha > 0.5), (alpha > 0.5) | (cutout.alpha > 0.5)
                if both.sum() < 0.85 * either.sum():
                    skipped += 1  # the network missed the subject: nothing here is about blending
                    continue
            used += 1
            for name, method in methods.items():
                started = time.process_time()
                composite = method(case.picture, alpha, case.background)
                tallies[name].add(case, composite, time.process_time() - started)
    heads = ["method", *backgrounds, "mean", "p95", "solid", "s/MP"]
    lines = [" | ".join(heads), " | ".join(["---", *["---:"] * (len(heads) - 1)])]
    for name, tally in tallies.items():
        *figures, speed = tally.row(backgrounds)
        # A network may have missed the subject in every capture of a background.
        cells = ["–" if figure is None else f"{figure:.2f}" for figure in figures]
        lines.append(" | ".join([name, *cells, "–" if speed is None else f"{speed:.3f}"]))
    note = f"{used} captures" + (f"; {skipped} left out, where the network missed the subject" if skipped else "")
    return "\n".join(f"| {line} |" for line in lines) + f"\n\n{note}.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of RGBA cut-outs")
    parser.add_argument("--only", nargs="*", default=[], help="names of the cut-outs to use")
    parser.add_argument("--kinds", nargs="*", default=["exact", "blurred", "predicted"])
    parser.add_argument(
        "--spill", type=float, default=0.12, help="the background's light on the rim in the spill run; 0: none"
    )
    parser.add_argument("--closed-form", action="store_true", help="also closed-form foregrounds, which are slow")
    parser.add_argument("--write", type=Path, help="the Markdown file to write")
    given = parser.parse_args()

    cutouts = list(drawn_cutouts())
    for folder in given.data:
        cutouts += read_cutouts(folder)
    if given.only:
        cutouts = [cutout for cutout in cutouts if cutout.name in given.only]
    for method in (_ours, *_peers(False).values()):  # compile before the clock runs
        method(*_warm_up())
    titles = {
        "exact": "Exact alpha",
        "blurred": "Exact alpha blurred by 1.5 pixels",
        "predicted": "Alpha predicted by U²-NetP",
    }
    text = ""
    for kind in given.kinds:
        text += f"### {titles[kind]}\n\n{compare(cutouts, kind, given.closed_form)}\n"
        print(text[text.rindex("### ") :], flush=True)
    if given.spill:
        text += (
            f"### Exact alpha, its background's light on the rim\n\n{compare(cutouts, 'exact', False, given.spill)}\n"
        )
        print(text[text.rindex("### ") :], flush=True)
    if given.write:
        given.write.write_text(text, encoding="utf-8")


def _warm_up() -> tuple[Array, Array, Array]:
    cutout = next(drawn_cutouts(128))
    case = capture(cutout, "green")
    return case.picture, blurred_alpha(case), case.background


if __name__ == "__main__":
    main()
