"""How good the masks are: per tier, for the ladder, with and without refinement; against outside references.

    python -m benchmarks.quality.masks --masks IMAGES TRUTH --mattes IMAGES TRUTH --cartoons DIR --backgrounds DIR \\
        --catalogue DIR --sweeps DIR --models u2netp u2net --isnet FILE --modnet FILE

One run makes all tables of ``docs/measurements/masks.md``; whatever is left out is left out of them.

* ``--masks``: photographs and binary masks of the same stem (ECSSD, DUTS …): MAE, max F, S-measure, boundary IoU; and
  how often the verdict refuses a good mask and accepts a bad one.
* ``--mattes``: photographs and true alpha (alphamatting.com …): SAD and gradient error as well.
* ``--cartoons``: RGBA cut-outs, laid over white, coloured, black, shaded, striped and noisy backgrounds, and over eight
  photographs of ``--backgrounds``, as they are and through JPEG: outline recall, holes kept, coverage error. Before
  plain backgrounds through JPEG, also how many have false subject, of more than 3 pixels from the drawing.
* ``--sweeps``: products before plain sweeps and elsewhere, without truth: the mask that is written against the
  network's own answer.
* ``--catalogue``: product photos without truth; the gradient tier against ``--isnet``'s masks.
* ``--isnet``, ``--modnet``: onnx weights of outside references, only to compare with.
* ``--limit N``: at most N pictures of each folder, spread evenly.
* ``--pictures DIR``: only draws ``masks_*.png`` there, from pictures that scikit-image carries or the demo draws.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from benchmarks.quality import mask_measures as measures
from resources.masks.u2net import U2Net, revision
from training.line_art import emblem_alpha, through_jpeg
from vivid_assets.demo.catalogue import write_demo_catalogue
from vivid_assets.demo.drawings import cartoon_owl
from vivid_assets.imaging.matte.gradients import gradient_mask
from vivid_assets.imaging.matte.quality import Thresholds, agreement
from vivid_assets.masking.finish import finish
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.ladder_settings import LadderSettings
from vivid_assets.masking.model import Tier

LIMIT: list[int] = []
Masker = Callable[[np.ndarray], np.ndarray]
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
GOOD_IOU = 0.75


def load(path: Path, side: int = 1024) -> np.ndarray:
    """uint8 H×W×3, oriented, long side at most 1024, as the pipeline prepares pictures."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def pictures(folder: Path) -> list[Path]:
    """A folder's pictures, at most ``--limit`` of them, spread evenly."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if LIMIT and len(paths) > LIMIT[0]:
        return [paths[k * len(paths) // LIMIT[0]] for k in range(LIMIT[0])]
    return paths


def pairs(images: Path, truths: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    by_stem = {path.stem: path for path in truths.iterdir() if path.suffix.lower() in SUFFIXES}
    for path in pictures(images):
        if path.stem in by_stem:
            image = load(path)
            truth = Image.open(by_stem[path.stem]).convert("L")
            if truth.size != image.shape[1::-1]:
                truth = truth.resize(image.shape[1::-1], Image.Resampling.BILINEAR)
            yield image, np.asarray(truth, dtype=np.float32) / 255.0


class Onnx:
    """An outside reference: one onnx file, square input, scaled to −1…1 or −0.5…0.5."""

    def __init__(self, path: Path, side: int, spread: float) -> None:
        import onnxruntime

        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.side, self.spread = side, spread

    def __call__(self, image: np.ndarray) -> np.ndarray:
        small = cv2.resize(image, (self.side, self.side), interpolation=cv2.INTER_AREA).astype(np.float32)
        scaled = ((small / 255.0 - 0.5) / self.spread).transpose(2, 0, 1)[None]
        source, target = self.session.get_inputs()[0].name, self.session.get_outputs()[0].name
        raw = self.session.run([target], {source: scaled})[0][0, 0]
        return np.clip(cv2.resize(raw, image.shape[1::-1], interpolation=cv2.INTER_CUBIC), 0.0, 1.0)


class Remembered:
    """A network that answers the same picture once; tables ask for it several times."""

    def __init__(self, name: str) -> None:
        self.name, self.revision, self._model = name, revision(name), U2Net(name)
        self._known: dict[bytes, np.ndarray] = {}

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        keys = [hashlib.blake2b(image.tobytes() + str(image.shape).encode()).digest() for image in images]
        new = {key: image for key, image in zip(keys, images, strict=True) if key not in self._known}
        if new:
            answers = self._model.probabilities(list(new.values()))
            self._known |= {key: answer.astype(np.float16) for key, answer in zip(new, answers, strict=True)}
        return [self._known[key].astype(np.float32) for key in keys]


@cache
def network(name: str) -> Remembered:
    return Remembered(name)


def maskers(names: list[str], isnet: Path | None, modnet: Path | None) -> dict[str, Masker]:
    found: dict[str, Masker] = {}
    for name in names:
        model = network(name)
        found[f"{name} raw"] = lambda image, model=model: model.probabilities([image])[0]
        for title, refine in (("unrefined", False), ("refined", True)):
            ladder = Ladder(
                [Tier(name, lambda model=model: model, revision(name)), gradient_tier()], LadderSettings(refine=refine)
            )
            found[f"{name} ladder {title}"] = lambda image, ladder=ladder: ladder.masks([image])[0].alpha
    found["gradients"] = lambda image: gradient_mask(image).alpha
    if isnet:
        found["IS-Net"] = Onnx(isnet, 1024, 1.0)
    if modnet:
        found["MODNet"] = Onnx(modnet, 512, 0.5)
    return found


def against_truth(title: str, images: Path, truths: Path, found: dict[str, Masker]) -> None:
    print(f"\n{title}: {images}")
    print(f"{'':28s}{'MAE':>8s}{'maxF':>8s}{'S':>8s}{'B-IoU':>8s}{'SAD':>9s}{'Grad':>9s}")
    data = list(pairs(images, truths))
    for name, masker in found.items():
        rows, curves = [], []
        for image, truth in data:
            alpha = masker(image)
            curves.append(measures.f_measures(alpha, truth))
            rows.append(
                (
                    measures.mean_absolute_error(alpha, truth),
                    measures.s_measure(alpha, truth),
                    measures.boundary_iou(alpha, truth),
                    measures.sum_of_absolute_differences(alpha, truth),
                    measures.gradient_error(alpha, truth),
                )
            )
        mae, structure, boundary, sad, gradient = np.mean(rows, axis=0)
        best_f = np.mean(curves, axis=0).max()
        print(f"{name:28s}{mae:8.4f}{best_f:8.4f}{structure:8.4f}{boundary:8.4f}{sad:9.2f}{gradient:9.2f}")


def verdict_errors(images: Path, truths: Path, names: list[str]) -> None:
    print(f"\nverdicts ({images}); a mask is good from IoU {GOOD_IOU}")
    for name in names:
        model = network(name)
        tiers = [Tier(name, lambda model=model: model, revision(name))]
        ladders = {
            "one look": Ladder(tiers, LadderSettings(thresholds=Thresholds(min_stability=0.0))),
            "second look": Ladder(tiers),
        }
        for title, ladder in ladders.items():
            cells = np.zeros((2, 2), dtype=int)
            for image, truth in pairs(images, truths):
                good = agreement(model.probabilities([image])[0], truth) >= GOOD_IOU
                cells[int(good), int(ladder.masks([image])[0].verdict == "good")] += 1
            good, bad = cells[1].sum(), cells[0].sum()
            print(f"{name} {title:20s}good refused {cells[1, 0]}/{good}, bad accepted {cells[0, 1]}/{bad}")


def backgrounds(height: int, width: int, photographs: Sequence[np.ndarray] = ()) -> dict[str, np.ndarray]:
    """Backgrounds to lay cut-outs over; float32 H×W×3, 0..255."""
    y, x = np.mgrid[:height, :width]
    across = (0.5 * x / width + 0.5 * y / height)[..., None]
    stripes = ((x + y) // 16 % 2)[..., None] == 0
    noise = np.random.default_rng(0).standard_normal((height, width, 3)).astype(np.float32)
    flat = {"white": (255, 255, 255), "blue": (90, 160, 210), "yellow": (240, 200, 60), "black": (20, 20, 24)}
    made = {name: np.full((height, width, 3), color, np.float32) for name, color in flat.items()}
    made["shaded"] = np.float32((200, 120, 140)) * (1 - across) + np.float32((120, 170, 120)) * across
    made["stripes"] = np.where(stripes, np.float32((230, 225, 215)), np.float32((150, 180, 160)))
    made["noise"] = np.clip(128 + 240 * cv2.GaussianBlur(noise, (0, 0), 2), 0, 255)
    for number, photograph in enumerate(photographs):
        resized = cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA)
        made[f"photo {number + 1}"] = resized.astype(np.float32)
    return made


def over(drawn: np.ndarray, alpha: np.ndarray, background: np.ndarray) -> np.ndarray:
    """uint8 H×W×3: colours of 0..255 over others, by an alpha of 0..1, H×W×1."""
    return np.uint8(np.rint(drawn * alpha + background * (1 - alpha)))


def cartoon_figures(alpha: np.ndarray, cutout: np.ndarray) -> tuple[float, float, float, float]:
    """Outline recall, share of enclosed holes kept (NaN where there are none), coverage error, MAE."""
    truth = cutout[..., 3].astype(np.float32) / 255.0
    luminance = cutout[..., :3].astype(np.float32) @ np.float32((0.299, 0.587, 0.114))
    outline = (luminance < 80) & (truth > 0.5)
    _, labels = cv2.connectedComponents((truth < 0.5).astype(np.uint8), connectivity=4)
    hole = (truth < 0.5) & (labels != labels[0, 0])
    recall = float((alpha[outline] > 0.5).mean()) if outline.sum() > 20 else np.nan
    kept = float((alpha[hole] < 0.5).mean()) if hole.sum() > 20 else np.nan
    return recall, kept, abs(float(alpha.sum() - truth.sum())) / truth.size, float(np.abs(alpha - truth).mean())


def cartoons(folder: Path, name: str, behind: Path | None) -> None:
    print(f"\ncartoons: {folder}; {name}: its answer as it is; forced: told that it is line art; ladder: by itself")
    print(f"{'':20s}{'recall':>9s}{'holes':>9s}{'coverage':>9s}{'MAE':>9s}{'detected':>9s}{'under 1 %':>11s}")
    model = network(name)
    others = sorted(path for path in behind.iterdir() if path.suffix.lower() in SUFFIXES) if behind else []
    photographs = [load(others[k * len(others) // 8]) for k in range(8)] if others else []
    ladder = Ladder([Tier(name, lambda: model, revision(name)), gradient_tier()])
    rows: dict[str, list[tuple[float, ...]]] = {}
    for path in pictures(folder):
        picture = Image.open(path)
        if picture.mode != "RGBA" or (np.asarray(picture)[..., 3] < 5).mean() < 0.02:
            continue
        cutout = np.asarray(picture)
        margin = int(0.12 * max(cutout.shape[:2]))
        cutout = np.pad(cutout, ((margin, margin), (margin, margin), (0, 0)))
        alpha = cutout[..., 3:].astype(np.float32) / 255.0
        for background, color in backgrounds(*cutout.shape[:2], photographs).items():
            image = over(cutout[..., :3], alpha, color)
            seen = {background: image}
            if background.startswith("photo"):
                seen[f"{background} JPEG"] = through_jpeg(image, 85)
            for before, image in seen.items():
                mask = ladder.masks([image])[0]
                probability = model.probabilities([image])[0]
                forced = finish(image, probability, LadderSettings(), line_art=True, trusted=True)
                for title, found in ((name, probability), ("forced", forced.alpha), ("ladder", mask.alpha)):
                    figures = cartoon_figures(found, cutout)
                    row = (*figures, float(mask.line_art), figures[2] < 0.01)
                    rows.setdefault(f"{before} {title}", []).append(row)
    for background, values in sorted(rows.items(), key=lambda item: (item[0].split()[-1], item[0])):
        *means, _ = np.nanmean(values, axis=0)
        under = sum(bool(row[-1]) for row in values)
        print(f"{background:20s}" + "".join(f"{v:9.4f}" for v in means) + f"{under:7d}/{len(values)}")


def cartoons_through_jpeg(folder: Path, name: str) -> None:
    """Drawings against plain backgrounds, after a lossy codec."""
    model = network(name)
    ladder = Ladder([Tier(name, lambda: model, revision(name)), gradient_tier()])
    rows = []
    for path in pictures(folder):
        picture = Image.open(path)
        if picture.mode != "RGBA" or (np.asarray(picture)[..., 3] < 5).mean() < 0.02:
            continue
        picture.thumbnail((800, 800))
        margin = int(0.12 * max(picture.size))
        cutout = np.pad(np.asarray(picture), ((margin, margin), (margin, margin), (0, 0)))
        alpha = cutout[..., 3:].astype(np.float32) / 255.0
        beyond = cv2.dilate((alpha > 0.02).astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
        for color in ((255, 255, 255), (232, 226, 214), (90, 160, 210)):
            image = over(cutout[..., :3], alpha, np.full(cutout[..., :3].shape, color, np.float32))
            for quality in (95, 85, 75):
                mask = ladder.masks([through_jpeg(image, quality)])[0]
                false = bool((mask.alpha[beyond] > 0.5).any())
                rows.append((false, false and not mask.review, np.abs(mask.alpha - alpha[..., 0]).mean(), mask.review))
    false, unsaid, error, review = np.array(rows, dtype=float).T
    print(f"\ncartoons against plain backgrounds through JPEG 95, 85, 75: {folder}; {name}")
    print(f"{false.sum():.0f} of {len(rows)} with false subject beyond 3 pixels, {unsaid.sum():.0f} not for review;")
    print(f"MAE {error.mean():.4f}; {review.sum():.0f} for review")


def sweeps(folder: Path, name: str) -> None:
    """What finishing makes of a network's answer for products, of which it should make little."""
    model = network(name)
    ladder = Ladder([Tier(name, lambda: model, revision(name)), gradient_tier()])
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and "mask" not in path.stem)
    found = []
    for path in paths:
        image = load(path)
        mask = ladder.masks([image])[0]
        found.append((agreement(mask.alpha, model.probabilities([image])[0]), mask, path.stem))
    under = sorted((shared, mask.verdict, stem) for shared, mask, stem in found if shared < 0.9)
    drawn = sum(mask.line_art for _, mask, _ in found)
    review = sum(mask.review for _, mask, _ in found)
    print(f"\nproducts: {folder}; {name}: {len(found)} pictures, {drawn} taken for drawings, {review} for review")
    print(f"{len(under)} overlap the network's answer by under .9", *under, sep="\n  ")


