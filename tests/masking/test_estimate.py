import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vivid_assets.imaging.matte.estimate_figures import EstimateFigures
from vivid_assets.masking.estimate import Estimate, estimate, is_learned

JUDGED = Path(__file__).with_name("judged_photographs.csv")
"""U²-Net's masks of 75 photographs as a person judged them by eye, and their figures; the pictures lie elsewhere."""


def judged() -> list[tuple[str, bool, EstimateFigures | None]]:
    found = []
    with JUDGED.open(newline="") as file:
        for row in csv.DictReader(file):
            values = {name: row[name] for name in EstimateFigures.__dataclass_fields__}
            figures = None
            if any(values.values()):
                figures = EstimateFigures(**{name: float(text or "nan") for name, text in values.items()})
            found.append((row["picture"], row["judgement"] == "right", figures))
    return found


def firm() -> EstimateFigures:
    """A product on paper: the surest of the photographs that a person found right."""
    right = [figures for _, is_right, figures in judged() if is_right and figures]
    return max(right, key=lambda figures: estimate(figures, "u2net").right)


def test_of_75_photographs_at_most_three_wrong_masks_lie_outside_the_worst_20():
    rows = sorted(judged(), key=lambda row: estimate(row[2], "u2net").right)
    assert len(rows) == 75
    missed = [name for name, is_right, _ in rows[20:] if not is_right]
    assert sum(not is_right for _, is_right, _ in rows) >= 12
    assert len(missed) <= 3, missed


def test_no_contour_is_surely_wrong():
    assert estimate(None, "u2net") == Estimate(0.0, 0.0)


@pytest.mark.parametrize("tier", ["u2net", "u2netp"])
def test_what_speaks_against_a_mask_lowers_its_estimate(tier):
    sure = estimate(firm(), tier).right
    assert sure > 0.9
    assert estimate(replace(firm(), largest=0.4, parts=3.0), tier).right < sure
    assert estimate(replace(firm(), faint=0.8, alike_outside=0.8), tier).right < sure
    assert estimate(replace(firm(), uncertain=0.3, unsettled=0.6, levels=0.6), tier).right < sure
    faults = {"largest": 0.4, "parts": 3.0, "faint": 0.8, "uncertain": 0.3, "unsettled": 0.6, "levels": 0.6}
    assert estimate(replace(firm(), **faults), tier).right < sure - 0.4


@pytest.mark.parametrize("tier", ["u2net", "u2netp"])
def test_the_mirrored_answer_speaks_for_a_mask_or_against_it(tier):
    agreeing = replace(firm(), mirrored=0.98, mirrored_difference=0.02)
    contradicting = replace(firm(), mirrored=0.4, mirrored_difference=0.8)
    assert estimate(contradicting, tier).right < estimate(agreeing, tier).right - 0.1


def test_a_strange_tier_is_judged_as_a_network_is():
    assert is_learned("u2net")
    assert is_learned("gradients")
    assert not is_learned("of-somebody-else")
    assert 0.0 < estimate(firm(), "of-somebody-else").right < 1.0


def test_figures_far_from_any_that_were_learned_give_a_probability_all_the_same():
    wild = EstimateFigures(*np.full(len(EstimateFigures.__dataclass_fields__), 1e6))
    for figures in (wild, replace(wild, mirrored=float("nan"), mirrored_difference=float("nan"))):
        found = estimate(figures, "u2netp")
        assert 0.0 <= found.right <= 1.0
        assert 0.0 <= found.edge_right <= 1.0
