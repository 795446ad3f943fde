"""docs/extending.md to the letter: its files, written as it says, work in a small catalogue."""

import json
import os
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from resources.masks.tiers import MASK_TIERS
from resources.registry import BrokenPlugin
from tests.assets.conftest import Pipeline
from tests.support.page import blocks, install_package
from vivid_assets.assets.backgrounds import BACKGROUNDS
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.cli.main import app
from vivid_assets.imaging.io.codec import decode
from vivid_assets.rows.tables import read_made_with
from vivid_assets.settings import parse_catalogue_settings, parse_settings


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The page's package, installed where Python finds it; its modules are forgotten afterwards."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    about = install_package(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield about
    for name in ("darker", "stripes"):
        sys.modules.pop(name, None)


@pytest.fixture
def pipeline(tmp_path):
    with closing(Pipeline(tmp_path)) as pipeline:
        yield pipeline


@pytest.mark.slow
def test_an_installed_package_brings_a_tier_and_a_generator(package, pipeline, monkeypatch):
    pipeline.say(blocks()["vivid.toml"])
    pipeline.put("a.png")
    pipeline.put("b.png", (60, 80, 200))
    (pipeline.folder / "manifest.csv").write_text("image,tier\na.png,\nb.png,darker\n")
    assert pipeline.scan().refused == []
    result = pipeline.materialize("spring-00000")
    assert result.success

    masks = pipeline.rows(MASKS)
    assert [(row["tier"], row["verdict"]) for row in masks.values()] == [("darker", "good")] * 2
    alpha = decode(pipeline.store.read(masks["a.png"]["file"])).rgb[..., 0]
    assert alpha[80, 80] == 255 and alpha[4, 4] == 0
    backgrounds = pipeline.rows(BACKGROUNDS)
    assert {row["generator"] for row in backgrounds.values()} == {"stripes"}
    stripes = decode(pipeline.store.read(backgrounds["a.png"]["file"])).rgb
    assert [int(value) for value in stripes[0, 4:30:8, 0]] == [90, 180, 90, 180]
    corner = decode(pipeline.store.read(pipeline.rows(COMPOSITES)["a.png"]["file"])).rgb[3, :40].astype(int)
    assert np.ptp(corner.mean(axis=1)) > 60, "the composite stands before the stripes"
    assert all(check.passed for check in result.get_asset_check_evaluations() if check.check_name == "tiers")
    assert "darker@1 below 140" in read_made_with(pipeline.store, MASKS, "spring-00000")["revision"]["ladder"]

    assert set(pipeline.run().values()) == {0}, "all is up to date"
    pipeline.say(blocks()["vivid.toml"].replace("level = 140", "level = 130"))
    assert pipeline.run()["masks"] == 2, "its setting is in the row key"


def test_its_settings_are_checked_and_a_catalogue_s_folder_cannot_set_them(package):
    said = blocks()["vivid.toml"]
    assert parse_settings(said, where="vivid.toml", overrides={}).entries("darker") == {"level": 140}
    with pytest.raises(ValueError, match="darker: level: Input should be less than or equal to 255"):
        parse_settings(said.replace("140", "1400"), where="vivid.toml", overrides={})
    with pytest.raises(ValueError, match="darker: there is no entry 'levle'; did you mean 'level'"):
        parse_settings(said.replace("level", "levle"), where="vivid.toml", overrides={})
    with pytest.raises(ValueError, match="'onnx' or 'darker', and not 'bright'"):
        parse_settings('[masks]\ntiers = ["bright"]', where="vivid.toml", overrides={})
    with pytest.raises(ValueError, match=r"darker\.level is not a catalogue's to set"):
        parse_catalogue_settings({"darker": {"level": 1}}, where="catalogue.toml")


def test_the_command_line_knows_it(package, pipeline, monkeypatch):
    pipeline.say(blocks()["vivid.toml"])
    monkeypatch.setenv("VIVID_SETTINGS", str(pipeline.settings_file))
    pipeline.put("a.png")
    picture, composite = pipeline.folder / "a.png", pipeline.folder.parent / "c.png"
    done = CliRunner().invoke(app, ["replace", str(picture), "--prompt", "grey", "--output", str(composite)])
    assert done.exit_code == 0, done.output
    assert "darker (good)" in done.output and "stripes" in done.output
    listed = json.loads(CliRunner().invoke(app, ["models", "list", "--json"]).output)
    (row,) = [row for row in listed if row["name"] == "darker"]
    assert (row["purpose"], row["licence"], row["path"]) == ("masks of dark things", "Apache-2.0", "")
    pulled = CliRunner().invoke(app, ["models", "pull", "darker"])
    assert pulled.exit_code == 0 and "darker needs no weights" in pulled.output


