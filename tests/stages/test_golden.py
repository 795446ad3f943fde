"""A stage's version is tied to its results: who changes what a stage makes has to raise it, or old rows would stay.

``golden.json`` has what each stage made of four small pictures at its version: numbers and words of its rows, and its
files as coarse grids. Other machines may round otherwise, so numbers are compared with some room.

    VIVID_GOLDEN=write .venv/bin/pytest tests/stages/test_golden.py -m slow

writes it anew, which it refuses for a stage with other results and the same version.
"""

import json
import logging
import math
import os
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from resources.clip.open_clip import OpenClip
from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register
from vivid_assets.masking.gradient_tier import gradient_tier
from vivid_assets.masking.model import Tier
from vivid_assets.rows.tables import read_rows
from vivid_assets.settings import parse_settings
from vivid_assets.stages.stage import Shard, all_stages

GOLDEN = Path(__file__).with_name("golden.json")
ASIDE = {"picture", "rendition", "key", "seconds", "sizes", "environment", "error", "transient", "reused"}
"""What every row has, or depends on who came first."""
SENTENCES = {"notes", "broken_rules", "reason", "subject_reason", "tried", "degraded", "why", "unused_words"}
"""Words for people, which may be put better without a new version."""
GRID = 8
HOW_TO = "VIVID_GOLDEN=write .venv/bin/pytest tests/stages/test_golden.py -m slow"


def draw(folder: Path) -> None:
    """A product with a cast shadow, a drawing, a cut-out with transparency, and one whose mask is drawn by hand."""
    (folder / "overrides").mkdir(parents=True)
    y, x = np.mgrid[:96, :96].astype(np.float32)
    disc = np.clip(28 - np.hypot(y - 46, x - 48), 0, 1)[..., None]
    stain = np.sin(x / 5) * np.sin(y / 7)
    wall = np.array([206, 202, 190], np.float32) + (x / 16 + 2 * stain)[..., None]
    wall *= 1 - 0.3 * np.exp(-(((y - 80) / 6) ** 2) - ((x - 52) / 22) ** 2)[..., None]
    product = np.array([150, 46, 34], np.float32) + (20 * stain + x / 6)[..., None]
    photograph = np.clip(disc * product + (1 - disc) * wall, 0, 255).astype(np.uint8)
    save(folder / "product.jpg", photograph, quality=95)
    save(folder / "by-hand.png", photograph[:, ::-1])
    save(folder / "overrides/by-hand.png", (disc[:, ::-1, 0] * 255).astype(np.uint8))
    save(folder / "cut-out.png", np.dstack([photograph, (disc * 255).astype(np.uint8)]))
    paper = np.full((96, 96, 3), 250, np.uint8)
    cv2.ellipse(paper, (48, 48), (30, 18), 20, 0, 360, (20, 20, 30), 2, cv2.LINE_AA)
    cv2.line(paper, (24, 80), (72, 16), (20, 20, 30), 2, cv2.LINE_AA)
    save(folder / "drawing.png", paper)
    (folder / "catalogue.toml").write_text('prompt = "sage green paper, soft light from the left"\n')


def save(path: Path, picture: np.ndarray, **options: int) -> None:
    Image.fromarray(picture).save(path, **options)


class Bright:
    """A network in its place: softly, what is darker than the wall."""

    name, revision = "u2net", "1"

    def probabilities(self, images):
        return [cv2.GaussianBlur((image.mean(axis=2) < 150).astype(np.float32), (5, 5), 0) for image in images]


def seen(data: bytes) -> dict:
    """A picture as a grid of its levels, their spread, and how much there is of edges."""
    picture = np.asarray(Image.open(BytesIO(data))).astype(np.float32)
    planes = picture.reshape(*picture.shape[:2], -1)
    planes = planes / 257 if planes.max() > 255 else planes
    grid = cv2.resize(planes, (GRID, GRID), interpolation=cv2.INTER_AREA)
    steps = np.abs(np.diff(planes, axis=0)).mean() + np.abs(np.diff(planes, axis=1)).mean()
    return {
        "size": list(picture.shape),
        "grid": [round(float(level), 1) for level in grid.ravel()],
        "spread": round(float(planes.std()), 2),
        "edges": round(float(steps), 3),
    }


def as_golden(stage, row: dict, store: Store) -> dict:
    found = {}
    for name, value in row.items():
        if name in ASIDE | SENTENCES or value is None:
            continue
        if name in stage.files:
            found[name] = seen(store.read(value))
        elif isinstance(value, bytes):
            found[name] = seen(value)
        elif name == "figures":
            found[name] = json.loads(value)
        elif name != "composite":  # a path
            found[name] = value
    return found


