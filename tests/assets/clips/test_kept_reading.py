"""A first reading that is stopped anywhere goes on as if it had not been."""

import shutil

import cv2
import numpy as np
import pytest

from resources.errors import ModelUnavailable
from resources.store.store import Store
from tests.masking.test_clip_masks import SIZE, Model
from tests.masking.test_clip_masks import clip as panned
from tests.support.clips import save_frames
from vivid_assets.assets.masks import MASKS
from vivid_assets.imaging.io.video.folder import read_folder
from vivid_assets.masking.clip_masks import ClipMasks
from vivid_assets.masking.ladder_settings import LadderSettings
from vivid_assets.masking.model import Tier
from vivid_assets.stages.clips import kept
from vivid_assets.stages.clips.kept_reading import KeptReading
from vivid_assets.stages.clips.source import Pixels


class Killed(BaseException):
    """The process ends."""


def two_scenes():
    """A disc that walks above another that stands there, 32 frames, and behind a cut one before a camera that pans."""
    behind = cv2.resize(np.random.default_rng(0).integers(60, 190, (12, 16, 3), np.uint8), SIZE[::-1])
    cv2.circle(behind, (64, 66), 14, (230, 30, 30), -1)
    frames = []
    for number in range(32):
        frame = behind.copy()
        cv2.circle(frame, (24 + 84 * number // 32, 36), 18, (230, 30, 30), -1)
        frames.append(frame)
    return frames + panned(6, seed=5)[0]


class Dying(Model):
    """Asked about a frame it has seen ``left`` others before, it dies."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def probabilities(self, images):
        if len(self.asked) == self.left:
            raise Killed
        return super().probabilities(images)


class Late(Model):
    """Answers about five frames, half as sure, and cannot be loaded then."""

    def probabilities(self, images):
        if len(self.asked) >= 5:
            raise ModelUnavailable("its weights are damaged")
        return [found / 2 for found in super().probabilities(images)]


def read(folder, parts, place, *models):
    """The reading of the clip in ``folder`` by these models: what it leaves."""
    tiers = [Tier(f"tier{number}", lambda model=model: model, "1") for number, model in enumerate(models)]
    maker = ClipMasks(tiers, LadderSettings(), 1024)
    place.mkdir()
    frames = Pixels(read_folder(folder))
    survey = maker.survey(frames, place, lambda step, frame: None, kept=KeptReading(parts, frames, place))
    plates = [survey.plate(scene) for scene in range(len(survey.starts))]
    return {
        "starts": survey.starts,
        "verdicts": survey.verdicts,
        "overruled": survey.overruled,
        "frames": [survey.frame(number).tobytes() for number in range(survey.count)],
        "levels": [survey.levels(number).tobytes() for number in range(survey.count)],
        "plates": [plate and [part.tobytes() for part in plate.packed()] for plate in plates],
    }


@pytest.fixture
def folder(tmp_path):
    save_frames(tmp_path / "clip", two_scenes())
    return tmp_path / "clip"


def parts_in(path):
    return kept.Parts(Store(root=str(path)), "spring", MASKS, "0" * 16)


@pytest.mark.parametrize("stops", [(9,), (31,), (32,), (33,), (3, 30, 4), (32, 3)])
def test_it_ends_as_one_that_was_not_stopped(folder, tmp_path, monkeypatch, stops):
    monkeypatch.setattr(kept, "SECONDS", 0.0)
    whole = read(folder, parts_in(tmp_path / "one"), tmp_path / "whole", Dying(None))
    assert (whole["starts"], whole["overruled"]) == ([0, 32], True)
    assert [plate is None for plate in whole["plates"]] == [False, True]
    for number, stop in enumerate(stops):
        with pytest.raises(Killed):
            read(folder, parts_in(tmp_path / "other"), tmp_path / f"{number}", Dying(stop))
    model = Dying(None)
    assert read(folder, parts_in(tmp_path / "other"), tmp_path / "last", model) == whole
    assert len(model.asked) == 38 - sum(stops)


def test_what_was_read_is_neither_asked_nor_decoded_nor_looked_at_again(folder, tmp_path, monkeypatch):
    whole = read(folder, parts_in(tmp_path / "one"), tmp_path / "whole", Dying(None))
    begun = []
    monkeypatch.setattr(Pixels, "behind", lambda frames, count: begun.append(count))
    monkeypatch.setattr("vivid_assets.masking.clip_survey.clean_plate", lambda *_, **__: pytest.fail("it is kept"))
    again = read(folder, parts_in(tmp_path / "one"), tmp_path / "again", Dying(0))
    assert (again, begun) == (whole, [])


def test_what_a_tier_answered_before_it_broke_is_not_the_next_one_s(folder, tmp_path, monkeypatch):
    class Slow(Dying):
        """Its first three frames take long enough to be kept."""

        def probabilities(self, images):
            monkeypatch.setattr(kept, "SECONDS", 1e9 if len(self.asked) < 2 else 0.0)
            return super().probabilities(images)

    monkeypatch.setattr(kept, "SECONDS", 1e9)
    wanted = read(folder, parts_in(tmp_path / "one"), tmp_path / "whole", Late(), Dying(None))
    with pytest.raises(Killed):
        read(folder, parts_in(tmp_path / "other"), tmp_path / "first", Late(), Slow(4))
    monkeypatch.setattr(kept, "SECONDS", 1e9)
    assert read(folder, parts_in(tmp_path / "other"), tmp_path / "again", Late(), Dying(None)) == wanted


def test_what_is_taken_up_may_leave_the_store_meanwhile(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "SECONDS", 0.0)
    wanted = read(folder, parts_in(tmp_path / "one"), tmp_path / "whole", Dying(None))
    taken = KeptReading.scene

    def and_gone(reading, tier, first):
        found = taken(reading, tier, first)
        if found:
            shutil.rmtree(tmp_path / "one")
        return found

    monkeypatch.setattr(KeptReading, "scene", and_gone)
    assert read(folder, parts_in(tmp_path / "one"), tmp_path / "again", Dying(None)) == wanted


def test_behind_a_damaged_file_the_clip_is_read_again(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "SECONDS", 0.0)
    whole = read(folder, parts_in(tmp_path / "one"), tmp_path / "whole", Dying(None))
    path = next(path for path in sorted((tmp_path / "one").rglob("*.part")) if ".000020." in path.name)
    data = bytearray(path.read_bytes())
    data[200] ^= 255
    path.write_bytes(data)
    model = Dying(None)
    assert read(folder, parts_in(tmp_path / "one"), tmp_path / "again", model) == whole
    assert len(model.asked) == 38 - 20
