"""Train the estimate of a mask's quality on masks of real tiers whose truth is known.

    python -m training.quality_estimate --cache DIR --photographs ecssd IMAGES MASKS --sequences davis DIR
        --cutouts DIR … --over DIR --write

Every picture goes through the ladder of one tier, U²-Net's and U²-NetP's; its mask, as it is written, is measured
(``estimate_figures``) and compared with the truth: right is an overlap (IoU) of at least 0.85, a right edge a boundary
F-measure of at least 0.8 within 0.8 % of the diagonal. Logistic regressions with an L2 penalty are fitted to the
figures and calibrated by tier; ``benchmarks.quality.estimate`` shows by cross-validation what they are worth.
Networks are asked once a picture: their answers stay in ``--cache``. Without ``--write`` nothing is stored.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from resources.masks.tier import MaskModel
from training.judged_masks import COMPOSED, CachedModel, Example, composed, photographs, sequences
from vivid_assets.imaging.core.areas import distance_to
from vivid_assets.imaging.matte.contour_figures import contour_figures
from vivid_assets.imaging.matte.estimate_figures import EstimateFigures, estimate_figures
from vivid_assets.imaging.matte.quality import agreement, measure
from vivid_assets.masking import estimate as trained
from vivid_assets.masking.calibration import calibrated, newton
from vivid_assets.masking.gradient_tier import GRADIENTS, GradientModel
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.mask import Mask
from vivid_assets.masking.model import Tier

TIERS = ("u2net", "u2netp")
TARGETS = ("right", "edge_right")
KINDS = (trained.ONCE, trained.MIRRORED)
RIGHT_IOU, WRONG_IOU = 0.85, 0.75
ROUGHLY_RIGHT_IOU = 0.5
EDGE_F, EDGE_WITHIN = 0.8, 0.008
CONTOUR_WITHIN, CONTOUR_PIXELS = 0.01, 60
RIDGE = 300.0
SOFT_FROM = 0.06
"""Share of soft pixels from which training asks for the mirrored picture: of more than the ladder does."""
FOLDS = 5


@dataclass(frozen=True)
class JudgedMask:
    """A mask's figures and how good it is."""

    dataset: str
    name: str
    tier: str
    figures: EstimateFigures
    """Of a network that saw the picture mirrored as well, where its answer was soft."""
    iou: float
    edge: float
    """Boundary F-measure."""
    verdict: str
    seen_mirrored: bool
    """Whether the ladder asked for the mirrored picture, so that its estimate has the answer."""
    contour: np.ndarray
    """Figures of some pixels of its contour, N×8."""
    contour_hits: np.ndarray
    """Whether each is near the true contour."""

    def hits(self, target: str) -> bool:
        """Whether the mask, or its edge, is right."""
        return self.iou >= RIGHT_IOU if target == "right" else self.edge >= EDGE_F

    @property
    def fold(self) -> int:
        """By picture, so that both tiers' masks of one are on the same side of a split."""
        return hashlib.blake2b(f"{self.dataset}/{self.name}".encode(), digest_size=2).digest()[0] % FOLDS


def judged_masks(examples: Iterator[Example], cache: Path) -> list[JudgedMask]:
    """The masks of the networks for each example, and of the gradients for every third.

    Those without a contour are left out: they need no estimate. So are drawings, which have edges of their own.
    """
    networks: dict[str, MaskModel] = {tier: CachedModel(tier, cache) for tier in TIERS}
    found = []
    for number, example in enumerate(examples):
        models = networks if number % 3 else networks | {GRADIENTS: GradientModel()}
        found += [judged_mask(example, tier, model) for tier, model in models.items()]
    return [mask for mask in found if mask is not None]


def judged_mask(example: Example, tier: str, model: MaskModel) -> JudgedMask | None:
    """The mask that the ladder of one tier writes, against the truth."""
    counted = _Counted(model)
    mask, figures = measured_mask(example.image, tier, counted)
    if figures is None or mask.line_art:
        return None
    edge = boundary_f(mask.alpha > 0.5, example.truth > 0.5)
    overlap = agreement(mask.alpha, example.truth)
    looked_twice, contour = counted.by_ladder > 1, contour_pixels(example, mask.alpha)
    return JudgedMask(example.dataset, example.name, tier, figures, overlap, edge, mask.verdict, looked_twice, *contour)


class _Counted:
    """A model that counts how often the ladder asks it about the one picture."""

    def __init__(self, model: MaskModel) -> None:
        self.model, self.by_ladder = model, 0

    def probabilities(self, images: Sequence[np.ndarray]) -> Sequence[np.ndarray | Exception]:
        self.by_ladder += 1
        return self.model.probabilities(images)


def _sure(_figures: EstimateFigures | None, _tier: str) -> trained.Estimate:
    """In place of the weights at hand, which may be of other figures than are measured now: verdicts without them."""
    return trained.Estimate(1.0, 1.0)


def measured_mask(image: np.ndarray, tier: str, counted: _Counted) -> tuple[Mask, EstimateFigures | None]:
    """A tier's mask and its figures."""
    is_network, model = tier in TIERS, counted.model
    ladder = Ladder([Tier(tier, lambda: counted, is_network=is_network)], estimator=_sure)
    mask = ladder.masks([image])[0]
    probability = np.asarray(model.probabilities([image])[0])
    mirrored = None
    if is_network and measure(probability).unsettled > SOFT_FROM:
        mirrored = np.asarray(model.probabilities([np.ascontiguousarray(image[:, ::-1])])[0])[:, ::-1]
    return mask, estimate_figures(image, probability, mask.alpha, mirrored)


