import csv
import tomllib

import numpy as np
import pytest
from PIL import Image

from vivid_assets.demo.catalogue import write_demo_catalogue
from vivid_assets.demo.drawings import DRAWINGS, glazed_donut, line_art_mug
from vivid_assets.imaging.core.color import srgb_to_linear

SIZE = 120  # pixels of a drawing: quick


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, write_demo_catalogue(folder, SIZE)


def manifest_of(folder) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def test_every_picture_opens_and_is_in_the_manifest(catalogue):
    folder, pictures = catalogue
    assert len(pictures) >= 10
    assert [line["image"] for line in manifest_of(folder)] == [picture.name for picture in pictures]
    for picture in pictures:
        with Image.open(picture) as image:
            assert min(image.convert("RGB").size) >= SIZE
    assert {path.name for path in folder.iterdir()} == {*(p.name for p in pictures), "manifest.csv", "catalogue.toml"}


def test_prompts_and_seeds_differ(catalogue):
    lines = manifest_of(catalogue[0])
    assert len({line["prompt"] for line in lines}) == len({line["seed"] for line in lines}) == len(lines)
    assert list(lines[0]) == ["image", "prompt", "negative_prompt", "seed"]


def test_the_catalogues_file_has_defaults(catalogue):
    entries = tomllib.loads((catalogue[0] / "catalogue.toml").read_text())
    assert entries["prompt"]
    assert isinstance(entries["seed"], int)


def test_writing_again_changes_no_byte(catalogue):
    folder, pictures = catalogue
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert write_demo_catalogue(folder, SIZE) == pictures
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("size", [48, 97])
def test_a_drawing_has_a_subject_a_wall_and_soft_edges(name, size):
    drawing = DRAWINGS[name](size)
    assert drawing.picture.shape == drawing.subject.shape == (size, size, 3)
    assert drawing.alpha.shape == (size, size)
    assert drawing.alpha[0].max() == 0
    assert drawing.alpha.max() == 1
    assert 0.1 < drawing.alpha.mean() < 0.7
    assert ((drawing.alpha > 0.05) & (drawing.alpha < 0.95)).any()


@pytest.mark.parametrize("name", DRAWINGS)
def test_alpha_is_exact_the_picture_is_subject_over_wall_in_linear_light(name):
    drawing = DRAWINGS[name](96)
    picture, subject = srgb_to_linear(drawing.picture), srgb_to_linear(drawing.subject)
    solid, open_ = drawing.alpha == 1, drawing.alpha == 0
    assert np.array_equal(drawing.picture[solid], drawing.subject[solid])
    assert (drawing.subject[open_] == 0).all()
    soft = ~solid & ~open_
    wall = (picture - drawing.alpha[..., None] * subject)[soft] / (1 - drawing.alpha[soft])[:, None]
    trusted = drawing.alpha[soft] < 0.9  # what 8 bits leave of the wall beyond is noise
    assert wall[trusted].min() > -0.1
    assert wall[trusted].max() < 1.1


def test_holes_show_the_wall():
    donut, mug = glazed_donut(96), line_art_mug(96)
    assert donut.alpha[46, 48] == 0
    assert donut.alpha[46, 20] == 1
    assert mug.alpha[int(0.53 * 96), int(0.73 * 96)] == 0  # within the handle
    assert mug.alpha[int(0.53 * 96), int(0.5 * 96)] == 1  # white, as the paper is, and yet the mug


def test_without_scikit_image_the_drawings_remain(tmp_path, monkeypatch):
    monkeypatch.setattr("vivid_assets.demo.catalogue._photograph_folder", lambda: None)
    assert len(write_demo_catalogue(tmp_path, SIZE)) == len(DRAWINGS)
