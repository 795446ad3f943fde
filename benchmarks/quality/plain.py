"""Products before plain backgrounds: the whole product against rembg with the same network.

Cut-outs with exact alpha are photographed as a catalogue does it: standing on a sweep of one colour, floor and
background lit differently, with falloff, darker corners, a contact shadow and a cast one, a sensor's noise, and JPEG
where asked. The picture alone goes in; what comes out is compared with the composite that the exact cut-out, plate and
shadow give. The figures are the mean CIEDE2000 over the soft pixels (0.02 < alpha < 0.98) and over the shadow, how many
pictures have a visible fault, and how far the alpha is from the truth. The cut-outs are drawn by code; ``--data`` adds
folders of RGBA pictures.

    python -m benchmarks.quality.plain --data ~/cutouts --sizes 900 2700 --write docs/plain_table.md
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.quality.blending import NOISE, Cutout, drawn_cutouts, fit, photographs, read_cutouts
from benchmarks.quality.mask_measures import mean_absolute_error, sum_of_absolute_differences
from vivid_assets.imaging.core.color import ciede2000, linear_to_srgb, rgb_to_lab, srgb_to_linear, to_uint8
from vivid_assets.imaging.io.codec import decode
from vivid_assets.imaging.plate.lay_shadow import multiply_layer
from vivid_assets.one_picture.composites import cut_out, laid_over
from vivid_assets.one_picture.masks import Masks
from vivid_assets.one_picture.scenes import Scene
from vivid_assets.settings import Settings

Array = NDArray[Any]
Made = tuple[Array, Array]
"""A composite (uint8 H×W×3) and the alpha that it was made with (float H×W)."""
Method = Callable[[bytes, Array], Made]

PLATES = {
    "yellow": (232, 200, 60),
    "green": (60, 170, 75),
    "blue": (70, 120, 190),
    "grey": (182, 180, 177),
    "white": (244, 244, 242),
    "black": (24, 24, 26),
}
WHITE_SUBJECT = 62.0  # mean L of a subject from which it counts as white
FAULT = 10.0  # ΔE00, averaged over a three-hundredth of the picture's side, that the eye is drawn to
FAULT_AREA = 2e-4  # share of the picture that is so far off, in one piece, for a visible fault


@dataclass(frozen=True)
class Case:
    """One photograph, and the composite that it should become."""

    name: str
    plate: str
    data: bytes
    alpha: Array  # float32 H×W
    shadow: Array  # float32 H×W, 0..1
    background: Array
    truth: Array


def placed(cutout: Cutout, size: int) -> Cutout:
    """Stand a cut-out on the floor of a square picture of ``size`` pixels."""
    rows, columns = np.flatnonzero(cutout.alpha.max(axis=1) > 0.02), np.flatnonzero(cutout.alpha.max(axis=0) > 0.02)
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    alpha, color = cutout.alpha[box], cutout.color[box] * cutout.alpha[box][..., None]
    scale = 0.66 * size / max(alpha.shape)
    shape = (max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small_alpha = np.clip(cv2.resize(alpha, shape, interpolation=method), 0, 1)
    small_color = np.clip(cv2.resize(color, shape, interpolation=method), 0, 1)
    top, left = round(0.84 * size) - shape[1], (size - shape[0]) // 2
    at = slice(top, top + shape[1]), slice(left, left + shape[0])
    whole_alpha, whole_color = np.zeros((size, size), np.float32), np.zeros((size, size, 3), np.float32)
    whole_alpha[at] = np.round(small_alpha * 255) / 255
    whole_color[at] = small_color / np.maximum(small_alpha, 1e-3)[..., None]
    return Cutout(cutout.name, np.clip(whole_color, 0, 1), whole_alpha)


def lit_plate(color: tuple[int, int, int], size: int) -> Array:
    """Light a sweep of one colour: from the left, corners darker, the floor apart from the background. Linear light."""
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    falloff = 1 - 0.22 * np.hypot(x - 0.3, y - 0.2)
    corners = 1 - 0.16 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    floor = 1 - 0.07 / (1 + np.exp(-(y - 0.62) / 0.03))
    light = srgb_to_linear(np.full((1, 1, 3), color, np.uint8))
    return np.asarray(light * (falloff * corners * floor)[..., None], np.float32)


def cast_shadow(alpha: Array) -> Array:
    """Give the share of light that a standing subject leaves: dark at its foot, faint and wide to the right."""
    size = len(alpha)
    foot = np.zeros_like(alpha)
    lowest = size - 1 - np.argmax(alpha[::-1] > 0.5, axis=0)
    base = int(lowest[(alpha > 0.5).any(axis=0)].max())
    near = np.exp(-(base - lowest) / (0.02 * size)) * (alpha > 0.5).any(axis=0)
    foot[base - max(1, size // 150) : base + max(1, size // 100)] = near
    tight = cv2.GaussianBlur(foot, (0, 0), 0.008 * size)
    broad = cv2.GaussianBlur(cv2.blur(foot, (1, size // 40 | 1)), (0, 0), 0.035 * size)
    lean = np.float32([[1, -0.6, 0.6 * base + 0.03 * size], [0, 0.35, 0.65 * base + 0.01 * size]])
    cast = cv2.GaussianBlur(cv2.warpAffine(alpha, lean, (size, size)), (0, 0), 0.012 * size)
    dark = 0.75 * np.clip(tight / max(float(tight.max()), 1e-6), 0, 1)
    dark = 1 - (1 - dark) * (1 - 0.35 * np.clip(broad / max(float(broad.max()), 1e-6), 0, 1)) * (1 - 0.25 * cast)
    return np.asarray(1 - dark, np.float32)


def photograph(cutout: Cutout, plate: str, size: int, turn: int, jpeg: int | None) -> Case:
    """Photograph a cut-out before a plate; ``turn`` chooses the new background."""
    subject = placed(cutout, size)
    light, shadow = lit_plate(PLATES[plate], size), cast_shadow(subject.alpha)
    weight = subject.alpha[..., None]
    seen = linear_to_srgb(weight * subject.color + (1 - weight) * shadow[..., None] * light)
    noise = np.random.default_rng(len(cutout.name)).normal(0, NOISE / 255, seen.shape)
    file = io.BytesIO()
    picture = Image.fromarray(to_uint8(seen + noise))
    picture.save(file, "PNG", compress_level=1) if jpeg is None else picture.save(file, "JPEG", quality=jpeg)
    flat = np.full((size, size, 3), ((236, 232, 226), (28, 90, 170))[turn % 2], np.uint8)
    background = fit(photographs()[1], size, size) if turn % 3 == 0 else flat
    behind = shadow[..., None] * srgb_to_linear(background)
    truth = to_uint8(linear_to_srgb(weight * subject.color + (1 - weight) * behind))
    return Case(cutout.name, plate, file.getvalue(), subject.alpha, shadow, background, truth)


@dataclass
class Tally:
    """Scores of one method."""

    band: dict[str, list[float]] = field(default_factory=dict)
    shadow: list[float] = field(default_factory=list)
    faults: list[bool] = field(default_factory=list)
    mad: list[float] = field(default_factory=list)
    sad: list[float] = field(default_factory=list)

    def add(self, case: Case, made: Made, group: str) -> None:
        composite, alpha = made
        delta = ciede2000(rgb_to_lab(composite), rgb_to_lab(case.truth))
        soft = (case.alpha > 0.02) & (case.alpha < 0.98)
        shaded = (case.alpha < 0.02) & (case.shadow < 0.98)
        self.band.setdefault(group, []).append(float(delta[soft].mean()))
        if group != "white on white":
            self.shadow.append(float(delta[shaded].mean()))
            self.faults.append(has_fault(delta))
        self.mad.append(mean_absolute_error(alpha, case.alpha))
        self.sad.append(sum_of_absolute_differences(alpha, case.alpha))


def has_fault(delta: Array) -> bool:
    """Whether a region is so far off, and so large, that the eye is drawn to it."""
    window = max(1, round(max(delta.shape) / 300))
    far = (cv2.blur(np.float32(delta), (window, window)) > FAULT).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(far)
    return bool(stats[1:, cv2.CC_STAT_AREA].max(initial=0) > FAULT_AREA * delta.size)


def product(leases: ExitStack, tier: str) -> Method:
    """Make pictures as ``vivid replace`` does."""
    settings = Settings()
    masks = Masks(settings, leases, (tier, "gradients"))

    def make(data: bytes, background: Array) -> Made:
        cut = cut_out(masks.solve(decode(data)), settings, deep=True)
        blended = laid_over(cut, Scene(background, ""), settings)
        return blended.composite, blended.alpha

    return make


def rembg(tier: str) -> dict[str, Method]:
    """Make pictures as rembg's users do: its mask, its colours, mixed as they come in sRGB."""
    from pymatting import estimate_foreground_ml
    from rembg import new_session

    session = new_session(tier)

    @lru_cache(maxsize=1)
    def cut(data: bytes) -> tuple[Array, Array]:
        with Image.open(io.BytesIO(data)) as picture:
            image = np.asarray(picture.convert("RGB"))
        return image / 255.0, np.asarray(session.predict(Image.fromarray(image))[0], np.float64) / 255

    def mixed(front: Array, alpha: Array, background: Array) -> Made:
        weight = alpha[..., None]
        return to_uint8(weight * front + (1 - weight) * (background / 255.0)), alpha

    def blended(data: bytes, background: Array) -> Made:
        return mixed(*cut(data), background)

    def decontaminated(data: bytes, background: Array) -> Made:
        image, alpha = cut(data)
        return mixed(estimate_foreground_ml(image, alpha), alpha, background)

    return {"rembg, alpha blend": blended, "rembg, decontaminate": decontaminated}