def contour_pixels(example: Example, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Figures of at most ``CONTOUR_PIXELS`` of a mask's contour, evenly spread, and whether the true one is near."""
    contour = contour_figures(example.image, alpha)
    truth = cv2.resize(example.truth, contour.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
    near = distance_to(rim_of(truth))[contour.rows, contour.columns] <= CONTOUR_WITHIN * np.hypot(*contour.shape)
    chosen = np.linspace(0, len(near) - 1, min(len(near), CONTOUR_PIXELS)).astype(np.intp)
    return contour.values[chosen], near[chosen]


def rim_of(area: np.ndarray) -> np.ndarray:
    """The pixels beside an area's contour (bool h×w)."""
    return np.asarray(cv2.morphologyEx(area.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0)


def boundary_f(one: np.ndarray, other: np.ndarray) -> float:
    """F-measure of two masks' contours (bool H×W) within ``EDGE_WITHIN`` of the diagonal (Perazzi et al. 2016)."""
    reach = max(1.5, EDGE_WITHIN * float(np.hypot(*one.shape)))
    rims = [rim_of(mask) for mask in (one, other)]
    if not all(rim.any() for rim in rims):
        return 0.0
    away = [distance_to(rim) for rim in rims]
    precision, recall = float((away[1][rims[0]] <= reach).mean()), float((away[0][rims[1]] <= reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def train(masks: Sequence[JudgedMask]) -> dict[str, Any]:
    """Weights as they are stored: by kind and target the regression, and by tier its slope and offset."""
    stored: dict[str, Any] = {}
    for kind in KINDS:
        rows = [mask for mask in masks if mask.tier in TIERS]
        if kind == trained.MIRRORED:
            rows = [mask for mask in rows if np.isfinite(mask.figures.mirrored)]
        others = [mask for mask in masks if mask.tier == GRADIENTS and kind == trained.ONCE]
        x = trained.inputs(np.array([mask.figures.values() for mask in rows]), kind)
        folds, tiers = np.array([mask.fold for mask in rows]), np.array([mask.tier for mask in rows])
        stored[kind] = {}
        for target in TARGETS:
            y = np.array([mask.hits(target) for mask in rows], np.float64)
            # Calibrated on scores of pictures that the scoring weights have not seen, and on photographs alone:
            # composed pictures teach what a wrong mask looks like, and not how often there is one.
            unseen = np.zeros(len(rows))
            for fold in range(FOLDS):
                held = folds == fold
                if held.any():
                    unseen[held] = score(regression(x[~held], y[~held]), x[held])
            model = regression(x, y)
            level = np.array([mask.dataset != COMPOSED for mask in rows])
            calibration = {
                tier: calibrated(unseen[level & (tiers == tier)], y[level & (tiers == tier)]) for tier in TIERS
            }
            if others:
                values = trained.inputs(np.array([mask.figures.values() for mask in others]), kind)
                hits = np.array([mask.hits(target) for mask in others], np.float64)
                calibration[GRADIENTS] = calibrated(score(model, values), hits)
            model["tiers"] = calibration | {trained.OTHER: calibrated(unseen[level], y[level])}
            stored[kind][target] = model
    stored[trained.CONTOUR] = train_contour(masks)
    return stored


def train_contour(masks: Sequence[JudgedMask]) -> dict[str, Any]:
    """Weights for single pixels of a contour, from networks' masks of what is roughly the right thing."""
    rows = [mask for mask in masks if mask.tier in TIERS and mask.iou >= ROUGHLY_RIGHT_IOU and len(mask.contour)]
    hits = np.concatenate([mask.contour_hits for mask in rows]).astype(np.float64)
    return regression(np.concatenate([mask.contour for mask in rows]), hits)


def regression(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Logistic regression by Newton's method, its inputs scaled; the bias is the last weight."""
    mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-3)
    design = np.column_stack([trained.scaled(x, mean, deviation), np.ones(len(x))])
    return {
        "mean": mean,
        "deviation": deviation,
        "weights": newton(design, y, RIDGE * np.append(np.ones(x.shape[1]), 0)),
    }


def score(model: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """Log odds before calibration."""
    return trained.scaled(x, model["mean"], model["deviation"]) @ model["weights"][:-1] + model["weights"][-1]


def as_json(stored: dict[str, Any]) -> str:
    """Six digits, a line a list."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return [float(f"{one:.6g}") for one in value]

    return json.dumps(plain(stored)).replace("}, ", "},\n").replace("], ", "],\n") + "\n"


def add_folders(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where the pictures are."""
    parser.add_argument("--photographs", nargs=3, action="append", default=[], metavar=("NAME", "IMAGES", "MASKS"))
    parser.add_argument("--sequences", nargs=2, action="append", default=[], metavar=("NAME", "DIR"))
    parser.add_argument("--cutouts", nargs="+", type=Path, default=[], metavar="DIR", help="folders of RGBA cut-outs")
    parser.add_argument("--over", type=Path, metavar="DIR", help="photographs to lay the cut-outs over")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="where the networks' answers stay")


def examples(given: argparse.Namespace) -> Iterator[Example]:
    """All pictures that the arguments name."""
    return chain(
        *(photographs(name, Path(images), Path(masks)) for name, images, masks in given.photographs),
        *(sequences(name, Path(folder)) for name, folder in given.sequences),
        composed(given.cutouts, given.over) if given.cutouts else (),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folders(parser)
    parser.add_argument("--write", action="store_true", help="store the weights in the package")
    given = parser.parse_args()
    masks = judged_masks(examples(given), given.cache)
    stored = train(masks)
    print(f"{len(masks)} masks, {sum(mask.hits('right') for mask in masks)} of them right")
    if given.write:
        trained.WEIGHTS.write_text(as_json(stored))
        print(f"wrote {trained.WEIGHTS.name}")


if __name__ == "__main__":
    main()
