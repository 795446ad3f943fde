"""How probably a mask is right, and its edge: a trained estimate from figures that cost milliseconds.

Right is an overlap (IoU) of at least 0.85 with a person's mask; a right edge runs along the person's (see
``training/quality_estimate.py``, which fits the weights beside this file to masks of real tiers). Two logistic
regressions: one for a mask whose network saw the picture once, one for where it saw it mirrored as well. What a
regression says is then calibrated by tier.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vivid_assets.imaging.matte.contour_figures import Contour
from vivid_assets.imaging.matte.estimate_figures import EstimateFigures

WEIGHTS = Path(__file__).with_name("estimate_weights.json")
OTHER = "other"
"""In the weights, in a tier's place: any tier whose masks were not learned."""
ONCE, MIRRORED = "once", "mirrored"
"""What the figures were taken of: one answer of the network, or also its answer to the mirrored picture."""
CONTOUR = "contour"
"""In the weights: the regression for single pixels of a contour."""
_NAMES = tuple(field.name for field in fields(EstimateFigures))
_OF_MIRRORED = ("mirrored", "mirrored_difference")
_NEAR_ONE = {"peak", "confidence", "levels", "largest", "solidity", "kept", "mirrored"}
_NEAR_ZERO = {
    "unsettled", "uncertain", "faint", "leak", "openings", "border", "alike_outside", "alike_inside", "left_outside",
    "taken_inside", "mirrored_difference",
}  # fmt: skip
_REACH = 3.0
"""Standard deviations at which an input is cut: beyond them nothing was learned."""


@dataclass(frozen=True)
class Estimate:
    """Two probabilities, 0..1."""

    right: float
    """That the mask is right."""
    edge_right: float
    """That its edge is."""


Estimator = Callable[["EstimateFigures | None", str], Estimate]
"""What judges a mask by its figures and its tier's name."""


def estimate(figures: EstimateFigures | None, tier: str) -> Estimate:
    """Judge a mask of ``tier`` by its figures; ``None``, for an alpha without a contour, is surely wrong.

    A tier that was not learned is judged as its kind is: its order means something, its level less.
    """
    if figures is None:
        return Estimate(0.0, 0.0)
    values = figures.values()
    kind = MIRRORED if np.isfinite(values[_NAMES.index("mirrored")]) else ONCE
    return Estimate(*(_probability(values, tier, kind, target) for target in ("right", "edge_right")))


def contour_right(contour: Contour) -> np.ndarray:
    """How probably each pixel of a contour lies where a person would draw it: float64 N, 0..1.

    Within one per cent of the picture's diagonal, and supposing that the mask is of the right thing.
    """
    model = _trained()[CONTOUR]
    score = scaled(contour.values, model["mean"], model["deviation"]) @ model["weights"][:-1] + model["weights"][-1]
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0))))


def is_learned(tier: str) -> bool:
    """Whether masks of ``tier`` were learned, so that a probability means what it says."""
    return tier in _trained()[ONCE]["right"]["tiers"]


def inputs(values: np.ndarray, kind: str) -> np.ndarray:
    """The regression's inputs from figures in order (…×N, float64): of shares the roots, which spread small ones."""
    columns = []
    for index, name in enumerate(_NAMES):
        column = values[..., index]
        if name in _OF_MIRRORED and kind == ONCE:
            continue
        if name in _NEAR_ONE:
            column = np.sqrt(np.clip(1.0 - column, 0.0, None))
        elif name in _NEAR_ZERO:
            column = np.sqrt(np.clip(column, 0.0, None))
        columns.append(column)
    return np.stack(columns, axis=-1)


def scaled(raw: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Inputs in standard deviations from the training's mean, cut where nothing was learned."""
    return np.asarray(np.clip((raw - mean) / deviation, -_REACH, _REACH))


def _probability(values: np.ndarray, tier: str, kind: str, target: str) -> float:
    return float(probabilities(_trained()[kind][target], values[None], tier, kind)[0])


def probabilities(model: Mapping[str, Any], values: np.ndarray, tier: str, kind: str) -> np.ndarray:
    """One regression's probabilities for the figures of many masks of a tier (N×figures, float64): float64 N."""
    score = (
        scaled(inputs(values, kind), model["mean"], model["deviation"]) @ model["weights"][:-1] + model["weights"][-1]
    )
    slope, offset = model["tiers"].get(tier, model["tiers"][OTHER])
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(slope * score + offset, -30.0, 30.0))))


@cache
def _trained() -> dict[str, Any]:
    stored = json.loads(WEIGHTS.read_text())
    for kind in (ONCE, MIRRORED, CONTOUR):
        for model in [stored[CONTOUR]] if kind == CONTOUR else stored[kind].values():
            model |= {name: np.array(model[name]) for name in ("mean", "deviation", "weights")}
    return dict(stored)