def cases(cutouts: list[Cutout], size: int, jpeg: int | None) -> Iterator[tuple[str, Case]]:
    """Yield every photograph with its group: its plate's colour, or white on white."""
    for number, cutout in enumerate(cutouts):
        solid = cutout.color[cutout.alpha > 0.98]
        lightness = rgb_to_lab(to_uint8(linear_to_srgb(solid[::17]))).mean(axis=0)[0]
        for turn, plate in enumerate(PLATES):
            group = "white on white" if plate == "white" and lightness > WHITE_SUBJECT else plate
            yield group, photograph(cutout, plate, size, number + turn, jpeg)


def compare(cutouts: list[Cutout], size: int, jpeg: int | None, methods: dict[str, Method]) -> str:
    """Run every method over every photograph; returns a Markdown table."""
    tallies = {name: Tally() for name in methods}
    for group, case in cases(cutouts, size, jpeg):
        for name, method in methods.items():
            tallies[name].add(case, method(case.data, case.background), group)
    return table(tallies)


def table(tallies: dict[str, Tally]) -> str:
    """Write the tallies as a Markdown table."""
    groups = [*PLATES, "white on white"]
    heads = ["method", *groups, "mean", "shadow", "faults", "alpha MAD", "SAD"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for name, tally in tallies.items():
        band = [float(np.mean(tally.band[group])) if group in tally.band else float("nan") for group in groups]
        mean = float(np.nanmean(band[:-1]))
        figures = [f"{value:.2f}" for value in (*band, mean, np.mean(tally.shadow))]
        figures += [f"{np.mean(tally.faults):.0%}", f"{np.mean(tally.mad):.4f}", f"{np.mean(tally.sad):.1f}"]
        lines.append([name, *figures])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def strip(path: Path, tier: str) -> None:
    """Draw each of three photographs, its composite without and with its shadow, and the shadow's layer."""
    cutouts = {cutout.name: cutout for cutout in drawn_cutouts()}
    rows = []
    with ExitStack() as leases:
        masks = Masks(Settings(), leases, (tier, "gradients"))
        for name, plate, color in (
            ("drawn-bag", "grey", (200, 60, 120)),
            ("drawn-fur", "green", (40, 90, 170)),
            ("drawn-grass", "white", (226, 190, 120)),
        ):
            case = photograph(cutouts[name], plate, 900, 1, None)
            solved = masks.solve(decode(case.data))
            scene = Scene(np.full((900, 900, 3), color, np.uint8), "")
            tiles = [solved.picture.rgb]
            for wanted in ("none", "auto"):
                settings = Settings.model_validate({"composites": {"shadow": wanted}})
                blended = laid_over(cut_out(solved, settings, deep=True), scene, settings)
                tiles.append(blended.composite)
            layer = np.ones((1, 1, 3), np.float32) if blended.shadow.layer is None else blended.shadow.layer
            tiles.append(cv2.resize(multiply_layer(layer), (900, 900), interpolation=cv2.INTER_LINEAR))
            rows.append(np.hstack([cv2.resize(tile, (300, 300), interpolation=cv2.INTER_AREA) for tile in tiles]))
    Image.fromarray(np.vstack(rows)).save(path, quality=88)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of RGBA cut-outs")
    parser.add_argument("--only", nargs="*", default=[], help="names of the cut-outs to use")
    parser.add_argument("--sizes", type=int, nargs="*", default=[900])
    parser.add_argument("--model", default="u2net", choices=("u2net", "u2netp"))
    parser.add_argument("--jpeg", type=int, help="the quality of a second round through JPEG")
    parser.add_argument("--write", type=Path, help="the Markdown file to write")
    parser.add_argument("--strip", type=Path, help="only draw a picture of three drawn cut-outs into this file")
    given = parser.parse_args()
    if given.strip:
        strip(given.strip, given.model)
        return
    cutouts = list(drawn_cutouts())
    for folder in given.data:
        cutouts += read_cutouts(folder)
    if given.only:
        cutouts = [cutout for cutout in cutouts if cutout.name in given.only]
    text = ""
    with ExitStack() as leases:
        methods = rembg(given.model) | {"**this project**": product(leases, given.model)}
        for size in given.sizes:
            for jpeg in (None, given.jpeg) if given.jpeg else (None,):
                title = f"### {size} pixels{f', JPEG {jpeg}' if jpeg else ''}\n\n"
                text += f"{title}{compare(cutouts, size, jpeg, methods)}\n{len(cutouts) * len(PLATES)} photographs.\n\n"
                print(text[text.rindex("### ") :], flush=True)
    if given.write:
        given.write.write_text(text)


if __name__ == "__main__":
    main()
