from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from resources.store.store import Store
from vivid_assets.review.judgements import (
    Label,
    Present,
    calibration,
    keep,
    kept,
    of_present,
    read_judgements,
    take_back,
)

CSV = b'"picture","judgement","right"\r\n"./=a.png","wrong","0.4"\r\n"b, c.png","RIGHT"," 0.8"\r\nd.png,right,\r\n'


def drawn(count: int, true_odds, seed: int = 0) -> list[Label]:
    """Labels of masks whose chance to be right follows ``true_odds`` of the estimate's log odds."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, count)
    chance = 1 / (1 + np.exp(-true_odds(np.log(p / (1 - p)))))
    return [Label(f"{k}.png", bool(rng.random() < chance[k]), float(p[k])) for k in range(count)]


def test_lines_become_labels_with_what_the_page_showed():
    found = read_judgements(CSV, where="judgements.csv")
    # d.png has no estimate: it is a mask that a person gave.
    assert found == [Label("=a.png", False, 0.4), Label("b, c.png", True, 0.8)]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"picture\r\na.png\r\n", "has no column judgement"),
        (b"picture,judgement\r\na.png,wrong\r\n", "has no column right"),
        (b"picture,judgement,right\r\na.png,good,0.4\r\n", "line 2: judgement is 'good', and not right or wrong"),
        (b"picture,judgement,right\r\na.png,wrong,7\r\n", "line 2: right is '7', and no probability"),
        (b"picture,judgement,right\r\n\xff.png,wrong\r\n", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_line(data, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_judgements(data, where="judgements.csv")


def test_labels_are_kept_and_the_later_word_holds(tmp_path):
    store = Store(root=str(tmp_path))
    first = [Label("a.png", True, 0.4), Label("b.png", True, 0.8)]
    assert keep(store, "spring", first) == first
    # Judged again, and judged once more when its mask was another.
    both = keep(store, "spring", [Label("a.png", False, 0.4), Label("b.png", False, 0.1)])
    assert both == [Label("a.png", False, 0.4), Label("b.png", True, 0.8), Label("b.png", False, 0.1)]
    assert kept(store, "spring") == both
    assert kept(store, "autumn") == []


def test_what_is_taken_back_is_no_label_and_an_earlier_masks_stays(tmp_path):
    store = Store(root=str(tmp_path))
    keep(store, "spring", [Label("a.png", True, 0.4), Label("a.png", False, 0.1), Label("b.png", True, 0.4)])
    left = take_back(store, "spring", "a.png", 0.4)
    assert left == [Label("a.png", False, 0.1), Label("b.png", True, 0.4)] == kept(store, "spring")


def test_labels_are_of_present_masks_or_left_out_for_a_reason():
    labels = [Label(f"{name}.png", True, 0.4) for name in ("same", "fewer digits", "other", "stale", "given", "gone")]
    estimates = {"same.png": 0.4, "fewer digits.png": 0.4000000001, "other.png": 0.5, "stale.png": 0.4}
    estimates |= {"given.png": None}
    found = of_present(labels, estimates, {"stale.png"})
    assert found == Present(labels[:2], remade=1, stale=1, gone=2)


def test_labels_of_several_people_at_once_are_all_kept(tmp_path):
    store = Store(root=str(tmp_path))
    labels = [Label(f"{k}.png", True, 0.5) for k in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda label: keep(store, "spring", [label]), labels))
    assert sorted(kept(store, "spring"), key=labels.index) == labels


def test_an_estimate_that_means_what_it_says_keeps_the_threshold():
    found = calibration(drawn(2000, lambda odds: odds))
    assert found.error < 0.05
    assert found.expected_wrong == pytest.approx(found.wrong, rel=0.1)
    assert found.min_right == pytest.approx(0.5, abs=0.05)


def test_an_estimate_that_is_too_sure_gets_a_higher_threshold():
    # Right is as probable as wrong where the estimate says 0.8.
    found = calibration(drawn(2000, lambda odds: odds - np.log(4)))
    assert found.error > 0.1
    assert found.expected_wrong < found.wrong
    assert found.min_right == pytest.approx(0.8, abs=0.05)


def test_a_perfect_order_finds_the_wrong_ones_first():
    labels = [Label(f"{k}.png", k >= 10, k / 100) for k in range(100)]
    assert calibration(labels).found == {0.1: 1.0, 0.2: 1.0}
    assert calibration([Label("a.png", True, 0.9)]).found == {}


def test_few_labels_fit_no_threshold():
    assert calibration(drawn(19, lambda odds: odds)).min_right is None


def test_labels_that_contradict_the_estimate_do_not_turn_the_threshold_around():
    found = calibration(drawn(500, lambda odds: -odds))
    assert found.min_right == 0.5
