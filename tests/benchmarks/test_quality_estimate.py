"""What the training of the quality estimate makes of masks whose worth is known."""

import json

import numpy as np
import pytest

from benchmarks.quality.estimate import cross_validated, found_in_worst, ranking
from tests.support.plain import plain
from training.judged_masks import Example
from training.quality_estimate import JudgedMask, as_json, boundary_f, judged_mask, train
from vivid_assets.imaging.matte.estimate_figures import EstimateFigures
from vivid_assets.masking.estimate import ONCE, WEIGHTS, probabilities
from vivid_assets.masking.gradient_tier import GRADIENTS, GradientModel, gradient_tier
from vivid_assets.masking.ladder import Ladder

NAMES = tuple(EstimateFigures.__dataclass_fields__)


def masks(count: int = 300) -> list[JudgedMask]:
    """Masks that are right as often as their confidence says; all other figures are chance."""
    rng = np.random.default_rng(1)
    found = []
    for number in range(count):
        values = dict(zip(NAMES, rng.random(len(NAMES)), strict=True))
        iou = 0.9 if rng.random() < 1 / (1 + np.exp(-8 * (np.sqrt(1 - values["confidence"]) - 0.6) * -1)) else 0.5
        contour = rng.random((5, 8)), rng.random(5) < 0.8
        tier, dataset = ("u2net", "u2netp")[number % 2], ("one", "two")[number % 3 % 2]
        found.append(
            JudgedMask(dataset, str(number), tier, EstimateFigures(**values), iou, 0.9, "good", False, *contour)
        )
    return found


def test_what_tells_right_masks_is_learned_and_holds_for_others():
    seen = masks()
    p = cross_validated(seen, lambda mask: mask.fold, "right")
    assert ranking(p, np.array([mask.iou > 0.8 for mask in seen], float)) > 0.75


def test_stored_weights_say_what_the_trained_ones_did():
    seen = masks()
    trained, stored = train(seen), json.loads(as_json(train(seen)))
    values = np.array([mask.figures.values() for mask in seen])
    for target in ("right", "edge_right"):
        one, other = (probabilities(model[ONCE][target], values, "u2net", ONCE) for model in (trained, stored))
        assert one == pytest.approx(other, abs=1e-4)


def test_a_contour_beside_the_true_one_counts_within_its_reach():
    square = np.zeros((400, 400), bool)
    square[100:300, 100:300] = True
    assert boundary_f(square, square) == 1.0
    assert boundary_f(square, np.roll(square, 3, axis=1)) == 1.0
    assert boundary_f(square, np.roll(square, 40, axis=(0, 1))) < 0.5
    assert boundary_f(square, np.zeros_like(square)) == 0.0


def test_masks_are_measured_whatever_figures_the_weights_at_hand_are_of(monkeypatch):
    shown = plain((215, 215, 215), (180, 40, 30), size=320, shadow=False)
    weights = json.loads(WEIGHTS.read_text())
    for model in (weights[ONCE]["right"], weights[ONCE]["edge_right"]):
        model |= {name: np.array(model[name][:-1]) for name in ("mean", "deviation", "weights")}
    monkeypatch.setattr("vivid_assets.masking.estimate._trained", lambda: weights)
    truth = (shown.alpha > 0.5).astype(np.float32)
    with pytest.raises(ValueError, match="broadcast"):
        Ladder([gradient_tier()]).masks([shown.picture])
    mask = judged_mask(Example("drawn", "disc", shown.picture, truth), GRADIENTS, GradientModel())
    assert mask is not None
    assert (mask.verdict, mask.hits("right")) == ("good", True)


def test_what_is_found_among_the_worst():
    p, wrong = np.arange(10) / 10, np.array([True, False, True] + [False] * 7)
    assert found_in_worst(p, wrong, 0.1) == 0.5
    assert found_in_worst(p, wrong, 0.3) == 1.0
