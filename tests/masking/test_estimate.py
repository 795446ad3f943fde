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


def test_no_good_photograph_of_the_75_is_more_probably_wrong_than_right():
    assert [name for name, is_right, figures in judged() if is_right and estimate(figures, "u2net").right < 0.5] == []


def test_no_contour_is_surely_wrong():
    assert estimate(None, "u2net") == Estimate(0.0, 0.0)


def odds_of_wrong(figures: EstimateFigures, tier: str) -> float:
    right = estimate(figures, tier).right
    return (1 - right) / right


@pytest.mark.parametrize("tier", ["u2net", "u2netp"])
def test_what_speaks_against_a_mask_lowers_its_estimate(tier):
    assert estimate(firm(), tier).right > 0.95
    odds = odds_of_wrong(firm(), tier)
    torn = {"largest": 0.4, "parts": 3.0}
    soft = {"uncertain": 0.3, "unsettled": 0.6, "levels": 0.6}
    # A trace of another thing, as a network answers it: no figure of plain probabilities sees it.
    traces = {"outside_high": -4.0, "outside_peak": -1.0, "far_peak": -1.5, "second": -2.0, "second_peak": -1.0}
    unsure_within = {"rim_low": 1.0, "inside_low": 2.0, "inside_middle": 5.0, "core_low": 3.0, "narrower": 0.2}
    for fault in (torn, {"faint": 0.8, "alike_outside": 0.8}, soft, traces, unsure_within):
        assert odds_of_wrong(replace(firm(), **fault), tier) > 1.5 * odds, fault
    assert estimate(replace(firm(), **torn, **soft, **traces, **unsure_within), tier).right < 0.7


@pytest.mark.parametrize("tier", ["u2net", "u2netp"])
def test_the_mirrored_answer_speaks_for_a_mask_or_against_it(tier):
    agreeing = replace(firm(), mirrored=0.98, mirrored_difference=0.02)
    contradicting = replace(firm(), mirrored=0.4, mirrored_difference=0.8)
    assert odds_of_wrong(contradicting, tier) > 4 * odds_of_wrong(agreeing, tier)


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
