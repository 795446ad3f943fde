import pytest

from vivid_assets.review.look import DEGRADED, DOUBT, FAILURE, FINE, HALO
from vivid_assets.review.share import shared_out


def row(picture, rank=FINE, right=0.9, verdict="good"):
    return {"picture": picture, "rank": rank, "right": right, "verdict": verdict, "why": []}


def looked_at(rows):
    return [row["picture"] for row in rows if row["rank"] != FINE]


NIGHT = [
    row("fine", right=0.97),
    row("unsure", right=0.6),
    row("doubtful", DOUBT, 0.3, "doubtful"),
    row("unstable", DOUBT, 0.8, "unstable"),
    row("failed", FAILURE, None, None),
    row("empty", DOUBT, 0.0, "empty"),
    row("halo", HALO, 0.99),
    row("degraded", DEGRADED, 0.95),
    row("drawing", right=None),
    row("drawing in doubt", DOUBT, None, "disputed"),
]


def test_without_a_share_the_verdicts_say_what_is_looked_at_and_the_least_sure_comes_first():
    ordered = [row["picture"] for row in shared_out(NIGHT, None)]
    assert ordered == [
        "failed", "drawing in doubt", "empty", "doubtful", "unstable", "halo", "degraded", "unsure", "fine", "drawing",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("share", "besides"),
    [
        (0.0, []),
        (0.4, []),
        (0.5, ["drawing in doubt"]),
        (0.6, ["drawing in doubt", "doubtful"]),
        (0.7, ["drawing in doubt", "doubtful", "unsure"]),
        (0.8, ["drawing in doubt", "doubtful", "unsure", "unstable"]),
        (1.0, ["drawing in doubt", "doubtful", "unsure", "unstable", "fine", "drawing"]),
    ],
)
def test_a_share_holds_the_certain_faults_and_then_the_least_sure(share, besides):
    assert {*looked_at(shared_out(NIGHT, share))} == {"failed", "empty", "halo", "degraded", *besides}


def test_a_mask_that_only_the_share_asks_about_says_why():
    (unsure,) = (row for row in shared_out(NIGHT, 0.7) if row["picture"] == "unsure")
    assert unsure["rank"] == DOUBT
    assert unsure["why"] == ["The mask is among the least sure: right with a probability of 0.60."]


def test_nothing_is_asked_about_no_pictures():
    assert shared_out([], 0.5) == []
