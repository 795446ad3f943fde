"""``vivid review calibrate`` as a person runs it."""

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from vivid_assets.cli.main import app


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


def judged(count: int, wrong: int, right: float) -> str:
    lines = [f"{right}-{k}.png,{'wrong' if k < wrong else 'right'},{right}" for k in range(count)]
    return "\n".join(["picture,judgement,right", *lines, ""])


def test_judgements_are_compared_with_the_estimates_and_fit_a_threshold(vivid, tmp_path):
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
    (tmp_path / "bad.csv").write_text("picture,judgement\na.png,perhaps\n")
    said = vivid("review", "calibrate", "spring", str(tmp_path / "bad.csv"), code=1)
    assert "line 2: judgement is 'perhaps', and not right or wrong" in said
    assert "no threshold" not in said


def test_few_judgements_fit_nothing(vivid, tmp_path):
    (tmp_path / "page.csv").write_text(judged(5, 1, 0.8))
    said = vivid("review", "calibrate", "spring", str(tmp_path / "page.csv"))
    assert "needs at least 20 judgements" in said
    assert "min_right" not in said


@pytest.mark.slow
def test_a_line_without_an_estimate_takes_that_of_the_mask(vivid, tmp_path, monkeypatch):
    settings = tmp_path / "vivid.toml"
    settings.write_text('[masks]\ntiers = ["gradients"]\n[backgrounds]\ngenerator = "backdrop"\n')
    monkeypatch.setenv("VIVID_SETTINGS", str(settings))
    grain = np.random.default_rng(0).normal(0, 3, (160, 160, 3))
    picture = np.full((160, 160, 3), 215, np.uint8)
    cv2.circle(picture, (80, 80), 50, (30, 40, 180), -1, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "pictures" / "a.jpg"), np.uint8(np.clip(picture + grain, 0, 255)))
    vivid("catalogue", "run", "spring")
    (tmp_path / "pictures" / "judgements.csv").write_text("picture,judgement\na.jpg,right\nunknown.jpg,right\n")
    assert "of spring: 1, of which 0 wrong" in vivid("review", "calibrate", "spring")
    (kept,) = (tmp_path / "store" / "judgements").iterdir()
    assert json.loads(kept.read_text())["picture"] == "a.jpg"