@pytest.mark.slow
def test_a_package_that_is_broken_takes_nothing_else_down(package, pipeline):
    (package.parent / "darker.py").write_text("import a_library_that_is_not_here\n")
    pipeline.say(blocks()["vivid.toml"])
    pipeline.put("a.png")
    pipeline.scan()
    result = pipeline.materialize("spring-00000")
    assert result.success
    assert pipeline.rows(MASKS)["a.png"]["tier"] == "gradients"
    (masks,) = result.asset_materializations_for_node("vivid__masks")
    note = masks.metadata["tiers not installed"].value
    assert "darker of the package vivid-extras 0.1.0 cannot be loaded: ModuleNotFoundError" in note
    assert {*MASK_TIERS.working()} == {"birefnet", "u2net", "u2netp", "gradients", "rembg", "onnx"}
    with pytest.raises(BrokenPlugin, match="a_library_that_is_not_here"):
        MASK_TIERS.load("darker")


def test_what_is_no_tier_or_has_a_name_that_is_taken_is_refused_by_its_package_s_name(package, caplog):
    (package / "entry_points.txt").write_text(
        "[vivid_assets.mask_tiers]\ndarker = darker:Threshold\nu2net = darker:Darker\n"
    )
    with pytest.raises(BrokenPlugin, match=r"vivid-extras 0\.1\.0 is no subclass of resources\.masks\.tier\.MaskTier"):
        MASK_TIERS.load("darker")
    assert MASK_TIERS.load("u2net").__module__ == "resources.masks.u2net"
    assert "u2net of the package vivid-extras 0.1.0 is left out: its name is taken" in caplog.text


@pytest.mark.slow
def test_in_this_repository_each_is_a_file_and_a_line(tmp_path):
    code = blocks()
    lines = [(*name.split(", after "), text) for name, text in code.items() if ", after " in name]
    assert len(lines) == 3
    files = {name: code[name] for name in ("vivid_assets/assets/sharpness.py", "vivid_assets/checks/blurred.py")}
    files |= {"resources/masks/darker.py": code["darker.py"], "resources/scenes/stripes.py": code["stripes.py"]}
    for name, text in files.items():
        file = tmp_path / "added" / name
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, blur in (("sharp.png", 0.0), ("soft.png", 6.0)):
        image = np.full((160, 160, 3), (205, 200, 190), np.uint8)
        texture = np.random.default_rng(0).integers(0, 120, (160, 160, 3), np.uint8)
        inside = cv2.circle(np.zeros((160, 160), np.uint8), (80, 80), 50, 1, -1) > 0
        image[inside] = (cv2.GaussianBlur(texture, (0, 0), blur) if blur else texture)[inside]
        cv2.imwrite(str(pictures / name), image)
    (tmp_path / "vivid.toml").write_text(code["vivid.toml"] + "[sharpness]\nlimit = 60\n")

    def vivid(*arguments: str) -> str:
        done = subprocess.run(
            [
                *(sys.executable, Path(__file__).with_name("vivid_with_page.py")),
                *(tmp_path / "added", json.dumps(lines)),
                *arguments,
            ],
            cwd=tmp_path,
            env=os.environ | {"VIVID_SETTINGS": str(tmp_path / "vivid.toml"), "VIVID_STORE": str(tmp_path / "store")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    vivid("catalogue", "add", "spring", str(pictures))
    vivid("catalogue", "run", "spring")
    rows = {row["picture"]: row for row in pq.read_table(tmp_path / "store/tables/sharpness/spring-00000").to_pylist()}
    masks = pq.read_table(tmp_path / "store/tables/masks/spring-00000").to_pylist()
    assert [row["tier"] for row in masks] == ["darker", "darker"]
    backgrounds = pq.read_table(tmp_path / "store/tables/backgrounds/spring-00000").to_pylist()
    assert [row["generator"] for row in backgrounds] == ["stripes", "stripes"]
    assert rows["sharp.png"]["sharpness"] > 60 > rows["soft.png"]["sharpness"]
    assert [rows[name]["blurred"] for name in ("sharp.png", "soft.png")] == [False, True]
    status = next(line for line in vivid("catalogue", "status").splitlines() if "sharpness" in line)
    assert "2" in status
    exported = pq.read_table(next((tmp_path / "store/export/spring").rglob("*.parquet"))).to_pylist()
    assert {row["picture"]: row["sharpness_sharpness"] for row in exported} == {
        name: row["sharpness"] for name, row in rows.items()
    }
    progress = json.loads((tmp_path / "store/progress/spring/spring-00000.json").read_text())
    assert progress["sharpness"]["blurred"] == 0.5, "the check's figures"
    (tmp_path / "vivid.toml").write_text((tmp_path / "vivid.toml").read_text().replace("limit = 60", "limit = 0"))
    said = vivid("catalogue", "run", "spring")
    assert "sharpness spring-00000: 2 of 2 pictures to do" in said
    assert "2 rows computed" in said, "and nothing else"


def test_the_page_names_what_there_is():
    """A name that is changed is changed on the page too."""
    page = (Path(__file__).parents[2] / "docs/extending.md").read_text(encoding="utf-8")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["name"] == "vivid-assets"
    for name in ("MaskTier", "SceneGenerator", "PipelineStage", "StageWork", "PictureFailure", "StoredFile"):
        assert name in page
    for path in ("resources/masks/tiers.py", "resources/scenes/generators.py", "vivid_assets/flow.py"):
        assert path in page and (Path(__file__).parents[2] / path).is_file()
