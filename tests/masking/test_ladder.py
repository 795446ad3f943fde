"""The ladder through its public face, with models that answer what the test says."""

import cv2
import numpy as np
import pytest

from resources.errors import MachineFault, ModelUnavailable
from vivid_assets.imaging.core.alpha import Alpha
from vivid_assets.imaging.matte.quality import Thresholds
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.ladder import Ladder
from vivid_assets.masking.ladder_settings import LadderSettings
from vivid_assets.masking.mask import SOURCE_ALPHA, MaskRequest
from vivid_assets.masking.model import Tier


class Says:
    """A model that answers by a function of the picture and counts what it was asked."""

    def __init__(self, name, answer):
        self.name, self.revision, self.answer, self.asked = name, "1", answer, []

    def probabilities(self, images):
        self.asked.append(len(images))
        return [self.answer(image) for image in images]

    @property
    def tier(self):
        return Tier(self.name, lambda: self, self.revision)


def firm(image):
    mask = np.zeros(image.shape[:2], np.float32)
    height, width = mask.shape
    mask[height // 4 : -height // 4, width // 4 : -width // 4] = 1
    return mask


def round_hole(image):
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    return (np.hypot(y - height / 2, 0.8 * (x - width / 2)) < height / 3).astype(np.float32)


def nothing(image):
    return np.zeros(image.shape[:2], np.float32)


def hazy(image):
    return 0.7 * firm(image)


def missing():
    raise ModelUnavailable("no weights here: run `vivid models pull best`")


@pytest.fixture
def photo():
    from skimage import data

    return data.chelsea()


def test_a_good_first_tier_ends_it(photo):
    best, second = Says("best", firm), Says("second", firm)
    (mask,) = Ladder([best.tier, second.tier]).masks([photo])
    assert (mask.tier, mask.verdict, mask.degraded, mask.review) == ("best", "good", None, False)
    assert second.asked == []
    assert mask.alpha.dtype == np.float32
    assert mask.alpha.shape == photo.shape[:2]


def test_only_the_refused_go_on(photo):
    best = Says("best", lambda image: firm(image) if image[0, 0, 0] else nothing(image))
    second = Says("second", firm)
    dark = photo.copy()
    dark[0, 0], photo[0, 0] = 0, 255
    masks = Ladder([best.tier, second.tier]).masks([photo, dark, photo])
    assert [mask.tier for mask in masks] == ["best", "second", "best"]
    assert (best.asked, second.asked) == ([3], [1])
    assert [record.verdict for record in masks[1].tried] == ["empty", "good"]
    assert all(record.reason for record in masks[1].tried)


def leaning(image):
    """Sure of a box on the left, whatever the picture; its edge is soft."""
    mask = np.zeros(image.shape[:2], np.float32)
    height, width = mask.shape
    mask[height // 4 : -height // 4, width // 8 : 3 * width // 8] = 1
    return cv2.GaussianBlur(mask, (0, 0), width / 90)


def test_a_soft_mask_that_the_mirrored_picture_contradicts_is_unstable(photo):
    best, second = Says("best", leaning), Says("second", firm)
    (mask,) = Ladder([best.tier, second.tier]).masks([photo])
    assert best.asked == [1, 1]
    assert [record.verdict for record in mask.tried] == ["unstable", "good"]
    assert "mirrored" in mask.tried[0].reason


def doubted(photo, tier, least):
    """The mask of a picture whose mask must be ``least`` probably right, and the same without a limit."""
    ladders = [Ladder([tier], LadderSettings(thresholds=Thresholds(min_right=limit))) for limit in (least, 0.0)]
    return [ladder.masks([photo])[0] for ladder in ladders]


def test_a_mask_that_is_more_probably_wrong_is_for_review_however_firm(photo):
    mask, unlimited = doubted(photo, Says("u2net", firm).tier, 0.99)
    assert (mask.verdict, mask.review) == ("doubtful", True)
    assert mask.reason == f"right with a probability of {mask.right:.2f}, least 0.99"
    assert (unlimited.verdict, unlimited.right) == ("good", mask.right)
    assert 0.0 < mask.right < 1.0
    assert 0.0 < mask.edge_right < 1.0
    assert np.array_equal(mask.alpha, unlimited.alpha)


def test_a_tier_whose_masks_were_not_learned_is_estimated_but_not_doubted(photo):
    mask, _ = doubted(photo, Says("of-somebody-else", firm).tier, 0.99)
    assert mask.verdict == "good"
    assert 0.0 < mask.right < 1.0


def sure_from(least, *tiers):
    """A ladder whose masks must be ``least`` probably right."""
    return Ladder([tier.tier for tier in tiers], LadderSettings(thresholds=Thresholds(min_right=least)))


def test_a_good_mask_that_is_too_probably_wrong_gives_way_to_another_networks(photo):
    first, second = Says("u2netp", round_hole), Says("of-somebody-else", firm)
    (mask,) = sure_from(0.999, first, second).masks([photo])
    assert [(one.tier, one.verdict) for one in mask.tried] == [("u2netp", "doubtful"), ("of-somebody-else", "good")]
    assert "right with a probability of" in mask.tried[0].reason
    assert (mask.tier, mask.verdict) == ("of-somebody-else", "good")
    (trusted,) = sure_from(0.0, first, second).masks([photo])
    assert (trusted.tier, second.asked) == ("u2netp", [1])


def test_of_two_doubtful_masks_the_more_probably_right_is_kept_whichever_was_first(photo):
    def aside(image):
        return np.roll(round_hole(image), image.shape[1] // 3, axis=1)

    alone = {answer: sure_from(0.0, Says("u2net", answer)).masks([photo])[0] for answer in (firm, aside)}
    assert alone[aside].right < alone[firm].right - 0.05
    for answers in ((firm, aside), (aside, firm)):
        tiers = [Says(name, answer) for name, answer in zip(("u2netp", "u2net"), answers, strict=True)]
        (mask,) = sure_from(0.999, *tiers).masks([photo])
        assert [one.verdict for one in mask.tried] == ["doubtful", "doubtful"]
        assert mask.tier == ("u2netp", "u2net")[answers.index(firm)]
        assert (mask.verdict, mask.review) == ("doubtful", True)


def test_where_no_other_network_can_be_asked_a_doubtful_mask_stays(photo):
    lacking = Tier("of-somebody-else", missing, missing="no weights here")
    ladder = Ladder(
        [Says("u2net", firm).tier, lacking, gradient_tier()], LadderSettings(thresholds=Thresholds(min_right=0.99))
    )
    (mask,) = ladder.masks([photo])
    assert [one.tier for one in mask.tried] == ["u2net"]
    assert (mask.tier, mask.verdict) == ("u2net", "doubtful")


def test_two_doubtful_masks_of_networks_do_not_give_way_to_one_by_colour_alone(photo):
    ladder = Ladder(
        [Says("u2net", firm).tier, Says("u2netp", round_hole).tier, gradient_tier()],
        LadderSettings(thresholds=Thresholds(min_right=0.999)),
    )
    (mask,) = ladder.masks([photo])
    assert [(one.tier, one.verdict) for one in mask.tried] == [("u2net", "doubtful"), ("u2netp", "doubtful")]
    assert mask.tier in ("u2net", "u2netp")


def test_a_mirrored_answer_counts_in_the_estimate(photo):
    # Both answer the picture alike; only one holds to it when the picture is mirrored.
    symmetric = Says("u2net", lambda image: cv2.GaussianBlur(round_hole(image), (0, 0), image.shape[1] / 110))
    asked = []

    def fickle(image):
        asked.append(image)
        answer = symmetric.answer(image)
        return answer if len(asked) % 2 else np.roll(answer, image.shape[1] // 4, axis=1)

    steady, unsteady = (doubted(photo, tier, 0.0)[0] for tier in (symmetric.tier, Says("u2net", fickle).tier))
    assert symmetric.asked == [1] * 4, "the picture and its mirror image, by two ladders"
    assert unsteady.verdict == "unstable"
    assert unsteady.right < steady.right - 0.1


def test_an_empty_mask_is_surely_wrong_and_a_given_one_is_not_estimated(photo):
    ladder = Ladder([Says("u2net", nothing).tier])
    (empty,) = ladder.masks([photo])
    (given,) = ladder.masks([photo], [MaskRequest(override=Alpha(firm(photo), "person"))])
    assert (empty.right, empty.edge_right) == (0.0, 0.0)
    assert (given.right, given.edge_right) == (None, None)


def test_a_second_look_that_breaks_leaves_the_first_and_says_so_and_costs_no_other(photo):
    broken = photo[:, ::-1]  # as the second look sees the first picture

    def breaks(image):
        if np.array_equal(image, broken):
            raise RuntimeError("again?")
        return leaning(image)

    other = photo[:200]
    first, second = Ladder([Says("best", breaks).tier]).masks([photo, other])
    assert (first.verdict, first.review) == ("good", True)
    assert first.degraded == "tier best broke on its second look: again?"
    assert (second.verdict, second.degraded) == ("unstable", None)


def test_no_memory_for_one_picture_is_the_machine_s_fault_and_not_the_picture_s(photo):
    def starving(image):
        raise MemoryError

    with pytest.raises(MemoryError):
        Ladder([Says("best", starving).tier, gradient_tier()]).masks([photo, photo])


def test_no_memory_for_a_batch_asks_for_one_after_the_other(photo):
    class Small(Says):
        def probabilities(self, images):
            if len(images) > 1:
                raise MemoryError
            return super().probabilities(images)

    masks = Ladder([Small("best", firm).tier]).masks([photo, photo])
    assert [mask.verdict for mask in masks] == ["good", "good"]


def test_two_doubtful_tiers_that_agree_are_believed(photo):
    (mask,) = Ladder([Says("best", hazy).tier, Says("second", hazy).tier]).masks([photo])
    assert (mask.tier, mask.verdict) == ("best", "agreed")
    assert "second" in mask.reason


def test_tiers_that_cannot_load_are_said_and_the_gradients_answer(photo):
    ladder = Ladder([Tier("best", missing), Tier("second", missing), gradient_tier()])
    (mask,) = ladder.masks([photo])
    assert mask.tier == "gradients"
    assert "vivid models pull best" in mask.degraded
    assert mask.review
    assert set(ladder.unavailable) == {"best", "second"}
    assert [record.verdict for record in mask.tried[:2]] == ["unavailable", "unavailable"]


def test_a_model_is_loaded_once_and_only_when_needed(photo):
    loads = []
    model = Says("second", firm)

    def load():
        loads.append(1)
        return model

    ladder = Ladder([Says("best", firm).tier, Tier("second", load)])
    ladder.masks([photo])
    assert loads == []
    ladder.masks([photo], [MaskRequest(tier="second")])
    ladder.masks([photo], [MaskRequest(tier="second")])
    assert loads == [1]


def test_a_tier_that_breaks_on_one_picture_costs_only_that_picture(photo):
    def picky(image):
        if image.shape[0] < 20:
            raise ZeroDivisionError("too thin")
        return firm(image)

    masks = Ladder([Says("best", picky).tier, gradient_tier()]).masks([photo, photo[:10], photo])
    assert [mask.tier for mask in masks] == ["best", "gradients", "best"]
    assert masks[1].tried[0].verdict == "broke"
    assert "too thin" in masks[1].degraded


@pytest.mark.parametrize(
    "answer",
    [
        lambda image: np.full(image.shape[:2], np.nan, np.float32),
        lambda image: np.zeros((3, 3), np.float32),
    ],
    ids=["nan", "wrong size"],
)
def test_a_senseless_answer_is_not_used(photo, answer):
    (mask,) = Ladder([Says("best", answer).tier, gradient_tier()]).masks([photo])
    assert mask.tier == "gradients"
    assert mask.degraded
    assert np.isfinite(mask.alpha).all()


def test_a_fault_of_the_machine_is_not_hidden(photo):
    def dead(image):
        raise MachineFault("the device is gone")

    with pytest.raises(MachineFault, match="gone"):
        Ladder([Says("best", dead).tier, gradient_tier()]).masks([photo])


def test_an_empty_picture_is_empty_not_noise():
    blank = np.full((100, 100, 3), 240, np.uint8)
    faint = Says("best", lambda image: np.full(image.shape[:2], 0.04, np.float32))
    (mask,) = Ladder([faint.tier, gradient_tier()]).masks([blank])
    assert mask.verdict == "empty"
    assert not mask.alpha.any()
    assert mask.review


def test_a_users_mask_is_used_as_it_is(photo):
    own = np.random.default_rng(0).random(photo.shape[:2], np.float32) * firm(photo)
    best = Says("best", firm)
    (mask,) = Ladder([best.tier]).masks([photo], [MaskRequest(override=Alpha(own, "person"))])
    assert (mask.tier, mask.verdict, mask.origin, mask.review) == ("override", "override", "person", False)
    assert best.asked == []
    np.testing.assert_array_equal(mask.alpha, own)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [(lambda m: 0 * m, "empty"), (lambda m: 0 * m + 1, "covers_all"), (lambda m: 1 - m, "inverted")],
)
def test_a_users_mask_that_looks_wrong_is_used_and_put_up_for_review(photo, change, verdict):
    mask_of = change(firm(photo))
    (mask,) = Ladder([Says("best", firm).tier]).masks([photo], [MaskRequest(override=Alpha(mask_of, "person"))])
    assert (mask.tier, mask.verdict, mask.review) == ("override", verdict, True)
    np.testing.assert_array_equal(mask.alpha, mask_of)


def test_a_cut_outs_own_transparency_is_its_mask(photo):
    best = Says("best", nothing)
    (mask,) = Ladder([best.tier]).masks([photo], [MaskRequest(override=Alpha(round_hole(photo), "own"))])
    assert (mask.tier, mask.verdict, mask.origin, mask.review) == (SOURCE_ALPHA, SOURCE_ALPHA, "own", False)
    assert best.asked == []


def test_transparency_that_is_only_packaging_is_dropped_by_name_and_the_tiers_see_what_it_shows(photo):
    height, width = photo.shape[:2]
    bars = np.ones((height, width), np.float32)
    bars[: height // 5] = bars[-(height // 5) :] = 0
    seen = []

    def look(image):
        seen.append(image.shape[:2])
        return firm(image)

    (mask,) = Ladder([Says("best", look).tier]).masks([photo], [MaskRequest(override=Alpha(bars, "own"))])
    assert seen[0] == (height - 2 * (height // 5), width)
    assert (mask.tier, mask.origin) == ("best", "probability")
    assert (mask.tried[0].tier, mask.tried[0].verdict) == (SOURCE_ALPHA, "packaging")
    assert "no cut-out" in mask.tried[0].reason
    assert not mask.alpha[bars == 0].any()
    assert mask.alpha.max() > 0.9


@pytest.mark.parametrize(("radius", "verdict"), [(0.2, "packaging"), (0.5, "disputed")])
def test_a_photograph_in_a_circle_is_asked_about(photo, radius, verdict):
    height, width = photo.shape[:2]
    y, x = np.mgrid[:height, :width]
    away = np.hypot(y - height / 2 + 0.5, x - width / 2 + 0.5) / min(height, width)
    best = Says("best", lambda image: (away < radius).astype(np.float32))
    circle = (away < 0.42).astype(np.float32)
    (mask,) = Ladder([best.tier]).masks([photo], [MaskRequest(override=Alpha(circle, "own"))])
    assert mask.tried[0].verdict == verdict
    assert (mask.origin == "own") == mask.review == (verdict == "disputed")
    assert not mask.alpha[circle == 0].any()
    plain = np.full_like(photo, (200, 60, 40))
    (ball,) = Ladder([best.tier]).masks([plain], [MaskRequest(override=Alpha(circle, "own"))])
    assert (ball.verdict, ball.origin) == (SOURCE_ALPHA, "own"), "a round thing"


def test_a_forced_tier_answers_whatever_its_verdict(photo):
    best = Says("best", firm)
    (mask,) = Ladder([best.tier, Says("second", hazy).tier, gradient_tier()]).masks(
        [photo], [MaskRequest(tier="second")]
    )
    assert (mask.tier, mask.verdict, best.asked) == ("second", "low_confidence", [])


def test_a_forced_tier_that_cannot_load_is_a_named_failure(photo):
    ladder = Ladder([Tier("best", missing), gradient_tier()])
    (mask,) = ladder.masks([photo], [MaskRequest(tier="best")])
    assert mask.verdict == "failed"
    assert "could not load" in mask.reason
    assert not mask.alpha.any()


def test_nothing_outside_a_subject_box(photo):
    height, width = photo.shape[:2]
    model = Says("best", lambda image: firm(image))
    (mask,) = Ladder([model.tier]).masks([photo], [MaskRequest(box=(0.5, 0.5, 1.0, 1.0))])
    assert mask.alpha.shape == (height, width)
    assert not mask.alpha[: height // 3, : width // 3].any()
    assert mask.alpha[int(0.75 * height), int(0.75 * width)] > 0.9


def test_a_mask_that_takes_in_a_patterned_wall_gives_way():
    picture = np.where((np.mgrid[:200, :200].sum(axis=0) // 16 % 2)[..., None] == 0, 220, 150).astype(np.uint8)
    picture = np.ascontiguousarray(np.broadcast_to(picture, (200, 200, 3)))
    picture[70:130, 90:110] = (200, 60, 40)
    says_wall = Says("best", lambda image: np.pad(np.ones((180, 180), np.float32), 10))
    (mask,) = Ladder([says_wall.tier]).masks([picture])
    assert mask.line_art_wall == "patterned"
    assert mask.alpha[100, 100] == 1
    assert mask.alpha[30, 30] == 0


def test_an_unknown_tier_or_a_wrong_count_is_refused(photo):
    ladder = Ladder([gradient_tier()])
    with pytest.raises(ValueError, match="not one of"):
        ladder.masks([photo], [MaskRequest(tier="best")])
    with pytest.raises(ValueError, match="requests"):
        ladder.masks([photo], [])
    with pytest.raises(ValueError, match="different names"):
        Ladder([gradient_tier(), gradient_tier()])


def test_the_revision_names_every_tier_and_loads_none():
    assert Ladder([Tier("best", missing, "abc"), gradient_tier()]).revision.startswith("best@abc+gradients@")


def hostile(index: int) -> np.ndarray:
    """One of endlessly many pictures that break careless code."""
    rng = np.random.default_rng(index)
    shape = [(1, 1), (1, 300), (300, 1), (2, 2), (7, 900), (64, 64), (5, 5), (120, 40)][index % 8]
    kind = index // 8 % 6
    if kind == 0:
        return np.full((*shape, 3), rng.integers(0, 256), np.uint8)
    if kind == 1:
        return rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    if kind == 2:
        return np.zeros((*shape, 3), np.uint8)
    if kind == 3:
        return rng.integers(0, 4, (*shape, 3), dtype=np.uint8)
    if kind == 4:
        picture = np.full((*shape, 3), 255, np.uint8)
        picture[rng.integers(0, shape[0]), rng.integers(0, shape[1])] = 0
        return picture
    return np.repeat(rng.integers(0, 256, (shape[0], 1, 3), dtype=np.uint8), shape[1], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [3 * 6 * 8, pytest.param(500, marks=pytest.mark.soak)])
def test_hostile_pictures(number):
    """Three of each kind and shape, at least."""
    unsure = Says("best", lambda image: np.random.default_rng(image.size).random(image.shape[:2], dtype=np.float32))
    ladder = Ladder([unsure.tier, gradient_tier()])
    pictures = [hostile(index) for index in range(number)]
    for picture, mask in zip(pictures, ladder.masks(pictures), strict=True):
        assert mask.alpha.shape == picture.shape[:2]
        assert np.isfinite(mask.alpha).all()
        assert ((mask.alpha >= 0) & (mask.alpha <= 1)).all()
        assert mask.verdict


def test_a_tier_that_is_not_installed_is_not_asked_marks_nothing_and_is_noted(photo):
    best = Tier("best", missing, missing="The weights of best are not here.")
    ladder = Ladder([best, Says("second", firm).tier])
    (mask,) = ladder.masks([photo])
    assert (mask.tier, mask.verdict, mask.degraded, mask.review) == ("second", "good", None, False)
    assert [(record.tier, record.verdict) for record in mask.tried] == [("best", "unavailable"), ("second", "good")]
    assert "best (The weights of best are not here). Masks are made by second." in ladder.note
    assert ladder.unavailable == {}
    assert Ladder([Says("second", firm).tier]).note is None


def test_a_forced_tier_that_is_not_installed_is_a_named_failure_of_its_picture(photo):
    ladder = Ladder([Tier("best", missing, missing="The weights of best are not here."), Says("second", firm).tier])
    asked, free = ladder.masks([photo, photo], [MaskRequest(tier="best"), None])
    assert (asked.verdict, asked.degraded) == ("failed", None)
    assert "tier best is not installed: The weights of best are not here." in asked.reason
    assert free.tier == "second"


def test_where_no_tier_can_be_asked_it_is_the_machine_and_not_the_pictures(photo):
    tiers = [Tier("best", missing, missing="Not here."), Tier("second", missing)]
    with pytest.raises(ModelUnavailable, match=r"No mask tier is available\. best: Not here\. second: no weights"):
        Ladder(tiers).masks([photo])
    # Who brings a mask needs no tier.
    own = Alpha(firm(photo), "person")
    (mask,) = Ladder(tiers).masks([photo], [MaskRequest(override=own)])
    assert mask.tier == "override"


def test_a_tier_that_breaks_on_each_of_its_first_pictures_is_asked_no_more(photo):
    def breaks(image):
        raise RuntimeError("gave up with -1")

    best = Says("best", breaks)
    ladder = Ladder([best.tier, Says("second", firm).tier])
    masks = ladder.masks([photo] * 4)
    assert [mask.tier for mask in masks] == ["second"] * 4
    assert all("failed on each of its first 3 pictures" in mask.degraded for mask in masks)
    assert "gave up with -1" in ladder.unavailable["best"]
    asked = len(best.asked)
    ladder.masks([photo])
    assert len(best.asked) == asked


@pytest.mark.parametrize("answers", ["matte", "probability"])
def test_a_matte_is_written_as_it_is_and_a_probability_is_brought_to_the_pictures_edges(photo, answers):
    soft = cv2.GaussianBlur(firm(photo), (0, 0), 6)
    model = Says("best", lambda image: soft)
    (mask,) = Ladder([Tier("best", lambda: model, "1", answers=answers)]).masks([photo])
    assert mask.origin == answers
    lost = np.abs(mask.alpha - soft)[(soft > 0.02) & (soft < 0.98)].mean()
    assert lost == 0 if answers == "matte" else lost > 0.02
