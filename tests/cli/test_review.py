"""``vivid review calibrate`` as a person runs it."""

import json
import logging

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from resources.errors import ModelUnavailable
from resources.store.store import Store
from vivid_assets.assets.masks import MASKS
from vivid_assets.catalogue.ledger import live_pictures, shards_of
from vivid_assets.catalogue.progress import note_progress
from vivid_assets.cli.main import app
from vivid_assets.rows.tables import newest_number, read_rows, write_rows
from vivid_assets.settings import Settings
from vivid_assets.stages.stage import Shard


@pytest.fixture
def vivid(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    monkeypatch.setenv("VIVID_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, code=0):
        ran = CliRunner().invoke(app, arguments)
        assert ran.exit_code == code, ran.output
        return ran.output

    run("catalogue", "add", "spring", str(tmp_path / "pictures"))
    return run


def judged(count: int, wrong: int, right: float, of: float | None = None) -> str:
    lines = [f"{of or right}-{k}.png,{'wrong' if k < wrong else 'right'},{right}" for k in range(count)]
    return "\n".join(["picture,judgement,right", *lines, ""])


@pytest.fixture
def made(vivid, tmp_path):
    """``made({0.6: 50})``: fifty masks are there whose estimate is 0.6, of pictures that are named for it."""
    store = Store(root=str(tmp_path / "store"))

    def make(counts: dict[float, int], shift: float = 0.0, version: str = MASKS.version) -> None:
        for right, count in counts.items():
            for k in range(count):
                (tmp_path / "pictures" / f"{right}-{k}.png").write_bytes(f"{right} {k}".encode())
        vivid("catalogue", "scan", "spring")
        (shard,) = shards_of(store, "spring")
        live = [one["picture"] for one in live_pictures(store, shard)]
        common = {"rendition": "", "status": "ok", "transient": False, "key": "", "seconds": 0.0, "sizes": []}
        rows = [common | {"picture": name, "right": float(name.partition("-")[0]) + shift} for name in live]
        write_rows(store, MASKS, shard, rows, after=newest_number(store, "masks", shard))
        with MASKS.at_work(Shard(shard, store, Settings(), logging.getLogger())) as work:
            made_with = work.made_with([]) if version == MASKS.version else version
        note_progress(store, shard, "masks", {"made_with": made_with, "uses": []})

    return make


def test_judgements_are_compared_with_the_estimates_and_fit_a_threshold(vivid, made, tmp_path):
    made({0.6: 50, 0.95: 50})
    # Of masks that are said to be right by 60 % nine in ten are wrong; of those by 95 % none.
    (tmp_path / "pictures" / "judgements.csv").write_text(judged(50, 45, 0.6))
    (tmp_path / "page.csv").write_text(judged(50, 0, 0.95))
    said = vivid("review", "calibrate", "spring", str(tmp_path / "page.csv"))
    assert "Judged masks of spring: 100, of which 45 wrong." in said
    assert "Expected by the estimates: 22.5 wrong" in said
    assert "The 20% least sure masks contain 44% of the wrong ones" in said
    threshold = float(said.split("min_right = ")[1])
    assert 0.65 < threshold < 0.9
    # Kept: the files may go. Said again, nothing is counted twice.
    (tmp_path / "pictures" / "judgements.csv").unlink()
    assert vivid("review", "calibrate", "spring").split("min_right = ")[1] == said.split("min_right = ")[1]
    assert "of spring: 100," in vivid("review", "calibrate", "spring", str(tmp_path / "page.csv"))
    assert not (tmp_path / "pictures" / "catalogue.toml").exists(), "nothing is set without a person"


def test_what_cannot_be_used_is_refused_in_a_sentence(vivid, tmp_path):
    assert "There are no judgements of spring's masks" in vivid("review", "calibrate", "spring", code=1)
    (tmp_path / "bad.csv").write_text("picture,judgement,right\na.png,perhaps,0.4\n")
    said = vivid("review", "calibrate", "spring", str(tmp_path / "bad.csv"), code=1)
    assert "line 2: judgement is 'perhaps', and not right or wrong" in said
    assert "no threshold" not in said


def test_judgements_of_other_masks_than_the_present_ones_are_left_out_and_counted(vivid, made, tmp_path):
    made({0.6: 50, 0.95: 50})
    (tmp_path / "page.csv").write_text(judged(50, 45, 0.6))
    vivid("review", "calibrate", "spring", str(tmp_path / "page.csv"))
    # Another version of the stage is surer of the same masks, which people then judge again, but for five.
    made({}, shift=0.02)
    (tmp_path / "page.csv").write_text(judged(45, 45, 0.62, of=0.6) + judged(50, 0, 0.97, of=0.95).partition("\n")[2])
    (tmp_path / "pictures" / "0.95-0.png").unlink()
    vivid("catalogue", "scan", "spring")
    said = vivid("review", "calibrate", "spring", str(tmp_path / "page.csv"))
    assert "Judged masks of spring: 94, of which 45 wrong." in said
    assert "Left out: 50 judgements of masks that were made or estimated anew since." in said
    assert "Left out: 1 judgement of pictures that are gone" in said
    assert "Expected by the estimates: 18.6 wrong" in said
    # Until its runs have been through, a shard has the estimates of the version before.
    made({}, shift=0.02, version="an earlier one")
    said = vivid("review", "calibrate", "spring", code=1)
    assert "No judgement is of a mask that spring has now." in said
    assert "of masks that are out of date. Have them made first: vivid catalogue run spring" in said


def test_where_a_stage_could_not_run_it_is_said_that_stale_masks_count(vivid, made, tmp_path, monkeypatch):
    made({0.6: 50})
    (tmp_path / "page.csv").write_text(judged(50, 45, 0.6))

    def missing(*_):
        raise ModelUnavailable("the weights are not on this machine")

    monkeypatch.setattr(type(MASKS), "at_work", missing)
    said = vivid("review", "calibrate", "spring", str(tmp_path / "page.csv"))
    assert "could not be told here: a model that the settings ask for is not on this machine." in said


def test_few_judgements_fit_nothing(vivid, made, tmp_path):
    made({0.8: 5})
    (tmp_path / "page.csv").write_text(judged(5, 1, 0.8))
    said = vivid("review", "calibrate", "spring", str(tmp_path / "page.csv"))
    assert "needs at least 20 judgements" in said
    assert "min_right" not in said


def test_a_line_that_names_no_estimate_is_no_word_on_whichever_mask_there_is(vivid, made, tmp_path):
    made({0.8: 2})
    (tmp_path / "pictures" / "judgements.csv").write_text("picture,judgement\n0.8-0.png,right\n")
    said = vivid("review", "calibrate", "spring", code=1)
    assert "has no column right; the review page's Save CSV writes it." in said
    assert not (tmp_path / "store" / "judgements").exists(), "no label"


@pytest.mark.slow
def test_what_is_judged_on_the_page_counts_until_the_mask_is_made_anew(vivid, tmp_path, monkeypatch):
    settings = tmp_path / "vivid.toml"
    settings.write_text('[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n')
    monkeypatch.setenv("VIVID_SETTINGS", str(settings))
    grain = np.random.default_rng(0).normal(0, 3, (160, 160, 3))
    picture = np.full((160, 160, 3), 215, np.uint8)
    cv2.circle(picture, (80, 80), 50, (30, 40, 180), -1, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "pictures" / "a.jpg"), np.uint8(np.clip(picture + grain, 0, 255)))
    vivid("catalogue", "run", "spring")
    (row,) = read_rows(Store(root=str(tmp_path / "store")), MASKS, "spring-00000").values()
    # As a spreadsheet keeps it.
    lines = f"picture,judgement,right\na.jpg,right,{row['right']:.12g}\n"
    (tmp_path / "pictures" / "judgements.csv").write_text(lines)
    assert "of spring: 1, of which 0 wrong" in vivid("review", "calibrate", "spring")
    (kept,) = (tmp_path / "store" / "judgements").iterdir()
    assert json.loads(kept.read_text())["picture"] == "a.jpg"
    settings.write_text(settings.read_text().replace("[masks]", "[masks]\nstretch_low = 0.2"))
    assert "1 judgement of masks that are out of date" in vivid("review", "calibrate", "spring", code=1)