def catalogue(folder: Path, isnet: Path, name: str) -> None:
    reference, model = Onnx(isnet, 1024, 1.0), network(name)
    rows = []
    for path in pictures(folder):
        image = load(path)
        found, judged = gradient_mask(image), reference(image)
        other = model.probabilities([image])[0]
        rows.append((found.is_plain, agreement(found.alpha, judged), agreement(other, judged)))
    print(f"\nagreement with IS-Net (IoU): {folder}")
    for plain, title in ((True, "plain background"), (False, "busy")):
        chosen = [row for row in rows if row[0] == plain]
        if chosen:
            _, ours, theirs = np.array(chosen, dtype=float).T
            print(
                f"{title:12s}n={len(chosen):3d}  gradients mean {ours.mean():.3f} median {np.median(ours):.3f}"
                f"  {name} mean {theirs.mean():.3f} median {np.median(theirs):.3f}"
            )


def draw_pictures(folder: Path) -> None:
    """Picture, mask and cut-out on a new colour, side by side: photographs and drawings that may be given on."""
    ladder = Ladder([Tier("u2netp", lambda: network("u2netp"), revision("u2netp")), gradient_tier()])
    with tempfile.TemporaryDirectory() as place:
        drawn = {path.stem: load(path) for path in write_demo_catalogue(Path(place))}
    owl, sign = cartoon_owl(512), emblem_alpha(np.random.default_rng(0))
    cup, cat, sign = (
        cv2.resize(p, (512, 512), interpolation=cv2.INTER_AREA) for p in (drawn["coffee"], drawn["cat"], sign)
    )
    drawn["owl before a photograph"] = over(owl.picture, owl.alpha[..., None], cup)
    drawn["sign over a photograph"] = over(np.full_like(cat, 255), sign[..., None] / sign.max(), cat)
    for title, names in {
        "photographs": ("astronaut", "coffee", "cat"),
        "drawings": ("line-art-mug", "glazed-donut", "owl before a photograph", "sign over a photograph"),
    }.items():
        rows = []
        for name in names:
            image = drawn[name]
            found = ladder.masks([image])[0].alpha[..., None]
            new = image * found + np.float32((92, 58, 140)) * (1 - found)
            parts = (image, np.repeat(found * 255, 3, axis=2), new)
            side = (200 * image.shape[1] // image.shape[0], 200)
            rows.append([cv2.resize(np.uint8(np.rint(p)), side, interpolation=cv2.INTER_AREA) for p in parts])
        width = max(row[0].shape[1] for row in rows)
        padded = [
            [np.pad(p, ((2, 2), (2, width - p.shape[1] + 2), (0, 0)), constant_values=255) for p in row] for row in rows
        ]
        sheet = Image.fromarray(np.vstack([np.hstack(row) for row in padded]))
        sheet.quantize(192, dither=Image.Dither.FLOYDSTEINBERG).save(folder / f"masks_{title}.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=Path, nargs=2, metavar=("IMAGES", "TRUTH"))
    parser.add_argument("--mattes", type=Path, nargs=2, metavar=("IMAGES", "TRUTH"))
    for option in ("--cartoons", "--backgrounds", "--catalogue", "--sweeps", "--isnet", "--modnet", "--pictures"):
        parser.add_argument(option, type=Path)
    parser.add_argument("--models", nargs="+", default=["u2netp"])
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    if arguments.catalogue and not arguments.isnet:
        parser.error("--catalogue compares with --isnet")
    if arguments.pictures:
        draw_pictures(arguments.pictures)
        return
    LIMIT[:] = [arguments.limit] if arguments.limit else []
    started = time.perf_counter()
    engines = ", ".join(f"{name} {version(name)}" for name in ("ncnn", "onnxruntime"))
    print(f"{os.cpu_count()} cores, {platform.machine()}, no GPU; {engines}")
    found = maskers(arguments.models, arguments.isnet, arguments.modnet)
    if arguments.masks:
        against_truth("binary truth", *arguments.masks, found)
        verdict_errors(*arguments.masks, arguments.models)
    if arguments.mattes:
        against_truth("true alpha", *arguments.mattes, found)
    if arguments.cartoons:
        cartoons(arguments.cartoons, arguments.models[0], arguments.backgrounds)
        cartoons_through_jpeg(arguments.cartoons, arguments.models[0])
    if arguments.sweeps:
        sweeps(arguments.sweeps, arguments.models[-1])
    if arguments.catalogue:
        catalogue(arguments.catalogue, arguments.isnet, arguments.models[0])
    print(f"\n{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
