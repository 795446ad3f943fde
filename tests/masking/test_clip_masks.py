import tracemalloc

import cv2
import numpy as np
import pytest

from resources.errors import ModelUnavailable
from vivid_assets.imaging.matte.quality import GOOD
from vivid_assets.masking.clip_masks import ClipMasks
from vivid_assets.masking.ladder_settings import LadderSettings
from vivid_assets.masking.model import Tier

SIZE = 96, 128


def clip(frames=10, seed=0):
    """A disc that walks over a busy background while the camera pans, and where it is."""
    wide = cv2.resize(
        np.random.default_rng(seed).integers(40, 215, (12, 32, 3), np.uint8), (256, 96), interpolation=cv2.INTER_LINEAR
    )
    made, truth = [], []
    for index in range(frames):
        frame, where = wide[:, 4 * index : 4 * index + 128].copy(), np.zeros(SIZE, np.uint8)
        cv2.circle(where, (40 + 3 * index, 48), 20, 1, -1)
        frame[where > 0] = (230, 30, 30)
        cv2.circle(frame, (36 + 3 * index, 44), 6, (40, 200, 60), -1)
        made.append(frame)
        truth.append(where > 0)
    return made, truth


class Model:
    """Sees the disc by its colours, but not in some frames; ``asked`` are the sizes that it was asked for."""

    def __init__(self, blind=()):
        self.blind, self.asked = set(blind), []

    def probabilities(self, images):
        found = []
        for image in images:
            number = len(self.asked)
            self.asked.append(image.shape)
            red = (image[..., 0] > 215) & (image[..., 1] < 60) | ((image[..., 1] > 185) & (image[..., 0] < 60))
            closed = cv2.morphologyEx(red.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
            found.append((closed * 0.98 if number not in self.blind else closed * 0).astype(np.float32))
        return found


def masks_of(frames, *models):
    tiers = [Tier(f"tier{number}", lambda model=model: model, "1") for number, model in enumerate(models)]
    maker = ClipMasks(tiers, LadderSettings(), 1024)
    return list(maker.masks(frames, lambda step, frame: None)), maker


def overlap(alpha, truth):
    return ((alpha > 0.5) & truth).sum() / ((alpha > 0.5) | truth).sum()


def test_each_frame_has_a_mask_of_its_own():
    frames, truth = clip()
    made, _ = masks_of(frames, Model())
    assert [mask.verdict for mask in made] == [GOOD] * 10
    assert min(overlap(mask.alpha, where) for mask, where in zip(made, truth, strict=True)) > 0.85


def test_a_frame_in_which_the_subject_is_lost_is_bridged_and_flagged():
    frames, truth = clip()
    made, _ = masks_of(frames, Model(blind={4, 5}))
    assert [index for index, mask in enumerate(made) if mask.flagged] == [4, 5]
    assert made[4].verdict == "empty"
    assert min(overlap(made[index].alpha, truth[index]) for index in (4, 5)) > 0.8


def test_a_lost_subject_is_looked_for_where_its_neighbours_have_it():
    frames, _ = clip()
    model = Model(blind={4})
    masks_of(frames, model)
    assert len(model.asked) == 12  # a frame each, and two closer looks
    # Enlarged twice, but a part of the frame.
    assert min(width for _, width, _ in model.asked[10:]) < 1.7 * SIZE[1]


def test_scenes_do_not_mix():
    one, _ = clip(6)
    other = [np.full((*SIZE, 3), 90, np.uint8)] * 6
    model = Model()
    made, _ = masks_of(one + other, model)
    assert [mask.scene for mask in made] == [0] * 6 + [1] * 6
    # The second scene has nothing red, whatever the first one had.
    assert max(mask.alpha.max() for mask in made[6:]) < 0.5
    assert all(mask.flagged for mask in made[6:])


def test_the_next_tier_is_asked_when_one_sees_no_subject():
    frames, truth = clip()
    made, maker = masks_of(frames, Model(blind=range(100)), Model())
    assert {mask.tier for mask in made} == {"tier1"}
    assert "tier tier0 sees the subject in 0% of the frames" in maker.notes
    assert overlap(made[3].alpha, truth[3]) > 0.85


def test_a_frame_for_which_the_tier_breaks_is_bridged():
    frames, truth = clip()

    class Broken(Model):
        def probabilities(self, images):
            found = super().probabilities(images)
            return [ValueError("no such picture")] if len(self.asked) == 4 else found

    made, _ = masks_of(frames, Broken())
    assert (made[3].verdict, made[3].reason) == ("broke", "no such picture")
    assert overlap(made[3].alpha, truth[3]) > 0.8


def test_a_matte_is_not_stretched():
    frames, truth = clip()

    class Glass(Model):
        def probabilities(self, images):
            found = super().probabilities(images)
            for alpha in found:
                alpha[:, :64] *= 0.9  # a probability of 0.9 is subject, an alpha of 0.9 is not all of it
            return found

    made = list(ClipMasks([Tier("glass", Glass, "1", answers="matte")], LadderSettings(), 1024).masks(frames, _nothing))
    assert made[0].alpha[48, 40] < 0.95
    assert overlap(made[0].alpha, truth[0]) > 0.85


def test_no_tier_and_no_frames_are_errors():
    def absent():
        raise ModelUnavailable("no weights here")

    maker = ClipMasks([Tier("absent", absent, "1")], LadderSettings(), 1024)
    with pytest.raises(ModelUnavailable, match="no weights here"):
        list(maker.masks(clip(3)[0], lambda step, frame: None))
    with pytest.raises(ValueError, match="no frames"):
        masks_of([], Model())


class Drawn:
    """As many frames as asked for, drawn anew each time."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        background = np.random.default_rng(0).integers(60, 200, (96, 128, 3), np.uint8)
        for index in range(self.count):
            frame = background.copy()
            cv2.circle(frame, (30 + index % 60, 48), 20, (230, 30, 30), -1)
            yield frame


def peak(count):
    tracemalloc.start()
    made = sum(1 for _ in ClipMasks([Tier("red", Model, "1")], LadderSettings(), 1024).masks(Drawn(count), _nothing))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made == count
    return most


def _nothing(step, frame):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("count", [250, pytest.param(1000, marks=pytest.mark.soak)])
def test_memory_does_not_grow_with_the_clip(count):
    peak(20)  # what is imported and compiled
    assert peak(count) < 1.1 * peak(100)


def test_what_never_moves_beside_the_subject_is_left_out_and_said():
    behind = cv2.resize(np.random.default_rng(0).integers(60, 190, (12, 16, 3), np.uint8), SIZE[::-1])
    # A second disc that looks like the first, beside its way and touching it in the middle.
    cv2.circle(behind, (64, 66), 14, (230, 30, 30), -1)
    frames, truth = [], []
    for number in range(12):
        frame, where = behind.copy(), np.zeros(SIZE, np.uint8)
        cv2.circle(where, (24 + 7 * number, 36), 18, 1, -1)
        frame[where > 0] = (230, 30, 30)
        frame[where > 0] -= (np.indices(SIZE).sum(axis=0) // 4 % 2 * 12)[where > 0].astype(np.uint8)[:, None]
        frames.append(frame)
        truth.append(where > 0)
    masks, maker = masks_of(frames, Model())
    assert min(overlap(mask.alpha, where) for mask, where in zip(masks, truth, strict=True)) > 0.85
    assert max(float(mask.alpha[76, 64]) for mask in masks) < 0.1
    assert any("never moves" in note for note in maker.notes)


def test_what_stands_still_and_moves_on_as_one_thing_stays_one():
    behind = cv2.resize(np.random.default_rng(0).integers(60, 190, (12, 16, 3), np.uint8), SIZE[::-1])
    frames = []
    for number in range(12):
        frame = behind.copy()
        # A body, and an arm of its colour that swings.
        frame[30:, 20:60] = (230, 30, 30)
        cv2.line(frame, (55, 50), (100, 30 + 4 * number), (230, 30, 30), 14)
        frames.append(frame)
    masks, maker = masks_of(frames, Model())
    assert min(float(mask.alpha[70, 30]) for mask in masks) > 0.9
    assert not any("never moves" in note for note in maker.notes)


def hand_beside_a_product(count=12):
    """A disc that stands, and beside it a striped arm that reaches in from the right."""
    frames = []
    for number in range(count):
        frame = cv2.resize(np.random.default_rng(0).integers(60, 190, (12, 16, 3), np.uint8), SIZE[::-1])
        cv2.circle(frame, (40, 56), 18, (230, 30, 30), -1)
        across = 72 + 4 * abs(11 - number % 22)
        frame[40:60, across:] = (230, 30, 30)
        frame[40:60, across::3] = (200, 20, 50)
        frames.append(frame)
    return frames


def test_a_product_stands_beside_a_hand_that_reaches_in():
    masks, maker = masks_of(hand_beside_a_product(), Model())
    assert min(float(mask.alpha[56, 40]) for mask in masks) > 0.9
    assert not any("never moves" in note for note in maker.notes)


def test_what_a_tier_misses_at_times_of_a_subject_that_stands_stays():
    frames = hand_beside_a_product()

    class Moody(Model):
        def probabilities(self, images):
            answers = super().probabilities(images)
            for image, answer in zip(images, answers, strict=True):
                if any(np.array_equal(image, frame) for frame in frames[::3]):
                    answer[:, :64] = 0
            return answers

    masks, _ = masks_of(frames, Moody())
    assert min(float(mask.alpha[56, 40]) for mask in masks) > 0.9


def test_what_a_tier_misses_for_long_of_a_subject_that_stands_stays():
    """Longer than the frames each way that smoothing looks at: most frames of the scene decide."""
    frames = hand_beside_a_product(54)

    class Late(Model):
        def probabilities(self, images):
            first = len(self.asked)
            answers = super().probabilities(images)
            for number, answer in enumerate(answers, start=first):
                if number < 22:
                    answer[:, :64] = 0
            return answers

    masks, _ = masks_of(frames, Late())
    assert min(float(mask.alpha[56, 40]) for mask in masks) > 0.9
