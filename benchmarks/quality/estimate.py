"""How sure the estimate of a mask's quality may be of itself; what it finds; what it costs.

    python -m benchmarks.quality.estimate --cache DIR --photographs ecssd IMAGES MASKS --sequences davis DIR
        --cutouts DIR … --over DIR [--diagram FILE]

Takes the same pictures as ``training.quality_estimate`` and prints, by tier and data set, two cross-validations: *by
picture* (a fifth of all pictures held out at a time) and *by data set* (trained on the other data sets alone). "Found"
is the share of the masks with IoU under 0.75 among the worst tenth and fifth, beside what the verdict finds and what
could be found at most. ``--diagram`` draws the reliability diagram.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.judged_masks import COMPOSED
from training.quality_estimate import (
    ROUGHLY_RIGHT_IOU,
    TARGETS,
    TIERS,
    WRONG_IOU,
    JudgedMask,
    add_folders,
    examples,
    judged_masks,
    score,
    train,
    train_contour,
)
from vivid_assets.imaging.matte.estimate_figures import estimate_figures
from vivid_assets.imaging.matte.quality import GOOD, Thresholds
from vivid_assets.masking import estimate as trained
from vivid_assets.masking.calibration import calibration_error, reliability


def cross_validated(masks: Sequence[JudgedMask], side: Callable[[JudgedMask], Any], target: str) -> np.ndarray:
    """Each mask's probability by weights that have seen none of the masks on its side of the split."""
    found = np.zeros(len(masks))
    for held in {side(mask) for mask in masks}:
        stored = train([mask for mask in masks if side(mask) != held])
        for index, mask in enumerate(masks):
            if side(mask) == held:
                found[index] = probability(stored, mask, target)
    return found


def probability(stored: dict[str, Any], mask: JudgedMask, target: str) -> float:
    kind = trained.MIRRORED if mask.seen_mirrored else trained.ONCE
    return float(trained.probabilities(stored[kind][target], mask.figures.values()[None], mask.tier, kind)[0])


def ranking(p: np.ndarray, y: np.ndarray) -> float:
    """Area under the ROC curve: how often a right mask has the higher probability."""
    right, wrong = p[y > 0.5], p[y < 0.5]
    if not len(right) or not len(wrong):
        return float("nan")
    return float((np.sign(right[:, None] - wrong[None]) / 2 + 0.5).mean())


def found_in_worst(p: np.ndarray, wrong: np.ndarray, share: float) -> float:
    worst = np.argsort(p)[: max(1, round(share * len(p)))]
    return float(wrong[worst].sum() / max(wrong.sum(), 1))


def report(masks: Sequence[JudgedMask], splits: dict[str, np.ndarray], target: str) -> None:
    print(f"\n{target}")
    print(f"{'':34s}{'masks':>6s}{'right':>7s}" + "".join(f"{name:>14s} AUC  ECE" for name in splits))
    for tier in TIERS:
        for dataset in sorted({mask.dataset for mask in masks}):
            at = np.array([k for k, mask in enumerate(masks) if (mask.tier, mask.dataset) == (tier, dataset)])
            if not len(at):
                continue
            y = np.array([masks[k].hits(target) for k in at], float)
            cells = "".join(f"{ranking(p[at], y):18.3f}{calibration_error(p[at], y):6.3f}" for p in splits.values())
            print(f"{tier:12s}{dataset:22s}{len(at):6d}{y.mean():7.2f}{cells}")


def report_found(masks: Sequence[JudgedMask], splits: dict[str, np.ndarray]) -> None:
    print(f"\nfound of the masks with IoU under {WRONG_IOU}; (at most)")
    for tier in TIERS:
        for dataset in sorted({mask.dataset for mask in masks}):
            at = np.array([k for k, mask in enumerate(masks) if (mask.tier, mask.dataset) == (tier, dataset)])
            wrong = np.array([masks[k].iou < WRONG_IOU for k in at])
            refused = np.array([masks[k].verdict != GOOD for k in at])
            if not wrong.sum():
                continue
            line = f"{tier:8s}{dataset:14s}{wrong.sum():4d} of {len(at):4d}"
            for name, p in splits.items():
                for share in (0.1, 0.2):
                    most = min(1.0, max(1, round(share * len(at))) / wrong.sum())
                    line += f" | {name} worst {share:.0%}: {found_in_worst(p[at], wrong, share):.2f} ({most:.2f})"
                same = refused.mean()
                line += f", as many as the verdict refuses: {found_in_worst(p[at], wrong, same):.2f}"
            print(f"{line} | verdict refuses {same:.0%}, finds {(wrong & refused).sum() / wrong.sum():.2f}")


def report_use(masks: Sequence[JudgedMask], p: np.ndarray, least: float = Thresholds().min_right) -> None:
    """Masks that would be doubtful, and what the other network's mask is worth where its estimate is higher."""
    print(f"\nwith min_right {least}")
    by_picture = {(mask.tier, mask.dataset, mask.name): k for k, mask in enumerate(masks)}
    for tier, other in (TIERS, TIERS[::-1]):
        at = [k for k, mask in enumerate(masks) if mask.tier == tier and mask.dataset != COMPOSED]
        good = [k for k in at if masks[k].verdict == GOOD]
        doubtful = [k for k in good if p[k] < least]
        wrong = sum(not masks[k].hits("right") for k in doubtful)
        print(f"{tier}: {len(doubtful)} of {len(good)} good masks are doubtful, {wrong} of these wrong")
        pairs = [(k, by_picture.get((other, masks[k].dataset, masks[k].name))) for k in at if p[k] < least]
        taken = [(one, two) for one, two in pairs if two is not None and p[two] > p[one]]
        before, after = (np.mean([masks[pair[side]].hits("right") for pair in taken]) for side in (0, 1))
        print(
            f"  {other} instead, where surer: {len(taken)} of {len(at)}; right before {before:.2f}, after {after:.2f}"
        )