@pytest.fixture
def made(tmp_path, monkeypatch):
    """By stage and picture: what the stages make now."""
    folder, store = tmp_path / "pictures", Store(root=str(tmp_path / "store"))
    draw(folder)
    monkeypatch.setattr(
        "vivid_assets.stages.masks.make_tiers", lambda *_: [Tier("u2net", Bright, "1"), gradient_tier()]
    )
    monkeypatch.setattr(OpenClip, "missing", lambda self: "CLIP is not on this machine.")
    scan(store, register(store, "spring", str(folder)))
    settings = parse_settings('[backgrounds]\ngenerator = "backdrop"\n', where="", overrides={})
    shard = Shard("spring-00000", store, settings, logging.getLogger())
    results = {}
    for stage in all_stages():
        with stage.at_work(shard) as work:
            work.run(live_pictures(store, shard.name))
        rows = read_rows(store, stage, shard.name)
        results[stage.name] = {name: as_golden(stage, row, store) for name, row in rows.items()}
    return json.loads(json.dumps(results))


def differences(found, golden, where="") -> list[str]:
    """Where two results differ by more than machines do."""
    if isinstance(golden, dict) and isinstance(found, dict):
        names = sorted({*golden} | {*found})
        return [one for name in names for one in differences(found.get(name), golden.get(name), f"{where} {name}")]
    if isinstance(golden, list) and isinstance(found, list) and len(golden) == len(found):
        pairs = zip(found, golden, strict=True)
        return [one for index, pair in enumerate(pairs) for one in differences(*pair, f"{where}[{index}]")]
    numbers = [isinstance(value, (int, float)) and not isinstance(value, bool) for value in (found, golden)]
    if all(numbers):
        room = 0.75 if "grid" in where else 0.02 + 0.01 * abs(golden)
        return [] if math.isclose(found, golden, rel_tol=0, abs_tol=room) else [f"{where}: {found}, not {golden}"]
    return [] if found == golden else [f"{where}: {found!r}, not {golden!r}"]


def changed(made, golden) -> dict[str, list[str]]:
    """By stage: other results than the golden ones, where they do not come from an earlier stage's."""
    found: dict[str, list[str]] = {}
    tainted: set[str] = set()
    for stage in all_stages():
        lines = differences(made[stage.name], golden.get(stage.name, {}).get("rows", {}))
        if {reads.stage.name for reads in stage.reads} & tainted:
            tainted.add(stage.name)
        elif lines:
            found[stage.name] = lines
            tainted.add(stage.name)
    return found


@pytest.mark.slow
def test_other_results_come_with_another_version(made):
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    versions = {stage.name: stage.version for stage in all_stages()}
    others = changed(made, golden)
    for stage, lines in others.items():
        assert golden.get(stage, {}).get("version") != versions[stage], (
            f"{stage} makes other results than its version {versions[stage]} did: raise the version in "
            f"vivid_assets/assets/{stage}.py, then: {HOW_TO}\n" + "\n".join(lines[:20])
        )
    if os.environ.get("VIVID_GOLDEN") == "write":
        # A line a picture, for a difference that can be read.
        stages = {name: {"version": versions[name], "rows": rows} for name, rows in made.items()}
        GOLDEN.write_text(as_text(stages))
        return
    assert {name: one["version"] for name, one in golden.items()} == versions, f"a version was raised: {HOW_TO}"


def as_text(stages: dict) -> str:
    blocks = []
    for name, one in stages.items():
        rows = ",\n".join(f"   {json.dumps(picture)}: {json.dumps(row)}" for picture, row in one["rows"].items())
        blocks.append(
            f' {json.dumps(name)}: {{\n  "version": {json.dumps(one["version"])},\n  "rows": {{\n{rows}\n  }}\n }}'
        )
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def test_what_is_only_rounded_otherwise_is_no_other_result_and_a_level_is():
    golden = {"mask": {"grid": [10.0, 200.0], "edges": 3.0}, "tier": "u2net"}
    assert differences({"mask": {"grid": [10.4, 199.6], "edges": 3.01}, "tier": "u2net"}, golden) == []
    assert len(differences({"mask": {"grid": [11.0, 200.0], "edges": 3.0}, "tier": "u2net"}, golden)) == 1
    assert len(differences({"mask": {"grid": [10.0, 200.0], "edges": 3.2}, "tier": "gradients"}, golden)) == 2
