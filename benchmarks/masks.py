"""How good the masks are: per tier, for the ladder, with and without refinement; against outside references.

``python benchmarks/masks.py --masks IMAGES TRUTH --mattes IMAGES TRUTH --cartoons DIR --catalogue DIR …``

* ``--masks``: photographs and binary masks of the same stem (ECSSD, DUTS …): MAE, max F, S-measure, boundary IoU.
* ``--mattes``: photographs and true alpha (alphamatting.com …): SAD and gradient error as well.
* ``--cartoons``: RGBA cut-outs, laid over white, coloured, black, shaded, striped and noisy walls: outline recall,
  holes kept, coverage error.
* ``--catalogue``: product photos without truth; the gradient tier against ``--isnet``'s masks.
* ``--isnet FILE``, ``--modnet FILE``: onnx weights of outside references, only to compare with.
* ``--verdicts``: with ``--masks``, how often the verdict refuses a good mask and accepts a bad one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from resources.u2net import U2Net, revision
from vivid_assets.imaging import mask_measures as measures
from vivid_assets.imaging.gradients import gradient_mask
from vivid_assets.imaging.line_art import detect_line_art
from vivid_assets.imaging.line_art_matte import line_art_matte
from vivid_assets.imaging.verdict import Thresholds, agreement, judge, measure
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.ladder import Ladder, LadderSettings
from vivid_assets.masking.model import Tier

Masker = Callable[[np.ndarray], np.ndarray]
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
GOOD_IOU = 0.75


def load(path: Path, side: int = 1024) -> np.ndarray:
    """uint8 H×W×3, oriented, long side at most 1024, as the pipeline prepares pictures."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def pairs(images: Path, truths: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    by_stem = {path.stem: path for path in pictures(truths)}
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


def maskers(names: list[str], isnet: Path | None, modnet: Path | None) -> dict[str, Masker]:
    found: dict[str, Masker] = {}
    for name in names:
        model = U2Net(name)
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
        model = U2Net(name)
        cells = np.zeros((2, 2), dtype=int)
        for image, truth in pairs(images, truths):
            probability = model.probabilities([image])[0]
            good = agreement(probability, truth) >= GOOD_IOU
            accepted = judge(measure(probability), Thresholds()).accepted
            cells[int(good), int(accepted)] += 1
        good, bad = cells[1].sum(), cells[0].sum()
        print(f"{name:28s}good refused {cells[1, 0]}/{good}, bad accepted {cells[0, 1]}/{bad}")


def walls(height: int, width: int) -> dict[str, np.ndarray]:
    """Walls to lay cut-outs over; float32 H×W×3, 0..255."""
    y, x = np.mgrid[:height, :width]
    across = (0.5 * x / width + 0.5 * y / height)[..., None]
    stripes = ((x + y) // 16 % 2)[..., None] == 0
    noise = np.random.default_rng(0).standard_normal((height, width, 3)).astype(np.float32)
    flat = {"white": (255, 255, 255), "blue": (90, 160, 210), "yellow": (240, 200, 60), "black": (20, 20, 24)}
    made = {name: np.full((height, width, 3), colour, np.float32) for name, colour in flat.items()}
    made["shaded"] = np.float32((200, 120, 140)) * (1 - across) + np.float32((120, 170, 120)) * across
    made["stripes"] = np.where(stripes, np.float32((230, 225, 215)), np.float32((150, 180, 160)))
    made["noise"] = np.clip(128 + 240 * cv2.GaussianBlur(noise, (0, 0), 2), 0, 255)
    return made


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


def cartoons(folder: Path, name: str) -> None:
    print(f"\ncartoons: {folder} ({name}; detector on means what the ladder does by itself)")
    print(f"{'':14s}{'recall':>9s}{'holes':>9s}{'coverage':>9s}{'MAE':>9s}{'detected':>9s}")
    model = U2Net(name)
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
        for wall, colour in walls(*cutout.shape[:2]).items():
            image = np.uint8(np.round(cutout[..., :3] * alpha + colour * (1 - alpha)))
            drawn = detect_line_art(image).probability > 0.5
            forced = line_art_matte(image, model.probabilities([image])[0]).alpha
            rows.setdefault(f"{wall} forced", []).append((*cartoon_figures(forced, cutout), float(drawn)))
            mask = ladder.masks([image])[0].alpha
            rows.setdefault(f"{wall} ladder", []).append((*cartoon_figures(mask, cutout), float(drawn)))
    for wall, values in sorted(rows.items(), key=lambda item: item[0].split()[::-1]):
        print(f"{wall:14s}" + "".join(f"{v:9.4f}" for v in np.nanmean(values, axis=0)))


def catalogue(folder: Path, isnet: Path, name: str) -> None:
    reference, model = Onnx(isnet, 1024, 1.0), U2Net(name)
    rows = []
    for path in pictures(folder):
        image = load(path)
        found, judged = gradient_mask(image), reference(image)
        other = model.probabilities([image])[0]
        rows.append((found.plain_wall, agreement(found.alpha, judged), agreement(other, judged)))
    print(f"\nagreement with IS-Net (IoU): {folder}")
    for plain, title in ((True, "plain wall"), (False, "busy")):
        chosen = [row for row in rows if row[0] == plain]
        if chosen:
            _, ours, theirs = np.array(chosen, dtype=float).T
            print(
                f"{title:12s}n={len(chosen):3d}  gradients mean {ours.mean():.3f} median {np.median(ours):.3f}"
                f"  {name} mean {theirs.mean():.3f} median {np.median(theirs):.3f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=Path, nargs=2, metavar=("IMAGES", "TRUTH"))
    parser.add_argument("--mattes", type=Path, nargs=2, metavar=("IMAGES", "TRUTH"))
    for option in ("--cartoons", "--catalogue", "--isnet", "--modnet"):
        parser.add_argument(option, type=Path)
    parser.add_argument("--models", nargs="+", default=["u2netp"])
    parser.add_argument("--verdicts", action="store_true")
    arguments = parser.parse_args()
    found = maskers(arguments.models, arguments.isnet, arguments.modnet)
    if arguments.masks:
        against_truth("binary truth", *arguments.masks, found)
        if arguments.verdicts:
            verdict_errors(*arguments.masks, arguments.models)
    if arguments.mattes:
        against_truth("true alpha", *arguments.mattes, found)
    if arguments.cartoons:
        cartoons(arguments.cartoons, arguments.models[0])
    if arguments.catalogue:
        if not arguments.isnet:
            parser.error("--catalogue compares with --isnet")
        catalogue(arguments.catalogue, arguments.isnet, arguments.models[0])


if __name__ == "__main__":
    main()