def report_contour(masks: Sequence[JudgedMask]) -> None:
    """How well single pixels of contours are told, by picture."""
    rows = [mask for mask in masks if mask.tier in TIERS and mask.iou >= ROUGHLY_RIGHT_IOU and len(mask.contour)]
    hits = np.concatenate([mask.contour_hits for mask in rows]).astype(float)
    found = np.zeros(len(hits))
    folds = np.concatenate([np.full(len(mask.contour_hits), mask.fold) for mask in rows])
    for fold in set(folds):
        model = train_contour([mask for mask in rows if mask.fold != fold])
        seen = np.concatenate([mask.contour for mask in rows if mask.fold == fold])
        found[folds == fold] = 1 / (1 + np.exp(-score(model, seen)))
    some = np.random.default_rng(0).choice(len(hits), min(len(hits), 4000), replace=False)
    auc, error = ranking(found[some], hits[some]), calibration_error(found, hits)
    print(f"\ncontours: {len(hits)} pixels, right {hits.mean():.2f}, AUC {auc:.2f}, ECE {error:.3f}")


def diagram(masks: Sequence[JudgedMask], p: np.ndarray, target: str) -> np.ndarray:
    """Reliability on photographs: a line a tier, a dot as large as its bin is full; uint8 H×W×3."""
    side, edge = 420, 56
    picture = np.full((side + 2 * edge, side + 2 * edge, 3), 255, np.uint8)

    def place(x: float, y: float) -> tuple[int, int]:
        return round(edge + x * side), round(edge + (1 - y) * side)

    def write(text: str, x: int, y: int, color: tuple[int, int, int] = (90, 90, 90)) -> None:
        cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.46, color, 1, cv2.LINE_AA)

    for level in np.linspace(0, 1, 6):
        cv2.line(picture, place(level, 0), place(level, 1), (230, 230, 230), 1)
        cv2.line(picture, place(0, level), place(1, level), (230, 230, 230), 1)
        write(f"{level:.1f}", place(level, 0)[0] - 12, edge + side + 20)
        write(f"{level:.1f}", edge - 34, place(0, level)[1] + 4)
    cv2.line(picture, place(0, 0), place(1, 1), (150, 150, 150), 1, cv2.LINE_AA)
    for row, (tier, color) in enumerate(zip(TIERS, ((30, 90, 200), (220, 100, 20)), strict=True)):
        at = [k for k, mask in enumerate(masks) if mask.tier == tier and mask.dataset != COMPOSED]
        y = np.array([masks[k].hits(target) for k in at], float)
        bins = reliability(p[at], y)
        points = [place(mean, share) for mean, share, _ in bins]
        cv2.polylines(picture, [np.array(points, np.int32)], False, color, 1, cv2.LINE_AA)
        for point, (_, _, count) in zip(points, bins, strict=True):
            cv2.circle(picture, point, 2 + round(0.5 * count**0.5), color, -1, cv2.LINE_AA)
        write(f"{tier}, ECE {calibration_error(p[at], y):.3f}", edge + 14, edge + 24 + 22 * row, color)
    write({"right": "mask right", "edge_right": "edge right"}[target] + ": share against estimate", edge, 34)
    return picture


def speed(image: np.ndarray) -> float:
    """Milliseconds of CPU for the figures and the estimate of one picture with a mask, the least of 30."""
    alpha = np.zeros(image.shape[:2], np.float32)
    cv2.circle(alpha, (alpha.shape[1] // 2, alpha.shape[0] // 2), min(alpha.shape) // 3, 1.0, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 3)
    spent = []
    for _ in range(30):
        started = time.process_time()
        trained.estimate(estimate_figures(image, alpha, alpha, alpha), "u2net")
        spent.append(time.process_time() - started)
    return 1000 * min(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(parser)
    parser.add_argument("--diagram", type=Path, metavar="FILE")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    found = list(examples(given))
    masks = judged_masks(iter(found), given.cache)
    splits = {
        target: {
            "by picture": cross_validated(masks, lambda mask: mask.fold, target),
            "by data set": cross_validated(masks, lambda mask: mask.dataset, target),
        }
        for target in TARGETS
    }
    for target in TARGETS:
        report(masks, splits[target], target)
    report_found(masks, splits["right"])
    report_use(masks, splits["right"]["by picture"])
    report_contour(masks)
    image = max((example.image for example in found), key=lambda image: image.size)
    print(f"\na picture of {image.shape[1]} × {image.shape[0]}: {speed(image):.1f} ms of CPU")
    if given.diagram:
        drawn = np.hstack([diagram(masks, splits[target]["by picture"], target) for target in TARGETS])
        cv2.imwrite(str(given.diagram), drawn[..., ::-1])


if __name__ == "__main__":
    main()
